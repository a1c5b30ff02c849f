//! The call record, put together when the call is over.

use super::seat::names_of;
use super::{Attempted, Call, CallEvent, Env};
use crate::record::{CallRecord, Step};
use crate::{CloseReason, HuntReason, RejectReason};
use relay_values::{Leg, SessionId, SessionStats, Time};

impl Call {
    /// The record. Names are looked up now, not while the call is handled.
    pub(crate) fn record(
        &mut self,
        id: u64,
        now: Time,
        close: CloseReason,
        reject: Option<RejectReason>,
    ) -> CallRecord {
        let moves = self.receipts();
        let config = &self.pinned.config;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let call_id = |dialog: &Option<crate::dialog::Dialog>| {
            dialog.as_ref().map(|dialog| text(dialog.call_id())).unwrap_or_default()
        };
        let trunk = self.admitted.trunk.and_then(|trunk| config.trunks.get(trunk.index()));
        let site = self.admitted.site.and_then(|site| config.sites.get(site.index()));
        CallRecord {
            id,
            direction: self.admitted.direction,
            a_call_id: self.caller_call_id().map(text).unwrap_or_default(),
            b_call_id: call_id(&self.b.dialog),
            calling: text(&self.admitted.identity.calling_number()),
            called: text(self.admitted.identity.called()),
            source: self.admitted.source.remote,
            trunk: trunk.map(|trunk| trunk.name.clone()).unwrap_or_default(),
            site: site.map(|site| site.name.clone()).unwrap_or_default(),
            generation: self.pinned.generation,
            started: self.stamps.started,
            ringing: self.stamps.ringing,
            answered: self.stamps.answered,
            ended: now,
            code: self.code,
            close,
            reject,
            steps: self.steps.iter().map(Attempted::step).collect(),
            moves,
            stir: self.stir_record(),
            media: self.stats.take(),
        }
    }

    /// The Call-ID of whoever called, as it was at first: what joins both legs in records and traces.
    pub(crate) fn caller_call_id(&self) -> Option<&[u8]> {
        // A tier leg that has moved has another Call-ID by now; what called us is still what called us.
        let moved = self.mobile.as_ref().filter(|_| self.tier_leg() == Leg::A);
        let first = moved.map(|mobile| &*mobile.first_call_id).or(self.first_call_id.as_deref());
        first.or_else(|| self.a.dialog.as_ref().map(|dialog| dialog.call_id()))
    }

    /// The relay session, if there is one.
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.media.session()
    }

    /// Whether a session is that by which the call's moves are measured.
    pub(crate) fn is_led_by(&self, session: SessionId) -> bool {
        self.media.leads(session)
    }

    /// The relay has closed a session of ours.
    pub(crate) fn released(&mut self, env: &mut Env, session: SessionId, stats: Box<SessionStats>) {
        if self.session() == Some(session) {
            self.handle(env, CallEvent::Released(stats));
        } else {
            // Another line's, or an earlier one of another address family.
            self.add_stats(stats);
        }
    }

    /// A new snapshot: a call that waits for a target that is down now moves on at once.
    pub(super) fn judge_hunt(&mut self, env: &mut Env) {
        if self.plan.lost_current(&env.newest) {
            self.handle(env, CallEvent::Failure(HuntReason::TargetDown));
        }
    }

    /// Whether the call is over for its legs.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.state, super::State::Closing(_))
    }
}

impl Attempted {
    pub(super) fn step(&self) -> Step {
        let config = &self.under.config;
        let (target, region) = names_of(config, self.target).unwrap_or_default();
        Step {
            target: target.to_owned(),
            region: region.to_owned(),
            generation: self.under.generation,
            at: self.at,
            outcome: self.outcome,
        }
    }
}
