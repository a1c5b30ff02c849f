//! The non-INVITE client transaction: RFC 3261 §17.1.2 (figure 6). CANCEL is one too.
//!
//! ```text
//!                  | request                 timer E: request again (T1, doubling up to T2)
//!                  V                         timer F, transport error: TU told, over
//!            +-----------+
//!       +----|   Trying  |
//!       |    +-----------+
//!       |          | 1xx: TU told
//!       |          V
//!       |    +------------+                  timer E: request again (T2)
//!       |    | Proceeding |                  timer F, transport error: TU told, over
//!       |    +------------+                  1xx: TU told
//!       |          |
//!       +----------+ 200-699: TU told
//!                  V
//!            +-----------+
//!            | Completed |                   any response: absorbed
//!            +-----------+
//!                  | timer K: over
//! ```

use super::timers::TimerSet;
use relay_values::Time;

/// The states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// The request was sent `sent` times; nothing came back.
    Trying { resend: Time, expires: Time, sent: u8 },
    /// A 1xx came.
    Proceeding { resend: Time, expires: Time },
    /// A final response came; it may come again.
    Completed { over: Time },
    /// Over.
    Terminated,
}

/// What can happen to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// 100-199.
    Provisional,
    /// 200-699.
    Final,
    /// The deadline has come.
    Timer,
    /// The request could not be delivered.
    TransportError,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing; a response is absorbed.
    Nothing,
    /// Send the request again.
    Resend,
    /// Give the response to the TU.
    PassUp,
    /// Tell the TU that no final response came.
    TimedOut,
    /// Tell the TU that the request could not be delivered.
    Failed,
}

impl Client {
    /// The request has been sent.
    pub(super) fn start(now: Time, timers: &TimerSet) -> Self {
        Self::Trying { resend: timers.e_or_g(now, 1), expires: now + timers.lifetime(), sent: 1 }
    }

    /// The request has been sent over a stream in the place of a datagram: nothing is sent again there, but by then it begins
    /// again.
    pub(super) fn start_aside(now: Time, timers: &TimerSet, by: Time) -> Self {
        Self::Trying { resend: by, expires: now + timers.lifetime(), sent: 1 }
    }

    /// The request goes another way, as if for the first time, but with no more time than it had. False if it is not
    /// unanswered any more.
    pub(super) fn begin_again(&mut self, now: Time, timers: &TimerSet) -> bool {
        if let Self::Trying { resend, sent, .. } = self {
            (*resend, *sent) = (timers.e_or_g(now, 1), 1);
            return true;
        }
        false
    }

    /// When it wants [`Input::Timer`].
    pub(super) fn deadline(&self) -> Time {
        match *self {
            Self::Trying { resend, expires, .. } | Self::Proceeding { resend, expires } => {
                resend.min(expires)
            }
            Self::Completed { over } => over,
            Self::Terminated => Time::NEVER,
        }
    }

    /// One step.
    pub(super) fn on(&mut self, now: Time, input: Input, timers: &TimerSet) -> Action {
        use Client as S;
        let (next, action) = match (*self, input) {
            (S::Trying { expires, sent, .. }, Input::Timer) if now < expires => {
                let sent = sent.saturating_add(1);
                (S::Trying { resend: timers.e_or_g(now, sent), expires, sent }, Action::Resend)
            }
            (S::Proceeding { expires, .. }, Input::Timer) if now < expires => {
                (S::Proceeding { resend: timers.e_proceeding(now), expires }, Action::Resend)
            }
            (S::Trying { .. } | S::Proceeding { .. }, Input::Timer) => (S::Terminated, Action::TimedOut),
            (S::Trying { .. } | S::Proceeding { .. }, Input::TransportError) => {
                (S::Terminated, Action::Failed)
            }
            // A running timer E runs on; only its next interval is T2.
            (S::Trying { resend, expires, .. } | S::Proceeding { resend, expires }, Input::Provisional) => {
                (S::Proceeding { resend, expires }, Action::PassUp)
            }
            (S::Trying { .. } | S::Proceeding { .. }, Input::Final) => {
                (Self::completed(now, timers), Action::PassUp)
            }
            (S::Completed { .. }, Input::Timer) => (S::Terminated, Action::Nothing),
            (S::Completed { .. }, Input::Provisional | Input::Final | Input::TransportError) => {
                (*self, Action::Nothing)
            }
            (S::Terminated, Input::Provisional | Input::Final | Input::Timer | Input::TransportError) => {
                (S::Terminated, Action::Nothing)
            }
        };
        *self = next;
        action
    }

    /// Timer K is zero over a reliable transport: nothing will come again.
    fn completed(now: Time, timers: &TimerSet) -> Self {
        let linger = timers.i_or_k();
        if linger.is_zero() { Self::Terminated } else { Self::Completed { over: now + linger } }
    }
}
