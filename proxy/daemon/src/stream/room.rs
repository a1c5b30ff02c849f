//! Who may have how many connections.
//!
//! One peer never takes the places of the others, strangers never those of peers, and those who come never those that we
//! need to reach a target.

use super::reason::StreamRefusal;
use crate::limits::{HANDSHAKES_OF_ONE, PLACES_FOR_OURS, PLACES_FOR_STRANGERS, STRANGER_CONNECTIONS};
use std::collections::HashMap;
use std::net::IpAddr;

/// Who has begun a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// We.
    Ours,
    /// A peer that a trunk or an edge group names.
    Known,
    /// Anybody who may yet show a certificate that we know: the places of strangers, as many of them as one has handshakes.
    Unproven,
    /// Anybody.
    Stranger,
}

/// What one address has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Places {
    all: usize,
    /// As a stranger. A carrier that is known by its certificate alone is none any more when it has shown it.
    strange: usize,
}

impl Whose {
    /// Nobody whom we know, as yet.
    const fn is_no_peer(self) -> bool {
        match self {
            Self::Unproven | Self::Stranger => true,
            Self::Ours | Self::Known => false,
        }
    }
}

/// Places, and who has them.
#[derive(Debug)]
pub(super) struct Room {
    most: usize,
    most_of_one: usize,
    taken: usize,
    strangers: usize,
    by_ip: HashMap<IpAddr, Places>,
    /// TLS handshakes under way.
    shaking: HashMap<IpAddr, usize>,
}

