//! Who calls whom: the call's canonical identity, and how it is written for the B-leg.
//!
//! Nothing is copied from one leg to the other that is not named here. Number formats and per-trunk profiles come with
//! the identity contract; this is the profile that every trunk and tier has until then: the number as it was said, our
//! own host part, display name, Privacy, and P-Asserted-Identity with our host part.

use crate::face::Face;
use sip_wire::{Builder, Defect, HeaderName, Message, Scheme, Uri};

/// The identity of a call, taken at admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// User part of the calling address; empty when there is none.
    pub(crate) calling: Box<[u8]>,
    /// Display name without its quotes, escapes as they were written; empty when there is none.
    display: Box<[u8]>,
    /// User part of the request URI.
    pub(crate) called: Box<[u8]>,
    /// User part of P-Asserted-Identity (RFC 3325).
    asserted: Option<Box<[u8]>>,
    /// Privacy (RFC 3323).
    privacy: Option<Box<[u8]>>,
}

/// Why no identity could be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoIdentity {
    /// A scheme that names no number or user of ours: 416.
    Scheme,
    /// A URI that does not parse: 400.
    Malformed,
}

impl From<Defect> for NoIdentity {
    fn from(_: Defect) -> Self {
        Self::Malformed
    }
}

impl Identity {
    /// Takes the identity from an INVITE.
    pub(crate) fn take(invite: &Message) -> Result<Self, NoIdentity> {
        let from = invite.from()?;
        let uri = Uri::parse(invite.uri())?;
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel) {
            return Err(NoIdentity::Scheme);
        }
        let user_of = |uri: &[u8]| -> Box<[u8]> {
            let user = Uri::parse(uri).ok().and_then(|uri| uri.user).unwrap_or_default();
            if is_safe(user) { user.into() } else { Box::default() }
        };
        let asserted = invite
            .values(HeaderName::PAssertedIdentity)
            .next()
            .and_then(|value| sip_wire::NameAddr::parse(value).ok())
            .map(|name_addr| user_of(name_addr.uri))
            .filter(|user| !user.is_empty());
        let called = uri.user.unwrap_or_default();
        if !is_safe(called) {
            return Err(NoIdentity::Malformed);
        }
        Ok(Self {
            calling: user_of(from.uri),
            display: from.display.unwrap_or_default().into(),
            called: called.into(),
            asserted,
            privacy: invite.header(HeaderName::Privacy).map(|value| sip_wire::unfold(value).into()),
        })
    }

    /// The number to route by: the user part without its parameters (RFC 4904's `tgrp`, `phone-context`).
    pub(crate) fn number(&self) -> &str {
        let end = self.called.iter().position(|b| *b == b';').unwrap_or(self.called.len());
        self.called.get(..end).and_then(|user| core::str::from_utf8(user).ok()).unwrap_or_default()
    }

    /// Request URI for a target at `host_port`.
    pub(crate) fn request_uri(&self, host_port: &[u8]) -> Vec<u8> {
        [b"sip:", &*self.called, at(&self.called), host_port].concat()
    }

    /// Writes From, To, Privacy and P-Asserted-Identity.
    pub(crate) fn write(&self, out: &mut Builder, tag: &[u8], face: &Face, target_host: &[u8]) {
        let quote: (&[u8], &[u8]) = if self.display.is_empty() { (b"", b"") } else { (b"\"", b"\" ") };
        let user = &*self.calling;
        out.parts(
            HeaderName::From,
            &[quote.0, &self.display, quote.1, b"<sip:", user, at(user), &face.host, b">;tag=", tag],
        );
        out.parts(HeaderName::To, &[b"<sip:", &self.called, at(&self.called), target_host, b">"]);
        if let Some(asserted) = &self.asserted {
            out.parts(HeaderName::PAssertedIdentity, &[b"<sip:", asserted, b"@", &face.host, b">"]);
        }
        if let Some(privacy) = &self.privacy {
            out.header(HeaderName::Privacy, privacy);
        }
    }
}

/// The sign between user and host, where there is a user.
fn at(user: &[u8]) -> &'static [u8] {
    if user.is_empty() { b"" } else { b"@" }
}

/// Whether a user part can stand in a URI between angle brackets without ending it.
fn is_safe(user: &[u8]) -> bool {
    user.iter().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b'@' | b'\\'))
}
