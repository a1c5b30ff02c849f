//! What an end has heard, kept in a compact form while it runs and judged when it is over.

use super::mark::{Header, Mark};
use std::io::{self, BufRead, Write};

/// One packet as it arrived: 20 bytes, so that 1,000 calls of a minute are 60 MB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Microseconds on the listener's clock.
    pub at: u32,
    /// RTP timestamp.
    pub timestamp: u32,
    /// RTP synchronisation source.
    pub ssrc: u32,
    /// Which of its sender's packets it is; 0 for one that the device made.
    pub n: u32,
    /// RTP sequence number.
    pub sequence: u16,
    /// Who sent it; 0 for the device.
    pub origin: u8,
}

/// What was heard.
#[derive(Debug)]
pub enum Ear {
    /// Every packet of every call.
    Every(Vec<Vec<Heard>>),
    /// Which packets of which of the carrier's calls.
    Which(Ranges),
    /// How many packets of calls, and nothing else of them: for runs of hours.
    Count(u64),
}

/// Numbers of packets by call, as stretches without a hole: first and last.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ranges(Vec<Vec<(u32, u32)>>);

impl Ear {
    /// Note a packet of the call in this slot.
    pub fn hear(&mut self, slot: u32, at: u32, header: Header, mark: Option<Mark>) {
        match (self, mark) {
            (Self::Every(calls), mark) => {
                let slot = slot as usize;
                if calls.len() <= slot {
                    calls.resize_with(slot + 1, Vec::new);
                }
                let Header { sequence, timestamp, ssrc } = header;
                let (origin, n) = mark.map_or((0, 0), |m| (m.origin, m.n));
                calls[slot].push(Heard { at, timestamp, ssrc, n, sequence, origin });
            }
            (Self::Which(ranges), Some(mark)) => ranges.add(mark.slot, mark.n, mark.n),
            (Self::Which(_), None) => {}
            (Self::Count(packets), _) => *packets += 1,
        }
    }
}

impl Ranges {
    /// Add the packets from `first` to `last` of a call.
    pub fn add(&mut self, call: u32, first: u32, last: u32) {
        let call = call as usize;
        if self.0.len() <= call {
            self.0.resize_with(call + 1, Vec::new);
        }
        match self.0[call].last_mut() {
            Some((_, end)) if end.wrapping_add(1) == first => *end = last,
            _ => self.0[call].push((first, last)),
        }
    }

    /// Add everything that another has heard.
    pub fn add_all(&mut self, other: &Self) {
        for (call, ranges) in (0_u32..).zip(&other.0) {
            for (first, last) in ranges {
                self.add(call, *first, *last);
            }
        }
    }

    /// Calls of which something was heard.
    pub fn calls(&self) -> usize {
        self.0.iter().filter(|r| !r.is_empty()).count()
    }

    /// What is missing between the first and the last packet heard, in every call: call, first and last.
    pub fn holes(&self) -> Vec<(u32, u32, u32)> {
        let calls = (0_u32..).zip(&self.0);
        calls
            .flat_map(|(call, ranges)| holes(ranges.clone()).into_iter().map(move |(a, b)| (call, a, b)))
            .collect()
    }

    /// How many packets are missing.
    pub fn missing(&self) -> u64 {
        self.holes().iter().map(|(_, first, last)| u64::from(last - first) + 1).sum()
    }

    /// Whether a packet of a call was heard.
    pub fn has(&self, call: u32, n: u32) -> bool {
        self.0.get(call as usize).is_some_and(|ranges| ranges.iter().any(|(a, b)| (*a..=*b).contains(&n)))
    }

    /// One line for each stretch: call, first, last.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for (call, ranges) in self.0.iter().enumerate() {
            for (first, last) in ranges {
                writeln!(out, "{call} {first} {last}")?;
            }
        }
        Ok(())
    }

    /// Read what [`write`](Self::write) wrote.
    ///
    /// # Errors
    ///
    /// The reader's; `InvalidData` for anything else.
    pub fn read(input: impl BufRead) -> io::Result<Self> {
        let mut ranges = Self::default();
        for line in input.lines() {
            let line = line?;
            let mut numbers = line.split(' ').map(str::parse);
            match (numbers.next(), numbers.next(), numbers.next()) {
                (Some(Ok(call)), Some(Ok(first)), Some(Ok(last))) => ranges.add(call, first, last),
                _ => return Err(io::Error::new(io::ErrorKind::InvalidData, line)),
            }
        }
        Ok(ranges)
    }
}

fn holes(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let (mut missing, mut next) = (Vec::new(), None);
    for (first, last) in ranges {
        if let Some(next) = next.filter(|next| *next < first) {
            missing.push((next, first - 1));
        }
        next = next.max(Some(last.saturating_add(1)));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_regions_heard_between_them_has_no_hole() {
        let (mut north, mut south) = (Ranges::default(), Ranges::default());
        (0..10).for_each(|n| north.add(3, n, n));
        (10..20).for_each(|n| south.add(3, n, n));
        assert_eq!((north.missing(), south.missing()), (0, 0));
        south.add(3, 25, 30);
        assert_eq!((south.missing(), south.holes()), (5, vec![(3, 20, 24)]));
        assert!(south.has(3, 25) && !south.has(3, 24) && !south.has(4, 25));
        let mut text = Vec::new();
        south.write(&mut text).unwrap();
        assert_eq!(Ranges::read(&text[..]).unwrap(), south);
        south.add_all(&north);
        assert_eq!((south.missing(), south.calls()), (5, 1));
        assert!(Ranges::read(&b"1 2\n"[..]).is_err());
    }
}
