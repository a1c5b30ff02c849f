//! The kernel engine of all workers: whether it can be had, where it stands, and why not elsewhere.

use crate::config::{DatapathChoice, EngineConfig};
use crate::xdp::{Attached, Interface, MAX_LOCALS, Program, Refusal, Routes, Rung, Setup, Tables, ladder};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Flows of one call.
const FLOWS_PER_CALL: usize = 2;

/// Hop limit of media, as the stack gives it to the sockets' (net.ipv4.ip_default_ttl, net.ipv6.conf.*.hop_limit).
const HOP_LIMIT: u8 = 64;

/// Packets in a row after which a flow goes to the kernel: those of 160 ms, so that no flow goes to and fro with every odd
/// packet.
pub(crate) const OFFLOAD_AFTER: u16 = 8;

/// A driver that takes no frames of another one's drops them, and nobody would know.
const BETWEEN_DRIVERS: &str =
    "frames go from one interface to another, and not every driver takes them from XDP";

/// The program in front of the interfaces that have a media address.
#[derive(Debug)]
pub(crate) struct Kernel {
    program: Program,
    attached: Vec<Attached>,
    /// Of `attached`.
    stands: Vec<u32>,
}

/// What carries media, for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where the kernel engine stands, one line for each interface, with what did not hold and why.
    pub kernel: Vec<String>,
    /// What the sockets carry alone, and why.
    pub sockets: Vec<String>,
    /// How the sockets are served, with the faster engines that cannot be had and why.
    pub engine: String,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.kernel.iter().map(|k| format!("kernel: {k}"));
        let lines = lines.chain(self.sockets.iter().map(|s| format!("sockets: {s}")));
        let lines = lines.chain([format!("sockets: served by {}", self.engine)]);
        f.write_str(&lines.collect::<Vec<_>>().join("; "))
    }
}

impl Kernel {
    /// Stand before every interface that has a media address, as far as that goes.
    pub(crate) fn start(config: &EngineConfig) -> (Option<Self>, Standing) {
        let mut standing = Standing { kernel: Vec::new(), sockets: Vec::new(), engine: String::new() };
        let kernel = match config.datapath {
            DatapathChoice::Sockets => Err("so configured".to_owned()),
            DatapathChoice::Auto => Self::try_start(config, ladder, &mut standing),
            DatapathChoice::By(rung) => Self::try_start(config, |_| (vec![rung], Vec::new()), &mut standing),
        };
        match kernel {
            Ok(kernel) => (Some(kernel), standing),
            Err(why) => {
                standing.sockets.push(why);
                (None, standing)
            }
        }
    }

    fn try_start(
        config: &EngineConfig,
        ladder: impl Fn(&str) -> (Vec<Rung>, Vec<Refusal>),
        standing: &mut Standing,
    ) -> Result<Self, String> {
        let addresses = &config.relay.addresses;
        if addresses.len() > MAX_LOCALS {
            return Err(format!("{} media addresses, and the program knows {MAX_LOCALS}", addresses.len()));
        }
        let routes = Routes::new().map_err(|e| format!("the kernel's routes cannot be asked for: {e}"))?;
        let interfaces = interfaces(&routes, addresses, standing);
        if interfaces.is_empty() {
            return Err("no interface for the program".to_owned());
        }
        let (dscp, epoch) = (config.dscp, config.epoch);
        let setup = Setup { locals: addresses.clone(), dscp, hop_limit: HOP_LIMIT, epoch };
        let flows = config.relay.max_sessions.saturating_mul(FLOWS_PER_CALL) + 1;
        let mut program = Program::load(&setup, flows).map_err(|e| e.to_string())?;
        let (mut attached, mut stands) = (Vec::new(), Vec::new());
        let many = interfaces.len() > 1 && config.datapath == DatapathChoice::Auto;
        for Interface { ifindex, name, .. } in interfaces {
            let (rungs, left_out) = if many { between(ladder(&name)) } else { ladder(&name) };
            match program.attach(&name, &rungs) {
                Ok(stand) => {
                    let mut line = format!("{name} by {}", stand.rung.as_str());
                    for refusal in left_out.iter().chain(&stand.refused) {
                        line = format!("{line} ({refusal})");
                    }
                    standing.kernel.push(line);
                    attached.push(stand);
                    stands.push(ifindex);
                }
                Err(why) => standing.sockets.push(why.to_string()),
            }
        }
        if attached.is_empty() {
            return Err("the program stands nowhere".to_owned());
        }
        Ok(Self { program, attached, stands })
    }

    pub(crate) fn tables(&self) -> Arc<Tables> {
        self.program.tables()
    }

    /// The interfaces that frames may leave by.
    pub(crate) fn stands(&self) -> Vec<u32> {
        debug_assert_eq!(self.attached.len(), self.stands.len());
        self.stands.clone()
    }
}

/// The interfaces that have a media address, each once; why an address has none goes to `standing`.
fn interfaces(routes: &Routes, addresses: &[IpAddr], standing: &mut Standing) -> Vec<Interface> {
    let mut found: Vec<Interface> = Vec::new();
    for &ip in addresses {
        match routes.interface_of(ip) {
            Ok(Some(i)) if i.is_loopback => standing.sockets.push(format!("{ip} is on loopback")),
            Ok(Some(i)) if found.iter().any(|f| f.ifindex == i.ifindex) => {}
            Ok(Some(i)) => found.push(i),
            Ok(None) => standing.sockets.push(format!("{ip} is on no interface that is up")),
            Err(e) => standing.sockets.push(format!("the interface of {ip}: {e}")),
        }
    }
    found
}

/// The rungs for an interface from which frames go on to another one.
fn between((mut rungs, mut left_out): (Vec<Rung>, Vec<Refusal>)) -> (Vec<Rung>, Vec<Refusal>) {
    if rungs.contains(&Rung::NativeXdp) {
        rungs.retain(|rung| *rung != Rung::NativeXdp);
        left_out.push(Refusal { rung: Rung::NativeXdp, why: BETWEEN_DRIVERS.to_owned() });
    }
    (rungs, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_interfaces_no_driver_is_trusted_with_the_others_frames() {
        let all = vec![Rung::NativeXdp, Rung::GenericXdp, Rung::Tcx];
        let (rungs, left_out) = between((all, Vec::new()));
        assert_eq!(rungs, [Rung::GenericXdp, Rung::Tcx]);
        assert!(left_out[0].to_string().starts_with("xdp_native: frames go from one interface to another"));
    }
}
