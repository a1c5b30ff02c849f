//! Feedback (RFC 4585 §6.1, RFC 5104 §4): a head of two SSRCs, the sender's and that of the stream that is meant, and
//! control information of a format that the count field names.

use super::packets::{NAME, PSFB, Packet, RTPFB, half, word};
use super::{Draft, Translation};

/// What the control information of a format holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Control {
    /// Numbers of packets, with a mask of those that follow (RFC 4585 §6.2.1).
    Numbers,
    /// Entries of two words, the first of which is an SSRC.
    Named,
    /// The same, followed by so many octets as the last 16 bits of the second word say, in whole words (RFC 5104 §4.3.4).
    NamedAndLong,
    /// Nothing that names a stream or a packet of one.
    Opaque,
    /// An application's own (RFC 4585 §6.4); REMB is known.
    Application,
    /// Unknown.
    Unknown,
}

impl Control {
    const fn of(kind: u8, format: u8) -> Self {
        match (kind, format) {
            // Generic NACK.
            (RTPFB, 1) => Self::Numbers,
            // TMMBR and TMMBN (RFC 5104 §4.2); FIR, TSTR, TSTN (§4.3).
            (RTPFB, 3 | 4) | (PSFB, 4..=6) => Self::Named,
            // VBCM.
            (PSFB, 7) => Self::NamedAndLong,
            // A wish for a sender report (RFC 6051 §3.2); transport-wide numbers, which are not those of the stream.
            (RTPFB, 5 | 15) => Self::Opaque,
            // PLI, SLI, RPSI (RFC 4585 §6.3).
            (PSFB, 1..=3) => Self::Opaque,
            (PSFB, 15) => Self::Application,
            _ => Self::Unknown,
        }
    }
}

impl Translation<'_> {
    pub(super) fn feedback(&mut self, packet: &Packet<'_>, draft: &mut Draft) {
        let (Some(sender), Some(media)) = (word(packet.body, 0), word(packet.body, NAME)) else { return };
        let begin = draft.begin(packet.kind);
        draft.word(self.name(sender));
        // Where the control information says it, nothing stands here (RFC 5104 §4.2.1.2).
        let meant = if media == 0 { Some(0) } else { self.name_back(media) };
        let Some(media) = meant else { return draft.undo(begin) };
        draft.word(media);
        let head = draft.here();
        let control = packet.body.get(2 * NAME..).unwrap_or_default();
        if self.control(Control::of(packet.kind, packet.count), control, draft)
            && (control.is_empty() || !draft.is_bare(head, 0))
        {
            draft.end(begin, packet.count);
        } else {
            draft.undo(begin);
        }
    }

    /// Whether it can be passed on.
    fn control(&self, control: Control, bytes: &[u8], draft: &mut Draft) -> bool {
        match control {
            _ if self.leaves_numbers() => draft.put(bytes),
            Control::Numbers => {
                for entry in bytes.chunks_exact(4) {
                    if let (Some(number), Some(mask)) = (half(entry, 0), half(entry, 2))
                        && let Some(number) = self.number_back(number)
                    {
                        draft.word(u32::from(number) << 16 | u32::from(mask));
                    }
                }
            }
            Control::Named => {
                for entry in bytes.chunks_exact(8) {
                    self.named(entry, draft);
                }
            }
            Control::NamedAndLong => {
                let mut rest = bytes;
                while let Some(octets) = half(rest, 6) {
                    let len = (8 + usize::from(octets)).next_multiple_of(4);
                    let Some((entry, after)) = rest.split_at_checked(len) else { break };
                    self.named(entry, draft);
                    rest = after;
                }
            }
            Control::Opaque => draft.put(bytes),
            Control::Application => self.application(bytes, draft),
            Control::Unknown => return false,
        }
        true
    }

    fn named(&self, entry: &[u8], draft: &mut Draft) {
        if let Some(name) = word(entry, 0).and_then(|ssrc| self.name_back(ssrc)) {
            draft.word(name);
            draft.put(entry.get(NAME..).unwrap_or_default());
        }
    }

    /// REMB: a name, a bitrate behind a count, and as many SSRCs (draft-alvestrand-rmcat-remb §2.2).
    fn application(&self, bytes: &[u8], draft: &mut Draft) {
        let Some((head, names)) = bytes.split_at_checked(8).filter(|(head, _)| head.starts_with(b"REMB"))
        else {
            return draft.put(bytes);
        };
        draft.put(head);
        for name in names.chunks_exact(NAME).filter_map(|n| word(n, 0)) {
            draft.word(self.name_back(name).unwrap_or(name));
        }
    }
}
