//! The kernel engine of all workers: whether it can be had, where it stands, and why not elsewhere.

mod found;
mod loaded;
mod standing;

pub use standing::Standing;

use found::Found;
use loaded::Loaded;

use crate::config::{DatapathChoice, EngineConfig};
use crate::keeper::Board;
use crate::orphans::Orphans;
use crate::socket::SocketOptions;
use crate::xdp::{
    Attached, Drivers, Inherited, Interface, MAX_LOCALS, News, OBJECT, Pins, Program, Refusal, Routes, Rung,
    Setup, Tables, Via, Way, detach, ladder,
};
use relay_values::Time;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
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
    "frames go from one interface to another, and the kernel cannot say which drivers take them from XDP";

/// The program in front of the interfaces that have a media address.
#[derive(Debug)]
pub(crate) struct Kernel {
    // In the order in which they go: nothing stands before an interface when what it needs is taken away.
    stands: Vec<Stand>,
    orphans: Orphans,
    program: Program,
    pins: Option<Pins>,
    routes: Routes,
    /// `None` on a kernel that is too old to be asked.
    drivers: Option<Drivers>,
    /// Why native XDP is left out, if it is.
    no_native: Option<String>,
    /// It did not hold before all of these interfaces, and why.
    did_not_hold: Option<(Vec<u32>, String)>,
    addresses: Vec<IpAddr>,
    choice: DatapathChoice,
    /// Why it does not stand elsewhere.
    nowhere: Vec<String>,
    survival: String,
    board: Arc<Board>,
}

/// Where it stands.
#[derive(Debug)]
struct Stand {
    ifindex: u32,
    attached: Attached,
    left_out: Vec<Refusal>,
}

impl Kernel {
    /// Stand before every interface that has a media address, as far as that goes. `by_port`: ports without a socket are
    /// answered by the system.
    pub(crate) fn start(config: &EngineConfig, by_port: bool) -> (Option<Self>, Standing) {
        Self::start_with(OBJECT, config, by_port)
    }

    fn start_with(object: &[u8], config: &EngineConfig, by_port: bool) -> (Option<Self>, Standing) {
        let started = match config.datapath {
            DatapathChoice::Sockets => Err("so configured".to_owned()),
            DatapathChoice::Auto | DatapathChoice::By(_) => Self::try_start(object, config, by_port),
        };
        match started {
            Ok(kernel) => {
                let standing = kernel.standing();
                (Some(kernel), standing)
            }
            Err(why) => {
                let mut standing = Standing::default();
                standing.sockets.push(why);
                // Nobody would watch over what an earlier run has left.
                if let Some(dir) = &config.pins {
                    standing.survival = match detach(dir) {
                        Ok(0) => None,
                        Ok(_) => Some("what an earlier run had left is taken away".to_owned()),
                        Err(why) => Some(format!("what an earlier run may have left is still there: {why}")),
                    };
                }
                (None, standing)
            }
        }
    }

