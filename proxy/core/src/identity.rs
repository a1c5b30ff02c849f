//! Who calls whom: the call's canonical identity, and how it is written for the B-leg.
//!
//! Nothing is copied from one leg to the other that is not named here. Number formats and per-trunk profiles come with
//! the identity contract; this is the profile that every trunk and tier has until then: the number as it was said, our
//! own host part, display name, Privacy, and P-Asserted-Identity with our host part.

use crate::face::Face;
use crate::packed::Packed;
use sip_wire::{Builder, Defect, HeaderName, Message, Scheme, Uri};
use smallvec::SmallVec;

/// The identity of a call, taken at admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity(Packed<5>);

/// The places of its parts. An empty one stands for none.
const CALLING: usize = 0;
const DISPLAY: usize = 1;
const CALLED: usize = 2;
const ASSERTED: usize = 3;
const PRIVACY: usize = 4;

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
        let asserted = invite
            .values(HeaderName::PAssertedIdentity)
            .next()
            .and_then(|value| sip_wire::NameAddr::parse(value).ok())
            .map(|name_addr| user_of(name_addr.uri))
            .unwrap_or_default();
        let called = uri.user.unwrap_or_default();
        if !is_safe(called) {
            return Err(NoIdentity::Malformed);
        }
        let privacy = sip_wire::unfold(invite.header(HeaderName::Privacy).unwrap_or_default());
        let display = from.display.unwrap_or_default();
        Ok(Self(Packed::new([&[user_of(from.uri)], &[display], &[called], &[asserted], &[&privacy]])))
    }

    /// User part of the calling address; empty when there is none.
    pub(crate) fn calling(&self) -> &[u8] {
        self.0.get(CALLING)
    }

    /// User part of the request URI.
    pub(crate) fn called(&self) -> &[u8] {
        self.0.get(CALLED)
    }

    /// The number to route by: the user part without its parameters (RFC 4904's `tgrp`, `phone-context`).
    pub(crate) fn number(&self) -> &str {
        let called = self.called();
        let end = called.iter().position(|b| *b == b';').unwrap_or(called.len());
        called.get(..end).and_then(|user| core::str::from_utf8(user).ok()).unwrap_or_default()
    }

    /// Request URI for a target at `host_port`.
    pub(crate) fn request_uri(&self, host_port: &[u8]) -> SmallVec<[u8; 64]> {
        let called = self.called();
        let mut uri = SmallVec::new();
        for part in [b"sip:", called, at(called), host_port] {
            uri.extend_from_slice(part);
        }
        uri
    }

    /// Writes From, To, Privacy and P-Asserted-Identity.
    pub(crate) fn write(&self, out: &mut Builder, tag: &[u8], face: &Face, target_host: &[u8]) {
        let (user, display, called) = (self.calling(), self.0.get(DISPLAY), self.called());
        let quote: (&[u8], &[u8]) = if display.is_empty() { (b"", b"") } else { (b"\"", b"\" ") };
        out.parts(
            HeaderName::From,
            &[quote.0, display, quote.1, b"<sip:", user, at(user), &face.host, b">;tag=", tag],
        );
        out.parts(HeaderName::To, &[b"<sip:", called, at(called), target_host, b">"]);
        let (asserted, privacy) = (self.0.get(ASSERTED), self.0.get(PRIVACY));
        if !asserted.is_empty() {
            out.parts(HeaderName::PAssertedIdentity, &[b"<sip:", asserted, b"@", &face.host, b">"]);
        }
        if !privacy.is_empty() {
            out.header(HeaderName::Privacy, privacy);
        }
    }
}

/// The sign between user and host, where there is a user.
fn at(user: &[u8]) -> &'static [u8] {
    if user.is_empty() { b"" } else { b"@" }
}

/// The user part of a URI, where it has one that can be passed on.
fn user_of(uri: &[u8]) -> &[u8] {
    Uri::parse(uri).ok().and_then(|uri| uri.user).filter(|user| is_safe(user)).unwrap_or_default()
}

/// Whether a user part can stand in a URI between angle brackets without ending it.
fn is_safe(user: &[u8]) -> bool {
    user.iter().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b'@' | b'\\'))
}
