//! Finding out where a peer sends from, when its description does not say so for certain.
//!
//! A window opens with a description. Whoever sends media to the flow's port is a candidate, and candidates are ranked:
//!
//! 1. the address and port of the SDP, then its address alone, then any other;
//! 2. a stream that has proved itself: two packets in order of one SSRC (RFC 3550 appendix A.1);
//! 3. one that is new, then one that was here before: the peer that was left, or who spoke before anybody could know the
//!    port;
//! 4. who came first.
//!
//! The best so far is passed on and answered, so the call loses nothing of its beginning; a better one takes over with
//! its packet. Where somebody was here before, one from another host is heard from its second packet on. The window is
//! over at once when nobody can be better, and otherwise [`LEARN_TIME`] after its first candidate came: the best that
//! has proved itself is the peer then, for good. A single packet that nothing follows opens no door: it is answered for
//! no longer than the window.

use crate::latch::same;
use crate::limits::{LEARN_CANDIDATES, LEARN_PACKETS, LEARN_TIME, MAX_DROPOUT, STALE_TIME};
use crate::packet::RtpHeader;
use relay_values::Time;
use std::cmp::Reverse;
use std::net::SocketAddr;

/// Where a source is, seen from the description. The better is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// On another host.
    Elsewhere,
    /// On its host, at another port.
    Host,
    /// There.
    Exact,
}

impl Place {
    pub(crate) fn of(from: SocketAddr, described: SocketAddr) -> Self {
        if same(from, described) {
            Self::Exact
        } else if from.ip() == described.ip() {
            Self::Host
        } else {
            Self::Elsewhere
        }
    }
}

/// Those who have sent since the peer was described.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Window {
    candidates: [Option<Candidate>; LEARN_CANDIDATES],
    /// How many have come.
    come: u32,
    best: Option<SocketAddr>,
    /// Who sent before.
    stale: Option<SocketAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    source: SocketAddr,
    place: Place,
    /// It was not here before.
    fresh: bool,
    /// SSRC and sequence number of its last packet, where it has them.
    last: Option<(u32, u16)>,
    proven: bool,
    packets: u16,
    /// Its number in order of arrival.
    order: u32,
    came: Time,
    heard: Time,
}

/// The better is the greater. No two candidates are equal, so nobody is displaced by an equal.
type Rank = (Place, bool, bool, Reverse<u32>);

/// What becomes of a candidate's packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// There is a better one.
    Outranked,
    /// It is the best so far.
    Best,
    /// Nobody can be better: it is the peer.
    Won,
}

impl Window {
    /// A window in which nobody has been heard. `stale`: who sent before it.
    pub(crate) fn new(stale: Option<SocketAddr>) -> Self {
        Self { stale, ..Self::default() }
    }

    /// The best so far.
    pub(crate) fn best(&self) -> Option<SocketAddr> {
        self.best
    }

    /// A packet of media came from `from`. `header`: of RTP.
    pub(crate) fn hear(
        &mut self,
        now: Time,
        from: SocketAddr,
        place: Place,
        header: Option<&RtpHeader>,
    ) -> Hearing {
        if place == Place::Exact {
            return Hearing::Won;
        }
        let Some(candidate) = self.candidate(now, from, place) else { return Hearing::Outranked };
        candidate.packet(now, header.map(|h| (h.ssrc, h.sequence)));
        let spent = candidate.is_spent();
        self.choose(now);
        if spent || !self.best.is_some_and(|best| same(best, from)) {
            return Hearing::Outranked;
        }
        Hearing::Best
    }

    /// The peer, if the window is over and one has been found.
    pub(crate) fn lapse(&mut self, now: Time) -> Option<SocketAddr> {
        let lively = self.candidates.iter().flatten().filter(|c| c.is_lively(now) || c.is_best(self.best));
        let first = lively.map(|c| c.came).min()?;
        if first + LEARN_TIME > now {
            return None;
        }
        let ripe = |c: &&Candidate| c.proven && (c.fresh || c.came + STALE_TIME <= now);
        let peer = self.candidates.iter().flatten().filter(ripe).max_by_key(|c| c.rank());
        if let Some(peer) = peer {
            return Some(peer.source);
        }
        self.choose(now);
        None
    }

