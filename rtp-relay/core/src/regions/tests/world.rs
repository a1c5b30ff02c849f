//! A region of phones: each speaks, pauses, is muted, put on hold or hangs up as phones do, over a lossy network.

use crate::config::SilencePolicy;
use crate::limits::SILENCE_TICK;
use crate::packet::RtpHeader;
use crate::random::SplitMix;
use crate::regions::Regions;
use relay_values::{RegionId, RelayEvent, Time};
use std::collections::VecDeque;

pub(super) const HERE: RegionId = RegionId(3);
pub(super) const MS: u64 = 1_000_000;
const HZ: u32 = 8000;

/// How phones behave, in events a second for each flow unless said otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    /// Share of packets that are lost.
    pub(super) loss: f64,
    /// Share of phones that suppress silence.
    pub(super) dtx: f64,
    pub(super) mutes: f64,
    pub(super) holds: f64,
    pub(super) hangups: f64,
    /// A flow's packets are held back for up to 100 ms and come at once.
    pub(super) jitter_bursts: f64,
    /// The whole region's packets are held back for up to 30 ms; a second, for all.
    pub(super) shared_bursts: f64,
    /// Our process stalls for 200 ms; a second.
    pub(super) stalls: f64,
    /// A third of the phones dies at once; a second.
    pub(super) edge_deaths: f64,
}

pub(super) const QUIET: Habits = Habits {
    loss: 0.05,
    dtx: 0.0,
    mutes: 0.0,
    holds: 0.0,
    hangups: 0.0,
    jitter_bursts: 0.0,
    shared_bursts: 0.0,
    stalls: 0.0,
    edge_deaths: 0.0,
};

struct Phone {
    dtx: bool,
    /// Time in a packet.
    beat: u64,
    /// When the next packet is made.
    due: u64,
    sequence: u16,
    timestamp: u32,
    /// It sends a packet with every beat until then, or pauses until then; hangs up when dead for long.
    mood: Mood,
    /// Its packets are held back until then.
    held_back: u64,
}

#[derive(Clone, Copy)]
enum Mood {
    Speaks(u64),
    Pauses(u64),
    Dead(u64),
}

pub(super) struct World {
    pub(super) regions: Regions,
    phones: Vec<Phone>,
    pub(super) random: SplitMix,
    pub(super) now: u64,
    habits: Habits,
    shared: u64,
    /// After this no phone makes a packet.
    death: u64,
    pub(super) last_packet: u64,
    pub(super) events: Vec<(Time, RelayEvent)>,
}

impl World {
    pub(super) fn new(seed: u64, flows: usize, habits: Habits) -> Self {
        let mut world = Self {
            regions: Regions::new(&SilencePolicy::default()),
            phones: Vec::new(),
            random: SplitMix::new(seed),
            now: 1_000 * MS,
            habits,
            shared: 0,
            death: u64::MAX,
            last_packet: 0,
            events: Vec::new(),
        };
        for slot in 0..flows {
            let phone = world.phone();
            world.phones.push(phone);
            world.regions.place(Time::from_nanos(world.now), slot, HERE);
        }
        world
    }

    pub(super) fn chance(&mut self, p: f64) -> bool {
        (self.random.next() >> 11) as f64 / (1_u64 << 53) as f64 <= p && p > 0.0
    }

    /// Evenly below `ms` milliseconds, in nanoseconds.
    fn up_to(&mut self, ms: u64) -> u64 {
        self.random.next() % (ms * MS)
    }

    fn phone(&mut self) -> Phone {
        Phone {
            dtx: self.chance(self.habits.dtx),
            beat: 20 * MS,
            due: self.now + self.up_to(20),
            sequence: self.random.next() as u16,
            timestamp: self.random.next() as u32,
            mood: Mood::Speaks(self.now + self.up_to(3000)),
            held_back: 0,
        }
    }

    /// Every phone of this share falls silent for good.
    pub(super) fn kill(&mut self, share: f64) {
        for slot in 0..self.phones.len() {
            if self.chance(share) {
                self.phones[slot].mood = Mood::Dead(self.now + 30_000 * MS);
            }
        }
    }

    /// The region dies somewhere in the next tick.
    pub(super) fn die(&mut self) {
        self.death = self.now + self.up_to(SILENCE_TICK.as_millis() as u64);
    }

    /// Dead phones speak again where they would be.
    pub(super) fn revive(&mut self) {
        self.death = u64::MAX;
        let now = self.now;
        for phone in &mut self.phones {
            phone.mood = Mood::Speaks(now + 3_600_000 * MS);
        }
    }

