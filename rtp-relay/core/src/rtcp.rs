//! RTCP over a change of source: what each side says of a stream, in the other side's numbers.
//!
//! RTCP names streams by SSRC, so after a move it has to be mapped as RTP is (RFC 3550 §6, `rewrite.rs`):
//!
//! ```text
//! from the source                     to the receiver
//!   its SSRC, wherever it stands        the line's
//!   SR: RTP timestamp                   shifted by the same offset
//!   SR: packet and octet count          plus what was sent before it
//! from the receiver                   to the source
//!   report block about the line         about the source
//!   extended highest sequence number    shifted back
//!   cumulative number of packets lost   less what was lost before it
//!   LSR, DLSR                           0 unless they answer a report of this source
//! ```
//!
//! A peer that is not on the line (the next one, before its first packet; the last one, while we fill) is not introduced to
//! the receiver: it speaks under the line's SSRC, its sender report becomes a receiver report, and its BYE becomes an empty
//! one. The length of a packet never changes: what is left over stands at the end of the report, where extensions may stand
//! (§6.4.3), as zeroes.
//!
//! SDES passes but for its SSRC: the CNAME is the peer's own, and its length cannot be changed here. Blocks inside extended
//! reports (RFC 3611) and inside feedback beyond its first two SSRCs (RFC 4585 §6.1) are not looked at.

use crate::reports::{Count, Reports};
use crate::rewrite::Line;

const SR: u8 = 200;
const RR: u8 = 201;
const SDES: u8 = 202;
const BYE: u8 = 203;
/// Feedback of the transport layer and of the payload (RFC 4585 §6.1).
const RTPFB: u8 = 205;
const PSFB: u8 = 206;

/// Bytes of a report's header with its sender's SSRC, of the sender information, and of a report block (RFC 3550 §6.4.1).
const HEADER: usize = 8;
const SENDER_INFO: usize = 20;
const BLOCK: usize = 24;

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
    /// Who speaks, and whether it may say that it ends.
    pub(crate) speaker: Speaker,
    pub(crate) farewell: bool,
    /// What is reported of its own stream.
    pub(crate) own: &'a mut Reports,
    /// The stream that it receives.
    pub(crate) line: &'a Line,
    pub(crate) other: &'a mut Reports,
}

