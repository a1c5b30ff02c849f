//! Sending again: just enough of RFC 3261 §17 for an honest peer.

use super::{Agent, Stage, Wake};
use bytes::Bytes;
use relay_values::{Duration, Time};
use sip_wire::Method;

/// A request that is out.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) bytes: Bytes,
    pub(super) leg: usize,
    pub(super) cseq: u32,
    pub(super) invite: bool,
    interval: Duration,
    expires: Time,
    /// A provisional response ends the repetition of an INVITE.
    pub(super) proceeding: bool,
    pub(super) done: bool,
}

/// A request that came.
#[derive(Debug)]
pub(super) struct Server {
    /// The last response.
    pub(super) last: Option<Bytes>,
    /// The leg of an INVITE.
    pub(super) leg: Option<usize>,
    pub(super) code: u16,
    pub(super) acked: bool,
    interval: Duration,
    expires: Time,
}

pub(super) fn key(branch: &[u8], method: Method<'_>) -> String {
    let (branch, method) = (String::from_utf8_lossy(branch), String::from_utf8_lossy(method.as_bytes()));
    [&branch, " ", &method].concat()
}

impl Agent {
    /// Sends a request and keeps at it.
    pub(super) fn start(&mut self, now: Time, leg: usize, way: (&str, Method<'_>), cseq: u32, bytes: Bytes) {
        let key = key(way.0.as_bytes(), way.1);
        let client = Client {
            bytes: bytes.clone(),
            leg,
            cseq,
            invite: way.1 == Method::Invite,
            interval: self.t1,
            expires: now + self.t1 * 64,
            proceeding: false,
            done: false,
        };
        self.clients.insert(key.clone(), client);
        self.send(bytes);
        self.wake_at(now + self.t1, Wake::Request(key));
    }

    pub(super) fn request_due(&mut self, now: Time, key: &str) {
        let t2 = self.t2;
        let Some(client) = self.clients.get_mut(key) else { return };
        if client.done || (client.invite && client.proceeding) {
            return;
        }
        let leg = client.leg;
        if now >= client.expires {
            client.done = true;
            return self.unanswered(leg, key);
        }
        client.interval = if client.invite { client.interval * 2 } else { (client.interval * 2).min(t2) };
        let (bytes, next) = (client.bytes.clone(), (now + client.interval).min(client.expires));
        self.send(bytes);
        self.wake_at(next, Wake::Request(key.to_owned()));
    }

    /// Nobody answers: a first INVITE, a BYE or a CANCEL just end; anything else means that the dialog is gone.
    fn unanswered(&mut self, leg: usize, key: &str) {
        let Some(leg) = self.legs.get_mut(leg) else { return };
        leg.outcomes.push((key.rsplit(' ').next().unwrap_or_default().to_owned(), 408));
        if !key.ends_with("CANCEL") {
            leg.stage = Stage::Over;
        }
    }

    /// A request that came: whether it is new. A repetition is answered as before.
    pub(super) fn is_new(&mut self, now: Time, key: &str) -> bool {
        match self.servers.get(key) {
            Some(server) => {
                // After an ACK a repeated INVITE is absorbed; a 2xx to one repeats itself on a clock of its own. Other requests are
                // answered each time that they come (RFC 3261 §17.2.2).
                let absorbs = key.ends_with("INVITE") && (200..300).contains(&server.code);
                let again = server.last.clone().filter(|_| !server.acked && !absorbs);
                if let Some(bytes) = again {
                    self.send(bytes);
                }
                false
            }
            None => {
                let server =
                    Server { last: None, leg: None, code: 0, acked: false, interval: self.t1, expires: now };
                self.servers.insert(key.to_owned(), server);
                true
            }
        }
    }

    /// Answers a request. A second final answer is not given.
    pub(super) fn answer(&mut self, now: Time, key: &str, code: u16, bytes: Bytes) {
        let (t1, invite) = (self.t1, key.ends_with("INVITE"));
        let Some(server) = self.servers.get_mut(key) else { return };
        if server.code >= 200 {
            return;
        }
        server.last = Some(bytes.clone());
        server.code = code;
        if invite && code >= 300 {
            (server.interval, server.expires) = (t1, now + t1 * 64);
            self.wake_at(now + t1, Wake::Final(key.to_owned()));
        }
        self.send(bytes);
    }

    pub(super) fn final_due(&mut self, now: Time, key: &str) {
        let t2 = self.t2;
        let Some(server) = self.servers.get_mut(key) else { return };
        if server.acked || now >= server.expires {
            return;
        }
        server.interval = (server.interval * 2).min(t2);
        let next = now + server.interval;
        if let Some(bytes) = server.last.clone() {
            self.send(bytes);
        }
        self.wake_at(next, Wake::Final(key.to_owned()));
    }

    /// A 2xx is said again until its ACK comes; without one the call is given up (RFC 3261 §13.3.1.4).
    pub(super) fn answer_due(&mut self, now: Time, leg: usize, cseq: u32, waited: Duration) {
        let (t1, t2) = (self.t1, self.t2);
        let Some(state) = self.legs.get(leg) else { return };
        let Some((_, bytes)) = state.unacked.clone().filter(|(number, _)| *number == cseq) else { return };
        if waited >= t1 * 64 {
            self.legs[leg].unacked = None;
            if self.legs[leg].stage == Stage::Up {
                self.bye(now, leg);
            }
            return;
        }
        self.send(bytes);
        // Waited T1, 3*T1, …: the next interval is the last one doubled, up to T2.
        let next = (waited + t1).min(t2);
        self.wake_at(now + next, Wake::Answer(leg, cseq, waited + next));
    }

    pub(super) fn reliable_due(&mut self, now: Time, leg: usize, rseq: u32, waited: Duration) {
        let t1 = self.t1;
        let Some(state) = self.legs.get(leg) else { return };
        let Some((_, bytes)) = state.unpracked.clone().filter(|(number, _)| *number == rseq) else { return };
        if state.stage != Stage::Early || waited >= t1 * 64 {
            self.legs[leg].unpracked = None;
            // RFC 3262 §3: who cannot say so reliably that it rings, does not ring.
            return self.refuse(now, leg, 504, None);
        }
        self.send(bytes);
        let next = waited + t1;
        self.wake_at(now + next, Wake::Reliable(leg, rseq, waited + next));
    }
}
