//! Sender and receiver reports (RFC 3550 §6.4).

use super::packets::{BLOCK, NAME, Packet, RR, SENDER_INFO, SR, word};
use super::{Draft, Speaker, Translation};
use crate::hearing::Loss;
use crate::reports::{Clock, Count};

impl Translation<'_> {
    pub(super) fn receiver_report(&mut self, packet: &Packet<'_>, draft: &mut Draft) {
        let begin = draft.begin(RR);
        draft.word(self.name(word(packet.body, 0).unwrap_or_default()));
        let count = self.blocks(packet, NAME, draft);
        draft.end(begin, count);
    }

    pub(super) fn sender_report(&mut self, packet: &Packet<'_>, draft: &mut Draft) {
        let body = packet.body;
        let [Some(ssrc), Some(high), Some(low), Some(timestamp), Some(packets), Some(octets)] =
            [0, 4, 8, 12, 16, 20].map(|at| word(body, at))
        else {
            return;
        };
        let ntp = u64::from(high) << 32 | u64::from(low);
        self.own.came = Some(Clock { ntp, at: self.now });
        let shift = match self.speaker {
            Speaker::Itself => Some(0),
            Speaker::Shifted { source, timestamp, .. } if source == ssrc => Some(timestamp),
            // Of a stream that the receiver does not have: without the sender information it is a receiver report.
            Speaker::Shifted { .. } | Speaker::Unheard { .. } => None,
        };
        let begin = draft.begin(if shift.is_some() { SR } else { RR });
        draft.word(self.name(ssrc));
        if let Some(shift) = shift {
            let told = self.own.sender(self.now, Count { packets, octets }, ntp);
            let of_line = [high, low, timestamp.wrapping_add(shift), told.packets, told.octets];
            of_line.into_iter().for_each(|word| draft.word(word));
        }
        let count = self.blocks(packet, NAME + SENDER_INFO, draft);
        draft.end(begin, count);
    }

    /// The report blocks of a packet, which begin at `at`. How many of them are passed on.
    fn blocks(&mut self, packet: &Packet<'_>, at: usize, draft: &mut Draft) -> u8 {
        let blocks = packet.body.get(at..).unwrap_or_default().chunks_exact(BLOCK);
        let mut count = 0;
        for block in blocks.take(packet.count.into()) {
            let [Some(ssrc), Some(loss), Some(highest), Some(jitter), Some(last), Some(delay)] =
                [0, 4, 8, 12, 16, 20].map(|at| word(block, at))
            else {
                continue;
            };
            let of_line = self.line.ssrc() == Some(ssrc);
            let mapped = if of_line && self.hears && !self.once.reported {
                self.once.reported = true;
                self.block(Loss::read(loss), highest, jitter, [last, delay])
            } else {
                None
            };
            match mapped {
                _ if self.leaves_numbers() => draft.put(block),
                Some(words) => words.into_iter().for_each(|word| draft.word(word)),
                None => continue,
            }
            count += 1;
        }
        count
    }

    /// A block about the line, as its source is to have it.
    fn block(&mut self, loss: Loss, highest: u32, jitter: u32, [last, delay]: [u32; 2]) -> Option<[u32; 6]> {
        self.other.hearing.keep(loss, jitter);
        let answer = last != 0 && self.other.answered(self.now, last, delay);
        if self.leaves_numbers() {
            self.other.hearing.passes(loss, highest);
            return None;
        }
        let Some(named) = self.line.as_sent(highest as u16, self.other.hearing.since()) else {
            self.other.hearing.passed_over(loss);
            return None;
        };
        let loss = self.other.hearing.told(loss, named.highest, named.first);
        let [last, delay] = if answer { [last, delay] } else { [0, 0] };
        Some([named.source, loss.word(), named.highest, jitter, last, delay])
    }
}
