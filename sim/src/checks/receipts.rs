//! A receipt tells a story that can be true: each instant after the one before, a new leg exactly if it says so, the
//! identity as it was. A call is moved at most once in its interval; its record holds them; a call that an
//! INVITE tried to move has one.

use super::Complaints;
use super::facts::Facts;
use crate::setup::Setup;
use proxy_core::{CallRecord, MoveOutcome, Receipt};
use relay_values::{Duration, Time};
use std::collections::BTreeMap;

/// Receipts that a record holds; all are told.
const KEPT: usize = 16;

#[derive(Debug)]
pub(super) struct Receipts {
    interval: Duration,
    all: BTreeMap<usize, Vec<Receipt>>,
}

impl Receipts {
    pub(super) fn new(setup: &Setup) -> Self {
        Self { interval: setup.rehome.min_interval, all: BTreeMap::new() }
    }

    pub(super) fn receipt(
        &mut self,
        now: Time,
        call: Option<usize>,
        receipt: &Receipt,
        facts: &Facts,
        complaints: &mut Complaints,
    ) {
        let mut add = |text: String| complaints.add(now, call, "receipts", text);
        let r = receipt;
        let steps = [Some(r.detected), Some(r.decided), r.invited, r.answered, r.resumed, Some(now)];
        let steps: Vec<Time> = steps.into_iter().flatten().collect();
        if !steps.is_sorted() {
            add(format!("its instants are out of order: {steps:?}"));
        }
        if (r.answered.is_some() && r.invited.is_none()) || (r.resumed.is_some() && r.answered.is_none()) {
            add("a step was taken before the one that it needs".into());
        }
        if r.invited.is_some() != (r.attempts > 0) {
            add(format!("{} INVITEs, the first at {:?}", r.attempts, r.invited));
        }
        let done = matches!(r.outcome, MoveOutcome::Moved | MoveOutcome::Renegotiated);
        if done && (r.answered.is_none() || r.to.0.is_empty() || r.to.0 == r.from.0) {
            add(format!("moved from {:?} to {:?}, answered {:?}", r.from, r.to, r.answered));
        }
        if done && r.identity_before != r.identity_after {
            add(format!("identity {:x} became {:x}", r.identity_before, r.identity_after));
        }
        if r.gap_conversation < r.gap_media {
            add(format!("gaps: nobody {:?}, nothing {:?}", r.gap_conversation, r.gap_media));
        }
        let with = call.and_then(|call| facts.calls.get(&call)).and_then(|call| call.live().next());
        if r.outcome == MoveOutcome::Stayed && with.is_none() {
            add("it stayed, but there is nothing to stay with".into());
        }
        let Some(call) = call else { return add("of no call that we know".into()) };
        let before = self.all.entry(call).or_default();
        let last =
            before.iter().rev().find(|r| matches!(r.outcome, MoveOutcome::Moved | MoveOutcome::Renegotiated));
        if let (Some(last), Some(now)) = (last.and_then(|last| last.invited), r.invited)
            && now.since(last) < self.interval
        {
            add(format!("INVITEs of two moves within {:?}", now.since(last)));
        }
        before.push(receipt.clone());
    }

    pub(super) fn at_end(
        &self,
        now: Time,
        facts: &Facts,
        records: &[CallRecord],
        complaints: &mut Complaints,
    ) {
        for begun in facts.invites.values().filter(|begun| begun.is_move) {
            if !self.all.contains_key(&begun.call) {
                let text = "an INVITE tried to move it, and there is no receipt".into();
                complaints.add(now, Some(begun.call), "receipts", text);
            }
        }
        // One that says 422 is of an INVITE that has come again.
        for record in records.iter().filter(|record| record.code != 422) {
            let call = crate::agent::call_of(record.called.as_bytes());
            let told = call.and_then(|call| self.all.get(&call)).map_or(&[][..], Vec::as_slice);
            let told = &told[..told.len().min(KEPT)];
            if told != record.moves {
                let text = format!("its record holds {:?}, but told was {told:?}", record.moves);
                complaints.add(now, call, "receipts", text);
            }
        }
    }
}
