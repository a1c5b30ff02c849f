//! How many calls a configuration can hold on this machine, and what holds the next one back.
//!
//! Plain arithmetic, a row for each thing that bounds calls: docs/sizing.md has the same with its reasons.

mod machine;

pub use machine::Machine;

use crate::config::{Loaded, RelaySettings};
use datapath::SocketEngine;
use std::ops::RangeInclusive;

/// Media ports of a call: RTP and RTCP on each of two legs.
const PORTS_PER_CALL: u64 = 4;

/// Descriptors of a call where every port has a socket.
const DESCRIPTORS_PER_CALL: u64 = 4;

/// How long the ports of an ended call rest, in seconds.
const REST_S: u64 = 5;

/// A call that calls per second are worked out for, in seconds.
const CALL_S: u64 = 180;

/// Packets per second that a call brings to us: two legs, one packet each 20 ms.
const PACKETS_PER_CALL: u64 = 100;

/// A packet of G.711 on an Ethernet, in bytes: 160 of sound, 12 RTP, 8 UDP, 20 IPv4, 14 and 4 Ethernet, and 20 of time before it.
const WIRE_BYTES: u64 = 238;

/// What a small packet takes of a socket's receive buffer: the kernel counts its own structure and the whole piece of memory
/// that the packet lies in.
const BUFFERED_BYTES: u64 = 832;

/// Tables in the kernel for a call of one line: two flows of 192 bytes, each with two alternates of 64.
const KERNEL_BYTES_PER_CALL: u64 = 2 * (192 + 2 * 64);

/// Tables in the kernel whatever is carried: a number for every port of eight addresses, next hops, counters.
const KERNEL_BYTES: u64 = 8 * 65_536 * 4 + 4_096 * 32 + 256 * 128;

/// One thing that bounds calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub what: &'static str,
    /// Calls that it lets be up at a time; `None` for what is only to be known.
    pub calls: Option<u64>,
    /// How that comes about.
    pub because: String,
}

/// What a configuration can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizing {
    /// Everything that counts.
    pub rows: Vec<Row>,
    /// What should be mended, with what to do.
    pub advice: Vec<String>,
}

impl Sizing {
    /// Work it out.
    pub fn of(loaded: &Loaded, machine: &Machine) -> Self {
        let Loaded { config, settings, .. } = loaded;
        let shards = u64::from(settings.shards).max(1);
        let most = u64::from(config.limits.max_calls) * shards;
        let mut sizing = Self { rows: Vec::new(), advice: Vec::new() };
        sizing.row(
            "limits.max_calls",
            Some(most),
            format!("{shards} shards × {} calls", config.limits.max_calls),
        );
        match &settings.relay {
            Some(relay) => sizing.media(relay, settings.tcp_connections, machine, most),
            None => sizing.row("media", None, "bypasses us: no ports, no descriptors".to_owned()),
        }
        sizing
    }

    /// Calls at a time, and by what they are bounded.
    pub fn calls(&self) -> Option<(u64, &'static str)> {
        let bounds = self.rows.iter().filter_map(|row| Some((row.calls?, row.what)));
        bounds.min_by_key(|(calls, _)| *calls)
    }

    fn media(&mut self, relay: &RelaySettings, tcp_connections: usize, machine: &Machine, most: u64) {
        let ports = relay.first_port..=relay.last_port;
        let there = u64::from(relay.last_port) + 1 - u64::from(relay.first_port);
        let by_ports = there / PORTS_PER_CALL;
        let (first, last, rate) = (ports.start(), ports.end(), by_ports / (CALL_S + REST_S));
        self.row(
            "media.ports",
            Some(by_ports),
            format!(
                "{first} to {last} are {there} ports, {PORTS_PER_CALL} a call; calls of {CALL_S} s and {REST_S} s of \
                 rest: {rate} calls/s"
            ),
        );
        self.descriptors(relay.sockets, tcp_connections, machine, by_ports.min(most));
        let calls = self.calls().map_or(most, |(calls, _)| calls);
        let packets = calls * PACKETS_PER_CALL;
        self.row(
            "network",
            None,
            format!(
                "{calls} calls of G.711 at 20 ms: {packets} packets/s in and as many out, {} Mbit/s each way",
                packets * WIRE_BYTES * 8 / 1_000_000
            ),
        );
        self.row(
            "kernel tables",
            None,
            format!(
                "{} for {most} calls, where the kernel carries media",
                mib(KERNEL_BYTES + most * KERNEL_BYTES_PER_CALL)
            ),
        );
        self.buffers(machine);
        self.neighbours(&ports, machine, calls);
    }

