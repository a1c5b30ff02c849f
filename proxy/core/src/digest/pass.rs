//! What we show of ourselves: credentials for one challenge, as often as they are good (RFC 7616 §3.4, §3.6).

use super::algorithm::{Asked, Hex, Qop, Salt, response};
use super::challenge::Challenge;
use crate::ids::hex;
use sip_wire::{Builder, HeaderName};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Good for all that follows in the dialog, until its nonce is too old.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    /// Where it is shown.
    field: HeaderName,
    challenge: Challenge,
    username: Box<[u8]>,
    ha1: Hex,
    cnonce: [u8; 16],
    /// How often it was shown. Forks of a dialog count on together.
    shown: Arc<AtomicU32>,
}

impl Pass {
    pub(super) fn new(
        field: HeaderName,
        challenge: Challenge,
        username: &str,
        ha1: Hex,
        cnonce: [u8; 16],
    ) -> Self {
        Self { field, challenge, username: username.as_bytes().into(), ha1, cnonce, shown: Arc::default() }
    }

    /// Whether it answers a challenge of this realm in this place.
    pub(super) fn is_for(&self, field: HeaderName, challenge: &Challenge) -> bool {
        self.field == field && self.challenge.realm == challenge.realm
    }

    /// The credentials for one more request (RFC 3261 §25.1: `Credentials`).
    pub(crate) fn show(&self, asked: &Asked<'_>) -> Vec<u8> {
        let Challenge { realm, nonce, opaque, algorithm, says_algorithm, qop, stale: _ } = &self.challenge;
        let mut count = [0; 8];
        hex(u64::from(self.shown.fetch_add(1, Ordering::Relaxed).wrapping_add(1)), &mut count);
        let counted = qop.map(|qop| (&count[..], qop));
        let salt = Salt { nonce, cnonce: &self.cnonce, qop: counted };
        let digits = response(*algorithm, self.ha1.as_bytes(), asked, &salt);
        let mut out = Vec::with_capacity(256 + nonce.len() + asked.uri.len());
        for part in [
            &b"Digest username=\""[..],
            &self.username,
            b"\", realm=\"",
            realm,
            b"\", nonce=\"",
            nonce,
            b"\", uri=\"",
            asked.uri,
            b"\", response=\"",
            digits.as_bytes(),
            b"\"",
        ] {
            out.extend_from_slice(part);
        }
        if *says_algorithm {
            let session = if algorithm.session { "-sess" } else { "" };
            out.extend_from_slice(b", algorithm=");
            out.extend_from_slice(algorithm.hash.as_str().as_bytes());
            out.extend_from_slice(session.as_bytes());
        }
        if let Some((count, qop)) = counted {
            for part in [&b", qop="[..], qop.as_str().as_bytes(), b", nc=", count] {
                out.extend_from_slice(part);
            }
        }
        // With `-sess` it is part of the key, whatever is protected.
        if qop.is_some() || algorithm.session {
            for part in [&b", cnonce=\""[..], &self.cnonce, b"\""] {
                out.extend_from_slice(part);
            }
        }
        if let Some(opaque) = opaque {
            for part in [&b", opaque=\""[..], opaque, b"\""] {
                out.extend_from_slice(part);
            }
        }
        out
    }

    /// Whether it can be shown before the body is known.
    fn is_for_any_body(&self) -> bool {
        self.challenge.qop != Some(Qop::AuthInt)
    }
}

/// All that a leg has been asked for, and what its last INVITE has shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passes {
    all: Vec<Pass>,
    /// The ACK to its 2xx shows the same (RFC 3261 §13.2.2.4).
    invite: Vec<(HeaderName, Box<[u8]>)>,
}

impl Passes {
    /// Takes new ones, in the place of those for the same realms.
    pub(crate) fn renew(&mut self, new: Vec<Pass>) {
        let is_old = |old: &Pass| new.iter().any(|pass| pass.is_for(old.field, &old.challenge));
        self.all.retain(|old| !is_old(old));
        self.all.extend(new);
    }

    /// What a request shows whose body is known.
    pub(crate) fn show(&mut self, asked: &Asked<'_>) -> Vec<(HeaderName, Box<[u8]>)> {
        let shown: Vec<_> = self.all.iter().map(|pass| (pass.field, Box::from(pass.show(asked)))).collect();
        self.remember(asked, &shown);
        shown
    }

    /// Writes them into the next request of the dialog, as far as that can be done before its body is known: for the rest it
    /// is asked.
    pub(crate) fn write(&mut self, out: &mut Builder, method: &[u8], uri: &[u8]) {
        let asked = Asked { method, uri, body: b"" };
        let ready = self.all.iter().filter(|pass| pass.is_for_any_body());
        let shown: Vec<_> = ready.map(|pass| (pass.field, Box::from(pass.show(&asked)))).collect();
        for (field, value) in &shown {
            out.header(*field, value);
        }
        self.remember(&asked, &shown);
    }

    fn remember(&mut self, asked: &Asked<'_>, shown: &[(HeaderName, Box<[u8]>)]) {
        if asked.method == b"INVITE" {
            self.invite = shown.to_vec();
        }
    }

    /// Writes what the last INVITE has shown.
    pub(crate) fn write_again(&self, out: &mut Builder) {
        for (field, value) in &self.invite {
            out.header(*field, value);
        }
    }
}
