//! Every bound of this crate, with its arithmetic.

/// The longest message, in bytes: what one UDP datagram can carry. It also lets every position inside a message be a
/// `u16`, which keeps a header's entry in the index at 10 bytes.
pub const MAX_MESSAGE: usize = 65_535;

/// The most header lines of one message. The longest chains seen in the field are about 70 Via and Record-Route lines
/// (Max-Forwards starts at 70); 256 leaves room for all else.
pub const MAX_HEADERS: usize = 256;

/// Header lines that an index holds inline (40 × 10 bytes); a message with more costs one allocation.
pub(crate) const INLINE_HEADERS: usize = 40;

/// The most `m=` lines of one session description. A refused line must stay in the answer (RFC 3264 §6), so a call that
/// was re-offered many times may carry a few; 16 are four audio, video, text and screen lines.
pub const MAX_MEDIA: usize = 16;

/// Formats of one `m=` line that are compared with the other side's. A browser's audio line has 13; each costs a walk
/// through its attributes.
pub const MAX_FORMATS: usize = 32;

/// Bytes of an agreed stream, which is kept for the life of a call. G.711 with telephone-event takes about 100, a
/// browser's audio line with its codecs, feedback and extensions about 800.
pub const MAX_AGREED: usize = 2_048;

/// The longest packet time that is believed, in milliseconds: a receiver has to take no more (RFC 3551 §4.2).
pub const MAX_PACKET_TIME_MS: u32 = 200;

/// The most parts of a multipart body that are looked into.
pub const MAX_PARTS: usize = 16;

/// Bytes of replacement text that a [`Splice`](crate::Splice) holds inline: one Via (about 110 bytes), one Record-Route
/// (about 80), one request URI and a few numbers; more costs one allocation.
pub(crate) const INLINE_TEXT: usize = 512;

/// What a [`Builder`](crate::Builder) reserves at first: an INVITE with SDP is about 1,000 bytes.
pub(crate) const MESSAGE_GUESS: usize = 1_280;
