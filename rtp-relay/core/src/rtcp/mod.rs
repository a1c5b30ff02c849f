//! RTCP over a change of source, or of receiver: what each side says of a stream, in the other side's numbers.
//!
//! RTCP names streams by SSRC, so after a move it has to be mapped as RTP is (RFC 3550 §6, `rewrite.rs`):
//!
//! ```text
//! from the source                        to the receiver
//!   its SSRC, wherever it stands           the line's
//!   SR: RTP timestamp                      shifted by the same offset; the NTP timestamp stays
//!   SR: packet and octet count             plus what was sent before it
//!   SDES: CNAME                            the one that the receiver knows the line by (§6.5.1)
//!   XR: receiver reference time            as it is
//! from the receiver                      to the source
//!   report block about the line            about the source
//!   extended highest sequence number       shifted back
//!   lost packets, fraction and count       those of this source, told by whoever received it (`hearing.rs`)
//!   LSR, DLSR; DLRR                        nothing unless they answer a report of this source
//!   XR: ranges of sequence numbers         shifted back, if all of the range is this source's
//!   feedback: SSRCs, numbers of a NACK     shifted back
//! ```
//!
//! A peer that is not on the line (the next one, before its first packet; the last one, while we fill) is not introduced to
//! the receiver: it speaks under the line's SSRC, its sender report becomes a receiver report, and its BYE is left out.
//! What is about a time that is not the source's (before it, or ours while we filled) is left out too. So is what is of a
//! kind that we do not know: a receiver has to pass over it anyhow (RFC 3550 §6.1; RFC 3611 §3), and nobody can say what
//! names and numbers stand in it. Packets of an application (§6.7) and of application layer feedback (RFC 4585 §6.4) pass
//! but for the SSRCs in their heads, and those of REMB.
//!
//! Where nothing has been moved, nothing is changed, not one bit: it is only listened to. What is mapped is written anew, so
//! it may come out shorter or, with a longer name, longer.

mod draft;
mod extended;
mod feedback;
mod own;
mod packets;
mod report;
mod sdes;

pub(crate) use draft::Draft;
pub(crate) use own::{OwnReport, interval};
pub(crate) use packets::hold_together;

use crate::reports::Reports;
use crate::rewrite::Line;
use packets::{APP, BYE, NAME, PSFB, Packet, RR, RTPFB, SDES, SR, XR, packets, word};
use relay_values::{DropReason, Time};

/// As whom a receiver knows the one who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// As itself.
    Itself,
    /// `source` has taken the line over.
    Shifted {
        source: u32,
        known_as: u32,
        /// What is added to its timestamps.
        timestamp: u32,
    },
    /// It is not on the line.
    Unheard { known_as: u32 },
}

/// One compound packet on its way.
#[derive(Debug)]
pub(crate) struct Translation<'a> {
    pub(crate) now: Time,
    /// Who speaks, and whether it may say that it ends.
    pub(crate) speaker: Speaker,
    pub(crate) farewell: bool,
    /// Whether the stream that it receives is still sent to it, and nobody else reports of that.
    pub(crate) hears: bool,
    /// What is reported of its own stream, and the SSRC of that, if it has begun.
    pub(crate) own: &'a mut Reports,
    pub(crate) own_ssrc: Option<u32>,
    /// The stream that it receives.
    pub(crate) line: &'a Line,
    pub(crate) other: &'a mut Reports,
    /// What was done already in this compound, once each.
    pub(crate) once: Once,
}

/// What is done once in a compound, however often it is asked for.
#[derive(Debug, Default)]
pub(crate) struct Once {
    /// The line was reported of.
    reported: bool,
    /// The speaker was introduced.
    introduced: bool,
    /// A farewell was left out.
    hushed: bool,
}