    fn try_start(object: &[u8], config: &EngineConfig, by_port: bool) -> Result<Self, String> {
        let addresses = &config.relay.addresses;
        if addresses.len() > MAX_LOCALS {
            return Err(format!("{} media addresses, and the program knows {MAX_LOCALS}", addresses.len()));
        }
        let routes = Routes::new().map_err(|e| format!("the kernel's routes cannot be asked for: {e}"))?;
        let found = Found::look(&routes, addresses);
        if found.interfaces.is_empty() && found.absent == 0 {
            return Err(format!("{}; no interface for the program", found.nowhere.join("; ")));
        }
        let (dscp, epoch) = (config.dscp, config.epoch);
        let setup = Setup { locals: addresses.clone(), dscp, hop_limit: HOP_LIMIT, epoch };
        let flows = config.relay.max_sessions.saturating_mul(FLOWS_PER_CALL) + 1;
        let loaded = Loaded::load(object, config, &setup, flows).map_err(|e| e.to_string())?;
        let Loaded { program, pins, inherited, mut survival } = loaded;
        let tables = program.tables();
        let adopted = if matches!(inherited, Inherited::Tables { .. }) { tables.adopt() } else { Vec::new() };
        let now = Time::from_nanos(u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let unread = by_port.then(|| SocketOptions::new(config));
        let orphans = Orphans::new(tables, adopted, now, config.orphan_inactivity, unread);
        if orphans.sessions() > 0 {
            survival = format!("{survival}, {} flows of {} calls", orphans.flows(), orphans.sessions());
        }
        let mut kernel = Self {
            stands: Vec::new(),
            board: Board::new(Vec::new(), Standing::default(), orphans.sessions()),
            orphans,
            program,
            pins,
            routes,
            drivers: Drivers::new().ok(),
            no_native: None,
            did_not_hold: None,
            addresses: addresses.clone(),
            choice: config.datapath,
            nowhere: Vec::new(),
            survival,
        };
        kernel.stand(found);
        kernel.tidy();
        kernel.look_again();
        let adopted = kernel.orphans.sessions();
        kernel.board = Board::new(kernel.stands(), kernel.standing(), adopted);
        Ok(kernel)
    }

    pub(crate) fn tables(&self) -> Arc<Tables> {
        self.program.tables()
    }

    pub(crate) fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    pub(crate) fn orphans(&mut self) -> &mut Orphans {
        &mut self.orphans
    }

    /// RTP ports that are not the relay's to give.
    pub(crate) fn withheld(&self) -> Vec<SocketAddr> {
        self.orphans.ports().collect()
    }

    /// The interfaces that frames may leave by.
    pub(crate) fn stands(&self) -> Vec<u32> {
        self.stands.iter().map(|s| s.ifindex).collect()
    }

    /// Where it stands.
    pub(crate) fn standing(&self) -> Standing {
        let line = |stand: &Stand| {
            let Attached { interface, rung, refused, inherited, .. } = &stand.attached;
            let since = if *inherited { " (since an earlier run)" } else { "" };
            let line = format!("{interface} by {}{since}", rung.as_str());
            stand.left_out.iter().chain(refused).fold(line, |line, refusal| format!("{line} ({refusal})"))
        };
        Standing {
            kernel: self.stands.iter().map(line).collect(),
            sockets: self.nowhere.clone(),
            engine: String::new(),
            survival: Some(self.survival.clone()),
        }
    }

    /// Readable when interfaces, routes, neighbours or drivers may have changed.
    pub(crate) fn news(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.drivers.iter().map(Drivers::news).chain([self.routes.news()])
    }

    /// What has since the last time.
    pub(crate) fn changes(&self) -> News {
        let mut news = self.routes.changes();
        news.everything |= self.drivers.as_ref().is_some_and(Drivers::has_changed);
        news
    }

    /// Look at the ways by some neighbours again: the kernel is sure or not so sure of one all the time.
    pub(crate) fn look_at(&mut self, neighbours: &[Via]) {
        self.lead(Some(neighbours));
    }

    fn lead(&mut self, by: Option<&[Via]>) {
        let stands = self.stands();
        self.orphans.look_again(by, |from, to| way(&self.routes, &stands, from, to));
        self.orphans.seek(&self.routes);
    }

    /// Look at interfaces and ways again; whether what the workers go by has changed.
    pub(crate) fn look_again(&mut self) -> bool {
        let before = (self.stands(), self.nowhere.clone());
        let gone = |s: &Stand| matches!(self.routes.exists(s.ifindex), Ok(false));
        let gone: Vec<u32> = self.stands.iter().filter(|s| gone(s)).map(|s| s.ifindex).collect();
        self.stands.retain(|s| !gone.contains(&s.ifindex));
        self.stand(Found::look(&self.routes, &self.addresses));
        self.lead(None);
        before != (self.stands(), self.nowhere.clone())
    }

    /// Have the neighbours of the streams of an earlier run made sure of.
    pub(crate) fn touch(&self) {
        self.orphans.touch(&self.routes);
    }

    /// Stand before interfaces, as far as that goes.
    fn stand(&mut self, found: Found) {
        let Found { interfaces, nowhere, absent: _ } = found;
        self.nowhere = nowhere;
        let among: Vec<u32> = interfaces.iter().map(|i| i.ifindex).collect();
        let tried = self.did_not_hold.as_ref().filter(|(before, _)| *before == among);
        let no_native = self.no_native(&interfaces).or_else(|| tried.map(|(_, why)| why.clone()));
        if no_native.is_some() != self.no_native.is_some() {
            // None may stand as if it were otherwise; the sockets carry what comes until the program stands again.
            self.stands.clear();
        }
        self.no_native = no_native;
        self.stand_each(&interfaces);
        let by = |rung: Rung| move |s: &Stand| s.attached.rung == rung;
        if self.stands.len() > 1 && self.stands.iter().any(by(Rung::NativeXdp)) {
            // Frames of a driver's program go to drivers that have one, too: many take them only then.
            if let Some(other) = self.stands.iter().find(|s| s.attached.rung != Rung::NativeXdp) {
                let why = format!("it does not hold before {}", other.attached.interface);
                self.no_native = Some(why.clone());
                self.did_not_hold = Some((among, why));
                self.stands.retain(|s| s.attached.rung != Rung::NativeXdp);
                self.stand_each(&interfaces);
            }
        }
    }

    fn stand_each(&mut self, interfaces: &[Interface]) {
        for Interface { ifindex, name, .. } in interfaces {
            if self.stands.iter().any(|s| s.ifindex == *ifindex) {
                continue;
            }
            let (rungs, left_out) = match self.choice {
                DatapathChoice::By(rung) => (vec![rung], Vec::new()),
                DatapathChoice::Auto | DatapathChoice::Sockets => ladder(name),
            };
            let (rungs, left_out) = without_native((rungs, left_out), self.no_native.as_deref());
            match self.stand_before(name, *ifindex, &rungs) {
                Ok(attached) => self.stands.push(Stand { ifindex: *ifindex, attached, left_out }),
                Err(why) => {
                    self.nowhere.push(left_out.iter().fold(why, |why, refusal| format!("{why}; {refusal}")));
                }
            }
        }
    }

    /// Why native XDP is out of the question before these interfaces.
    fn no_native(&self, interfaces: &[Interface]) -> Option<String> {
        let many = interfaces.len() > 1;
        let Some(drivers) = &self.drivers else {
            // Who demands it has to know what the drivers do.
            return (many && self.choice == DatapathChoice::Auto).then(|| BETWEEN_DRIVERS.to_owned());
        };
        interfaces.iter().find_map(|i| {
            let lack = match drivers.features(i.ifindex) {
                Ok(features) => features.lack(many)?.to_owned(),
                Err(e) => format!("cannot be asked: {e}"),
            };
            Some(format!("the driver of {} {lack}", i.name))
        })
    }

    fn stand_before(&mut self, name: &str, ifindex: u32, rungs: &[Rung]) -> Result<Attached, String> {
        let Some(pins) = &self.pins else {
            return self.program.attach(name, rungs).map_err(|e| e.to_string());
        };
        let inherited = self.program.inherit(pins, name, ifindex, rungs);
        if let Some(attached) = inherited.map_err(|e| format!("what stands before {name}: {e}"))? {
            return Ok(attached);
        }
        let attached = self.program.attach(name, rungs).map_err(|e| e.to_string())?;
        let path = pins.link(ifindex, attached.rung);
        attached.pin(path).map_err(|e| format!("pinning what stands before {name}: {e}"))
    }

    /// Take away what an earlier run has put where there is nothing to do for us.
    fn tidy(&self) {
        for (ifindex, _, path) in self.pins.iter().flat_map(Pins::links) {
            if !self.stands.iter().any(|s| s.ifindex == ifindex) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// The way to a peer, if it leaves by an interface that the program stands before.
pub(crate) fn way(routes: &Routes, stands: &[u32], from: IpAddr, to: IpAddr) -> Option<Way> {
    // An error of the kernel's is no way either.
    routes.way(from, to).ok().flatten().filter(|w| stands.contains(&w.hop.ifindex))
}

/// The rungs for an interface where native XDP is out of the question.
fn without_native(
    (mut rungs, mut left_out): (Vec<Rung>, Vec<Refusal>),
    why: Option<&str>,
) -> (Vec<Rung>, Vec<Refusal>) {
    if let (Some(why), true) = (why, rungs.contains(&Rung::NativeXdp)) {
        rungs.retain(|rung| *rung != Rung::NativeXdp);
        left_out.push(Refusal { rung: Rung::NativeXdp, why: why.to_owned() });
    }
    (rungs, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_xdp_is_left_out_with_the_reason_where_a_driver_does_not_take_frames_of_others() {
        let all = || (vec![Rung::NativeXdp, Rung::GenericXdp, Rung::Tcx], Vec::new());
        let (rungs, left_out) = without_native(all(), Some("the driver of eth1 has no XDP"));
        assert_eq!(rungs, [Rung::GenericXdp, Rung::Tcx]);
        assert_eq!(left_out[0].to_string(), "xdp_native: the driver of eth1 has no XDP");
        assert_eq!(without_native(all(), None), all());
        // Left out already, for another reason.
        assert_eq!(without_native((vec![Rung::Tcx], Vec::new()), Some("…")), (vec![Rung::Tcx], Vec::new()));
    }

    #[test]
    fn a_program_that_the_verifier_refuses_leaves_media_to_the_sockets() {
        // Every way out of the program becomes an ordinary instruction: it never ends.
        const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];
        const MOVE: [u8; 8] = [0xb7, 0, 0, 0, 0, 0, 0, 0];
        let mut bad = OBJECT.to_vec();
        for word in bad.chunks_exact_mut(8).filter(|word| **word == EXIT) {
            word.copy_from_slice(&MOVE);
        }
        let standing = std::thread::spawn(move || {
            // SAFETY: of this thread alone, which ends with the test.
            if unsafe { libc::unshare(libc::CLONE_NEWNET) } < 0 {
                eprintln!("not run: a network namespace takes root");
                return None;
            }
            for line in
                ["link add d0 type veth peer name d1", "address add 192.0.2.1/24 dev d0", "link set d0 up"]
            {
                let done = std::process::Command::new("ip").args(line.split(' ')).status();
                assert!(done.expect("ip runs").success(), "{line}");
            }
            let addresses = vec!["192.0.2.1".parse().expect("an address")];
            let relay = relay_core::RelayConfig { addresses, ..Default::default() };
            let config = EngineConfig { relay, datapath: DatapathChoice::Auto, ..EngineConfig::default() };
            let (kernel, standing) = Kernel::start_with(&bad, &config, true);
            assert!(kernel.is_none());
            Some(standing)
        });
        let Some(standing) = standing.join().expect("it ends") else { return };
        assert!(standing.kernel.is_empty(), "{standing}");
        let why = &standing.sockets[0];
        let refused = why.starts_with("the kernel's verifier refuses the program: ");
        assert!(refused || why.contains("CAP_BPF"), "{standing}");
    }
}
