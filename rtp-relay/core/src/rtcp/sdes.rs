//! Source descriptions (RFC 3550 §6.5).
//!
//! An SSRC may change over a participant's life, its canonical name never (§6.5.1); the line is one participant to the
//! receiver, whoever speaks on it, so it keeps the name under which it was introduced.

use super::packets::{CNAME, Packet, SDES, chunks, items};
use super::{Draft, Speaker, Translation};

impl Translation<'_> {
    pub(super) fn description(&mut self, packet: &Packet<'_>, draft: &mut Draft) {
        let begin = draft.begin(SDES);
        let mut count = 0;
        for chunk in chunks(packet.body).take(packet.count.into()).flatten() {
            let Some(ssrc) = self.listed(chunk.ssrc) else { continue };
            let of_line = match self.speaker {
                Speaker::Itself => self.own_ssrc.is_none_or(|own| own == ssrc),
                Speaker::Shifted { known_as, .. } | Speaker::Unheard { known_as } => ssrc == known_as,
            };
            let again = of_line && std::mem::replace(&mut self.once.introduced, true);
            if again && !self.leaves_names() {
                continue;
            }
            draft.word(ssrc);
            for item in items(chunk.items).flatten() {
                match item {
                    [CNAME, _, name @ ..] if of_line => self.canonical_name(ssrc, name, draft),
                    _ => draft.put(item),
                }
            }
            // The end of the list, and of the word.
            draft.put(&[0]);
            draft.fill_word();
            count += 1;
        }
        if count == 0 { draft.undo(begin) } else { draft.end(begin, count) }
    }

    /// The name of the speaker, or the one that the receiver knows it by.
    fn canonical_name(&mut self, ssrc: u32, name: &[u8], draft: &mut Draft) {
        let known = match self.speaker {
            // It may call itself what it likes.
            Speaker::Itself => None,
            Speaker::Shifted { .. } | Speaker::Unheard { .. } => self.own.known(ssrc),
        };
        if known.is_none() {
            self.own.introduce(ssrc, name);
        }
        let name = self.own.known(ssrc).unwrap_or(name);
        // It was an item before, so its length fits a byte.
        draft.put(&[CNAME, name.len() as u8]);
        draft.put(name);
    }
}