impl Translation<'_> {
    /// Write a compound packet anew, as the other side is to have it. Its lengths have been checked. Whether it may go as it
    /// came; then nothing needs to be looked at in `draft`.
    ///
    /// # Errors
    ///
    /// [`DropReason::TooLong`] if it has no room.
    pub(crate) fn compound(&mut self, bytes: &[u8], draft: &mut Draft) -> Result<bool, DropReason> {
        for packet in packets(bytes) {
            self.packet(&packet, draft);
        }
        if self.leaves_names() && self.leaves_numbers() && !self.once.hushed {
            return Ok(true);
        }
        if draft.is_empty() {
            own::empty(self.name(word(bytes, 4).unwrap_or_default()), draft);
        }
        draft.written().map(|_| false).ok_or(DropReason::TooLong)
    }

    fn packet(&mut self, packet: &Packet<'_>, draft: &mut Draft) {
        match packet.kind {
            SR => self.sender_report(packet, draft),
            RR => self.receiver_report(packet, draft),
            SDES => self.description(packet, draft),
            BYE => self.goodbye(packet, draft),
            APP => {
                let begin = draft.begin(APP);
                draft.word(self.name(word(packet.body, 0).unwrap_or_default()));
                draft.put(packet.body.get(NAME..).unwrap_or_default());
                draft.end(begin, packet.count);
            }
            RTPFB | PSFB => self.feedback(packet, draft),
            XR => self.extended(packet, draft),
            _ if self.leaves_names() && self.leaves_numbers() => {
                let begin = draft.begin(packet.kind);
                draft.put(packet.body);
                draft.end(begin, packet.count);
            }
            // Nobody can say what stands in it.
            _ => {}
        }
    }

    /// The speaker is known to the other side by its own name.
    fn leaves_names(&self) -> bool {
        self.speaker == Speaker::Itself
    }

    /// What the speaker says of the stream that it receives may be said to that stream's source as it is.
    fn leaves_numbers(&self) -> bool {
        self.hears
            && matches!(self.line, Line::Unused | Line::Plain(_))
            && self.other.hearing.since().is_none()
    }

    /// The speaker, as the other side knows it.
    fn name(&self, ssrc: u32) -> u32 {
        match self.speaker {
            Speaker::Itself => ssrc,
            Speaker::Shifted { known_as, .. } | Speaker::Unheard { known_as } => known_as,
        }
    }

    /// A participant in a list of such; `None` if the other side is not to hear of it.
    fn listed(&self, ssrc: u32) -> Option<u32> {
        match self.speaker {
            Speaker::Itself => Some(ssrc),
            Speaker::Unheard { known_as } => Some(known_as),
            Speaker::Shifted { source, known_as, .. } if ssrc == source => Some(known_as),
            // Somebody who has the line's name by accident, or was its source once.
            Speaker::Shifted { known_as, .. } if ssrc == known_as => None,
            // A contributing source.
            Speaker::Shifted { .. } => Some(ssrc),
        }
    }

    /// Whoever is meant by `ssrc`, as it calls itself: the source of the line.
    fn name_back(&self, ssrc: u32) -> Option<u32> {
        if self.leaves_numbers() {
            return Some(ssrc);
        }
        if !self.hears || self.line.ssrc() != Some(ssrc) {
            return None;
        }
        self.line.source()
    }

    /// A sequence number of the line, as its source counts.
    fn number_back(&self, number: u16) -> Option<u16> {
        if self.leaves_numbers() {
            return Some(number);
        }
        self.line.number_back(number, self.other.hearing.since())
    }

    fn goodbye(&mut self, packet: &Packet<'_>, draft: &mut Draft) {
        if !self.farewell {
            self.once.hushed = true;
            return;
        }
        let begin = draft.begin(BYE);
        let (names, reason) =
            packet.body.split_at_checked(usize::from(packet.count) * NAME).unwrap_or_default();
        let mut count = 0;
        let mut last = None;
        for ssrc in names.chunks_exact(NAME).filter_map(|n| self.listed(word(n, 0)?)) {
            if last != Some(ssrc) {
                draft.word(ssrc);
                count += 1;
            }
            last = Some(ssrc);
        }
        if count == 0 && packet.count > 0 {
            return draft.undo(begin);
        }
        draft.put(reason);
        draft.fill_word();
        draft.end(begin, count);
    }
}
