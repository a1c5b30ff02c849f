//! Reports of our own, while we speak on a line ourselves.
//!
//! The receiver of a fill gets packets that no peer counts, and its own packets go nowhere. For as long as that lasts we are
//! the other participant of its session, and report as one: what we have sent, and what of its stream has come to us.

use super::Draft;
use super::packets::{CNAME, RR, SDES, SR};
use crate::limits::{REPORT_INTERVAL, REPORT_SPREAD};
use crate::meter::Standing;
use crate::random::SplitMix;
use crate::reports::{Clock, Reports, middle};
use crate::rewrite::Line;
use relay_values::{Duration, Time};

/// Characters of a name of ours: 96 random bits in base 64 (RFC 7022 §4).
const NAME_LEN: usize = 16;

/// What a report of our own is made of.
#[derive(Debug)]
pub(crate) struct OwnReport<'a> {
    pub(crate) now: Time,
    /// The line on which we speak.
    pub(crate) line: &'a Line,
    pub(crate) clock_rate: u32,
    pub(crate) reports: &'a mut Reports,
    /// The stream that comes from its receiver.
    pub(crate) from: Option<Standing>,
    pub(crate) heard: &'a mut Reports,
}

impl OwnReport<'_> {
    /// Write it; whether there is something to report.
    pub(crate) fn write(self, random: &mut SplitMix, draft: &mut Draft) -> bool {
        let (Some(ssrc), Some(timestamp)) = (self.line.ssrc(), self.line.clock(self.now, self.clock_rate))
        else {
            return false;
        };
        let ntp = Clock::reading(self.reports.came, self.now);
        let told = self.reports.own_sender(self.now, ntp);
        let begin = draft.begin(SR);
        let words = [ssrc, (ntp >> 32) as u32, ntp as u32, timestamp, told.packets, told.octets];
        words.into_iter().for_each(|word| draft.word(word));
        if let Some(from) = &self.from {
            block(self.now, from, self.heard, draft);
        }
        draft.end(begin, self.from.is_some().into());
        if self.reports.known(ssrc).is_none() {
            self.reports.introduce(ssrc, &name(random));
        }
        let name = self.reports.known(ssrc).unwrap_or_default();
        let begin = draft.begin(SDES);
        draft.word(ssrc);
        // At most 255 bytes: it was made above, or came in an item.
        draft.put(&[CNAME, name.len() as u8]);
        draft.put(name);
        draft.put(&[0]);
        draft.fill_word();
        draft.end(begin, 1);
        true
    }
}

fn block(now: Time, from: &Standing, heard: &mut Reports, draft: &mut Draft) {
    let loss = heard.hearing.tell_own(from.lost, from.newest);
    let (last, delay) = heard.came.map_or((0, 0), |came| (middle(came.ntp), came.delay(now)));
    let words = [from.ssrc, loss.word(), from.newest, from.jitter, last, delay];
    words.into_iter().for_each(|word| draft.word(word));
}

/// The time to the next report, spread so that many lines do not report together (RFC 3550 §6.3.1).
pub(crate) fn interval(first: bool, random: &mut SplitMix) -> Duration {
    let mean = if first { REPORT_INTERVAL / 2 } else { REPORT_INTERVAL };
    let (least, most) = REPORT_SPREAD;
    mean * (least + random.below(most as usize - least as usize + 1) as u32) / 100
}

fn name(random: &mut SplitMix) -> [u8; NAME_LEN] {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut name = [0; NAME_LEN];
    for half in name.chunks_mut(NAME_LEN / 2) {
        let mut bits = random.next();
        for digit in half {
            *digit = DIGITS.get((bits & 63) as usize).copied().unwrap_or_default();
            bits >>= 6;
        }
    }
    name
}

/// A packet that says only that somebody is there.
pub(super) fn empty(ssrc: u32, draft: &mut Draft) {
    let begin = draft.begin(RR);
    draft.word(ssrc);
    draft.end(begin, 0);
}
