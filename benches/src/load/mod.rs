//! The load generator: both ends of many calls in one thread.
//!
//! Calls live in flat arrays; their number stands in Call-ID (calling side) and To tag (answering side), so that a
//! message finds its call without a search. The rate is an open loop: a slow device gets no relief from us.

pub mod clock;
pub mod ear;
pub mod flood;
pub mod flows;
pub mod http;
pub mod line;
pub mod lines;
pub mod mark;
pub mod media;
pub mod pace;
pub mod port;
pub mod receiver;
pub mod region;
pub mod scan;
pub mod tally;
pub mod uac;
pub mod uas;
mod write;

use clock::{Clock, MS, Nanos};
use media::Media;
use port::Port;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::time::Duration;
use uac::Uac;
use uas::Uas;

/// Sleep until a datagram comes to one of these or it is time.
pub fn wait<'a>(ports: impl Iterator<Item = &'a Port>, sleep: Nanos) {
    let mut fds: Vec<PollFd<'_>> = ports.map(|p| PollFd::new(p, PollFlags::IN)).collect();
    let timeout =
        Timespec { tv_sec: (sleep / 1_000_000_000) as i64, tv_nsec: (sleep % 1_000_000_000) as i64 };
    // An interrupted wait is only a short one.
    let _ = poll(&mut fds, Some(&timeout));
}

/// The ends that run in this thread.
#[derive(Debug)]
pub struct Engine {
    /// The generator's clock.
    pub clock: Clock,
    /// The calling side.
    pub uac: Option<Uac>,
    /// The answering side.
    pub uas: Option<Uas>,
    /// RTP.
    pub media: Option<Media>,
}

impl Engine {
    /// Run for a time.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.clock.now() + clock::nanos(time);
        self.run(end, |_| false);
    }

    /// Run until something is so.
    pub fn run_until(&mut self, done: impl FnMut(&Self) -> bool) {
        self.run(Nanos::MAX, done);
    }

    fn run(&mut self, end: Nanos, mut done: impl FnMut(&Self) -> bool) {
        while self.clock.now() < end && !done(self) {
            if !self.turn() {
                self.wait(end);
            }
        }
    }

    /// Run until every call is over, at most for a time; those that are not over then have failed.
    pub fn drain(&mut self, at_most: Duration) {
        let end = self.clock.now() + clock::nanos(at_most);
        self.run(end, |e| e.uac.as_ref().is_none_or(|u| u.live() == 0));
        if let Some(uac) = &mut self.uac {
            uac.give_up();
        }
    }

    /// Retransmissions that either end sent or saw.
    pub fn retransmissions(&self) -> u64 {
        let uac = self.uac.as_ref().map_or(0, |u| u.tally.retransmitted + u.tally.duplicates);
        uac + self.uas.as_ref().map_or(0, |u| u.tally.retransmitted + u.tally.duplicates)
    }

    fn turn(&mut self) -> bool {
        let mut busy = false;
        if let Some(uac) = &mut self.uac {
            busy |= uac.turn(&self.clock, &mut self.media);
        }
        if let Some(uas) = &mut self.uas {
            busy |= uas.turn(&self.clock, &mut self.media);
        }
        if let Some(media) = &mut self.media {
            busy |= media.turn(&self.clock);
        }
        busy
    }

    /// Sleep until a datagram comes or something is due; 10 ms at most, so that the caller's condition is looked at.
    fn wait(&self, end: Nanos) {
        let now = self.clock.now();
        let uac = self.uac.as_ref().map_or(Nanos::MAX, |u| u.next(now));
        let uas = self.uas.as_ref().map_or(Nanos::MAX, |u| u.next(now));
        let media = self.media.as_ref().map_or(Nanos::MAX, Media::next);
        let sleep = uac.min(uas).min(media).min(end).saturating_sub(now).min(10 * MS);
        let ports = self.uac.iter().map(Uac::port).chain(self.uas.iter().map(Uas::port));
        wait(ports.chain(self.media.iter().flat_map(Media::ports)), sleep);
    }
}