    fn descriptors(&mut self, engine: SocketEngine, tcp_connections: usize, machine: &Machine, wanted: u64) {
        let what = "open files";
        let one_for_all = "one socket has all ports (lookup, needs CAP_BPF and CAP_NET_ADMIN): none a call";
        let (Some(limit), false) = (machine.descriptors, engine == SocketEngine::Lookup) else {
            return self.row(what, None, one_for_all.to_owned());
        };
        let reserved = crate::appliance::RESERVED_DESCRIPTORS as u64 + tcp_connections as u64;
        let calls = limit.saturating_sub(reserved) / DESCRIPTORS_PER_CALL;
        let because = if limit == u64::MAX {
            "no limit".to_owned()
        } else {
            format!("{limit} open files here, less {reserved} for the rest, {DESCRIPTORS_PER_CALL} a call")
        };
        let (bound, because, or_else) = match engine {
            SocketEngine::Auto => {
                let because = format!("{one_for_all}; else {calls} calls: {because}");
                (None, because, ", where the lookup engine cannot be had")
            }
            SocketEngine::Lookup | SocketEngine::Uring | SocketEngine::Epoll => (Some(calls), because, ""),
        };
        self.row(what, bound, because);
        if calls < wanted {
            let needed = wanted * DESCRIPTORS_PER_CALL + reserved;
            self.advice.push(format!(
                "{wanted} calls need {needed} open files{or_else}: LimitNOFILE={needed} in the unit (what is shown is this \
                 shell's limit)"
            ));
        }
    }

    fn buffers(&mut self, machine: &Machine) {
        if let Some(bytes) = machine.receive_default {
            let packets = bytes / BUFFERED_BYTES;
            let ms = packets * 1_000 / 50;
            let because =
                format!("net.core.rmem_default of {bytes} bytes: {packets} packets, {ms} ms of one leg");
            self.row("buffer of a media port", None, because);
        }
        let wanted = crate::limits::SOCKET_BUFFER as u64;
        if let Some(most) = machine.receive_most
            && most < wanted
        {
            self.advice.push(format!(
                "a signalling socket asks for a receive buffer of {wanted} bytes and gets {most}: raise net.core.rmem_max \
                 (systemd/sysctl.conf)"
            ));
        }
    }

    fn neighbours(&mut self, ports: &RangeInclusive<u16>, machine: &Machine, calls: u64) {
        if let Some(contested) = machine.contested(ports) {
            let (first, last) = (contested.start(), contested.end());
            self.advice.push(format!(
                "the system may give ports {first} to {last} to others' outgoing connections: \
                 net.ipv4.ip_local_reserved_ports = {}-{} (systemd/sysctl.conf)",
                ports.start(),
                ports.end()
            ));
        }
        // A stateful firewall takes every direction of RTP and of RTCP for a connection of its own.
        if let Some(most) = machine.conntrack
            && most < calls * PORTS_PER_CALL
        {
            self.advice.push(format!(
                "a stateful firewall remembers {most} connections, and {calls} calls are {}: exempt the media range from \
                 tracking (`notrack`), or raise net.netfilter.nf_conntrack_max",
                calls * PORTS_PER_CALL
            ));
        }
    }

    fn row(&mut self, what: &'static str, calls: Option<u64>, because: String) {
        self.rows.push(Row { what, calls, because });
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The configuration on loopback, with a datapath of its own if one is named.
    fn loaded(datapath: &str) -> Loaded {
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../conf/bascule.toml")).unwrap();
        let named = if datapath.is_empty() { String::new() } else { format!("\ndatapath = \"{datapath}\"") };
        let text = text.replacen("[media]", &format!("[media]{named}"), 1);
        crate::config::parse("sizing.toml", &text).unwrap()
    }

    fn machine(descriptors: u64) -> Machine {
        Machine { descriptors: Some(descriptors), receive_most: Some(16 << 20), ..Machine::default() }
    }

    #[test]
    fn calls_are_bounded_by_what_is_scarcest_and_it_is_named() {
        let ample = Sizing::of(&loaded(""), &machine(1_000_000));
        let (calls, what) = ample.calls().unwrap();
        assert!(what != "open files" && ample.advice.is_empty(), "{ample:#?}");
        let scarce = Sizing::of(&loaded("epoll"), &machine(4_000));
        let (fewer, what) = scarce.calls().unwrap();
        assert_eq!(what, "open files");
        assert!(fewer < calls && fewer == (4_000 - 512 - 1_024) / 4, "{scarce:#?}");
        assert!(scarce.advice.iter().any(|a| a.contains("LimitNOFILE=")), "{scarce:#?}");
        let either = Sizing::of(&loaded(""), &machine(4_000));
        assert_eq!(either.calls(), ample.calls(), "one socket may have all ports");
        assert!(either.advice.iter().any(|a| a.contains("LimitNOFILE=")), "and if it cannot, it is known");
        assert!(Sizing::of(&loaded("lookup"), &machine(4_000)).advice.is_empty());
    }

    #[test]
    fn what_the_system_would_do_to_the_range_is_told() {
        let odd = Machine {
            receive_most: Some(212_992),
            ephemeral: Some(1_024..=65_535),
            conntrack: Some(1_000),
            ..machine(1_000_000)
        };
        let sizing = Sizing::of(&loaded(""), &odd);
        for said in ["net.core.rmem_max", "ip_local_reserved_ports", "nf_conntrack_max"] {
            assert!(sizing.advice.iter().any(|a| a.contains(said)), "{said}: {sizing:#?}");
        }
    }

    #[test]
    fn nothing_known_of_the_machine_is_nothing_said_of_it() {
        let sizing = Sizing::of(&loaded(""), &Machine::default());
        assert!(sizing.advice.is_empty(), "{sizing:#?}");
        assert!(sizing.rows.iter().all(|row| row.what != "open files" || row.calls.is_none()));
    }
}
