//! What is reported of one line: counts that go on over a change of source, as its timestamps do.

use crate::offload::Carried;
use crate::rewrite::Onset;

/// Packets and bytes of payload, as a sender report counts them (RFC 3550 §6.4.1), modulo 2³².
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

/// The state of the reports of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reports {
    /// What the receiver was sent, our own packets included.
    sent: Count,
    /// What was sent before the present source began: what is added to its own counts.
    before: Count,
    /// Our own packets since then.
    own: Count,
    /// What the last sender report said.
    told: Count,
    /// The receiver's last count of lost packets, and what it was when the present source began.
    lost: u32,
    lost_before: u32,
    /// The middle 32 bits of the NTP timestamps of the present source's last two sender reports; one of them may have
    /// crossed with the receiver's answer to the other.
    last_reports: [Option<u32>; 2],
}

impl Count {
    fn add(&mut self, octets: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(octets as u32);
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            packets: self.packets.wrapping_add(other.packets),
            octets: self.octets.wrapping_add(other.octets),
        }
    }

    /// The greater of both, as far as numbers that go round can be compared.
    fn max(self, other: Self) -> Self {
        let later = |a: u32, b: u32| if (a.wrapping_sub(b) as i32) < 0 { b } else { a };
        Self { packets: later(self.packets, other.packets), octets: later(self.octets, other.octets) }
    }
}

impl Reports {
    /// A packet of a source was passed on.
    pub(crate) fn passed(&mut self, onset: Onset, octets: u16) {
        match onset {
            Onset::None => {}
            // It counts on from where it was, without what we have sent meanwhile.
            Onset::Return => self.before = self.before.plus(self.own),
            // Packets that the old source has counted and that were lost on the way to us were told, but not sent.
            Onset::New => self.before = self.sent.max(self.told),
        }
        if onset != Onset::None {
            self.own = Count::default();
            self.last_reports = [None; 2];
            self.lost_before = self.lost;
        }
        self.sent.add(octets.into());
    }

    /// Another has passed on packets of the present source.
    pub(crate) fn carried(&mut self, carried: &Carried) {
        let Carried { packets, octets, .. } = *carried;
        self.sent = self.sent.plus(Count { packets: packets as u32, octets: octets as u32 });
    }

    /// A packet of our own was sent.
    pub(crate) fn filled(&mut self, octets: usize) {
        self.sent.add(octets);
        self.own.add(octets);
    }

    /// A sender report of the present source, with its counts and the middle of its NTP timestamp: the counts to tell.
    pub(crate) fn sender(&mut self, counted: Count, ntp: u32) -> Count {
        self.last_reports = [Some(ntp), self.last_reports[0]];
        self.told = self.before.plus(counted);
        self.told
    }

    /// The receiver's count of lost packets: how many of them are the present source's.
    pub(crate) fn lost(&mut self, lost: u32) -> u32 {
        self.lost = lost;
        lost.wrapping_sub(self.lost_before)
    }

    /// Whether a receiver answers a sender report of the present source.
    pub(crate) fn is_answer(&self, last_report: u32) -> bool {
        self.last_reports.contains(&Some(last_report))
    }
}
