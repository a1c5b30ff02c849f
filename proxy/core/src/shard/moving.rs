//! Answered calls that have to leave, of a whole shard: who is lost, whose turn it is, and what operators ask for.

use super::Shard;
use crate::call::{Call, CallEvent, Cause, Severed, User};
use crate::ids::CallKey;
use crate::transaction::ClientKind;
use crate::{
    Drill, Event, MoveFrom, MoveOrder, MoveReason, Output, RegionCalls, RegionId, Snapshot, TargetState,
};
use relay_values::{RelayEvent, Time};
use sip_wire::{HeaderName, Method};
use std::sync::Arc;

impl Shard {
    /// Live calls by region, indexed by [`RegionId`](crate::RegionId).
    pub fn region_calls(&self) -> Vec<RegionCalls> {
        let regions = (0..).map(RegionId).zip(&self.env.newest.config.regions);
        regions.map(|(id, _)| self.census.region(id)).collect()
    }

    /// Live calls by trunk, indexed by [`TrunkId`](crate::TrunkId).
    pub fn trunk_calls(&self) -> Vec<u32> {
        let trunks = self.env.newest.config.trunks.iter();
        trunks.map(|trunk| self.by_trunk.get(&self.trunk_key(&trunk.name)).copied().unwrap_or(0)).collect()
    }

    /// What a new snapshot means for the calls that are up.
    pub(super) fn judge_calls(&mut self, old: &Arc<Snapshot>) {
        let newest = Arc::clone(&self.env.newest);
        let renumbered = old.config_generation != newest.config_generation;
        if renumbered {
            self.env.moves.configure(&newest.config);
            for key in self.keys(|_| true) {
                self.with(key, |call, env| call.renumber(env, &old.config, &newest.config, &newest.router));
            }
        }
        let named = |id| match renumbered {
            true => newest.router.target_named(&old.config.target(id)?.name),
            false => Some(id),
        };
        let anyone_back =
            renumbered || has_risen(old, &newest) || old.overrides.drill != newest.overrides.drill;
        if anyone_back {
            let drill = newest.overrides.drill.map(|drill| drill.id);
            self.env.ghosts.judge(self.env.now, &newest, drill, named);
        }
        if renumbered || has_fallen(old, &newest) {
            // Judged by how it was under its own numbers, which the call does not have any more.
            let before = if renumbered { was_under_new_numbers(old, &newest) } else { Arc::clone(old) };
            for key in self.keys(|call| !call.is_closing()) {
                self.with(key, |call, env| call.judge(env, &before));
            }
        }
        if old.overrides.drill != newest.overrides.drill {
            self.drill(old.overrides.drill, newest.overrides.drill);
        }
    }

    /// The drill has changed: begun, found out, ended.
    fn drill(&mut self, old: Option<Drill>, new: Option<Drill>) {
        let begins = new.filter(|new| old.is_none_or(|old| old.id != new.id));
        if let Some(over) = old.filter(|old| new.is_none_or(|new| new.id != old.id)) {
            for key in self.keys(|call| call.drill() == Some(over.id)) {
                self.with(key, Call::mend);
            }
        }
        if let Some(drill) = begins {
            let chosen = self.choose(drill.share, |call| call.sits_in(drill.region));
            let severed = Severed { drill: drill.id, signalling: drill.cut.signalling() };
            for key in chosen {
                self.with(key, |call, env| call.sever(env, severed, drill.cut.media()));
            }
        }
        if let Some((drill, found)) = new.and_then(|new| Some((new, new.found?))) {
            for key in self.keys(|call| call.drill() == Some(drill.id)) {
                let cause = Cause { reason: MoveReason::Drill, detected: found, order: None, back_to: None };
                self.with(key, |call, env| call.uproot(env, cause));
            }
        }
    }

    /// An operator wants calls elsewhere.
    pub(super) fn move_calls(&mut self, order: &MoveOrder) {
        let chosen = |call: &Call| is_at(order.from, call) && is_numbered(order.prefix.as_deref(), call);
        let mut chosen = self.choose(order.share, chosen);
        let back_to = match order.from {
            MoveFrom::BackTo(region) => Some(region),
            MoveFrom::Region(_) | MoveFrom::Edge(_) => None,
        };
        if let Some(most) = order.calls {
            chosen.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        }
        self.env.moves.ordered(order.id, u32::try_from(chosen.len()).unwrap_or(u32::MAX));
        let until = self.env.now + order.deadline;
        for key in chosen {
            let cause = Cause {
                reason: order.reason,
                detected: self.env.now,
                order: Some((order.id, until)),
                back_to,
            };
            let begun = self.with(key, |call, env| call.uproot(env, cause));
            if begun != Some(true) {
                self.env.moves.settled(order.id, crate::moves::Settled::Failed);
            }
        }
    }

    /// No further call of this order is begun; those that wait for their turn stay.
    pub(super) fn stop_moving(&mut self, order: u64) {
        self.env.moves.stop(order);
        for key in self.keys(|call| call.waits_for(order)) {
            self.with(key, |call, env| call.handle(env, CallEvent::Turn));
        }
    }

