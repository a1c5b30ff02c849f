//! What this machine allows, as far as /proc tells it.

use std::fs;
use std::ops::RangeInclusive;

/// Limits of the system that bound calls. What cannot be read is not known and bounds nothing here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    /// Open files of this process, the hard limit (`RLIMIT_NOFILE`): the service raises its soft one to it.
    pub descriptors: Option<u64>,
    /// Largest receive buffer that a socket may ask for, in bytes (net.core.rmem_max).
    pub receive_most: Option<u64>,
    /// The receive buffer of a socket that does not ask, in bytes (net.core.rmem_default).
    pub receive_default: Option<u64>,
    /// Ports that the system gives to outgoing connections of anybody (net.ipv4.ip_local_port_range).
    pub ephemeral: Option<RangeInclusive<u16>>,
    /// Ports that it keeps from them (net.ipv4.ip_local_reserved_ports).
    pub reserved: Vec<RangeInclusive<u16>>,
    /// Connections that a stateful firewall remembers, where there is one (net.netfilter.nf_conntrack_max).
    pub conntrack: Option<u64>,
    /// Memory in bytes.
    pub memory: Option<u64>,
}

impl Machine {
    /// Ask the system.
    pub fn read() -> Self {
        Self {
            descriptors: of("/proc/self/limits").and_then(|text| hard_limit(&text)),
            receive_most: number("net/core/rmem_max"),
            receive_default: number("net/core/rmem_default"),
            ephemeral: of("/proc/sys/net/ipv4/ip_local_port_range").and_then(|text| pair(&text)),
            reserved: of("/proc/sys/net/ipv4/ip_local_reserved_ports")
                .map(|text| ranges(&text))
                .unwrap_or_default(),
            conntrack: number("net/netfilter/nf_conntrack_max"),
            memory: of("/proc/meminfo").and_then(|text| memory(&text)),
        }
    }

    /// Ports of a range that the system may give to others.
    pub fn contested(&self, ports: &RangeInclusive<u16>) -> Option<RangeInclusive<u16>> {
        let ephemeral = self.ephemeral.as_ref()?;
        let free = |port: &u16| !self.reserved.iter().any(|range| range.contains(port));
        let mut both =
            (*ports.start().max(ephemeral.start())..=*ports.end().min(ephemeral.end())).filter(free);
        let first = both.next()?;
        Some(first..=both.next_back().unwrap_or(first))
    }
}

fn of(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn number(key: &str) -> Option<u64> {
    of(&format!("/proc/sys/{key}"))?.trim().parse().ok()
}

/// `Max open files            1024                 524288               files`
fn hard_limit(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let hard = line.split_whitespace().nth(1)?;
    if hard == "unlimited" { Some(u64::MAX) } else { hard.parse().ok() }
}

/// `32768 60999`, with a tab between.
fn pair(text: &str) -> Option<RangeInclusive<u16>> {
    let mut words = text.split_whitespace().map(str::parse);
    Some(words.next()?.ok()?..=words.next()?.ok()?)
}

/// `8080,20000-59999`
fn ranges(text: &str) -> Vec<RangeInclusive<u16>> {
    let range = |word: &str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    text.trim().split(',').filter_map(range).collect()
}

/// `MemTotal:       24584984 kB`
fn memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_words_are_read() {
        let limits = "Limit  Soft  Hard  Units\nMax open files            1024                 524288               files\n";
        assert_eq!(hard_limit(limits), Some(524_288));
        assert_eq!(hard_limit("Max open files  unlimited  unlimited  files"), Some(u64::MAX));
        assert_eq!(hard_limit("nothing"), None);
        assert_eq!(pair("32768\t60999\n"), Some(32_768..=60_999));
        assert_eq!(ranges("8080,20000-59999\n"), [8080..=8080, 20_000..=59_999]);
        assert_eq!(ranges("\n"), []);
        assert_eq!(memory("MemTotal:       24584984 kB\nMemFree: 1 kB\n"), Some(25_175_023_616));
    }

    #[test]
    fn ports_are_contested_where_the_system_may_give_them_away() {
        let machine = |reserved: &str| Machine {
            ephemeral: Some(32_768..=60_999),
            reserved: ranges(reserved),
            ..Machine::default()
        };
        assert_eq!(machine("").contested(&(20_000..=39_999)), Some(32_768..=39_999));
        assert_eq!(machine("20000-35000").contested(&(20_000..=39_999)), Some(35_001..=39_999));
        assert_eq!(machine("20000-59999").contested(&(20_000..=39_999)), None);
        assert_eq!(machine("").contested(&(20_000..=29_999)), None);
        assert_eq!(Machine::default().contested(&(20_000..=39_999)), None, "nothing is known");
    }
}