    fn choose(&mut self, now: Time) {
        // Where somebody was before, a packet from anywhere is not enough.
        let counts = |c: &&Candidate| {
            c.is_lively(now) && (c.proven || !c.fresh || c.place > Place::Elsewhere || self.stale.is_none())
        };
        let lively = self.candidates.iter().flatten().filter(counts);
        self.best = lively.max_by_key(|c| c.rank()).map(|c| c.source);
    }

    /// The candidate at `from`: known, or new where there is room.
    fn candidate(&mut self, now: Time, from: SocketAddr, place: Place) -> Option<&mut Candidate> {
        let known = self.candidates.iter().position(|c| c.is_some_and(|c| same(c.source, from)));
        let at = match known {
            Some(at) => at,
            None => {
                let at = self.room(place)?;
                let fresh = !self.stale.is_some_and(|stale| same(stale, from));
                let order = self.come;
                self.come = self.come.wrapping_add(1);
                *self.candidates.get_mut(at)? = Some(Candidate {
                    source: from,
                    place,
                    fresh,
                    last: None,
                    proven: false,
                    packets: 0,
                    order,
                    came: now,
                    heard: now,
                });
                at
            }
        };
        self.candidates.get_mut(at)?.as_mut()
    }

    /// Where a newcomer may stand: a free place, that of the oldest who has proved nothing and is not heard, or that of the
    /// last one on a worse place. Else single packets from made-up addresses would shut the peer out.
    fn room(&self, place: Place) -> Option<usize> {
        if let Some(free) = self.candidates.iter().position(Option::is_none) {
            return Some(free);
        }
        let others = || {
            let all = self.candidates.iter().enumerate().filter_map(|(at, c)| Some((at, c.as_ref()?)));
            all.filter(|(_, c)| !c.is_best(self.best))
        };
        let idle = others().filter(|(_, c)| !c.proven && c.place <= place).min_by_key(|(_, c)| c.order);
        let worse = || others().filter(|(_, c)| c.place < place).min_by_key(|(_, c)| c.rank());
        idle.or_else(worse).map(|(at, _)| at)
    }
}

impl Candidate {
    fn rank(&self) -> Rank {
        (self.place, self.proven, self.fresh, Reverse(self.order))
    }

    fn packet(&mut self, now: Time, this: Option<(u32, u16)>) {
        let follows = match (self.last, this) {
            (Some((ssrc, before)), Some((same, sequence))) => {
                ssrc == same && (1..MAX_DROPOUT).contains(&sequence.wrapping_sub(before))
            }
            // What has no numbers proves itself by coming again.
            _ => self.packets > 0,
        };
        if !self.is_lively(now) {
            // It begins anew, though what it has said is not forgotten.
            self.came = now;
        }
        self.proven |= follows;
        self.last = this.or(self.last);
        self.packets = self.packets.saturating_add(1);
        self.heard = now;
    }

    /// A packet that nothing follows is forgotten, so that nobody is answered for it.
    fn is_lively(&self, now: Time) -> bool {
        self.proven || (now < self.heard + LEARN_TIME && !self.is_spent())
    }

    fn is_best(&self, best: Option<SocketAddr>) -> bool {
        best.is_some_and(|best| same(best, self.source))
    }

    /// It has sent more than media does.
    fn is_spent(&self) -> bool {
        let times = if self.fresh { 1 } else { (STALE_TIME.as_millis() / LEARN_TIME.as_millis()) as u16 };
        self.packets > LEARN_PACKETS.saturating_mul(times)
    }
}

#[cfg(test)]
mod tests;
