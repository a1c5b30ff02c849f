//! A stranger with the RFCs in hand: reads every message that crossed the appliance's border and says where the appliance has
//! broken a rule that can be seen on the wire.
//!
//! It shares no code with the appliance, so that an error of ours is not read by the same error. It judges only what *we* send;
//! peers may be as wrong as a test wants them to be. Each [`Rule`] names its section.
//!
//! | file of `rules` | what it knows |
//! |---|---|
//! | `shape` | one message by itself |
//! | `servers`, `reliable` | requests that came, and what we answered |
//! | `clients`, `acks` | requests that we sent, and what we had to say to their responses |
//! | `again` | the instants at which something is sent again |
//! | `dialogs` | who is meant, where that is, in which order |
//! | `offers` | session descriptions |
//!
//! ```
//! use sip_audit::{Auditor, Ending, Timing, Wire};
//! let mut auditor = Auditor::new(Timing::rfc(), |at| at.port() == 5060);
//! let us = "127.0.0.1:5060".parse().unwrap();
//! let peer = "127.0.0.2:5080".parse().unwrap();
//! auditor.saw(std::time::Duration::ZERO, us, peer, Wire::Datagram, b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.2:5080;branch=z9hG4bK1\r\n\
//!     From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
//! let findings = auditor.finish(Ending::CutOff);
//! assert_eq!(findings[0].rule, sip_audit::Rule::StrayResponse);
//! ```

#![forbid(unsafe_code)]

mod key;
mod limits;
mod log;
mod message;
mod rule;
mod rules;
mod sdp;
mod timing;
mod values;

pub use log::Finding;
pub use rule::Rule;
pub use timing::Timing;

use key::{Key, hash, key};
use limits::{MAX_KEPT, SWEEP};
use log::Log;
use message::{Message, Unreadable, branch_in, unfolded};
use rules::clients::Clients;
use rules::dialogs::Dialogs;
use rules::offers::Offers;
use rules::servers::Servers;
use rules::shape;
use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// How a message travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// UDP: messages are sent again.
    Datagram,
    /// TCP and the like: they are not.
    Stream,
}

/// How a trace ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything has come to its end: nothing may be left open.
    AllOver,
    /// Somebody stopped listening: what is open may have gone on.
    CutOff,
    /// Listening has stopped now: what should have been done before then is owed, what is open may go on.
    At(Duration),
}

/// How long a dialog's last description and an exchange that never ended are remembered, in lives of a transaction: 34 minutes.
const AGES: u32 = 64;

/// Reads a trace, message by message, in the order in which they crossed the border.
pub struct Auditor {
    is_ours: Box<dyn Fn(SocketAddr) -> bool + Send>,
    timing: Timing,
    log: Log,
    servers: Servers,
    clients: Clients,
    dialogs: Dialogs,
    offers: Offers,
    /// Branches of what came and is no message, and Call-IDs that are not judged.
    excused: HashSet<Key>,
    messages: u64,
}

/// A message on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'m> {
    pub(crate) at: Duration,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) wire: Wire,
    pub(crate) message: &'m Message<'m>,
}

impl Auditor {
    /// `is_ours` knows the appliance's signalling addresses.
    pub fn new(timing: Timing, is_ours: impl Fn(SocketAddr) -> bool + Send + 'static) -> Self {
        Self {
            is_ours: Box::new(is_ours),
            timing,
            log: Log::default(),
            servers: Servers::new(timing),
            clients: Clients::new(timing),
            dialogs: Dialogs::default(),
            offers: Offers::new(timing),
            excused: HashSet::new(),
            messages: 0,
        }
    }

    /// How many messages were judged or taken note of.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// What has this Call-ID is not judged: its peer breaks rules on purpose, and what would be right is for the test to say.
    pub fn excuse(&mut self, call_id: &str) {
        self.excused.insert(call(call_id));
    }

    /// A datagram of ours found nobody at this address: requests that wait for a first response from there are over
    /// (RFC 3261 §17.1.4).
    pub fn unreachable(&mut self, at: Duration, peer: SocketAddr) {
        self.clients.unreachable(at, peer);
    }

