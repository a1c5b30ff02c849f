//! What is reported of one line: counts that go on over a change of source, as its timestamps do, and over a change of
//! the one who receives it.

use crate::hearing::Hearing;
use crate::offload::Carried;
use crate::rewrite::Onset;
use relay_values::{Duration, Reported, Time};

/// Packets and bytes of payload, as a sender report counts them (RFC 3550 §6.4.1), modulo 2³².
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

/// The state of the reports of one line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Reports {
    /// What the receiver was sent, our own packets included.
    sent: Count,
    /// What was sent before the present source began: what is added to its own counts.
    before: Count,
    /// Our own packets since then.
    own: Count,
    /// What the last sender report said.
    told: Count,
    /// The last two sender reports that the receiver was given; one may have crossed with its answer to the other.
    given: [Option<Given>; 2],
    /// The same of the peer's receiver reference times (RFC 3611 §4.4), which have no other use here.
    reference_times: [Option<u32>; 2],
    /// The last sender report as it came, for our own answers to it.
    pub(crate) came: Option<Clock>,
    /// What the receiver says of the line.
    pub(crate) hearing: Hearing,
    /// Who the receiver believes to hear.
    pub(crate) cname: Option<Cname>,
}

/// A sender report that the receiver was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Given {
    /// The middle 32 bits of its NTP timestamp.
    middle: u32,
    at: Time,
    /// It was of our own making.
    ours: bool,
}

/// A reading of a sender's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    /// In the format of NTP: seconds with 32 bits of fraction (RFC 3550 §4).
    pub(crate) ntp: u64,
    /// When it came.
    pub(crate) at: Time,
}

/// The canonical name under which the receiver knows an SSRC (RFC 3550 §6.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cname {
    pub(crate) ssrc: u32,
    pub(crate) text: Box<[u8]>,
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

impl Clock {
    /// What the clock shows by now. Who has shown none gets the time that the relay has run, which is as good
    /// (RFC 3550 §6.4.1).
    pub(crate) fn reading(of: Option<Self>, now: Time) -> u64 {
        match of {
            Some(Self { ntp, at }) => ntp.wrapping_add(fraction(now.since(at))),
            None => fraction(now.since(Time::ZERO)),
        }
    }

    /// The time since it came, in units of 2⁻¹⁶ seconds (RFC 3550 §6.4.1).
    pub(crate) fn delay(&self, now: Time) -> u32 {
        u32::try_from(fraction(now.since(self.at)) >> 16).unwrap_or(u32::MAX)
    }
}

/// A time in units of 2⁻³² seconds.
fn fraction(time: Duration) -> u64 {
    (time.as_secs() << 32) | ((u64::from(time.subsec_nanos()) << 32) / 1_000_000_000)
}

/// The middle of an NTP timestamp, by which a report is answered.
pub(crate) fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

impl Reports {
    /// A packet of a source was passed on.
    pub(crate) fn passed(&mut self, onset: Onset, octets: u16) {
        match onset {
            Onset::None => {}
            // It counts on from where it was, without what we have sent meanwhile.
            Onset::Return => self.before = self.before.plus(self.own),
            // Packets that the old source has counted and that were lost on the way to us were told, but not sent.
            Onset::New => {
                self.before = self.sent.max(self.told);
                self.given = [None; 2];
                self.reference_times = [None; 2];
                self.came = None;
                self.hearing.new_source();
            }
        }
        if onset != Onset::None {
            self.own = Count::default();
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

    /// A sender report of the present source with its counts: the counts to tell.
    pub(crate) fn sender(&mut self, now: Time, counted: Count, ntp: u64) -> Count {
        self.give(now, ntp, false);
        self.told = self.before.plus(counted);
        self.told
    }

    /// The same for a sender report of our own.
    pub(crate) fn own_sender(&mut self, now: Time, ntp: u64) -> Count {
        self.give(now, ntp, true);
        self.told = self.sent.max(self.told);
        self.told
    }

    fn give(&mut self, at: Time, ntp: u64, ours: bool) {
        self.given = [Some(Given { middle: middle(ntp), at, ours }), self.given[0]];
    }

    /// The receiver answers the sender report `last`, `delay` units of 2⁻¹⁶ seconds after it came to it. Whether it was one
    /// of the present source.
    pub(crate) fn answered(&mut self, now: Time, last: u32, delay: u32) -> bool {
        let Some(given) = self.given.iter().flatten().find(|g| g.middle == last) else { return false };
        let delay = Duration::from_nanos((u64::from(delay) * 1_000_000_000) >> 16);
        self.hearing.round_trip(now.since(given.at).saturating_sub(delay));
        !given.ours
    }

    /// The source of the line gives a receiver reference time.
    pub(crate) fn reference_time(&mut self, middle: u32) {
        self.reference_times = [Some(middle), self.reference_times[0]];
    }

    /// Whether a receiver answers a reference time of the present source.
    pub(crate) fn is_reference(&self, last: u32) -> bool {
        self.reference_times.contains(&Some(last))
    }

    /// The name under which the receiver knows `ssrc`.
    pub(crate) fn known(&self, ssrc: u32) -> Option<&[u8]> {
        self.cname.as_ref().filter(|c| c.ssrc == ssrc).map(|c| &*c.text)
    }

    /// The receiver is told a name.
    pub(crate) fn introduce(&mut self, ssrc: u32, name: &[u8]) {
        if self.known(ssrc) != Some(name) {
            self.cname = Some(Cname { ssrc, text: name.into() });
        }
    }

    /// What the receiver has reported.
    pub(crate) fn reported(&self, clock_rate: u32) -> Reported {
        self.hearing.reported(clock_rate)
    }
}
