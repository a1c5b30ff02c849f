//! The wire between the appliance and everybody else.

use super::{Condition, Event, World};
use crate::agent::{Out, call_of};
use bytes::Bytes;
use memchr::memmem;
use relay_values::Duration;
use sip_wire::{Message, Method, Uri};
use std::net::SocketAddr;

/// In a response of an agent's, the top Via's branch has begun by here.
const MOST_OF_VIA: usize = 120;

impl World {
    /// The call that a message belongs to: by its Call-ID, once an INVITE has named the number.
    pub(super) fn call(&mut self, message: &Message) -> Option<usize> {
        let call_id = message.call_id().ok()?;
        if let Some(call) = self.calls.get(call_id) {
            return Some(*call);
        }
        let initial = message.is_request() && message.method() == Method::Invite;
        let uri = Uri::parse(message.uri()).ok().filter(|_| initial)?;
        let call = call_of(uri.user?)?;
        self.calls.insert(call_id.to_vec(), call);
        Some(call)
    }

    /// From us to an agent. A probe belongs to no call.
    pub(super) fn send(&mut self, call: Option<usize>, to: SocketAddr, bytes: Bytes) {
        let Some(&agent) = self.by_address.get(&to) else {
            self.checks.broken(
                self.now,
                call,
                "address",
                format!("we sent something to {to}, where nobody is"),
            );
            return;
        };
        let condition = self.conditions[agent];
        let arrivals = self.link.arrivals(&mut self.rng);
        let what = match condition {
            Condition::Cut => "  (cut off)",
            Condition::Dead => "  (nobody there)",
            Condition::Alive | Condition::Frozen if arrivals == [None; 2] => "  (lost)",
            Condition::Alive | Condition::Frozen => "",
        };
        self.audit(self.ours, to, &bytes);
        self.trace.sip(self.now, call, (self.ours, to), &bytes, what);
        for wait in arrivals.into_iter().flatten() {
            if condition != Condition::Cut {
                self.after(wait, Event::ToAgent(agent, bytes.clone()));
            }
        }
    }

    pub(super) fn reaches_agent(&mut self, agent: usize, bytes: &Bytes) {
        match self.conditions[agent] {
            Condition::Alive => {
                self.agents[agent].hear_sip(self.now, &mut self.book, bytes);
                self.drain_agent(agent);
            }
            Condition::Dead => self.after(self.link.delay, Event::Icmp(self.agents[agent].at)),
            Condition::Cut | Condition::Frozen => {}
        }
    }

    /// A packet of media arrives: not at all, once or twice.
    pub(super) fn arrive(
        &mut self,
        waits: [Option<Duration>; 2],
        packet: Vec<u8>,
        event: impl Fn(Vec<u8>) -> Event,
    ) {
        match waits {
            [None, None] => {}
            [Some(wait), None] | [None, Some(wait)] => self.after(wait, event(packet)),
            [Some(first), Some(second)] => {
                self.after(first, event(packet.clone()));
                self.after(second, event(packet));
            }
        }
    }

    pub(super) fn drain_agent(&mut self, agent: usize) {
        while let Some(out) = self.agents[agent].out.pop_front() {
            let cut = self.conditions[agent] != Condition::Alive;
            match out {
                Out::Answer(bytes) => self.sip_from(agent, None, bytes),
                Out::Sip(bytes) => {
                    let message = (!is_of_probe(&bytes)).then(|| Message::parse(bytes.clone()));
                    let call = message.and_then(Result::ok).and_then(|message| self.call(&message));
                    self.sip_from(agent, call, bytes);
                }
                Out::Rtp(port, to, packet) => {
                    let from = SocketAddr::new(self.agents[agent].media, port);
                    let arrivals = self.link.arrivals(&mut self.rng);
                    if !cut {
                        self.arrive(arrivals, packet, |packet| Event::RtpToUs(to, from, packet));
                    }
                }
                Out::Wake(at, wake) => self.at(at, Event::Wake(agent, self.lives[agent], wake)),
            }
        }
    }

    /// From an agent to us.
    fn sip_from(&mut self, agent: usize, call: Option<usize>, bytes: Bytes) {
        let (from, cut) = (self.agents[agent].at, self.conditions[agent] != Condition::Alive);
        let arrivals = self.link.arrivals(&mut self.rng);
        let what = match (cut, arrivals) {
            (true, _) => "  (cut off)",
            (_, [None, None]) => "  (lost)",
            _ => "",
        };
        self.trace.sip(self.now, call, (from, self.ours), &bytes, what);
        for wait in arrivals.into_iter().flatten().filter(|_| !cut) {
            self.after(wait, Event::ToUs(from, bytes.clone()));
        }
    }
}

/// Whether an agent answers a probe, of which there are many: the health core's branches say so.
fn is_of_probe(bytes: &[u8]) -> bool {
    let begin = &bytes[..bytes.len().min(MOST_OF_VIA)];
    let at = memmem::find(begin, b";branch=");
    at.is_some_and(|at| begin[at..].starts_with(b";branch=z9hG4bKh"))
}
