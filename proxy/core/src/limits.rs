//! Every limit of the signalling core, with the arithmetic behind it.

/// A call's plan holds at most this many targets: 8 attempts at 200 ms without response are 1.6 s, already longer than
/// a caller's patience with silence.
pub(crate) const MAX_PLAN: usize = 16;

/// Route headers that a dialog remembers. Real paths have one to four; each costs memory for the life of the call.
pub(crate) const MAX_ROUTE_SET: usize = 16;

/// Requests carried between the legs at once. Real dialogs have one or two (an INFO beside a re-INVITE).
pub(crate) const MAX_CARRIED: usize = 8;
