//! The call is up.

use super::{Call, CallEvent, Env, State};
use crate::CloseReason;
use relay_values::Leg;

impl Call {
    pub(super) fn answered(&mut self, env: &mut Env<'_>, event: CallEvent) -> State {
        match event {
            CallEvent::Hangup(leg) => {
                let reason = match leg {
                    Leg::A => CloseReason::ByeFromA,
                    Leg::B => CloseReason::ByeFromB,
                };
                self.close(env, reason, Some(leg))
            }
            CallEvent::Silent => self.close(env, CloseReason::MediaTimeout, None),
            CallEvent::NoAck => self.close(env, CloseReason::NoAck, None),
            CallEvent::LegGone(leg) => self.close(env, CloseReason::LegGone, Some(leg)),
            CallEvent::Released(stats) => {
                self.add_stats(stats);
                State::Answered
            }
            // CANCEL has no effect on a request that was answered (RFC 3261 §9.2); the rest is history of the hunt.
            CallEvent::Cancel
            | CallEvent::Acknowledged(_)
            | CallEvent::MediaReady { .. }
            | CallEvent::NoMedia
            | CallEvent::Trying
            | CallEvent::Progress(_)
            | CallEvent::Answer { .. }
            | CallEvent::Refusal { .. }
            | CallEvent::Failure(_)
            | CallEvent::Timer => State::Answered,
        }
    }
}
