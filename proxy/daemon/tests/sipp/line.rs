//! The RTP lines that the carrier heard, checked packet by packet. Nothing here comes from the relay.

use crate::wire::Datagram;
use std::collections::{BTreeMap, HashSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

/// RTP's fixed header (RFC 3550 §5.1).
const HEADER: usize = 12;
/// 20 ms of G.711: bytes, and ticks of the RTP clock (RFC 3551 §4.5.14).
const PAYLOAD: usize = 160;
/// A timestamp more than half its range ahead is behind.
const BEHIND: u32 = 1 << 31;
/// Ticks by which a splice may lie beside the clock: a second, since the machine may be busy with the other stories.
const ASTRAY: f64 = 8_000.0;

/// Whose voice is in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Voice {
    North,
    South,
    /// Neither's: the appliance made it.
    Nobody,
}

/// Tells voices apart by what they play: every 20 ms of it.
pub(crate) struct Voices {
    north: HashSet<Vec<u8>>,
    south: HashSet<Vec<u8>>,
}

/// One packet of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) at: Instant,
    pub(crate) voice: Voice,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

impl Voices {
    pub(crate) fn new(north: &[u8], south: &[u8]) -> Self {
        let cut = |tone: &[u8]| tone.chunks(PAYLOAD).map(<[u8]>::to_vec).collect();
        Self { north: cut(north), south: cut(south) }
    }

    fn of(&self, payload: &[u8]) -> Voice {
        match (self.north.contains(payload), self.south.contains(payload)) {
            (true, false) => Voice::North,
            (false, true) => Voice::South,
            (false, false) => Voice::Nobody,
            (true, true) => panic!("the two tones are alike"),
        }
    }
}

/// Every RTP line that reached this address, SIP left out: by where it came from and where it went.
pub(crate) fn lines_to(
    seen: &[Datagram],
    ip: Ipv4Addr,
    voices: &Voices,
) -> BTreeMap<(SocketAddrV4, SocketAddrV4), Vec<Packet>> {
    let mut lines: BTreeMap<_, Vec<Packet>> = BTreeMap::new();
    let rtp = seen.iter().filter(|d| *d.to.ip() == ip && d.to.port() != 5060);
    for Datagram { at, from, to, payload } in rtp {
        // RTCP is even-port's neighbour and no line.
        if to.port() % 2 == 1 {
            continue;
        }
        assert!(payload.len() > HEADER && payload[0] == 0x80, "RTP without extras: {payload:?}");
        let word = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        let packet = Packet {
            at: *at,
            voice: voices.of(&payload[HEADER..]),
            sequence: word(0) as u16,
            timestamp: word(4),
            ssrc: word(8),
        };
        lines.entry((*from, *to)).or_default().push(packet);
    }
    lines
}

/// One unbroken line: one SSRC, every sequence number once and in order, timestamps that count the packets within one
/// voice, and go on by the clock where the voice changes.
pub(crate) fn is_unbroken(line: &[Packet]) -> Result<(), String> {
    for (i, pair) in line.windows(2).enumerate() {
        let [before, after] = pair else { continue };
        let wrong = |what: &str| Err(format!("packet {}: {what}: {before:?} then {after:?}", i + 1));
        if after.ssrc != before.ssrc {
            return wrong("another SSRC");
        }
        if after.sequence != before.sequence.wrapping_add(1) {
            return wrong("its sequence number does not follow");
        }
        let ticks = after.timestamp.wrapping_sub(before.timestamp);
        if ticks == 0 || ticks >= BEHIND {
            return wrong("its timestamp does not advance");
        }
        if after.voice == before.voice {
            if ticks != PAYLOAD as u32 {
                return wrong("its timestamp is not 20 ms on");
            }
        } else if (f64::from(ticks) - (after.at - before.at).as_secs_f64() * 8_000.0).abs() > ASTRAY {
            return wrong("its timestamp leaves the clock");
        }
    }
    Ok(())
}

/// Whose voice was heard, in order.
pub(crate) fn voices_in(line: &[Packet]) -> Vec<Voice> {
    let mut voices: Vec<Voice> = line.iter().map(|p| p.voice).collect();
    voices.dedup();
    voices
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn line() -> Vec<Packet> {
        let start = Instant::now();
        let packet = |i: u32| Packet {
            at: start + Duration::from_millis(20) * i,
            voice: [Voice::North, Voice::Nobody, Voice::South][i as usize / 10],
            sequence: 65_530_u16.wrapping_add(i as u16),
            timestamp: 4_294_966_000_u32.wrapping_add(i * 160),
            ssrc: 7,
        };
        (0..30).map(packet).collect()
    }

    #[test]
    fn the_checker_passes_a_good_line_and_no_other() {
        assert_eq!(is_unbroken(&line()), Ok(()));
        assert_eq!(voices_in(&line()), [Voice::North, Voice::Nobody, Voice::South]);
        let spoilt: [fn(&mut Vec<Packet>); 6] = [
            |l| l.retain(|p| p.sequence != 65_534),
            |l| l.insert(4, l[4]),
            |l| l.swap(4, 5),
            |l| l[20..].iter_mut().for_each(|p| p.ssrc = 8),
            |l| l[20..].iter_mut().for_each(|p| p.timestamp = p.timestamp.wrapping_sub(400)),
            |l| l[20..].iter_mut().for_each(|p| p.timestamp = p.timestamp.wrapping_add(9_000)),
        ];
        for spoil in spoilt {
            let mut line = line();
            spoil(&mut line);
            assert!(is_unbroken(&line).is_err(), "{line:#?}");
        }
    }
}
