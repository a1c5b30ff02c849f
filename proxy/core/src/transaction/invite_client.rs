//! The INVITE client transaction: RFC 3261 §17.1.1 (figure 5) as updated by RFC 6026 §7.2, with CANCEL
//! (§9.1) and a TU that may lose interest.
//!
//! ```text
//!                    | INVITE                            timer A: INVITE again
//!                    V              timer B, transport error: TU told, over
//!              +-----------+
//!       +------|  Calling  |------------------ abandon -----------------+
//!       |      +-----------+                                            V
//!       |            | 1xx: TU told                              +-----------+
//!       |            V                                           | Abandoned |--- 64*T1: over
//!       |      +------------+                                    +-----------+
//!       |      | Proceeding |-- cancel: CANCEL --+                  |     |
//!       |      +------------+                    V      1xx: CANCEL |     |
//!       |            |                    +------------+ <----------+     |
//!       |            |                    | Cancelling |--- 64*T1: TU     |
//!       |            |                    +------------+    told, over    |
//!       +------------+---------------------------+------------------------+
//!                    |                           |
//!                    | 2xx: TU told              | 300-699: ACK, TU told (not if it has moved on)
//!                    V                           V
//!              +-----------+               +-----------+
//!              |  Accepted |               | Completed |   300-699: ACK again
//!              +-----------+               +-----------+   2xx: TU told
//!   2xx: TU told     | timer M: over             | timer D: over
//! ```
//!
//! A CANCEL that is asked for in Calling waits for the first 1xx: before it, the far end may not know the INVITE yet.

use super::timers::TimerSet;
use relay_values::Time;
use std::num::NonZeroU32;

/// The states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InviteClient {
    /// The INVITE was sent `sent` times; nothing came back.
    Calling { resend: Time, expires: Time, sent: u8, cancel: bool },
    /// A 1xx came. No timer of this layer runs: how long it may ring is for the call to say.
    Proceeding,
    /// CANCEL was sent after a 1xx, and the final response ought to follow. `quiet`: the TU has moved on.
    Cancelling { expires: Time, quiet: bool },
    /// The TU moved on before any response. If there is one yet, it must not leave a phone ringing.
    Abandoned { expires: Time },
    /// A 300-699 came and was acknowledged; it may come again.
    Completed { over: Time },
    /// A 2xx came; it may come again, or from other branches of a fork.
    /// `first`: hash of the To tag of the first, once the TU has asked. `late`: the INVITE had no body, so that the 2xx makes
    /// the offer.
    Accepted { over: Time, first: Option<NonZeroU32>, late: bool },
    /// Over.
    Terminated,
}

/// What can happen to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// 100-199.
    Provisional,
    /// 200-299.
    Success,
    /// 300-699.
    Failure,
    /// The deadline has come.
    Timer,
    /// The TU wants the INVITE cancelled.
    Cancel,
    /// The TU has moved on.
    Abandon,
    /// The INVITE could not be delivered.
    TransportError,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing; a response is absorbed.
    Nothing,
    /// Send the INVITE again.
    Resend,
    /// Give the response to the TU.
    PassUp,
    /// Give the response to the TU and send the CANCEL that waited for it.
    PassUpAndCancel,
    /// Send the CANCEL; a response is absorbed.
    Cancel,
    /// Acknowledge the response and give it to the TU.
    PassUpAndAck,
    /// Acknowledge the response and absorb it.
    Ack,
    /// Send the ACK again, for what came now; the response is absorbed.
    AckAgain,
    /// Tell the TU that no final response came.
    TimedOut,
    /// Tell the TU that the INVITE could not be delivered.
    Failed,
}

impl InviteClient {
    /// The INVITE has been sent.
    pub(super) fn start(now: Time, timers: &TimerSet) -> Self {
        Self::Calling { resend: timers.a(now, 1), expires: now + timers.lifetime(), sent: 1, cancel: false }
    }

    /// The INVITE has been sent over a stream in the place of a datagram: nothing is sent again there, but by then it begins
    /// again.
    pub(super) fn start_aside(now: Time, timers: &TimerSet, by: Time) -> Self {
        Self::Calling { resend: by, expires: now + timers.lifetime(), sent: 1, cancel: false }
    }

    /// The INVITE goes another way, as if for the first time, but with no more time than it had. False if it is not
    /// unanswered any more.
    pub(super) fn begin_again(&mut self, now: Time, timers: &TimerSet) -> bool {
        if let Self::Calling { resend, sent, .. } = self {
            (*resend, *sent) = (timers.a(now, 1), 1);
            return true;
        }
        false
    }

    /// When it wants [`Input::Timer`].
    pub(super) fn deadline(&self) -> Time {
        match *self {
            Self::Calling { resend, expires, .. } => resend.min(expires),
            Self::Cancelling { expires, .. } | Self::Abandoned { expires } => expires,
            Self::Completed { over } | Self::Accepted { over, .. } => over,
            Self::Proceeding | Self::Terminated => Time::NEVER,
        }
    }

