//! The INVITE server transaction: RFC 3261 §17.2.1 (figure 7) as updated by RFC 6026 §7.1, with the retransmission of
//! the 2xx that RFC 3261 §13.3.1.4 asks of the UAS core.
//!
//! ```text
//!                  | INVITE: TU told
//!                  V                         INVITE: last 1xx again
//!            +------------+                  TU's 1xx: sent
//!            | Proceeding |------------ TU's 2xx: sent ---------+
//!            +------------+                                     V
//!                  | TU's 300-699: sent                   +----------+  INVITE: absorbed
//!                  V                                      | Accepted |  ACK: TU told
//!            +-----------+  INVITE, timer G: sent again   +----------+  unacknowledged: 2xx again
//!            | Completed |                                      | timer L: over, TU told
//!            +-----------+                                        if it was never acknowledged
//!        ACK |           | timer H: over
//!            V
//!      +-----------+        ACK, INVITE: absorbed
//!      | Confirmed |
//!      +-----------+
//!            | timer I: over
//! ```

use super::timers::TimerSet;
use relay_values::Time;

/// The states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InviteServer {
    /// The TU has yet to give a final response.
    Proceeding,
    /// A 300-699 was sent `sent` times; its ACK has not come.
    Completed { resend: Time, expires: Time, sent: u8 },
    /// The ACK came; it may come again.
    Confirmed { over: Time },
    /// A 2xx was sent `sent` times. Once the dialog has its ACK, the state stays only to absorb late INVITEs.
    Accepted { resend: Time, over: Time, sent: u8, acked: bool },
    /// Over.
    Terminated,
}

/// What can happen to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// The INVITE came again.
    Invite,
    /// An ACK with this transaction's branch came.
    Ack,
    /// The TU responds with 100-199.
    Provisional,
    /// The TU responds with 200-299.
    Success,
    /// The TU responds with 300-699.
    Failure,
    /// The dialog has seen the ACK for the 2xx.
    Acked,
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
    /// Send the last response again, if there is one.
    Resend,
    /// The last response will not be needed again.
    Forget,
    /// Give the ACK to the TU.
    PassUp,
    /// Tell the TU that its 2xx was never acknowledged.
    NoAck,
}

impl InviteServer {
    /// When it wants [`Input::Timer`].
    pub(super) fn deadline(&self) -> Time {
        match *self {
            Self::Completed { resend, expires, .. } => resend.min(expires),
            Self::Accepted { resend, over, .. } => resend.min(over),
            Self::Confirmed { over } => over,
            Self::Proceeding | Self::Terminated => Time::NEVER,
        }
    }

    /// One step.
    pub(super) fn on(&mut self, now: Time, input: Input, timers: &TimerSet) -> Action {
        use InviteServer as S;
        let (next, action) = match (*self, input) {
            (S::Proceeding, Input::Invite) => (*self, Action::Resend),
            (S::Proceeding, Input::Provisional) => (*self, Action::Send),
            (S::Proceeding, Input::Success) => {
                let (resend, over) = (timers.success(now, 1), now + timers.lifetime());
                (S::Accepted { resend, over, sent: 1, acked: false }, Action::Send)
            }
            (S::Proceeding, Input::Failure) => {
                let (resend, expires) = (timers.e_or_g(now, 1), now + timers.lifetime());
                (S::Completed { resend, expires, sent: 1 }, Action::Send)
            }
            (S::Proceeding, Input::Ack | Input::Acked | Input::Timer) => (*self, Action::Nothing),

            (S::Completed { .. }, Input::Invite) => (*self, Action::Resend),
            (S::Completed { .. }, Input::Ack) => (Self::confirmed(now, timers), Action::Forget),
            (S::Completed { expires, sent, .. }, Input::Timer) if now < expires => {
                let sent = sent.saturating_add(1);
                (S::Completed { resend: timers.e_or_g(now, sent), expires, sent }, Action::Resend)
            }
            (S::Completed { .. }, Input::Timer) => (S::Terminated, Action::Nothing),
            // Any other final response is discarded (RFC 3261 §17.2.1).
            (S::Completed { .. }, Input::Provisional | Input::Success | Input::Failure | Input::Acked) => {
                (*self, Action::Nothing)
            }

            (S::Confirmed { .. }, Input::Timer) => (S::Terminated, Action::Nothing),
            (
                S::Confirmed { .. },
                Input::Invite
                | Input::Ack
                | Input::Provisional
                | Input::Success
                | Input::Failure
                | Input::Acked,
            ) => (*self, Action::Nothing),

            (S::Accepted { .. }, Input::Ack) => (*self, Action::PassUp),
            (S::Accepted { over, sent, .. }, Input::Acked) => {
                (S::Accepted { resend: Time::NEVER, over, sent, acked: true }, Action::Forget)
            }
            (S::Accepted { over, sent, acked: false, .. }, Input::Timer) if now < over => {
                let sent = sent.saturating_add(1);
                (S::Accepted { resend: timers.success(now, sent), over, sent, acked: false }, Action::Resend)
            }
            (S::Accepted { acked: false, .. }, Input::Timer) => (S::Terminated, Action::NoAck),
            (S::Accepted { acked: true, .. }, Input::Timer) => (S::Terminated, Action::Nothing),
            (S::Accepted { .. }, Input::Invite | Input::Provisional | Input::Success | Input::Failure) => {
                (*self, Action::Nothing)
            }

            (
                S::Terminated,
                Input::Invite
                | Input::Ack
                | Input::Provisional
                | Input::Success
                | Input::Failure
                | Input::Acked
                | Input::Timer,
            ) => (S::Terminated, Action::Nothing),
        };
        *self = next;
        action
    }

    /// Timer I is zero over a reliable transport: no ACK will come again.
    fn confirmed(now: Time, timers: &TimerSet) -> Self {
        let linger = timers.i_or_k();
        if linger.is_zero() { Self::Terminated } else { Self::Confirmed { over: now + linger } }
    }
}
