//! Every limit of the signalling core, with the arithmetic behind it.

/// A call's plan holds at most this many targets: 8 attempts at 200 ms without response are 1.6 s, already longer than
/// a caller's patience with silence.
pub(crate) const MAX_PLAN: usize = 16;

/// Route headers that a dialog remembers. Real paths have one to four; each costs memory for the life of the call.
pub(crate) const MAX_ROUTE_SET: usize = 16;

/// Requests carried between the legs at once. Real dialogs have one or two (an INFO beside a re-INVITE).
pub(crate) const MAX_CARRIED: usize = 8;

/// Bytes of Diversion, of Identity and of Resource-Priority that pass from one leg to the other; each is kept for the
/// life of the call. A signed PASSporT in full form is 600 to 1,200 bytes, so three fit: the caller's own and two for
/// diversions (RFC 8946).
pub(crate) const MAX_PASSED: usize = 4_096;

/// Bytes of a header field that says which call a new tier leg continues, before its hexadecimal form. Three Call-IDs of
/// 255 bytes, a UUID and two names fit. A longer one is left out: cut short it would name another call.
pub(crate) const MAX_CORRELATION: usize = 1_024;
