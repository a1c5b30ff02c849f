//! The appliance: shards, health core and relay, wired as the daemon wires them.

use super::{Event, World};
use crate::agent::call_of;
use crate::setup::peer;
use bytes::Bytes;
use proxy_core::{
    CallRecord, Event as Told, HealthInput, HealthOutput, Input, Output, OwnerOf, RejectReason,
    TransportFailure, owner,
};
use relay_core::PortRequest;
use sip_wire::{Message, Method};
use std::net::SocketAddr;
use std::sync::Arc;

impl World {
    pub(super) fn reaches_us(&mut self, from: SocketAddr, bytes: Bytes) {
        match owner(&bytes, self.setup.shards) {
            OwnerOf::Shard(id) => {
                let (id, message) = (usize::from(id), Message::parse(bytes.clone()));
                let cut = self.cut_off(id);
                self.checks.clock(self.now);
                if !self.shards[id].lets_in(self.now, peer(from), &bytes) {
                    return;
                }
                let busy = self.busy.filter(|(since, until, _)| (*since..*until).contains(&self.now));
                let waited = busy.map(|(.., waited)| waited);
                let shard = &mut self.shards[id];
                // Judged where it arrives, or when its turn has come: a half each.
                let at_once = bytes.len().is_multiple_of(2)
                    && shard.is_wary(self.now)
                    && shard.disposes_of(self.now, waited.unwrap_or_default(), peer(from), &bytes);
                if !at_once {
                    if let Some(waited) = waited {
                        shard.handle(self.now, Input::Waited(waited));
                    }
                    shard.handle(self.now, Input::Message { from: peer(from), bytes: bytes.clone() });
                }
                // What a drill cuts off on its way has not been heard.
                if self.cut_off(id) == cut {
                    self.audit(from, self.ours, &bytes);
                    if let Ok(message) = message {
                        let call = self.call(&message);
                        self.checks.received(self.now, call, from, &message);
                    }
                }
                self.drain_shard(id);
            }
            OwnerOf::Health => {
                self.audit(from, self.ours, &bytes);
                self.health.handle(self.now, HealthInput::Message { from: peer(from), bytes });
                self.drain_health();
            }
            OwnerOf::Garbage => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                self.checks.broken(self.now, None, "owner", format!("no shard owns this:\n{text}"));
            }
        }
    }

    pub(super) fn icmp(&mut self, to: SocketAddr) {
        self.audit_icmp(to);
        let (to, failure) = (peer(to), TransportFailure::Unreachable);
        self.checks.unreachable(self.now, to.remote);
        for id in 0..self.shards.len() {
            self.shard(id, Input::TransportError { to, failure });
        }
        self.health.handle(self.now, HealthInput::TransportError { to, failure });
        self.drain_health();
    }

    /// One turn of a shard.
    pub(super) fn shard(&mut self, id: usize, input: Input) {
        self.checks.clock(self.now);
        self.shards[id].handle(self.now, input);
        self.drain_shard(id);
    }

    /// Messages that drills have cut off from a shard.
    fn cut_off(&self, id: usize) -> u64 {
        let mut rejects = self.shards[id].counters().rejects();
        rejects.find(|(reason, _)| *reason == RejectReason::Cut).map_or(0, |(_, count)| count)
    }

    fn drain_shard(&mut self, id: usize) {
        while let Some(output) = self.shards[id].poll_output() {
            match output {
                Output::Send { to, bytes } => {
                    let mut call = None;
                    match Message::parse(bytes.clone()) {
                        Ok(message) => {
                            call = self.call(&message);
                            self.note_answer(call, &message);
                            self.checks.sent(self.now, call, id as u8, to.remote, &message);
                        }
                        Err(_) => {
                            self.checks.broken(self.now, None, "syntax", "we sent what does not parse".into())
                        }
                    }
                    self.send(call, to.remote, bytes);
                }
                Output::Relay(command) => self.after(self.setup.latency, Event::Command(Box::new(command))),
                Output::Finished(record) => {
                    self.trace.mix(self.now, format!("{record:?}").as_bytes());
                    let call = call_of(record.called.as_bytes());
                    self.trace.note(self.now, call, summary(&record));
                    self.records.push(*record);
                }
                Output::Event(event) => self.told(id as u8, event),
                // No trunk of these worlds signs.
                Output::Stir(_) => {}
            }
        }
        self.checks.turn_over(self.now);
        self.due.shards[id] = self.shards[id].poll_timeout();
    }

    /// The book knows which calls are answered, and so which INVITEs move one.
    fn note_answer(&mut self, call: Option<usize>, message: &Message) {
        let Some(call) = call.filter(|_| message.method() == Method::Invite) else { return };
        match message.code() {
            Some(200..300) => self.book.answer(call),
            Some(_) => {}
            None if message.to().is_ok_and(|to| to.tag().is_none()) => {
                if let Some(branch) = message.top_via().ok().and_then(|via| via.branch) {
                    self.book.invite(call, &String::from_utf8_lossy(branch));
                }
            }
            None => {}
        }
    }

    fn told(&mut self, shard: u8, event: Told) {
        let event = match event.into_health() {
            Ok(input) => return self.after(self.setup.latency, Event::Health(Box::new(input))),
            Err(event) => event,
        };
        match event {
            Told::Moved(receipt) => {
                self.trace.mix(self.now, format!("{receipt:?}").as_bytes());
                let call = self.calls.get(receipt.carrier_call_id.as_bytes()).copied();
                self.trace.note(self.now, call, format!("{receipt:?}"));
                self.checks.receipt(self.now, call, &receipt);
                self.receipts.push(*receipt);
            }
            Told::Moves(progress) => {
                self.trace.note(self.now, None, format!("shard {shard}: {progress:?}"));
                self.progress.push((shard, progress));
            }
            Told::Evidence(_) | Told::RegionSilent { .. } | Told::RegionHeard { .. } => {}
        }
    }

    pub(super) fn drain_relay(&mut self) {
        while let Some(request) = self.relay.poll_port() {
            match request {
                PortRequest::Bind(pair) => {
                    let done = !self.rng.chance(self.setup.bind_failures);
                    if done {
                        self.bound.insert(pair.rtp_addr, pair.rtp);
                        self.bound.insert(pair.rtcp_addr, pair.rtcp);
                    }
                    self.relay.bound(self.now, pair.rtp, done);
                }
                PortRequest::Close(pair) => {
                    self.bound.remove(pair.rtp_addr);
                    self.bound.remove(pair.rtcp_addr);
                }
            }
        }
        self.drain_sound();
        while let Some(event) = self.relay.poll_event() {
            self.note_session(&event);
            if event.session().is_some() {
                self.after(self.setup.latency, Event::Media(Box::new(event)));
            } else {
                // What is about a region is about nobody's call: the first shard passes it on.
                self.after(self.setup.latency, Event::Region(Box::new(event)));
            }
        }
        self.due.relay = self.relay.poll_timeout();
    }

    pub(super) fn drain_health(&mut self) {
        while let Some(output) = self.health.poll_output() {
            match output {
                HealthOutput::Send { to, bytes } => self.send(None, to.remote, bytes),
                HealthOutput::Snapshot { snapshot, changes } => {
                    for change in changes {
                        let text = format!(
                            "{}: {:?} -> {:?} ({})",
                            change.name,
                            change.from,
                            change.to,
                            change.reason.as_str()
                        );
                        self.trace.note(self.now, None, text);
                    }
                    self.heed_for_names(&snapshot);
                    for shard in 0..self.setup.shards {
                        // Each shard looks at its own next turn.
                        let wait = self.setup.latency * (1 + u32::from(shard));
                        self.after(wait, Event::Snapshot(shard, Arc::clone(&snapshot)));
                    }
                }
            }
        }
        self.due.health = self.health.poll_timeout();
    }
}

/// A record in a line.
fn summary(record: &CallRecord) -> String {
    let steps: Vec<_> = record.steps.iter().map(|step| (step.target.as_str(), step.outcome)).collect();
    let media = record.media.as_deref().map(|stats| {
        let (a, b) = (stats.from_a, stats.from_b);
        let drops: Vec<_> = stats.drops.nonzero().map(|(why, n)| format!("{} {n}", why.as_str())).collect();
        format!("A {}/{} B {}/{} {}", a.forwarded, a.packets, b.forwarded, b.packets, drops.join(", "))
    });
    format!("record: {} {} {} {steps:?}", record.code, record.close.as_str(), media.unwrap_or_default())
}