    /// One step.
    pub(super) fn on(&mut self, now: Time, input: Input, timers: &TimerSet) -> Action {
        use InviteClient as S;
        let cancelling = |quiet| S::Cancelling { expires: now + timers.lifetime(), quiet };
        let (next, action) = match (*self, input) {
            (S::Calling { expires, sent, cancel, .. }, Input::Timer) if now < expires => {
                let sent = sent.saturating_add(1);
                (S::Calling { resend: timers.a(now, sent), expires, sent, cancel }, Action::Resend)
            }
            (S::Calling { .. }, Input::Timer) => (S::Terminated, Action::TimedOut),
            (S::Calling { .. }, Input::TransportError) => (S::Terminated, Action::Failed),
            (S::Calling { resend, expires, sent, .. }, Input::Cancel) => {
                (S::Calling { resend, expires, sent, cancel: true }, Action::Nothing)
            }
            // Timer B ends it as it would have: what rings later is no response to it any more.
            (S::Calling { expires, .. }, Input::Abandon) => (S::Abandoned { expires }, Action::Nothing),
            (S::Calling { cancel: false, .. } | S::Proceeding, Input::Provisional) => {
                (S::Proceeding, Action::PassUp)
            }
            (S::Calling { cancel: true, .. }, Input::Provisional) => {
                (cancelling(false), Action::PassUpAndCancel)
            }

            (S::Proceeding, Input::Cancel) => (cancelling(false), Action::Cancel),
            (S::Proceeding, Input::Abandon) => (cancelling(true), Action::Cancel),
            // Its peer has answered before: an ICMP message since then is about something else.
            (S::Proceeding, Input::Timer | Input::TransportError) => (*self, Action::Nothing),

            (S::Cancelling { quiet: false, .. }, Input::Provisional) => (*self, Action::PassUp),
            (S::Cancelling { quiet: true, .. }, Input::Provisional) => (*self, Action::Nothing),
            (S::Cancelling { quiet: false, .. }, Input::Timer) => (S::Terminated, Action::TimedOut),
            (S::Cancelling { quiet: true, .. }, Input::Timer) => (S::Terminated, Action::Nothing),
            (S::Cancelling { expires, .. }, Input::Abandon) => {
                (S::Cancelling { expires, quiet: true }, Action::Nothing)
            }
            (S::Cancelling { .. }, Input::Cancel | Input::TransportError) => (*self, Action::Nothing),

            (S::Abandoned { .. }, Input::Provisional) => (cancelling(true), Action::Cancel),
            (S::Abandoned { .. }, Input::Timer) => (S::Terminated, Action::Nothing),
            (S::Abandoned { .. }, Input::Cancel | Input::Abandon | Input::TransportError) => {
                (*self, Action::Nothing)
            }

            (
                S::Calling { .. } | S::Proceeding | S::Cancelling { .. } | S::Abandoned { .. },
                Input::Success,
            ) => (S::Accepted { over: now + timers.lifetime(), first: None, late: false }, Action::PassUp),
            (S::Calling { .. } | S::Proceeding | S::Cancelling { quiet: false, .. }, Input::Failure) => {
                (Self::completed(now, timers), Action::PassUpAndAck)
            }
            (S::Cancelling { quiet: true, .. } | S::Abandoned { .. }, Input::Failure) => {
                (Self::completed(now, timers), Action::Ack)
            }

            (S::Completed { .. }, Input::Failure) => (*self, Action::AckAgain),
            // A proxy forwards a 2xx even after another branch's failure (RFC 3261 §16.7 step 5): somebody must end it.
            (S::Completed { .. } | S::Accepted { .. }, Input::Success) => (*self, Action::PassUp),
            (S::Completed { .. } | S::Accepted { .. }, Input::Timer) => (S::Terminated, Action::Nothing),
            (S::Accepted { .. }, Input::Failure) => (*self, Action::Nothing),
            (
                S::Completed { .. } | S::Accepted { .. },
                Input::Provisional | Input::Cancel | Input::Abandon | Input::TransportError,
            ) => (*self, Action::Nothing),

            (
                S::Terminated,
                Input::Provisional
                | Input::Success
                | Input::Failure
                | Input::Timer
                | Input::Cancel
                | Input::Abandon
                | Input::TransportError,
            ) => (S::Terminated, Action::Nothing),
        };
        *self = next;
        action
    }

    /// Timer D is zero over a reliable transport: nothing will come again.
    fn completed(now: Time, timers: &TimerSet) -> Self {
        let linger = timers.d();
        if linger.is_zero() { Self::Terminated } else { Self::Completed { over: now + linger } }
    }
}