    /// A message crossed the border. What is neither from nor to us is not ours to judge. What came that is no message excuses
    /// what is said to it.
    pub fn saw(&mut self, at: Duration, from: SocketAddr, to: SocketAddr, wire: Wire, bytes: &[u8]) {
        let sent = (self.is_ours)(from);
        if !sent && !(self.is_ours)(to) || bytes.iter().all(|b| b.is_ascii_whitespace() || *b == 0) {
            return;
        }
        self.log.at = at;
        let flat;
        let message = match Message::read(bytes) {
            Err(Unreadable::Folded) => {
                flat = unfolded(bytes);
                Message::read(&flat)
            }
            other => other,
        };
        let message = match message {
            Ok(message) => message,
            Err(why) => return self.unreadable(sent, why, bytes),
        };
        if !self.excused.is_empty() && self.is_excused(sent, &message) {
            return;
        }
        self.messages += 1;
        self.log.of(message.call_id);
        let seen = Seen { at, from, to, wire, message: &message };
        if sent {
            self.sent(&seen)
        } else {
            self.came(&seen)
        }
        if self.messages.is_multiple_of(SWEEP) {
            self.sweep(at);
        }
    }

    fn sent(&mut self, seen: &Seen<'_>) {
        let log = &mut self.log;
        shape::sent(seen, log);
        let news = match seen.message.is_request() {
            true => {
                self.servers.sent(seen, log);
                self.clients.sent(seen, log)
            }
            false => self.servers.sent(seen, log),
        };
        if news != rules::News::Again {
            self.dialogs.sent(seen, log);
        }
        self.offers.sent(seen, news, log);
    }

    fn came(&mut self, seen: &Seen<'_>) {
        let log = &mut self.log;
        let news = match seen.message.is_request() {
            true => {
                self.clients.came(seen, log);
                self.servers.came(seen, log)
            }
            false => self.clients.came(seen, log),
        };
        self.dialogs.came(seen, news);
        self.offers.came(seen, news);
    }

    fn unreadable(&mut self, sent: bool, why: Unreadable, bytes: &[u8]) {
        let branch = branch_in(bytes).map(hash);
        if !sent {
            if self.excused.len() < MAX_KEPT {
                self.excused.extend(branch);
            }
            return;
        }
        // A response repeats header fields as they came (section 8.2.6.2), broken or not.
        if branch.is_some_and(|branch| self.excused.contains(&branch)) {
            return;
        }
        let first = bytes.split(|b| *b == b'\r').next().unwrap_or_default();
        let text = format!("{why}: {}", String::from_utf8_lossy(first));
        self.log.broken_of("", Rule::Unreadable, text);
    }

    fn is_excused(&self, sent: bool, message: &Message<'_>) -> bool {
        let branch = sent && self.excused.contains(&hash(message.branch.as_bytes()));
        branch || self.excused.contains(&call(message.call_id))
    }

    /// Twice the life of a transaction: nobody waits for anything of it any more.
    fn sweep(&mut self, now: Duration) {
        let before = now.saturating_sub(self.timing.life() * 2);
        self.servers.sweep(before);
        self.clients.sweep(before);
        self.dialogs.sweep(before);
        self.offers.sweep(before, now.saturating_sub(self.timing.life() * AGES));
    }

    /// Whether we still owe an ACK that has to be said before `by`: a trace that ends sooner has not shown it.
    pub fn owes_an_ack(&self, by: Duration) -> bool {
        self.clients.owes(by)
    }

    /// What was found so far.
    pub fn findings(&self) -> &[Finding] {
        &self.log.findings
    }

    /// The trace is over: everything that was found, in order.
    pub fn finish(mut self, ending: Ending) -> Vec<Finding> {
        self.servers.behind(&mut self.log);
        let now = match ending {
            Ending::AllOver => Duration::MAX,
            Ending::At(now) => now,
            Ending::CutOff => return self.log.findings,
        };
        self.servers.over(now, &mut self.log);
        self.clients.over(now, &mut self.log);
        self.log.findings
    }
}

fn call(call_id: &str) -> Key {
    key(&["call", call_id])
}

impl fmt::Debug for Auditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auditor")
            .field("messages", &self.messages)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}