    /// Let time pass, tick by tick.
    pub(super) fn run(&mut self, ms: u64) {
        let until = self.now + ms * MS;
        let tick = SILENCE_TICK.as_nanos() as u64;
        let a_tick = SILENCE_TICK.as_secs_f64();
        while self.now < until {
            let from = self.now;
            let stall = self.chance(self.habits.stalls * a_tick);
            self.now += if stall { 200 * MS } else { tick };
            if self.chance(self.habits.shared_bursts * a_tick) {
                self.shared = self.now + self.up_to(30);
            }
            if self.chance(self.habits.edge_deaths * a_tick) {
                self.kill(1.0 / 3.0);
            }
            // Held up, the tick comes first and the packets of the stall after it, all at once.
            if stall {
                self.tick();
            }
            let span = (self.now - from) as f64 / 1e9;
            for slot in 0..self.phones.len() {
                self.live(slot, span);
                self.speak(slot, stall);
            }
            self.tick();
        }
    }

    /// When a region was told to be silent, and since when.
    pub(super) fn told(&self) -> Option<(Time, Time)> {
        self.events.iter().find_map(|(at, e)| match e {
            RelayEvent::RegionSilent { region: HERE, since, .. } => Some((*at, *since)),
            _ => None,
        })
    }

    fn tick(&mut self) {
        let mut told = VecDeque::new();
        let now = Time::from_nanos(self.now);
        if self.regions.next() <= now {
            self.regions.tick(now, &mut told, &mut VecDeque::new());
        }
        self.events.extend(told.into_iter().map(|e| (now, e)));
    }

    /// What a phone's user does in `span` seconds.
    fn live(&mut self, slot: usize, span: f64) {
        let habits = self.habits;
        if self.chance(habits.hangups * span) {
            return self.hang_up(slot);
        }
        if self.chance(habits.holds * span) {
            // Media stops, signalling says so some time later.
            self.phones[slot].mood = Mood::Pauses(self.now + 1000 * MS + self.up_to(20_000));
            if self.chance(0.5) {
                self.regions.rest(slot);
            }
        }
        if self.chance(habits.mutes * span) {
            self.phones[slot].mood = match self.phones[slot].mood {
                Mood::Pauses(_) => Mood::Speaks(self.now + self.up_to(60_000)),
                Mood::Speaks(_) => Mood::Pauses(self.now + self.up_to(60_000)),
                Mood::Dead(until) => Mood::Dead(until),
            };
        }
        if self.chance(habits.jitter_bursts * span) {
            self.phones[slot].held_back = self.now + self.up_to(100);
        }
        let spurt = if self.phones[slot].dtx { 1 + self.up_to(2500) } else { 3_600_000 * MS };
        let pause = 1 + self.up_to(3000);
        let phone = &mut self.phones[slot];
        match phone.mood {
            Mood::Speaks(until) if self.now >= until => {
                phone.mood =
                    if phone.dtx { Mood::Pauses(self.now + pause) } else { Mood::Speaks(self.now + spurt) };
            }
            Mood::Pauses(until) if self.now >= until => phone.mood = Mood::Speaks(self.now + spurt),
            Mood::Dead(until) if self.now >= until => self.hang_up(slot),
            Mood::Speaks(_) | Mood::Pauses(_) | Mood::Dead(_) => {}
        }
    }

    fn hang_up(&mut self, slot: usize) {
        self.regions.leave(slot);
        self.phones[slot] = self.phone();
        self.regions.place(Time::from_nanos(self.now), slot, HERE);
    }

    /// Packets that reach us up to now; after a stall all of them are read now.
    fn speak(&mut self, slot: usize, stall: bool) {
        while self.phones[slot].due.max(self.phones[slot].held_back).max(self.shared) <= self.now {
            let lost = self.chance(self.habits.loss);
            let phone = &mut self.phones[slot];
            let arrival = phone.due.max(phone.held_back).max(self.shared);
            let made = phone.due;
            phone.due += phone.beat;
            phone.timestamp = phone.timestamp.wrapping_add(HZ / 50);
            let speaks = match phone.mood {
                Mood::Speaks(_) => true,
                // Comfort noise now and then (RFC 3389 §4).
                Mood::Pauses(_) => phone.dtx && phone.timestamp % (HZ / 50 * 16) < HZ / 50,
                Mood::Dead(_) => false,
            };
            if !speaks || made > self.death {
                continue;
            }
            phone.sequence = phone.sequence.wrapping_add(1);
            let (sequence, timestamp) = (phone.sequence, phone.timestamp);
            if !lost {
                let header = RtpHeader { sequence, timestamp, ..RtpHeader::default() };
                let at = if stall { self.now } else { arrival };
                self.last_packet = self.last_packet.max(at);
                self.regions.packet(Time::from_nanos(at), slot, &header, HZ);
            }
        }
    }
}
