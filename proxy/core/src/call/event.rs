//! The neutral words in which a call's legs, its relay session and its timers speak to it. No leg sees another leg's SIP.

use super::SessionTimer;
use crate::dialog::Dialog;
use crate::{CloseReason, HuntReason};
use bytes::Bytes;
use relay_values::{Duration, Gap, Leg, SessionStats};

/// Something that happened to a call.
#[derive(Debug)]
pub(crate) enum CallEvent {
    /// The relay has ports for every line that it was asked for, as far as it has any left.
    MediaReady,
    /// The relay could not; its own counters say why.
    NoMedia,
    /// The target lives: 100.
    Trying,
    /// The target is working on it: 101 to 199.
    Progress(Progress),
    /// 2xx.
    Answer {
        /// Its session description.
        description: Option<Bytes>,
    },
    /// A target wants its session refreshed less often than we offered: 422 with its Min-SE, in seconds.
    IntervalTooSmall {
        /// Its Min-SE.
        min_se: u32,
        /// The Call-ID of the INVITE.
        call_id: Bytes,
    },
    /// A target wants reliable provisionals, which it was not offered: 421 (RFC 3261 §21.4.15).
    ExtensionRequired {
        /// The Call-ID of the INVITE.
        call_id: Bytes,
    },
    /// A final response that is no answer.
    Refusal {
        /// Its code, 300 to 699.
        code: u16,
        /// Its Retry-After.
        retry_after: Option<Duration>,
    },
    /// The attempt came to nothing without a final response.
    Failure(HuntReason),
    /// The caller gave up: CANCEL, or BYE before the answer.
    Cancel,
    /// BYE from a leg; it has its 200.
    Hangup(Leg),
    /// A leg that should be sending media has fallen silent: whichever, the call is over.
    Silent,
    /// Our 2xx to this leg was never acknowledged.
    NoAck(Leg),
    /// A leg answered 481 or 408 to a request inside the dialog, or nothing: it does not know the call any more
    /// (RFC 3261 §12.2.1.2).
    LegGone,
    /// A leg's session has run out, or its peer is not there any more.
    Lapsed(CloseReason),
    /// An operator ends the call.
    Ended,
    /// ACK for our 2xx to this leg.
    Acknowledged(Leg),
    /// A call that has to leave looks where it could go.
    LineUp,
    /// It is this call's turn to move.
    Turn,
    /// 2xx to an INVITE that moves the tier leg.
    Taken {
        /// The new leg's dialog.
        dialog: Box<Dialog>,
        /// Who keeps it alive.
        session: SessionTimer,
        /// Its session description.
        description: Option<Bytes>,
    },
    /// 2xx to our re-INVITE of the carrier.
    Refitted {
        /// Its session description.
        description: Option<Bytes>,
    },
    /// The carrier does not take the other media.
    RefitRefused {
        /// It has asked for something itself: 491.
        crossed: bool,
    },
    /// The moved leg is heard.
    Resumed(Gap),
    /// The relay has closed the session.
    Released(Box<SessionStats>),
    /// The call's own timer.
    Timer,
}

/// A provisional response.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Its code, 101 to 199.
    pub(crate) code: u16,
    /// Its session description.
    pub(crate) description: Option<Bytes>,
    /// Its RSeq, if it is a reliable one (RFC 3262).
    pub(crate) rseq: Option<u32>,
}
