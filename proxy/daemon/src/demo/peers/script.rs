//! The play: who does what until when.

use super::alarms::{Alarm, Alarms};
use super::callee::Callee;
use super::caller::Caller;
use super::{Desk, Dice, Region};
use crate::demo::args::How;
use crate::demo::ledger::{Death, Ledger, Tally};
use crate::demo::network::{Lines, Network};
use crate::demo::timeline::{BETWEEN_CALLS, Timeline};
use rustix::event::{Timespec, poll};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The region that dies.
pub(super) const DYING: Region = Region::East;

/// How often the audience is told how many calls are where.
const TELL: Duration = Duration::from_millis(100);

/// Longest sleep: how late the end may be noticed.
const NAP: Duration = Duration::from_millis(20);

/// After the last call is over for its caller: his callee's phone has to hear of it, too.
const LINGER: Duration = Duration::from_millis(300);

/// Longest datagram.
const BUFFER: usize = 65_536;

/// What the audience is told while it goes on.
#[derive(Debug, Clone, Copy)]
pub(in crate::demo) enum News {
    /// How many calls are where.
    Tally(Tally),
    /// A region has died.
    Death(Death),
}

/// The peers with their parts.
pub(in crate::demo) struct Script {
    timeline: Timeline,
    how: How,
    caller: Caller,
    callees: [Callee; 2],
    desk: Desk,
    start: Instant,
    idle_since: Option<Instant>,
}

impl Script {
    /// `run` tells this demo's calls from another's.
    pub(in crate::demo) fn new(
        network: Network,
        lines: Lines,
        timeline: Timeline,
        how: How,
        run: u64,
    ) -> Self {
        let now = Instant::now();
        let Lines { carrier, east, west } = lines;
        Self {
            timeline,
            how,
            caller: Caller::new(carrier, network.appliance(), run, timeline),
            callees: [
                Callee::new(Region::East, east, timeline.ring),
                Callee::new(Region::West, west, timeline.ring),
            ],
            desk: Desk { ledger: Ledger::default(), alarms: Alarms::default(), dice: Dice(1), now },
            start: now,
            idle_since: None,
        }
    }

    /// Plays to the end: every call is over, the time is up, or `stop` was set.
    pub(in crate::demo) fn play(&mut self, stop: &AtomicBool, mut tell: impl FnMut(News)) {
        self.start = Instant::now();
        self.caller.begin(self.start);
        let death = self.start + self.timeline.death;
        for (at, alarm) in [(self.start, Alarm::Place), (death, Alarm::Death), (self.start, Alarm::Tell)] {
            self.desk.alarms.set(at, alarm);
        }
        let mut buffer = vec![0; BUFFER];
        let end = self.start + self.timeline.end;
        while !stop.load(Ordering::Relaxed) && !self.is_over(end) {
            self.desk.now = Instant::now();
            while let Some((at, alarm)) = self.desk.alarms.due(self.desk.now) {
                self.go_off(at, alarm, &mut tell);
            }
            self.read(&mut buffer);
            self.rest();
        }
        tell(News::Tally(self.desk.ledger.tally()));
    }

    /// What was noted. The sockets are closed.
    pub(in crate::demo) fn into_ledger(self) -> Ledger {
        self.desk.ledger
    }

    fn is_over(&mut self, end: Instant) -> bool {
        let now = Instant::now();
        if now < self.start + self.timeline.last_call || !self.caller.is_idle() {
            self.idle_since = None;
            return now >= end;
        }
        now >= end || now > *self.idle_since.get_or_insert(now) + LINGER
    }

    fn go_off(&mut self, due: Instant, alarm: Alarm, tell: &mut impl FnMut(News)) {
        let Self { caller, callees, desk, .. } = self;
        match alarm {
            Alarm::Place => {
                caller.place(desk);
                // Open loop: what is late is caught up with.
                if due + BETWEEN_CALLS <= self.start + self.timeline.last_call {
                    desk.alarms.set(due + BETWEEN_CALLS, Alarm::Place);
                }
            }
            Alarm::Death => {
                callees[DYING as usize].die(self.how);
                // The clock again: the death counts from when it was done.
                tell(News::Death(desk.ledger.dies(DYING, Instant::now())));
            }
            Alarm::Tell => {
                tell(News::Tally(desk.ledger.tally()));
                desk.alarms.set(desk.now + TELL, Alarm::Tell);
            }
            Alarm::Invite(serial, passed) => caller.invite_again(desk, serial, passed),
            Alarm::HangUp(serial) => caller.hang_up(desk, serial),
            Alarm::Bye(serial, passed) => caller.bye_again(desk, serial, passed),
            Alarm::Speak(serial) => caller.speak(desk, serial),
            Alarm::Phone(region, leg, phone) => callees[region as usize].due(desk, leg, phone),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) {
        let Self { caller, callees, desk, .. } = self;
        for callee in callees {
            while let Some((message, from)) = callee.line().and_then(|line| line.message(buffer)) {
                desk.now = Instant::now();
                callee.message(desk, &message, from);
            }
            while let Some((packet, from)) = callee.line().and_then(|line| line.hear(buffer)) {
                callee.hears(desk, packet, from);
            }
        }
        while let Some((message, from)) = caller.line().message(buffer) {
            desk.now = Instant::now();
            caller.message(desk, &message, from);
        }
        while let Some((packet, from)) = caller.line().hear(buffer) {
            caller.hears(desk, Instant::now(), packet, from);
        }
    }

    /// Sleeps until something is due or comes.
    fn rest(&self) {
        let now = Instant::now();
        let until = self.desk.alarms.next().unwrap_or(now + NAP);
        let nap = until.saturating_duration_since(now).min(NAP);
        let lines = self.callees.iter().filter_map(Callee::line).chain([self.caller.line()]);
        let mut fds: Vec<_> = lines.flat_map(|line| line.poll_fds()).collect();
        let nap = Timespec { tv_sec: 0, tv_nsec: i64::from(nap.subsec_nanos()) };
        // Interrupted or not, what is due is looked at.
        let _ = poll(&mut fds, Some(&nap));
    }
}
