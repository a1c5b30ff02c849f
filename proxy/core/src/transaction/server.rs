//! The non-INVITE server transaction: RFC 3261 §17.2.2 (figure 8).
//!
//! ```text
//!                  | request: TU told
//!                  V
//!            +-----------+
//!       +----|   Trying  |                   request: absorbed
//!       |    +-----------+
//!       |          | TU's 1xx: sent
//!       |          V
//!       |    +------------+                  request: last 1xx again
//!       |    | Proceeding |                  TU's 1xx: sent
//!       |    +------------+
//!       |          |
//!       +----------+ TU's 200-699: sent
//!                  V
//!            +-----------+                   request: final response again
//!            | Completed |                   TU's responses: discarded
//!            +-----------+
//!                  | timer J: over
//! ```

use super::timers::TimerSet;
use relay_values::Time;

/// The states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// The TU has yet to respond.
    Trying,
    /// The TU gave a 1xx.
    Proceeding,
    /// The TU gave a final response; the request may come again.
    Completed { over: Time },
    /// Over.
    Terminated,
}

/// What can happen to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// The request came again.
    Request,
    /// The TU responds with 100-199.
    Provisional,
    /// The TU responds with 200-699.
    Final,
    /// The deadline has come.
    Timer,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing; a message is absorbed.
    Nothing,
    /// Send the TU's response and keep it for retransmission.
    Send,
    /// Send the last response again.
    Resend,
}

impl Server {
    /// When it wants [`Input::Timer`].
    pub(super) fn deadline(&self) -> Time {
        match *self {
            Self::Completed { over } => over,
            Self::Trying | Self::Proceeding | Self::Terminated => Time::NEVER,
        }
    }

    /// One step.
    pub(super) fn on(&mut self, now: Time, input: Input, timers: &TimerSet) -> Action {
        use Server as S;
        let (next, action) = match (*self, input) {
            (S::Trying | S::Proceeding, Input::Provisional) => (S::Proceeding, Action::Send),
            (S::Trying | S::Proceeding, Input::Final) => (Self::completed(now, timers), Action::Send),
            (S::Proceeding | S::Completed { .. }, Input::Request) => (*self, Action::Resend),
            (S::Trying, Input::Request | Input::Timer) | (S::Proceeding, Input::Timer) => {
                (*self, Action::Nothing)
            }
            (S::Completed { .. }, Input::Timer) => (S::Terminated, Action::Nothing),
            (S::Completed { .. }, Input::Provisional | Input::Final) => (*self, Action::Nothing),
            (S::Terminated, Input::Request | Input::Provisional | Input::Final | Input::Timer) => {
                (S::Terminated, Action::Nothing)
            }
        };
        *self = next;
        action
    }

    /// Timer J is zero over a reliable transport: the request will not come again.
    fn completed(now: Time, timers: &TimerSet) -> Self {
        let linger = timers.j();
        if linger.is_zero() { Self::Terminated } else { Self::Completed { over: now + linger } }
    }
}
