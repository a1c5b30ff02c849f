//! The call is up.

use super::{Call, CallEvent, Env, State};
use crate::CloseReason;
use relay_values::Leg;

impl Call {
    pub(super) fn answered(&mut self, env: &mut Env, event: CallEvent) -> State {
        match event {
            CallEvent::Hangup(leg) if self.leaves_to_others(env, leg) => State::Answered,
            CallEvent::Hangup(leg) => {
                let reason = match leg {
                    Leg::A => CloseReason::ByeFromA,
                    Leg::B => CloseReason::ByeFromB,
                };
                self.close(env, reason, Some(leg))
            }
            // Whoever has gone is silent by nature, and the transfer has a deadline of its own.
            CallEvent::Silent if [Leg::A, Leg::B].iter().any(|leg| self.has_left(*leg)) => State::Answered,
            CallEvent::Silent => self.close(env, CloseReason::MediaTimeout, None),
            CallEvent::NoAck(leg) => {
                // Its transaction is over: nothing more is to come there.
                self.leg_mut(leg).unacked = None;
                self.close(env, CloseReason::NoAck, None)
            }
            // Terminating its dialog means BYE on that leg too (RFC 3261 §12.2.1.2): it may have been deaf for a moment only.
            CallEvent::LegGone => self.close(env, CloseReason::LegGone, None),
            CallEvent::Lapsed(reason) => self.close(env, reason, None),
            CallEvent::Ended => self.close(env, CloseReason::Operator, None),
            CallEvent::Timer => match self.keep_sessions(env) {
                Some(reason) => self.close(env, reason, None),
                None => {
                    self.state = State::Answered;
                    self.transfer_timer(env);
                    self.state
                }
            },
            CallEvent::Released(stats) => {
                self.add_stats(stats);
                State::Answered
            }
            // Its last move had settled before.
            CallEvent::Resumed(_) | CallEvent::LineUp | CallEvent::Turn => State::Answered,
            // CANCEL has no effect on a request that was answered (RFC 3261 §9.2); the rest is history of the hunt.
            CallEvent::Cancel
            | CallEvent::Acknowledged(_)
            | CallEvent::MediaReady
            | CallEvent::NoMedia
            | CallEvent::Trying
            | CallEvent::Taken { .. }
            | CallEvent::Refitted { .. }
            | CallEvent::RefitRefused { .. }
            | CallEvent::Progress(_)
            | CallEvent::Answer { .. }
            | CallEvent::IntervalTooSmall { .. }
            | CallEvent::ExtensionRequired { .. }
            | CallEvent::Refusal { .. }
            | CallEvent::Failure(_) => State::Answered,
        }
    }
}
