//! Requests of ours that are said again, since somebody wants to know who we are: which of them the call still wants, and
//! whose credentials they show.

use super::{Attempt, Call, Env, Phase, Rehome, Stage, State, User};
use crate::digest::{Account, Next, Retry};
use crate::record::Direction;
use crate::transaction::ClientKey;
use crate::{Owner, Source};
use relay_values::Leg;
use sip_wire::Message;
use std::sync::Arc;

impl Call {
    /// What the next try of a request needs; `None` where nobody waits for it any more.
    pub(crate) fn next_try(&self, user: User, client: ClientKey, request: &Message) -> Option<Next> {
        let said = request.cseq().ok()?.number;
        match user {
            User::Attempt(_, number) => {
                if !matches!(self.state, State::Hunting(_)) {
                    return None;
                }
                let early = self.b.dialog.as_ref().map_or(0, |dialog| dialog.local_cseq);
                self.is_current(number, client)
                    .then(|| Next { cseq: said.max(early).saturating_add(1), passes: None })
            }
            User::Move(_) => {
                self.is_moving_by(client).then(|| Next { cseq: said.saturating_add(1), passes: None })
            }
            User::Transfer(_) => {
                self.is_placing_by(client).then(|| Next { cseq: said.saturating_add(1), passes: None })
            }
            User::Carried(_, leg) if self.waits_for_carried(client) => self.next_within(leg),
            User::Session(_, leg) if self.leg(leg).session.client() == Some(client) => self.next_within(leg),
            User::Refit(_) if self.is_refitting(client) => self.next_within(self.tier_leg().other()),
            User::Within(_, leg) => self.next_within(leg),
            User::Carried(..)
            | User::Session(..)
            | User::Refit(_)
            | User::Invite(_)
            | User::Ghost(_)
            | User::Farewell(_) => None,
        }
    }

    fn next_within(&self, leg: Leg) -> Option<Next> {
        let dialog = self.leg(leg).dialog.as_ref()?;
        Some(Next { cseq: dialog.local_cseq.saturating_add(1), passes: dialog.passes.clone() })
    }

    /// The request was said again: what waits for its answer waits for the new one's.
    pub(crate) fn tries_again(&mut self, env: &Env, user: User, retry: Retry) {
        let Retry { before, client, cseq, passes } = retry;
        let leg = match user {
            User::Attempt(..) => {
                if let State::Hunting(attempt) = &mut self.state {
                    // Who asks lives: it has its time anew.
                    let until = env.now + self.pinned.config.hunt.no_response;
                    *attempt = Attempt { client, phase: Phase::Calling, until, ..*attempt };
                    self.b.invite_cseq = cseq;
                }
                return;
            }
            User::Move(_) => {
                if let State::Rehoming(Rehome { stage: Stage::Inviting(attempt), .. }) = &mut self.state {
                    let until = env.now + env.newest.config.hunt.no_response;
                    *attempt = Attempt { client, phase: Phase::Calling, until, ..*attempt };
                }
                return;
            }
            User::Transfer(_) => return self.places_by(env, client),
            User::Refit(_) => {
                if let State::Rehoming(Rehome {
                    stage: Stage::Refitting { client: by, cseq: number, .. },
                    ..
                }) = &mut self.state
                {
                    (*by, *number) = (client, cseq);
                }
                self.tier_leg().other()
            }
            User::Carried(_, leg) => {
                self.carried_anew(before, client, cseq);
                leg
            }
            User::Session(_, leg) => {
                self.leg_mut(leg).session.said_again(client, cseq);
                leg
            }
            User::Within(_, leg) => leg,
            User::Invite(_) | User::Ghost(_) | User::Farewell(_) => return,
        };
        if let Some(dialog) = &mut self.leg_mut(leg).dialog {
            dialog.local_cseq = dialog.local_cseq.max(cseq);
            dialog.passes = Some(Box::new(passes));
        }
    }

    /// The new leg's dialog shows what its INVITE has shown.
    pub(super) fn keep_passes(&mut self, env: &Env, client: ClientKey) {
        if let Some(shown) = env.txns.shown(client)
            && let Some(dialog) = &mut self.b.dialog
        {
            dialog.passes.get_or_insert_with(|| Box::new(shown.passes.clone()));
        }
    }

    /// What we are known by at the neighbour whom a request of this kind goes to.
    pub(crate) fn accounts(&self, env: &Env, user: User) -> Option<Arc<[Account]>> {
        let newest = &env.newest.config;
        let leg = match user {
            User::Attempt(..) => return self.accounts_of_callee(),
            User::Move(_) => {
                let State::Rehoming(Rehome { stage: Stage::Inviting(attempt), .. }) = self.state else {
                    return None;
                };
                return newest.accounts(newest.target(attempt.target)?.owner).cloned();
            }
            User::Transfer(_) => return newest.accounts(newest.target(self.placed_at()?)?.owner).cloned(),
            User::Refit(_) => self.tier_leg().other(),
            User::Carried(_, leg) | User::Session(_, leg) | User::Within(_, leg) => leg,
            User::Invite(_) | User::Ghost(_) | User::Farewell(_) => return None,
        };
        let edge = self.seat.edge.filter(|_| leg == self.tier_leg());
        match (edge, leg, self.admitted.direction) {
            (Some(edge), ..) => newest.accounts(newest.target(edge)?.owner).cloned(),
            (None, Leg::B, _) => self.accounts_of_callee(),
            (None, Leg::A, Direction::Inbound) => {
                self.pinned.config.accounts(Owner::Trunk(self.admitted.trunk?)).cloned()
            }
            (None, Leg::A, Direction::Outbound) => {
                let source = env.proven.source(&self.pinned.router, self.admitted.source)?;
                let Source::Group(group) = source else { return None };
                self.pinned.config.accounts(Owner::Edge(group)).cloned()
            }
        }
    }

    /// Those of the target that was tried last.
    pub(super) fn accounts_of_callee(&self) -> Option<Arc<[Account]>> {
        let step = self.steps.last()?;
        step.under.config.accounts(step.under.config.target(step.target)?.owner).cloned()
    }
}
