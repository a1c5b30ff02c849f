//! The relay was asked for ports, and whoever signs or verifies for that; the caller has his 100.

use super::redirect::Redirections;
use super::{Call, CallEvent, Env, Media, State};
use crate::{CloseReason, HuntReason, RejectReason, TargetId};
use relay_values::{RelayCommand, SessionId, Time};

impl Call {
    pub(super) fn opening(
        &mut self,
        env: &mut Env,
        target: TargetId,
        until: Time,
        event: CallEvent,
    ) -> State {
        match event {
            CallEvent::MediaReady => self.proceed(env, target, until),
            // It was asked for other ports: what it has has to be given back.
            CallEvent::NoMedia if !self.steps.is_empty() => {
                self.reject(env, 503, CloseReason::Rejected, Some(RejectReason::NoMedia))
            }
            CallEvent::NoMedia => {
                // The relay knows nothing of the first line's session; the others' it may have.
                let session = self.media.session();
                for other in self.media.sessions().filter(|other| Some(*other) != session) {
                    env.relay(RelayCommand::Release { session: other });
                }
                self.media = Media::None;
                self.reject(env, 503, CloseReason::Rejected, Some(RejectReason::NoMedia))
            }
            CallEvent::Timer if self.expires() <= env.now => {
                self.reject(env, 487, CloseReason::Expired, None)
            }
            CallEvent::Timer if self.stir_deadline() <= env.now => self.stir_gives_up(env, target, until),
            CallEvent::Timer if env.now < until => State::Opening { target, until },
            CallEvent::Timer => self.reject(env, 503, CloseReason::Rejected, Some(RejectReason::NoMedia)),
            CallEvent::Cancel | CallEvent::Hangup(_) => self.reject(env, 487, CloseReason::Cancelled, None),
            CallEvent::Ended => self.reject(env, 480, CloseReason::Operator, None),
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
            | CallEvent::RefitRefused { .. }
            | CallEvent::Resumed(_)
            | CallEvent::Silent
            | CallEvent::NoAck(_)
            | CallEvent::LegGone
            | CallEvent::Lapsed(_)
            | CallEvent::IntervalTooSmall { .. }
            | CallEvent::ExtensionRequired { .. }
            | CallEvent::Acknowledged(_) => State::Opening { target, until },
        }
    }

    /// Something that was waited for is there: the INVITE leaves, unless there is more.
    pub(super) fn proceed(&mut self, env: &mut Env, target: TargetId, until: Time) -> State {
        match self.choose_again(env, target, until) {
            State::Opening { target, .. } if self.media.is_ready() => self.set_out(env, target),
            elsewhere => elsewhere,
        }
    }

    /// The relay has ports for a session of the call's.
    pub(crate) fn opened(&mut self, env: &mut Env, session: SessionId, a_port: u16, b_port: u16) {
        self.media.opened(session, a_port, b_port);
        self.has_ports(env);
    }

    /// It has none. Where that is not the first line, the call goes without it.
    pub(crate) fn not_opened(&mut self, env: &mut Env, session: SessionId) {
        if self.media.is_open(session) {
            // It has said otherwise before.
            return;
        }
        if self.media.goes_without(session) {
            self.has_ports(env);
        } else if self.session() == Some(session) {
            self.handle(env, CallEvent::NoMedia);
        }
    }

    /// What has waited for ports goes on once they are all there.
    fn has_ports(&mut self, env: &mut Env) {
        if self.media.is_opened() {
            self.handle(env, CallEvent::MediaReady);
            self.carry_on(env);
        }
    }

    /// The target went down before its INVITE was sent, or was taken for want of a better one, and now there is one.
    /// Nothing was tried yet, so nothing is written down.
    fn choose_again(&mut self, env: &mut Env, target: TargetId, until: Time) -> State {
        let redirects = self.invite.as_deref().and_then(|pending| pending.redirects.as_deref());
        match redirects.and_then(Redirections::under_way) {
            // Another neighbour would not be whom the redirection has named.
            Some(generation) if generation == env.newest.config_generation => {
                return State::Opening { target, until };
            }
            // Its number may be another one's by now.
            Some(_) => {
                return match self.next_target(env, HuntReason::Redirected) {
                    Some(next) => self.go(env, next),
                    None => self.reject(env, 480, CloseReason::HuntExhausted, None),
                };
            }
            None => {}
        }
        let before = self.region();
        match self.plan.choose_again(&env.newest) {
            Some(better) if self.reaches(env, better) => {
                if self.region() != before {
                    self.place(env, self.region(), false);
                }
                State::Opening { target: better, until }
            }
            Some(better) => self.go(env, better),
            None => State::Opening { target, until },
        }
    }
}