impl Room {
    /// `most` over all, `most_of_one` that one address may begin.
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self { most, most_of_one, taken: 0, strangers: 0, by_ip: HashMap::new(), shaking: HashMap::new() }
    }

    /// Connections at the moment.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// One more, if there is a place.
    pub(super) fn take(&mut self, ip: IpAddr, whose: Whose) -> Result<(), StreamRefusal> {
        if whose != Whose::Ours {
            let has = self.by_ip.get(&ip).copied().unwrap_or_default();
            let too_strange = whose == Whose::Stranger && has.strange >= STRANGER_CONNECTIONS;
            if too_strange || has.all >= self.most_of_one {
                return Err(StreamRefusal::Peer);
            }
            if whose.is_no_peer() && self.strangers >= self.most / PLACES_FOR_STRANGERS {
                return Err(StreamRefusal::Strangers);
            }
        }
        let kept = if whose == Whose::Ours { 0 } else { self.most / PLACES_FOR_OURS };
        if self.taken >= self.most - kept {
            return Err(StreamRefusal::Full);
        }
        self.enter(ip, whose);
        Ok(())
    }

    /// One more TLS handshake, if its address has not too many of them.
    pub(super) fn shake(&mut self, ip: IpAddr) -> Result<(), StreamRefusal> {
        let under_way = self.shaking.entry(ip).or_insert(0);
        if *under_way >= HANDSHAKES_OF_ONE {
            return Err(StreamRefusal::Handshakes);
        }
        *under_way += 1;
        Ok(())
    }

    /// One less, whatever came of it.
    pub(super) fn shaken(&mut self, ip: IpAddr) {
        if let Some(under_way) = self.shaking.get_mut(&ip) {
            *under_way = under_way.saturating_sub(1);
            if *under_way == 0 {
                self.shaking.remove(&ip);
            }
        }
    }

    /// Whoever has a place turns out to be another: whether he may keep it as that.
    pub(super) fn change(&mut self, ip: IpAddr, from: Whose, to: Whose) -> Result<(), StreamRefusal> {
        self.leave(ip, from);
        self.take(ip, to).inspect_err(|_| self.enter(ip, from))
    }

    fn enter(&mut self, ip: IpAddr, whose: Whose) {
        self.taken += 1;
        self.strangers += usize::from(whose.is_no_peer());
        if whose != Whose::Ours {
            let has = self.by_ip.entry(ip).or_default();
            has.all += 1;
            has.strange += usize::from(whose == Whose::Stranger);
        }
    }

    /// One less.
    pub(super) fn leave(&mut self, ip: IpAddr, whose: Whose) {
        self.taken = self.taken.saturating_sub(1);
        self.strangers = self.strangers.saturating_sub(usize::from(whose.is_no_peer()));
        if whose != Whose::Ours
            && let Some(has) = self.by_ip.get_mut(&ip)
        {
            has.all = has.all.saturating_sub(1);
            has.strange = has.strange.saturating_sub(usize::from(whose == Whose::Stranger));
            if has.all == 0 {
                self.by_ip.remove(&ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    #[test]
    fn one_peer_takes_no_more_than_its_own_and_gets_it_back() {
        let mut room = Room::new(64, 3);
        for _ in 0..3 {
            room.take(ip(1), Whose::Known).unwrap();
        }
        assert_eq!(room.take(ip(1), Whose::Known), Err(StreamRefusal::Peer));
        room.take(ip(2), Whose::Known).unwrap();
        room.take(ip(1), Whose::Ours).expect("what we begin is counted apart");
        room.leave(ip(1), Whose::Known);
        room.take(ip(1), Whose::Known).unwrap();
        assert_eq!(room.taken(), 5);
    }

    #[test]
    fn strangers_leave_room_for_peers_and_all_of_them_for_us() {
        let mut room = Room::new(64, 64);
        let strangers = (0..64).filter(|n| room.take(ip(*n), Whose::Stranger).is_ok()).count();
        assert_eq!(strangers, 64 / PLACES_FOR_STRANGERS);
        let known = (0..64).filter(|_| room.take(ip(100), Whose::Known).is_ok()).count();
        assert_eq!(known, 64 - 64 / PLACES_FOR_STRANGERS - 64 / PLACES_FOR_OURS);
        assert_eq!(room.take(ip(101), Whose::Known), Err(StreamRefusal::Full));
        let ours = (0..64).filter(|_| room.take(ip(102), Whose::Ours).is_ok()).count();
        assert_eq!(ours, 64 / PLACES_FOR_OURS);
        assert_eq!(room.take(ip(102), Whose::Ours), Err(StreamRefusal::Full));
    }

    #[test]
    fn when_all_have_left_nothing_is_remembered() {
        let mut room = Room::new(8, 8);
        for whose in [Whose::Ours, Whose::Known, Whose::Stranger] {
            room.take(ip(1), whose).unwrap();
        }
        for whose in [Whose::Ours, Whose::Known, Whose::Stranger] {
            room.leave(ip(1), whose);
        }
        assert_eq!((room.taken(), room.strangers, room.by_ip.len()), (0, 0, 0));
    }

    #[test]
    fn a_stranger_that_proves_who_it_is_leaves_the_strangers_places_or_stays_what_it_was() {
        let mut room = Room::new(64, 5);
        for _ in 0..STRANGER_CONNECTIONS {
            room.take(ip(1), Whose::Stranger).unwrap();
        }
        assert_eq!(room.take(ip(1), Whose::Stranger), Err(StreamRefusal::Peer));
        room.change(ip(1), Whose::Stranger, Whose::Known).unwrap();
        assert_eq!((room.taken(), room.strangers), (STRANGER_CONNECTIONS, STRANGER_CONNECTIONS - 1));
        room.take(ip(1), Whose::Known).unwrap();
        let before = (room.taken(), room.strangers, room.by_ip.clone());
        let mut full = Room::new(64, STRANGER_CONNECTIONS);
        (full.taken, full.strangers, full.by_ip) = before.clone();
        assert_eq!(full.change(ip(1), Whose::Stranger, Whose::Known), Err(StreamRefusal::Peer));
        assert_eq!((full.taken(), full.strangers, full.by_ip), before);
    }

    #[test]
    fn a_carrier_that_is_known_by_its_certificate_alone_has_as_many_connections_as_any_other() {
        let mut room = Room::new(128, 10);
        for _ in 0..10 {
            // All of them begin before the first has shown anything.
            room.take(ip(1), Whose::Unproven).unwrap();
        }
        assert_eq!(room.take(ip(1), Whose::Unproven), Err(StreamRefusal::Peer));
        for _ in 0..10 {
            room.change(ip(1), Whose::Unproven, Whose::Known).unwrap();
        }
        assert_eq!((room.taken(), room.strangers), (10, 0));
        let shown = (0..10).filter(|_| {
            room.take(ip(2), Whose::Unproven).unwrap();
            room.change(ip(2), Whose::Unproven, Whose::Stranger).is_ok()
        });
        assert_eq!(shown.count(), STRANGER_CONNECTIONS, "who has shown nothing that we know is a stranger");
    }

    #[test]
    fn one_address_has_only_so_many_handshakes_and_takes_none_from_others() {
        let mut room = Room::new(8, 8);
        for _ in 0..HANDSHAKES_OF_ONE {
            room.shake(ip(1)).unwrap();
        }
        assert_eq!(room.shake(ip(1)), Err(StreamRefusal::Handshakes));
        room.shake(ip(2)).unwrap();
        for _ in 0..HANDSHAKES_OF_ONE {
            room.shaken(ip(1));
        }
        room.shake(ip(1)).unwrap();
        assert_eq!(room.shaking.len(), 2);
    }
}
