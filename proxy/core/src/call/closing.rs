//! Both legs were told that it is over; the last statistics come in.

use super::{Call, CallEvent, Closing, Env, State};
use crate::{CloseReason, RejectReason};
use relay_values::{Duration, Leg, SessionStats, Time};

/// A relay that does not answer for this long is given up: the record goes out without statistics.
const STATISTICS_WAIT: Duration = Duration::from_secs(5);

impl Call {
    pub(super) fn closing(&mut self, env: &mut Env, mut closing: Closing, event: CallEvent) -> State {
        match event {
            CallEvent::Released(stats) => {
                self.add_stats(stats);
                closing.stats = false;
            }
            CallEvent::Acknowledged(leg) | CallEvent::NoAck(leg) => {
                self.leg_mut(leg).unacked = None;
                if leg == Leg::A && std::mem::take(&mut closing.a_bye) {
                    let header = close_reason_header(closing.reason).or(self.said.as_deref());
                    self.a.bye(env, header);
                }
            }
            // Both sides hung up at once, or the peer repeats itself.
            CallEvent::Hangup(leg) => closing.a_bye &= leg != Leg::A,
            CallEvent::Timer if env.now >= closing.until => {
                closing.stats = false;
                // The server transaction reports a missing ACK on its own, within 64 × T1.
                closing.until = Time::NEVER;
            }
            CallEvent::Timer
            | CallEvent::Cancel
            | CallEvent::LineUp
            | CallEvent::Turn
            | CallEvent::Taken { .. }
            | CallEvent::Refitted { .. }
            | CallEvent::RefitRefused { .. }
            | CallEvent::Resumed(_)
            | CallEvent::Silent
            | CallEvent::LegGone
            | CallEvent::Ended
            | CallEvent::Lapsed(_)
            | CallEvent::IntervalTooSmall { .. }
            | CallEvent::ExtensionRequired { .. }
            | CallEvent::MediaReady
            | CallEvent::NoMedia
            | CallEvent::Trying
            | CallEvent::Progress(_)
            | CallEvent::Answer { .. }
            | CallEvent::Refusal { .. }
            | CallEvent::Failure(_) => {}
        }
        self.closed(closing)
    }

    /// Ends an answered call: BYE to every leg but the one that is `gone`, and the relay's ports are given back.
    pub(super) fn close(&mut self, env: &mut Env, reason: CloseReason, gone: Option<Leg>) -> State {
        self.drop_carried(env);
        let [a_is_here, b_is_here] = [Leg::A, Leg::B].map(|leg| gone != Some(leg) && !self.has_left(leg));
        self.give_up_transfer(env);
        self.lent = None;
        self.end_sessions(env);
        let said = self.said.clone();
        let header = close_reason_header(reason).or(said.as_deref());
        // A 2xx has to be acknowledged even if the call is over already (RFC 3261 §13.2.2.4).
        for leg in [Leg::A, Leg::B] {
            self.pay_ack(env, leg);
        }
        let a_bye = a_is_here && self.a.unacked.is_some();
        if a_is_here && !a_bye {
            self.part(env, Leg::A, header);
        }
        if b_is_here {
            self.part(env, Leg::B, header);
        }
        self.settle(env, reason, None, a_bye)
    }

    /// A leg ends whose late offer nobody will answer: its 2xx has to be acknowledged all the same (RFC 3261 §13.2.2.4).
    pub(super) fn pay_ack(&mut self, env: &mut Env, leg: Leg) {
        if let Some(cseq) = self.leg(leg).ack_due {
            let refusal = self.media.refusal(leg);
            self.leg_mut(leg).ack(env, cseq, refusal.as_deref());
        }
    }

    /// Gives the relay's session back and waits for what is still to come.
    pub(super) fn settle(
        &mut self,
        env: &mut Env,
        reason: CloseReason,
        reject: Option<RejectReason>,
        a_bye: bool,
    ) -> State {
        self.media.release(&mut |command| env.relay(command));
        let until = env.now + STATISTICS_WAIT;
        self.closed(Closing { reason, reject, stats: self.is_open(), a_bye, until })
    }

    /// Over, unless something is awaited. A 2xx of ours on either leg is said again until its ACK comes, also when the
    /// dialog has ended in the meantime: its sender waits for it (RFC 3261 §13.3.1.4).
    fn closed(&self, closing: Closing) -> State {
        let unacked = self.a.unacked.is_some() || self.b.unacked.is_some();
        if closing.stats || closing.a_bye || unacked {
            State::Closing(closing)
        } else {
            State::Over(closing.reason, closing.reject)
        }
    }

    /// Statistics of the call's session; a call that changed address families on the way has several.
    pub(super) fn add_stats(&mut self, stats: Box<SessionStats>) {
        match &mut self.stats {
            None => self.stats = Some(stats),
            Some(sum) => sum.add(&stats),
        }
    }
}

/// What a BYE of our own making says (RFC 3326). A leg that hung up needs no explanation on the other.
fn close_reason_header(reason: CloseReason) -> Option<&'static [u8]> {
    match reason {
        CloseReason::MediaTimeout => Some(b"SIP;cause=408;text=\"media_timeout\""),
        CloseReason::NoAck => Some(b"SIP;cause=408;text=\"no_ack\""),
        CloseReason::LegGone => Some(b"SIP;cause=481;text=\"leg_gone\""),
        CloseReason::SessionExpired => Some(b"SIP;cause=408;text=\"session_expired\""),
        CloseReason::PeerLost => Some(b"SIP;cause=408;text=\"peer_lost\""),
        CloseReason::NotRehomed => Some(b"SIP;cause=504;text=\"not_rehomed\""),
        CloseReason::NotTransferred => Some(b"SIP;cause=480;text=\"not_transferred\""),
        CloseReason::Operator => Some(b"SIP;cause=480;text=\"operator\""),
        CloseReason::Internal => Some(b"SIP;cause=500;text=\"internal\""),
        CloseReason::ByeFromA
        | CloseReason::ByeFromB
        | CloseReason::Cancelled
        | CloseReason::Refused
        | CloseReason::HuntExhausted
        | CloseReason::NoAnswer
        | CloseReason::NoPrack
        | CloseReason::Expired
        | CloseReason::Rejected
        | CloseReason::Transferred
        | CloseReason::BadAnswer => None,
    }
}
