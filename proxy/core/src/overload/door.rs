//! Who is let in before anything of what they say is parsed.

use super::bucket::Bucket;
use super::scanners::{ScannerView, Scanners, Strike};
use super::sources::Sources;
use crate::ids::LocalTag;
use crate::limits::{CLAIM_SETS, CLAIMS_PER_SECOND, SOURCE_CLAIMS_PER_SECOND, USER_AGENT_LINES};
use crate::rng::Rng;
use crate::shard::Shard;
use crate::{Config, Peer, RejectReason, Transport, UnknownSource};
use relay_values::Time;
use std::net::{IpAddr, SocketAddr};

/// What a shard remembers of strangers. Its memory is fixed.
#[derive(Debug)]
pub(crate) struct Door {
    /// Whose address was looked up last, if it was a neighbour's: datagrams of one come one after the other, and each is
    /// asked about more than once.
    neighbour: Option<SocketAddr>,
    scanners: Scanners,
    /// Messages of strangers for something of ours by their looks: by source, and of all together.
    claims: Sources<Bucket>,
    all_claims: Bucket,
}

impl Door {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self {
            neighbour: None,
            scanners: Scanners::new(rng.next_u64()),
            claims: Sources::new(CLAIM_SETS, rng.next_u64()),
            all_claims: Bucket::default(),
        }
    }

    /// Who may come in has changed.
    pub(crate) fn forget_neighbour(&mut self) {
        self.neighbour = None;
    }

    /// Somebody whom no trunk, group or target names has sent this.
    fn stranger(&mut self, now: Time, ip: IpAddr, bytes: &[u8], config: &Config) -> Result<(), RejectReason> {
        let keys = sip_wire::peek(bytes);
        if keys.is_some_and(|keys| claims_ours(&keys)) {
            // A peer may send from an address that nobody told us of: what names a dialog or transaction of ours is looked
            // at, even a scanner's, for its address may be forged. But there are never many of these.
            let own = self.claims.enter(ip).is_some_and(|own| own.take(now, SOURCE_CLAIMS_PER_SECOND));
            let taken = own && self.all_claims.take(now, CLAIMS_PER_SECOND);
            return if taken { Ok(()) } else { Err(RejectReason::StrangerRate) };
        }
        let policy = &config.scanners;
        if self.scanners.has(now, ip, policy) {
            self.scanners.strike(now, ip, Strike::Request, policy);
            return Err(RejectReason::Scanner);
        }
        let strike = if names_tool(bytes, &policy.user_agents) { Strike::Tool } else { Strike::Request };
        self.scanners.strike(now, ip, strike, policy);
        match (config.unknown_source, keys, strike) {
            (_, _, Strike::Tool) => Err(RejectReason::Scanner),
            (_, None, Strike::Request) => Err(RejectReason::Garbage),
            (UnknownSource::Drop, Some(_), Strike::Request) => Err(RejectReason::UnknownSource),
            // The shard answers.
            (UnknownSource::Reject, Some(_), Strike::Request) => Ok(()),
        }
    }
}

impl Shard {
    /// Whether a message may come in: to be asked before it is copied or parsed, where it arrives. Who is named by the
    /// configuration always may; of others only what looks like part of a call, and what is to be answered 403. What is
    /// not let in is counted here.
    pub fn lets_in(&mut self, now: Time, from: Peer, bytes: &[u8]) -> bool {
        if self.is_neighbour(from) {
            return true;
        }
        match self.door.stranger(now, from.remote.ip().to_canonical(), bytes, &self.env.newest.config) {
            Ok(()) => true,
            Err(reason) => {
                self.env.counters.reject(reason);
                false
            }
        }
    }

    /// Whether a trunk, group or target names whoever this is.
    pub(super) fn is_neighbour(&mut self, from: Peer) -> bool {
        let address = from.remote;
        // What a connection has proved may end with it.
        if from.transport == Transport::Tls {
            return self.env.source(from).is_some();
        }
        if self.door.neighbour == Some(address) {
            return true;
        }
        let is_one = self.env.newest.router.source_at(address).is_some();
        if is_one {
            self.door.neighbour = Some(address);
        }
        is_one
    }

    /// Somebody has connected and is not wanted: counted as one request if nobody named it, so that who tries every port by
    /// stream is on the list for datagrams, too. A connection's address is nobody else's.
    pub fn knocked(&mut self, now: Time, from: Peer) {
        let newest = &self.env.newest;
        if self.env.source(from).is_none() {
            let ip = from.remote.ip().to_canonical();
            self.door.scanners.strike(now, ip, Strike::Request, &newest.config.scanners);
        }
    }

    /// Strangers that are met with silence, as this shard's sockets know them.
    pub fn scanners(&self, now: Time) -> Vec<ScannerView> {
        self.door.scanners.list(now, &self.env.newest.config.scanners)
    }

    /// Forgets them.
    pub fn forget_scanners(&mut self) {
        self.door.scanners.clear();
    }
}

/// Whether a message names a dialog or a transaction in our words. Whether there is such a one, its owner knows.
fn claims_ours(keys: &sip_wire::Keys<'_>) -> bool {
    if keys.is_request {
        return keys.to_tag.is_some_and(|tag| LocalTag::decode(tag).is_some());
    }
    [&b"z9hG4bKb"[..], b"z9hG4bKh", b"z9hG4bKr"].iter().any(|ours| keys.branch.starts_with(ours))
}

/// Whether the User-Agent of a request has one of these words in it.
fn names_tool(bytes: &[u8], words: &[String]) -> bool {
    let mut lines = bytes.split(|b| *b == b'\n').take(USER_AGENT_LINES);
    let product = lines.find_map(|line| {
        let (name, value) = line.split_at_checked("User-Agent".len())?;
        let value = value.trim_ascii_start().strip_prefix(b":")?;
        name.eq_ignore_ascii_case(b"User-Agent").then_some(value)
    });
    let has = |text: &[u8], word: &[u8]| text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    product.is_some_and(|text| words.iter().any(|word| !word.is_empty() && has(text, word.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_known_by_its_user_agent_and_by_nothing_else() {
        let words = vec!["friendly-scanner".to_owned()];
        let says = |line: &str| {
            names_tool(format!("OPTIONS sip:a SIP/2.0\r\n{line}\r\nTo: <sip:b>\r\n\r\n").as_bytes(), &words)
        };
        for line in [
            "User-Agent: friendly-scanner",
            "user-agent :  my Friendly-Scanner/2",
            "USER-AGENT:FRIENDLY-SCANNER",
        ] {
            assert!(says(line), "{line}");
        }
        for line in [
            "Subject: friendly-scanner",
            "User-Agent: friendly",
            "User-Agents: friendly-scanner",
            "User-Agent",
        ] {
            assert!(!says(line), "{line}");
        }
    }
}
