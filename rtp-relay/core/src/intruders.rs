//! Who sends what nobody asked for: a bounded table of hosts, the busiest of which an operator is told.
//!
//! A host whose packets come to many ports within a short time sprays: it is looking for a call to listen to or to speak
//! into. Counts fade, so that the table shows what goes on and not what went on.

use crate::limits::{FADE_TIME, INTRUDERS, SPRAY_PORTS, SPRAY_TIME};
use crate::ports::PortRef;
use relay_values::Time;
use std::net::IpAddr;

/// A host whose packets belong to no peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intruder {
    /// The host. On the Internet it may be made up.
    pub source: IpAddr,
    /// Its packets, halved every ten seconds.
    pub packets: u64,
    /// Ports of ours that it has tried within ten seconds, as far as they are told from each other: never too many, and no
    /// more than 128.
    pub ports: u32,
    /// When its last packet came.
    pub last: Time,
    /// Ports, by the rest of their index.
    tried: u128,
    /// Since when they count.
    since: Time,
}

/// The busiest.
#[derive(Debug)]
pub(crate) struct Intruders {
    table: [Option<Intruder>; INTRUDERS],
    faded: Time,
}

impl Intruders {
    pub(crate) const fn new() -> Self {
        Self { table: [None; INTRUDERS], faded: Time::ZERO }
    }

    /// A packet of nobody's peer came to port `at`. Whether its host sprays, as of now.
    pub(crate) fn count(&mut self, now: Time, source: IpAddr, at: PortRef) -> bool {
        self.fade(now);
        let known = self.table.iter().position(|known| known.is_some_and(|known| known.source == source));
        // Else the quietest goes: a busy one comes again.
        let quietest = || (0..).zip(&self.table).min_by_key(|(_, known)| known.map_or(0, |k| k.packets + 1));
        let Some(place) = known.or_else(|| quietest().map(|(at, _)| at)) else { return false };
        let Some(place) = self.table.get_mut(place) else { return false };
        let intruder = match place {
            Some(intruder) if intruder.source == source => intruder,
            _ => place.insert(Intruder { source, packets: 0, ports: 0, last: now, tried: 0, since: now }),
        };
        intruder.try_port(now, at)
    }

    /// Those who have tried lately.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Intruder> {
        self.table.iter().flatten()
    }

    fn fade(&mut self, now: Time) {
        while self.faded < now && self.faded + FADE_TIME <= now {
            for place in &mut self.table {
                *place =
                    place.and_then(|i| (i.packets > 1).then_some(Intruder { packets: i.packets / 2, ..i }));
            }
            // After a long silence there is nothing left to halve.
            let empty = self.table.iter().all(Option::is_none);
            self.faded = if empty { now } else { self.faded + FADE_TIME };
        }
    }
}

impl Intruder {
    fn try_port(&mut self, now: Time, at: PortRef) -> bool {
        if self.since + SPRAY_TIME <= now {
            (self.since, self.tried, self.ports) = (now, 0, 0);
        }
        self.packets += 1;
        self.last = now;
        self.tried |= 1 << (at.index() % 128);
        let before = std::mem::replace(&mut self.ports, self.tried.count_ones());
        before < SPRAY_PORTS && self.ports >= SPRAY_PORTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(n: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, n])
    }

    #[test]
    fn a_spray_is_told_once_in_its_time() {
        let mut table = Intruders::new();
        let told = |table: &mut Intruders, ms, ports: std::ops::Range<u32>| {
            ports.filter(|p| table.count(Time::from_millis(ms), host(1), PortRef::new(*p))).count()
        };
        assert_eq!(told(&mut table, 0, 0..SPRAY_PORTS - 1), 0);
        assert_eq!(told(&mut table, 0, 0..SPRAY_PORTS - 1), 0, "the same ports again");
        assert_eq!(told(&mut table, 9_000, 0..100), 1);
        assert_eq!(told(&mut table, 19_000, 0..100), 1, "it goes on");
        assert_eq!(
            told(&mut table, 40_000, 0..10) + told(&mut table, 60_000, 10..20),
            0,
            "too slow for a spray"
        );
    }

    #[test]
    fn the_busy_ones_stay_and_the_quiet_ones_go() {
        let mut table = Intruders::new();
        for _ in 0..100 {
            table.count(Time::ZERO, host(255), PortRef::new(0));
        }
        for n in 0..200 {
            table.count(Time::ZERO, host(n), PortRef::new(0));
        }
        assert_eq!(table.iter().count(), INTRUDERS);
        assert!(table.iter().any(|i| i.source == host(255) && i.packets == 100));
    }

    #[test]
    fn what_is_over_fades() {
        let mut table = Intruders::new();
        for _ in 0..100 {
            table.count(Time::ZERO, host(1), PortRef::new(0));
        }
        table.count(Time::from_millis(20_000), host(2), PortRef::new(0));
        assert_eq!(table.iter().map(|i| i.packets).collect::<Vec<_>>(), [25, 1]);
        table.count(Time::from_millis(200_000), host(2), PortRef::new(0));
        assert_eq!(table.iter().map(|i| (i.source, i.packets)).collect::<Vec<_>>(), [(host(2), 1)]);
        table.count(Time::NEVER, host(3), PortRef::new(0));
        table.count(Time::NEVER, host(3), PortRef::new(1));
    }
}
