//! Extended reports (RFC 3611): blocks about the stream that is received, and about time.

use super::packets::{Extended, NAME, Packet, XR, extended, half, word};
use super::{Draft, Translation};

/// The blocks of RFC 3611 §4, by number.
const LOSS_RLE: u8 = 1;
const DUPLICATE_RLE: u8 = 2;
const RECEIPT_TIMES: u8 = 3;
const REFERENCE_TIME: u8 = 4;
const DLRR: u8 = 5;
const STATISTICS: u8 = 6;
const VOIP_METRICS: u8 = 7;

/// Bytes of an answer to a reference time: whose it was, which it was, how long ago (§4.5).
const ANSWER: usize = 12;

impl Translation<'_> {
    pub(super) fn extended(&mut self, packet: &Packet<'_>, draft: &mut Draft) {
        let begin = draft.begin(XR);
        draft.word(self.name(word(packet.body, 0).unwrap_or_default()));
        let head = draft.here();
        let blocks = packet.body.get(NAME..).unwrap_or_default();
        for block in extended(blocks) {
            self.extended_block(&block, draft);
        }
        if draft.is_bare(head, 0) && !blocks.is_empty() {
            return draft.undo(begin);
        }
        // The count field is reserved here (§2).
        draft.end(begin, 0);
    }

    fn extended_block(&mut self, block: &Extended<'_>, draft: &mut Draft) {
        if block.kind == REFERENCE_TIME
            && let (Some(high), Some(low)) = (word(block.bytes, 4), word(block.bytes, 8))
        {
            self.own.reference_time(high << 16 | low >> 16);
        }
        if self.leaves_numbers() {
            return if block.kind <= VOIP_METRICS || self.leaves_names() {
                draft.put(block.bytes)
            };
        }
        match block.kind {
            REFERENCE_TIME => draft.put(block.bytes),
            DLRR => self.answers(block.bytes, draft),
            LOSS_RLE | DUPLICATE_RLE | RECEIPT_TIMES => {
                // Thinned to one number in 2^T, those that 2^T divides (§4.1): shifted ones may not be.
                let thinning = block.bytes.get(1).map_or(0, |flags| flags & 0x0f);
                self.range(block.bytes, (1_u16 << thinning) - 1, draft);
            }
            STATISTICS => self.range(block.bytes, 0, draft),
            VOIP_METRICS => {
                let name = word(block.bytes, 4).and_then(|ssrc| self.name_back(ssrc));
                if let (Some(name), Some((head, rest))) = (name, block.bytes.split_at_checked(8)) {
                    draft.put(head.get(..4).unwrap_or_default());
                    draft.word(name);
                    draft.put(rest);
                }
            }
            _ => {}
        }
    }

    /// A block about a range of numbers: after its head the SSRC, the first and one past the last (§4.1, §4.2, §4.3, §4.6).
    fn range(&self, block: &[u8], thinned: u16, draft: &mut Draft) {
        let (Some(ssrc), Some(first), Some(end)) = (word(block, 4), half(block, 8), half(block, 10)) else {
            return;
        };
        let last = end.wrapping_sub(1);
        let (Some(source), Some(begin), Some(after)) =
            (self.name_back(ssrc), self.number_back(first), self.number_back(last))
        else {
            return;
        };
        let shift = begin.wrapping_sub(first);
        // The range does not go round, and both ends are of this source.
        if after.wrapping_sub(last) != shift
            || end.wrapping_sub(first) > i16::MAX as u16
            || shift & thinned != 0
        {
            return;
        }
        draft.put(block.get(..4).unwrap_or_default());
        draft.word(source);
        draft.word(u32::from(begin) << 16 | u32::from(after.wrapping_add(1)));
        draft.put(block.get(12..).unwrap_or_default());
    }

    /// Answers to reference times of the source (§4.5).
    fn answers(&self, block: &[u8], draft: &mut Draft) {
        let begin = draft.here();
        let Some((head, answers)) = block.split_at_checked(4) else { return };
        draft.put(head);
        let from = draft.here();
        for answer in answers.chunks_exact(ANSWER) {
            if let (Some(name), Some(last), Some(delay)) =
                (word(answer, 0).and_then(|ssrc| self.name_back(ssrc)), word(answer, 4), word(answer, 8))
                && self.other.is_reference(last)
            {
                [name, last, delay].into_iter().for_each(|word| draft.word(word));
            }
        }
        if draft.is_bare(from, 0) { draft.undo(begin) } else { draft.end_block(begin) }
    }
}
