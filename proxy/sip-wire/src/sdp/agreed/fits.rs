//! Whether another peer goes on with a stream as it was agreed.

use super::formats::{is_speech, known};
use super::{Agreed, is_open_rtp, is_secured};
use crate::fault::reasons;
use crate::sdp::media::{Codec, Direction, Media};
use crate::sdp::session::Session;

reasons! {
    /// Why an answer does not go on with what was agreed.
    Misfit {
        /// No audio over RTP, or none with an address.
        NoAudio = "no_audio",
        /// The line is refused: port 0 (RFC 3264 §6).
        Refused = "refused",
        /// The first codec is another one, or there is none.
        Codec = "codec",
        /// The codec has another payload type than the one that the staying side sends.
        PayloadType = "payload_type",
        /// telephone-event is missing or has another payload type (RFC 4733).
        Event = "event",
        /// Not the mirror of the direction that was offered: a call was held, or taken off hold.
        Direction = "direction",
        /// Media is encrypted: the keys differ.
        Secured = "secured",
        /// Another kind of media, or another transport.
        Transport = "transport",
    }
}

impl Agreed {
    /// Whether the answer to [`Agreed::offer`] goes on with the stream so that the staying side notices nothing.
    /// `offered` is the direction of that offer.
    ///
    /// Payload types in an answer are what its side receives, so they must be those that the staying side sends: the
    /// numbers of the side that left. `a=ptime` is a preference and no misfit (RFC 8866 §6.4).
    pub fn fits(&self, offered: Direction, answer: &Session<'_>) -> Result<(), Misfit> {
        let media = answer.media().iter().find(|media| media.kind == b"audio").ok_or(Misfit::NoAudio)?;
        self.fits_line(offered, media)
    }

    /// The same of one line.
    pub(super) fn fits_line(&self, offered: Direction, media: &Media<'_>) -> Result<(), Misfit> {
        if media.kind != self.kind() {
            return Err(Misfit::Transport);
        }
        if media.port == 0 {
            return Err(Misfit::Refused);
        }
        if self.secured || is_secured(media) {
            return Err(Misfit::Secured);
        }
        if !is_open_rtp(media) || media.address.is_none() {
            return Err(Misfit::NoAudio);
        }
        let formats = known(media);
        let (number, codec) = formats.iter().find(|(_, codec)| is_speech(codec)).ok_or(Misfit::Codec)?;
        if !self.is_first(codec) {
            return Err(Misfit::Codec);
        }
        if *number != self.codec.leaves {
            return Err(Misfit::PayloadType);
        }
        let has_event = self.event.is_none_or(|event| {
            formats.iter().any(|(number, codec)| {
                *number == event.leaves
                    && codec.clock_rate == event.clock_rate
                    && codec.name.eq_ignore_ascii_case(b"telephone-event")
            })
        });
        if !has_event {
            return Err(Misfit::Event);
        }
        if media.direction != offered.mirrored() {
            return Err(Misfit::Direction);
        }
        Ok(())
    }

    fn is_first(&self, codec: &Codec<'_>) -> bool {
        let (_, name, clock_rate) = self.first_codec();
        codec.name.eq_ignore_ascii_case(name)
            && codec.clock_rate == clock_rate
            && codec.channels == self.channels
    }
}
