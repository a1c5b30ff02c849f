//! No INVITE goes to a target that the generation in force calls down while the call has another left that it does not.

use super::Complaints;
use super::facts::Facts;
use super::seen::Seen;
use super::topology::side_of;
use crate::agent::Side;
use crate::maps::{Map, Set};
use proxy_core::{Snapshot, TargetId, TargetState, Trunk};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Targets {
    /// The newest generation of each shard.
    newest: Vec<Arc<Snapshot>>,
    branches: Set<String>,
    /// Where each call may go, as listed when it was admitted (or when the move began), and where it has been.
    calls: Map<usize, (Arc<Snapshot>, BTreeSet<SocketAddr>)>,
    moves: Map<usize, (Arc<Snapshot>, BTreeSet<SocketAddr>)>,
    /// Where a session interval was refused (RFC 4028 §7.3), or somebody wants to know who we are (RFC 3261 §22.2): the
    /// same target is asked again.
    once_more: Set<(usize, SocketAddr)>,
}

impl Targets {
    pub(super) fn new(shards: u8, first: Arc<Snapshot>) -> Self {
        let newest = vec![first; usize::from(shards)];
        Self {
            newest,
            branches: Set::default(),
            calls: Map::default(),
            moves: Map::default(),
            once_more: Set::default(),
        }
    }

    pub(super) fn received(&mut self, seen: &Seen<'_>) {
        if let Some(call) = seen.call.filter(|_| matches!(seen.code, Some(401 | 407 | 422))) {
            self.once_more.insert((call, seen.peer));
        }
    }

    pub(super) fn snapshot(&mut self, shard: u8, snapshot: &Arc<Snapshot>) {
        self.newest[usize::from(shard)] = Arc::clone(snapshot);
    }

    /// A move has ended: the next one begins anew.
    pub(super) fn receipt(&mut self, call: Option<usize>) {
        if let Some(call) = call {
            self.moves.remove(&call);
        }
    }

    pub(super) fn sent(&mut self, shard: u8, seen: &Seen<'_>, facts: &Facts, complaints: &mut Complaints) {
        let Some(call) = seen.call.filter(|_| seen.begins() && seen.is_invite()) else { return };
        if !self.branches.insert(seen.branch.clone()) {
            return;
        }
        let Some(snapshot) = self.newest.get(usize::from(shard)) else { return };
        let begun = || (Arc::clone(snapshot), BTreeSet::new());
        let is_move = facts.is_move(seen);
        let calls = if is_move { &mut self.moves } else { &mut self.calls };
        let (admitted, tried) = calls.entry(call).or_insert_with(begun);
        // A move that has found nobody looks again, until its deadline.
        let again = self.once_more.remove(&(call, seen.peer));
        if !tried.insert(seen.peer) && !is_move && !again {
            complaints.add(seen.at, seen.call, "targets", format!("{} is tried twice", seen.peer));
        }
        let state = |at: SocketAddr| {
            let place = snapshot.config.targets.iter().position(|target| target.peer.remote == at)?;
            Some(snapshot.state(TargetId(place as u16)))
        };
        if state(seen.peer) != Some(TargetState::Down) {
            return;
        }
        let side: Option<Side> = side_of(seen.peer);
        let config = &admitted.config;
        let edges = config.groups.iter().flat_map(|group| &group.edges);
        // A trunk may be full, but not before its shard has so many calls.
        let open =
            || facts.calls.values().filter(|call| call.shard == Some(shard) && call.over.is_none()).count();
        let may_be_full = |trunk: &Trunk| trunk.max_calls.is_some_and(|most| open() >= most as usize);
        let trunks = config.trunks.iter().filter(|trunk| !may_be_full(trunk));
        let listed = edges.chain(trunks.flat_map(|trunk| &trunk.targets));
        let better = listed.filter_map(|id| config.target(*id)).find(|target| {
            let at = target.peer.remote;
            side_of(at) == side && !tried.contains(&at) && state(at) == Some(TargetState::Up)
        });
        if let Some(better) = better {
            let text = format!("INVITE to {}, which is down, while {} is up", seen.peer, better.name);
            complaints.add(seen.at, seen.call, "targets", text);
        }
    }
}