impl Translation<'_> {
    /// Rewrite a compound packet in place. Its lengths have been checked.
    pub(crate) fn compound(&mut self, mut bytes: &mut [u8]) {
        while let Some(&[_, _, hi, lo]) = bytes.first_chunk() {
            let len = (usize::from(u16::from_be_bytes([hi, lo])) + 1) * 4;
            let Some((packet, rest)) = bytes.split_at_mut_checked(len) else { return };
            self.packet(packet);
            bytes = rest;
        }
    }

    fn packet(&mut self, packet: &mut [u8]) {
        let Some(&[first, kind, ..]) = packet.first_chunk::<4>() else { return };
        let count = usize::from(first & 0x1f);
        match kind {
            SR => self.sender_report(packet, count),
            RR => {
                self.name(packet, 4);
                self.blocks(packet.get_mut(HEADER..).unwrap_or_default(), count);
            }
            SDES => self.chunks(packet, count),
            BYE if !self.farewell && count > 0 => self.hush(packet),
            BYE => (0..count).for_each(|n| self.name(packet, 4 + 4 * n)),
            RTPFB | PSFB => {
                self.name(packet, 4);
                self.name_back(packet, 8);
            }
            _ => self.name(packet, 4),
        }
    }

    fn sender_report(&mut self, packet: &mut [u8], count: usize) {
        let ssrc = word(packet, 4);
        match self.speaker {
            Speaker::Unheard { .. } => {
                // Without the sender information it is a receiver report; the room goes to the end.
                let end = packet.len() - padding(packet);
                if end >= HEADER + SENDER_INFO {
                    packet.copy_within(HEADER + SENDER_INFO..end, HEADER);
                    packet.get_mut(end - SENDER_INFO..end).unwrap_or_default().fill(0);
                    put_kind(packet, RR);
                    self.name(packet, 4);
                    self.blocks(packet.get_mut(HEADER..).unwrap_or_default(), count);
                }
                return;
            }
            Speaker::Itself => self.sender_info(packet, 0),
            Speaker::Shifted { source, timestamp, .. } if ssrc == Some(source) => {
                self.sender_info(packet, timestamp);
            }
            Speaker::Shifted { .. } => {}
        }
        self.name(packet, 4);
        self.blocks(packet.get_mut(HEADER + SENDER_INFO..).unwrap_or_default(), count);
    }

    /// What the source of the line says of its stream; its timestamps are shifted.
    fn sender_info(&mut self, packet: &mut [u8], shift: u32) {
        let (Some(timestamp), Some(packets), Some(octets), Some(ntp)) =
            (word(packet, 16), word(packet, 20), word(packet, 24), word(packet, 10))
        else {
            return;
        };
        let told = self.own.sender(Count { packets, octets }, ntp);
        put(packet, 16, timestamp.wrapping_add(shift));
        put(packet, 20, told.packets);
        put(packet, 24, told.octets);
    }

    /// SDES: chunks of an SSRC and its items, each item a type, a length and a text (RFC 3550 §6.5).
    fn chunks(&self, packet: &mut [u8], count: usize) {
        let mut at = 4;
        for _ in 0..count {
            self.name(packet, at);
            at += 4;
            while let Some(&kind) = packet.get(at)
                && kind != 0
            {
                let Some(&len) = packet.get(at + 1) else { return };
                at += 2 + usize::from(len);
            }
            // A zero ends the list, and more of them fill the word.
            at = (at + 1).next_multiple_of(4);
        }
    }

    /// A farewell becomes a report about nothing.
    fn hush(&self, packet: &mut [u8]) {
        let end = packet.len() - padding(packet);
        packet.get_mut(HEADER..end).unwrap_or_default().fill(0);
        if let Some(first) = packet.first_mut() {
            *first &= 0xe0;
        }
        put_kind(packet, RR);
        self.name(packet, 4);
    }

    /// Put the name of the speaker at `at` as the other side knows it.
    fn name(&self, packet: &mut [u8], at: usize) {
        let ssrc = word(packet, at);
        match self.speaker {
            Speaker::Unheard { known_as } => put(packet, at, known_as),
            Speaker::Shifted { source, known_as, .. } if ssrc == Some(source) => put(packet, at, known_as),
            Speaker::Itself | Speaker::Shifted { .. } => {}
        }
    }

    /// If the line is named at `at`, put the name of its source there.
    fn name_back(&self, packet: &mut [u8], at: usize) {
        if let Line::Shifted(sent, shift) = self.line
            && word(packet, at) == Some(sent.ssrc)
        {
            put(packet, at, shift.source);
        }
    }

    /// Report blocks about the stream that the speaker receives.
    fn blocks(&mut self, blocks: &mut [u8], count: usize) {
        for block in blocks.chunks_exact_mut(BLOCK).take(count) {
            if word(block, 0) == self.line.ssrc() {
                self.block(block);
            }
        }
    }

    fn block(&mut self, block: &mut [u8]) {
        let (Some(lost), Some(highest), Some(last_report)) =
            (word(block, 4), word(block, 8), word(block, 16))
        else {
            return;
        };
        // One byte of fraction, three of count.
        let lost_here = self.other.lost(lost & 0x00ff_ffff);
        let Line::Shifted(sent, shift) = self.line else { return };
        // How often it went round is counted from the receiver's first packet, which may be later than ours.
        let behind = (sent.sequence as u16).wrapping_sub(highest as u16);
        if u32::from(behind) > sent.sequence.wrapping_sub(shift.first) {
            // About the time before this source: it does not know that name, and passes it over.
            return;
        }
        let highest = sent.sequence.wrapping_sub(behind.into());
        put(block, 0, shift.source);
        put(block, 4, (lost & 0xff00_0000) | (lost_here & 0x00ff_ffff));
        put(block, 8, highest.wrapping_sub(shift.sequence));
        if !self.other.is_answer(last_report) {
            put(block, 16, 0);
            put(block, 20, 0);
        }
    }
}

/// Bytes of padding at the end (RFC 3550 §6.4.1).
fn padding(packet: &[u8]) -> usize {
    match (packet.first(), packet.last()) {
        (Some(first), Some(last)) if first & 0x20 != 0 => usize::from(*last).min(packet.len()),
        _ => 0,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

fn put(bytes: &mut [u8], at: usize, word: u32) {
    if let Some(place) = bytes.get_mut(at..).and_then(|b| b.first_chunk_mut()) {
        *place = word.to_be_bytes();
    }
}

fn put_kind(packet: &mut [u8], kind: u8) {
    if let Some(place) = packet.get_mut(1) {
        *place = kind;
    }
}
