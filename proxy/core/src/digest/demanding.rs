//! A neighbour has to show who it is before anything new of its is begun (RFC 3261 §22.1, §22.2): until then its requests
//! leave nothing behind.

use super::account::Demand;
use super::claim::{Showing, judge};
use super::nonce::Worth;
use crate::route::Source;
use crate::shard::Shard;
use crate::{Config, Peer, RejectReason, TrunkId};
use sip_wire::{Builder, HeaderName, Message, Method};
use std::sync::Arc;

impl Config {
    /// What a trunk has to show.
    pub(crate) fn demand(&self, trunk: TrunkId) -> Option<&Arc<Demand>> {
        let id = self.trunks.get(trunk.index())?.manners.demand?;
        self.authentication.demands.get(usize::from(id.0))
    }
}

impl Shard {
    /// Other nonces than those that follow from the seed, which shows in every Call-ID: for whoever has random numbers.
    pub fn with_secret(mut self, secret: [u8; 32]) -> Self {
        self.nonces.set_key(secret);
        self
    }

    /// Asks who somebody is that begins something new, unless he has shown it. Whether he was asked: then that was all.
    pub(crate) fn asks(&mut self, from: Peer, source: Source, request: &Message) -> bool {
        let Source::Trunk(trunk) = source else { return false };
        let Some(demand) = self.env.newest.config.demand(trunk) else { return false };
        if !may_be_asked(request) || self.env.txns.knows(request) {
            return false;
        }
        let demand = Arc::clone(demand);
        let (now, ip) = (self.env.now, from.remote.ip());
        let reason = match judge(request, &demand) {
            Showing::Nothing => RejectReason::Unauthorized,
            Showing::Wrong => RejectReason::WrongCredentials,
            Showing::Right { nonce, count } => {
                match self.nonces.worth(now, ip, &demand.realm, &nonce, demand.nonce_life) {
                    Worth::Good { number, made } => {
                        if self.nonces.count(now, number, made, count, demand.nonce_life) {
                            return false;
                        }
                        RejectReason::NonceUsed
                    }
                    Worth::Foreign | Worth::TooOld => RejectReason::NonceTooOld,
                }
            }
        };
        self.env.counters.reject(reason);
        let nonce = self.nonces.make(now, ip, &demand.realm);
        // Who has shown the right password need not ask a person for it again (RFC 7616 §3.3).
        let stale = matches!(reason, RejectReason::NonceTooOld | RejectReason::NonceUsed);
        self.answer_statelessly_with(from, request, 401, |out| challenge(out, &demand, &nonce, stale));
        true
    }

    /// Whether a request of a trunk will only be asked who it is from: it is no call yet.
    pub(crate) fn has_yet_to_show(&self, source: Source, request: &Message) -> bool {
        let Source::Trunk(trunk) = source else { return false };
        self.env.newest.config.demand(trunk).is_some() && request.header(HeaderName::Authorization).is_none()
    }
}

/// ACK and CANCEL cannot be said again (RFC 3261 §22.1), and what is inside a dialog belongs to whoever began it.
fn may_be_asked(request: &Message) -> bool {
    let is_new = request.to().is_ok_and(|to| to.tag().is_none());
    is_new && !matches!(request.method(), Method::Ack | Method::Cancel)
}

/// One challenge for each hash, the best first (RFC 8760 §2.3).
fn challenge(out: &mut Builder, demand: &Demand, nonce: &[u8], stale: bool) {
    let qop: &[u8] = if demand.integrity { b"\", qop=\"auth,auth-int\"" } else { b"\", qop=\"auth\"" };
    for hash in &demand.hashes {
        out.parts(
            HeaderName::WwwAuthenticate,
            &[
                b"Digest realm=\"",
                demand.realm.as_bytes(),
                b"\", nonce=\"",
                nonce,
                qop,
                b", algorithm=",
                hash.as_str().as_bytes(),
                if stale { b", stale=true" } else { b"" },
            ],
        );
    }
}
