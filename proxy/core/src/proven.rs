//! Who the peers of TLS connections have proved to be.

use crate::limits::MAX_PROVEN;
use crate::{Peer, Proof, Router, Source, Transport};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// The connections that are up, and what was proved on them. A certificate is judged anew with every configuration: only its
/// names are kept.
#[derive(Debug)]
pub(crate) struct Proven(HashMap<Peer, (u64, Proof), FixedState>);

impl Proven {
    /// `seed`: peers choose the ports that they come from.
    pub(crate) fn new(seed: u64) -> Self {
        Self(HashMap::with_hasher(FixedState::with_seed(seed)))
    }

    /// A connection has begun, or ended. Beyond the limit it is as if nothing had been proved.
    pub(crate) fn learn(&mut self, peer: Peer, connection: u64, proof: Option<Proof>) {
        match proof {
            Some(proof) if self.0.len() < MAX_PROVEN || self.0.contains_key(&peer) => {
                self.0.insert(peer, (connection, proof));
            }
            Some(_) => {}
            // The end of one may be heard of after the next has begun.
            None if self.0.get(&peer).is_some_and(|known| known.0 == connection) => {
                self.0.remove(&peer);
            }
            None => {}
        }
    }

    /// Who has sent this.
    #[inline]
    pub(crate) fn source(&self, router: &Router, from: Peer) -> Option<Source> {
        match from.transport {
            Transport::Udp | Transport::Tcp => router.source_at(from.remote),
            Transport::Tls => self.over_tls(router, from),
        }
    }

    /// By its certificate, else by its address like everybody; who is known by certificates is not among the latter.
    fn over_tls(&self, router: &Router, from: Peer) -> Option<Source> {
        let proved = match self.0.get(&from) {
            Some((_, Proof::Names(names))) => router.source_named(names, from.remote.ip()),
            Some((_, Proof::Called)) => router.owner_at(from.remote),
            None => None,
        };
        proved.or_else(|| router.source_at(from.remote))
    }
}
