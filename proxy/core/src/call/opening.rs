//! The relay was asked for ports; the caller has his 100.

use super::{Call, CallEvent, Env, Media, State};
use crate::{CloseReason, RejectReason, TargetId};
use relay_values::Time;

impl Call {
    pub(super) fn opening(
        &mut self,
        env: &mut Env,
        target: TargetId,
        until: Time,
        event: CallEvent,
    ) -> State {
        match event {
            CallEvent::MediaReady { a_port, b_port } => {
                self.media.opened(a_port, b_port);
                match self.choose_again(env, target, until) {
                    State::Opening { target, .. } if self.media.is_opened() => self.attempt(env, target),
                    elsewhere => elsewhere,
                }
            }
            CallEvent::NoMedia => {
                self.media = Media::None;
                self.reject(env, 503, CloseReason::Rejected, Some(RejectReason::NoMedia))
            }
            CallEvent::Timer => self.reject(env, 503, CloseReason::Rejected, Some(RejectReason::NoMedia)),
            CallEvent::Cancel | CallEvent::Hangup(_) => self.reject(env, 487, CloseReason::Cancelled, None),
            CallEvent::Failure(_) => self.choose_again(env, target, until),
            // The session of an earlier attempt, of the other address family, is gone: its counts are not lost.
            CallEvent::Released(stats) => {
                self.add_stats(stats);
                State::Opening { target, until }
            }
            // Nothing was sent yet that these could be about, or they are about an attempt that was left.
            CallEvent::Trying
            | CallEvent::Progress(_)
            | CallEvent::Answer { .. }
            | CallEvent::Refusal { .. }
            | CallEvent::LineUp
            | CallEvent::Turn
            | CallEvent::Taken { .. }
            | CallEvent::Refitted { .. }
            | CallEvent::RefitRefused
            | CallEvent::Resumed(_)
            | CallEvent::Silent
            | CallEvent::NoAck(_)
            | CallEvent::LegGone
            | CallEvent::Acknowledged(_) => State::Opening { target, until },
        }
    }

    /// The target went down before its INVITE was sent, or was taken for want of a better one, and now there is one.
    /// Nothing was tried yet, so nothing is written down.
    fn choose_again(&mut self, env: &mut Env, target: TargetId, until: Time) -> State {
        match self.plan.choose_again(&env.newest) {
            Some(better) if self.reaches(env, better) => State::Opening { target: better, until },
            Some(better) => self.go(env, better),
            None => State::Opening { target, until },
        }
    }
}