    /// Lets calls and left legs have their turns. Only when a timer is due, so that however many calls have to leave at
    /// once, what the relay is told of them does not wait behind their INVITEs, nor do new calls.
    pub(super) fn give_turns(&mut self) {
        let now = self.env.now;
        self.env.moves.begin();
        while let Some(key) = self.env.moves.line_up() {
            self.with(key, |call, env| call.handle(env, CallEvent::LineUp));
        }
        while let Some(key) = self.env.moves.turn(now) {
            self.with(key, |call, env| call.handle(env, CallEvent::Turn));
        }
        self.env.ghosts.begin();
        while self.say_goodbye(now) {}
    }

    /// What follows from an input beside what it was for.
    pub(super) fn keep_moving(&mut self) {
        for key in std::mem::take(&mut self.env.late) {
            self.with(key, Call::lost);
        }
        for progress in self.env.moves.report() {
            self.env.out.push_back(Output::Event(Event::Moves(progress)));
        }
        self.join();
        self.settle();
    }

    /// BYE to the next left leg; whether there was one.
    fn say_goodbye(&mut self, now: Time) -> bool {
        let env = &mut self.env;
        let Some((id, dialog, reason)) = env.ghosts.turn(now) else { return false };
        let Some(face) = env.faces.get(dialog.peer.listener) else {
            env.ghosts.laid(id);
            return true;
        };
        let client = env.txns.reserve(User::Ghost(id));
        let mut bye = dialog.request(Method::Bye, face, env.txns.branch(client).as_bytes());
        if let Some(reason) = reason {
            bye.header(HeaderName::Reason, reason);
        }
        env.txns.start(now, client, dialog.peer, ClientKind::NonInvite, bye.finish());
        true
    }

    /// What the relay heard, or did not hear, of a region.
    pub(super) fn region_event(&mut self, event: &RelayEvent) {
        let generation = self.env.newest.config_generation;
        let event = match event {
            RelayEvent::RegionSilent { region, since, .. } => {
                Event::RegionSilent { region: *region, generation, since: *since }
            }
            RelayEvent::RegionHeard { region } => Event::RegionHeard { region: *region, generation },
            RelayEvent::Opened { .. }
            | RelayEvent::OpenFailed { .. }
            | RelayEvent::Latched { .. }
            | RelayEvent::Strayed { .. }
            | RelayEvent::Silent { .. }
            | RelayEvent::Resumed { .. }
            | RelayEvent::Released { .. } => return,
        };
        self.env.out.push_back(Output::Event(event));
    }

    fn keys(&self, which: impl Fn(&Call) -> bool) -> Vec<CallKey> {
        self.calls.iter().filter(|(_, entry)| which(&entry.call)).map(|(_, entry)| entry.call.key).collect()
    }

    /// A share of these calls, the longest answered first; of any at all, at least one.
    fn choose(&self, percent: u8, which: impl Fn(&Call) -> bool) -> Vec<CallKey> {
        let mut calls: Vec<(Option<Time>, CallKey)> = self
            .calls
            .iter()
            .filter(|(_, entry)| which(&entry.call))
            .map(|(_, entry)| (entry.call.answered_at(), entry.call.key))
            .collect();
        calls.sort_by_key(|(answered, key)| (*answered, key.slot));
        let share = (calls.len() * usize::from(percent.min(100))).div_ceil(100);
        calls.into_iter().take(share).map(|(_, key)| key).collect()
    }
}

/// Whether a call is where an order takes calls from.
fn is_at(from: MoveFrom, call: &Call) -> bool {
    match from {
        MoveFrom::Region(region) => call.sits_in(region),
        MoveFrom::Edge(edge) => call.sits_at(edge),
        MoveFrom::BackTo(region) => call.strayed_from(region),
    }
}

/// Whether the number that a call's site knows it by begins like that, a leading `+` aside.
fn is_numbered(prefix: Option<&str>, call: &Call) -> bool {
    let bare = |text: &[u8]| text.strip_prefix(b"+").unwrap_or(text).to_vec();
    prefix.is_none_or(|prefix| bare(call.site_number()).starts_with(&bare(prefix.as_bytes())))
}

/// Whether a target or region that was not down is down now.
fn has_fallen(old: &Snapshot, new: &Snapshot) -> bool {
    let down = |state| state == TargetState::Down;
    old.health.iter().zip(&new.health).any(|(was, is)| !down(was.state) && down(is.state))
        || old.regions.iter().zip(&new.regions).any(|(was, is)| was.state != is.state)
}

/// Whether one that was down is not any more.
fn has_risen(old: &Snapshot, new: &Snapshot) -> bool {
    let down = |state| state == TargetState::Down;
    old.health.iter().zip(&new.health).any(|(was, is)| down(was.state) && !down(is.state))
}

/// The old snapshot's health as the new configuration numbers it; what is new was well.
fn was_under_new_numbers(old: &Snapshot, new: &Snapshot) -> Arc<Snapshot> {
    let mut was = Snapshot::first(Arc::clone(&new.config));
    for (slot, target) in was.health.iter_mut().zip(&new.config.targets) {
        let before = old.router.target_named(&target.name).and_then(|id| old.health.get(id.index()));
        *slot = before.copied().unwrap_or(*slot);
    }
    for (slot, region) in was.regions.iter_mut().zip(&new.config.regions) {
        let place = old.config.regions.iter().position(|r| r.name == region.name);
        *slot = place.and_then(|at| old.regions.get(at)).copied().unwrap_or(*slot);
    }
    Arc::new(was)
}
