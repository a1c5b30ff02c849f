//! What is remembered of many addresses in a fixed number of places.

use core::hash::BuildHasher;
use foldhash::fast::FixedState;
use std::net::{IpAddr, Ipv6Addr};

/// Places that one address may take. Of four that share them the one that matters least makes room for a fifth.
const WAYS: usize = 4;

/// What has a place in a table of [`Sources`].
pub(crate) trait Remembered: Default {
    /// How much it matters; the least makes room for another address.
    fn weight(&self) -> u64;
}

/// A table of addresses whose memory is fixed, whoever sends from however many addresses. It is taken when the first one
/// is entered.
///
/// Senders choose what is stored here, so places are found with a seed of ours. An IPv6 network of 64 bits is one address:
/// whoever has one has all of it.
#[derive(Debug)]
pub(crate) struct Sources<T> {
    slots: Vec<Option<(IpAddr, T)>>,
    sets: usize,
    hasher: FixedState,
}

impl<T: Remembered> Sources<T> {
    /// Room for four times as many addresses as there are `sets`.
    pub(crate) fn new(sets: usize, seed: u64) -> Self {
        Self { slots: Vec::new(), sets: sets.max(1), hasher: FixedState::with_seed(seed) }
    }

    /// What is remembered of an address.
    pub(crate) fn find(&mut self, ip: IpAddr) -> Option<&mut T> {
        if self.slots.is_empty() {
            return None;
        }
        let key = network(ip);
        self.set(key).iter_mut().flatten().find(|(at, _)| *at == key).map(|(_, known)| known)
    }

    /// The same, entered now if it was not there.
    pub(crate) fn enter(&mut self, ip: IpAddr) -> Option<&mut T> {
        let key = network(ip);
        let set = self.set(key);
        let is_it = |slot: &Option<(IpAddr, T)>| slot.as_ref().is_some_and(|(at, _)| *at == key);
        let place = set.iter().position(is_it).or_else(|| {
            let least = |(_, slot): &(usize, &Option<(IpAddr, T)>)| slot.as_ref().map(|(_, t)| t.weight());
            set.iter().enumerate().min_by_key(least).map(|(place, _)| place)
        })?;
        let slot = set.get_mut(place)?;
        if !is_it(slot) {
            *slot = Some((key, T::default()));
        }
        slot.as_mut().map(|(_, known)| known)
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (IpAddr, &T)> {
        self.slots.iter().flatten().map(|(ip, known)| (*ip, known))
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.slots = Vec::new();
    }

    fn set(&mut self, key: IpAddr) -> &mut [Option<(IpAddr, T)>] {
        if self.slots.is_empty() {
            self.slots.resize_with(self.sets * WAYS, || None);
        }
        let at = self.hasher.hash_one(key) % self.sets as u64;
        let first = usize::try_from(at).unwrap_or(0) * WAYS;
        self.slots.get_mut(first..first + WAYS).unwrap_or_default()
    }
}

/// What is taken for one sender: an IPv4 address, or a network of 64 bits.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[derive(Debug, Default)]
    struct Count(u64);

    impl Remembered for Count {
        fn weight(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn however_many_send_the_table_is_as_big_as_before_and_keeps_who_matters() {
        let mut sources: Sources<Count> = Sources::new(16, 7);
        let kept: IpAddr = "192.0.2.7".parse().unwrap();
        assert!(sources.find(kept).is_none());
        sources.enter(kept).unwrap().0 = 1_000;
        let room = sources.slots.capacity();
        for n in 0..100_000 {
            sources.enter(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n))).unwrap().0 += 1;
        }
        assert_eq!(sources.slots.capacity(), room);
        assert_eq!(sources.find(kept).unwrap().0, 1_000);
        assert_eq!(sources.iter().count(), 64);
    }

    #[test]
    fn a_network_of_64_bits_is_one_sender_and_a_mapped_address_is_its_ipv4_self() {
        let mut sources: Sources<Count> = Sources::new(16, 7);
        sources.enter("2001:db8::1".parse().unwrap()).unwrap().0 = 5;
        assert_eq!(sources.find("2001:db8::ffff:0:1".parse().unwrap()).unwrap().0, 5);
        assert!(sources.find("2001:db8:0:1::1".parse().unwrap()).is_none());
        sources.enter("192.0.2.1".parse().unwrap()).unwrap().0 = 6;
        assert_eq!(sources.find("::ffff:192.0.2.1".parse().unwrap()).unwrap().0, 6);
    }
}
