//! The relay was asked for ports; the caller has his 100.

use super::{Call, CallEvent, Env, Media, State};
use crate::{CloseReason, RejectReason, TargetId};
use relay_values::Time;

impl Call {
    pub(super) fn opening(
        &mut self,
        env: &mut Env<'_>,
        target: TargetId,
        until: Time,
        event: CallEvent,
    ) -> State {
        match event {
            CallEvent::MediaReady { a_port, b_port } => {
                self.media.opened(a_port, b_port);
                self.attempt(env, target)
            }
            CallEvent::NoMedia => {
                self.media = Media::None;
                self.reject(env, 503, CloseReason::Rejected, Some(RejectReason::NoMedia))
            }
            CallEvent::Timer => self.reject(env, 503, CloseReason::Rejected, Some(RejectReason::NoMedia)),
            CallEvent::Cancel | CallEvent::Hangup(_) => self.reject(env, 487, CloseReason::Cancelled, None),
            // The target went down before its INVITE was sent: nothing was tried yet, so nothing is written down.
            CallEvent::Failure(reason) => match self.next_target(env, reason) {
                Some(better) if self.reaches(env, better) => State::Opening { target: better, until },
                Some(better) => self.go(env, better),
                None => State::Opening { target, until },
            },
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
            | CallEvent::Silent
            | CallEvent::NoAck(_)
            | CallEvent::LegGone
            | CallEvent::Acknowledged(_) => State::Opening { target, until },
        }
    }
}
