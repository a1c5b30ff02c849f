//! A collector of HEPv3, strict: it was written from the specification, and takes nothing that is not in it.

use super::world::PATIENCE;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// A packet as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) protocol: u8,
    pub(crate) kind: u8,
    pub(crate) agent: u32,
    pub(crate) key: Option<String>,
    pub(crate) call: String,
    pub(crate) payload: String,
    /// Microseconds since 1970.
    pub(crate) at_us: u64,
}

impl Packet {
    /// The packet that these bytes begin with, and its length.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let head = bytes.get(..6)?;
        assert_eq!(&head[..4], b"HEP3");
        let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
        let mut rest = bytes.get(6..length)?;
        let mut chunks: BTreeMap<u16, &[u8]> = BTreeMap::new();
        while !rest.is_empty() {
            let number = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
            let (vendor, kind, length) = (number(0), number(2), usize::from(number(4)));
            assert_eq!(vendor, 0);
            assert!(chunks.insert(kind, &rest[6..length]).is_none(), "chunk {kind} twice");
            rest = &rest[length..];
        }
        let mut take = |kind: u16| chunks.remove(&kind).unwrap_or_else(|| panic!("no chunk {kind}"));
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
        let sized = |bytes: &[u8], length: usize| {
            assert_eq!(bytes.len(), length);
            number(bytes)
        };
        let family = sized(take(1), 1);
        let protocol = u8::try_from(sized(take(2), 1)).unwrap();
        let ip = |bytes: &[u8]| match family {
            2 => IpAddr::from(<[u8; 4]>::try_from(bytes).unwrap()),
            10 => IpAddr::from(<[u8; 16]>::try_from(bytes).unwrap()),
            other => panic!("address family {other}"),
        };
        let (from, to) = if family == 2 { (take(3), take(4)) } else { (take(5), take(6)) };
        let (from, to) = (ip(from), ip(to));
        let mut port = |kind| u16::try_from(sized(take(kind), 2)).unwrap();
        let (from, to) = ((from, port(7)).into(), (to, port(8)).into());
        let (seconds, micros) = (sized(take(9), 4), sized(take(10), 4));
        assert!(micros < 1_000_000);
        let kind = u8::try_from(sized(take(11), 1)).unwrap();
        let agent = u32::try_from(sized(take(12), 4)).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (payload, call) = (text(take(15)), text(take(17)));
        let key = chunks.remove(&14).map(text);
        assert!(chunks.is_empty(), "chunks that nobody knows: {:?}", chunks.keys());
        let at_us = seconds * 1_000_000 + micros;
        Some((Self { from, to, protocol, kind, agent, key, call, payload, at_us }, length))
    }
}

/// Read until enough has come.
pub(crate) fn until(
    what: &str,
    mut read: impl FnMut() -> Vec<Packet>,
    enough: impl Fn(&[Packet]) -> bool,
) -> Vec<Packet> {
    let deadline = Instant::now() + PATIENCE;
    let mut all = Vec::new();
    while !enough(&all) {
        assert!(Instant::now() < deadline, "never came: {what}; {} packets did", all.len());
        all.extend(read());
    }
    all
}
