//! Who calls whom: the call's canonical identity, and how it is written for the B-leg.
//!
//! Nothing is copied from one leg to the other that is not named here. Number formats and per-trunk profiles come with
//! the identity contract; this is the profile that every trunk and tier has until then: the number as it was said, our
//! own host part, display name, Privacy, P-Asserted-Identity with our host part, and as they were said Diversion
//! (RFC 5806), Identity (RFC 8224) and Resource-Priority (RFC 4412).

#[cfg(test)]
mod tests;

use crate::face::Face;
use crate::limits::{MAX_DISPLAY, MAX_PASSED, MAX_USER};
use crate::packed::Packed;
use core::hash::{BuildHasher, Hash, Hasher};
use sip_wire::{Builder, Defect, HeaderName, Message, Scheme, Uri};
use smallvec::SmallVec;
use std::borrow::Cow;

/// The identity of a call, taken at admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity(Packed<9>);

/// The places of its parts. An empty one stands for none.
const CALLING: usize = 0;
const DISPLAY: usize = 1;
const CALLED: usize = 2;
const ASSERTED: usize = 3;
const PRIVACY: usize = 4;
const DIVERSION: usize = 5;
const SIGNED: usize = 6;
const PRIORITY: usize = 7;
const DATE: usize = 8;

/// How a service is called (RFC 5031): its name takes the place of a number and has no host part. No user part of a SIP
/// URI has a colon in it, so none is taken for one.
const SERVICE: &[u8] = b"urn:service:";
/// Services for whoever is in danger (RFC 5031 §4.2), sub-services included.
const SOS: &[u8] = b"urn:service:sos";

/// Header fields whose values are kept as they were said, each ended by a line feed, which stands in no value.
const PASSED: [(usize, HeaderName); 4] = [
    (DIVERSION, HeaderName::Diversion),
    (SIGNED, HeaderName::Identity),
    (PRIORITY, HeaderName::ResourcePriority),
    (DATE, HeaderName::Date),
];

/// Why no identity could be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoIdentity {
    /// A scheme that names no number or user of ours: 416.
    Scheme,
    /// A URI that does not parse: 400.
    Malformed,
    /// A user part longer than any number: 414.
    TooLong,
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
        let called = match uri.scheme {
            Scheme::Sip | Scheme::Sips | Scheme::Tel => uri.user.unwrap_or_default(),
            Scheme::Urn if is_service(invite.uri()) => invite.uri(),
            Scheme::Urn | Scheme::Other(_) => return Err(NoIdentity::Scheme),
        };
        let asserted = invite
            .values(HeaderName::PAssertedIdentity)
            .next()
            .and_then(|value| sip_wire::NameAddr::parse(value).ok())
            .map(|name_addr| user_of(name_addr.uri))
            .unwrap_or_default();
        if called.len() > MAX_USER {
            return Err(NoIdentity::TooLong);
        }
        if !is_safe(called) || (uri.scheme == Scheme::Tel && called.contains(&b':')) {
            return Err(NoIdentity::Malformed);
        }
        let privacy = sip_wire::unfold(invite.header(HeaderName::Privacy).unwrap_or_default());
        let display = shown(from.display.unwrap_or_default());
        let diversion = passed(invite, HeaderName::Diversion, |_| true);
        let signed = passed(invite, HeaderName::Identity, |_| true);
        let priority = passed(invite, HeaderName::ResourcePriority, is_priority);
        // Who verifies a signature may have to know when it was made (RFC 8224 §4.1); nobody else needs it.
        let date = if signed.is_empty() { Vec::new() } else { passed(invite, HeaderName::Date, |_| true) };
        let calling = user_of(from.uri);
        let said = [calling, &display, called, asserted, &privacy, &diversion, &signed, &priority, &date];
        Ok(Self(Packed::new(said.each_ref().map(std::slice::from_ref))))
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

    /// Request URI for a target at `host_port`. A service is called by its name alone: whoever is asked knows where it is.
    pub(crate) fn request_uri(&self, host_port: &[u8]) -> SmallVec<[u8; 64]> {
        request_uri(self.called(), host_port)
    }

    /// Writes From, To, Privacy, P-Asserted-Identity, Diversion, Identity and Resource-Priority.
    pub(crate) fn write(&self, out: &mut Builder, tag: &[u8], face: &Face, target_host: &[u8]) {
        let (user, display, called) = (self.calling(), self.0.get(DISPLAY), self.called());
        let quote: (&[u8], &[u8]) = if display.is_empty() { (b"", b"") } else { (b"\"", b"\" ") };
        let (scheme, user_at, host) = address(user, &face.host);
        out.parts(
            HeaderName::From,
            &[quote.0, display, quote.1, b"<", scheme, user, user_at, host, b">;tag=", tag],
        );
        let (scheme, called_at, host) = address(called, target_host);
        out.parts(HeaderName::To, &[b"<", scheme, called, called_at, host, b">"]);
        let (asserted, privacy) = (self.0.get(ASSERTED), self.0.get(PRIVACY));
        if !asserted.is_empty() {
            out.parts(HeaderName::PAssertedIdentity, &[b"<sip:", asserted, b"@", &face.host, b">"]);
        }
        if !privacy.is_empty() {
            out.header(HeaderName::Privacy, privacy);
        }
        for (place, name) in PASSED {
            for value in self.0.get(place).split(|b| *b == b'\n').filter(|value| !value.is_empty()) {
                out.header(name, value);
            }
        }
    }
}

/// What a call's move needs.
impl Identity {
    /// Who calls whom as seen from the other end, for a new leg to the side that called: the called party calls the
    /// calling one. Display name, Privacy, P-Asserted-Identity, Diversion and Identity spoke of the other direction and are
    /// left out, as is the called party's trunk marking (RFC 4904), which no caller has; Resource-Priority speaks of the
    /// call.
    ///
    /// A caller who is anonymous (RFC 3323 §4.1), or has no user part, is called by the asserted number.
    pub(crate) fn reversed(&self) -> Self {
        let (calling, asserted) = (self.calling(), self.0.get(ASSERTED));
        let hidden = calling.is_empty() || calling.eq_ignore_ascii_case(b"anonymous");
        let to = if hidden && !asserted.is_empty() { asserted } else { calling };
        let from = unmarked(self.called());
        Self(Packed::new([&[&from], &[], &[to], &[], &[], &[], &[], &[self.0.get(PRIORITY)], &[]]))
    }

    /// Who calls whom where a call is transferred: whoever stays, the callee if the caller (`by_caller`) has asked for it,
    /// calls `to`. A signature of the first call does not hold for that, nor do its diversions.
    pub(crate) fn transferred(&self, by_caller: bool, to: &[u8]) -> Self {
        let part = |identity: &Self| {
            let get = |place| identity.0.get(place);
            let [from, display, asserted, privacy] = [CALLING, DISPLAY, ASSERTED, PRIVACY].map(get);
            Self(Packed::new([
                &[from],
                &[display],
                &[to],
                &[asserted],
                &[privacy],
                &[],
                &[],
                &[get(PRIORITY)],
                &[],
            ]))
        };
        if by_caller { part(&self.reversed()) } else { part(self) }
    }

    /// A hash of all of it, the same for the same words: calling and called user with their trunk marking (RFC 4904's
    /// `tgrp` is part of the user), display name, asserted number, Privacy, Diversion, Identity and Resource-Priority.
    /// [`Identity::take`] of an INVITE that [`Identity::write`] wrote has the same digest.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = foldhash::quality::FixedState::with_seed(1).build_hasher();
        for part in 0..9 {
            self.0.get(part).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Whether the INVITE asked for priority in words that can be read (RFC 4412 §3.1).
    pub(crate) fn is_priority(&self) -> bool {
        !self.0.get(PRIORITY).is_empty()
    }

    /// The digest of a leg whose INVITE, written by [`Identity::write_reversed`], was read as `taken`: the one of this
    /// identity exactly where that is its reverse.
    pub(crate) fn digest_if_reversed(&self, taken: &Self) -> u64 {
        self.digest() ^ self.reversed().digest() ^ taken.digest()
    }

    /// [`Identity::request_uri`] for a new leg to the side that called.
    pub(crate) fn request_uri_reversed(&self, host_port: &[u8]) -> SmallVec<[u8; 64]> {
        self.reversed().request_uri(host_port)
    }

    /// [`Identity::write`] for a new leg to the side that called, see [`Identity::reversed`].
    pub(crate) fn write_reversed(&self, out: &mut Builder, tag: &[u8], face: &Face, target_host: &[u8]) {
        self.reversed().write(out, tag, face, target_host);
    }
}

/// The sound values of a header, in order, as many as [`MAX_PASSED`] holds. A value that could not stand on a line of its
/// own is no value.
fn passed(invite: &Message, name: HeaderName, is_sound: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut all = Vec::new();
    for value in invite.values(name) {
        let value = sip_wire::unfold(value);
        let on_one_line = value.iter().all(|b| *b == b'\t' || !b.is_ascii_control());
        if on_one_line && is_sound(&value) {
            if all.len() + value.len() >= MAX_PASSED {
                break;
            }
            all.extend_from_slice(&value);
            all.push(b'\n');
        }
    }
    all
}

/// Whether somebody in danger calls this URI (RFC 5031 §4.2).
pub(crate) fn is_sos(uri: &[u8]) -> bool {
    let (head, rest) = uri.split_at(SOS.len().min(uri.len()));
    head.eq_ignore_ascii_case(SOS) && matches!(rest.first(), None | Some(b'.'))
}

/// `namespace.priority`, both tokens without a dot (RFC 4412 §3.1).
pub(crate) fn is_priority(value: &[u8]) -> bool {
    let is_token = |word: &[u8]| {
        word.iter().all(|b| b.is_ascii_alphanumeric() || b"-!%*_+`'~".contains(b)) && !word.is_empty()
    };
    let mut words = value.split(|b| *b == b'.');
    let two = (words.next(), words.next(), words.next());
    matches!(two, (Some(namespace), Some(priority), None) if is_token(namespace) && is_token(priority))
}

/// A user part without its trunk marking: `tgrp` and `trunk-context` (RFC 4904).
fn unmarked(user: &[u8]) -> SmallVec<[u8; 32]> {
    let is_mark = |piece: &&[u8]| {
        let name = piece.split(|b| *b == b'=').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"tgrp") || name.eq_ignore_ascii_case(b"trunk-context")
    };
    let mut out = SmallVec::new();
    for (at, piece) in
        user.split(|b| *b == b';').enumerate().filter(|(at, piece)| *at == 0 || !is_mark(piece))
    {
        if at > 0 {
            out.push(b';');
        }
        out.extend_from_slice(piece);
    }
    out
}

/// Request URI for a user, number or service at `host_port`.
pub(crate) fn request_uri(called: &[u8], host_port: &[u8]) -> SmallVec<[u8; 64]> {
    let (scheme, at, host) = address(called, host_port);
    let mut uri = SmallVec::new();
    for part in [scheme, called, at, host] {
        uri.extend_from_slice(part);
    }
    uri
}

/// What stands before and behind a user, number or service in its URI.
fn address<'a>(user: &[u8], host: &'a [u8]) -> (&'static [u8], &'static [u8], &'a [u8]) {
    if is_service(user) { (b"", b"", b"") } else { (b"sip:", at(user), host) }
}

/// Whether it is the name of a service.
fn is_service(called: &[u8]) -> bool {
    called.get(..SERVICE.len()).is_some_and(|head| head.eq_ignore_ascii_case(SERVICE))
}

/// The sign between user and host, where there is a user.
fn at(user: &[u8]) -> &'static [u8] {
    if user.is_empty() { b"" } else { b"@" }
}

/// The user part of a URI, where it has one that can be passed on.
fn user_of(uri: &[u8]) -> &[u8] {
    let user = Uri::parse(uri).ok().and_then(|uri| uri.user);
    user.filter(|user| user.len() <= MAX_USER && is_safe(user)).unwrap_or_default()
}

/// Whether a user part can stand in a URI between angle brackets without ending it. What is escaped stays so.
pub(crate) fn is_safe(user: &[u8]) -> bool {
    user.iter().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b'@' | b'\\'))
        && user
            .split(|b| *b == b'%')
            .skip(1)
            .all(|rest| rest.get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

/// A display name as it can stand between quotes (RFC 3261 §25.1, quoted-string): from the inside of one, or from words.
/// Quotes and backslashes in it are escaped, and controls are left out.
fn shown(display: &[u8]) -> Cow<'_, [u8]> {
    if display.len() > MAX_DISPLAY {
        return Cow::Borrowed(b"");
    }
    let is_plain = |b: &u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\');
    if display.iter().all(is_plain) {
        return Cow::Borrowed(display);
    }
    let is_text = core::str::from_utf8(display).is_ok();
    let mut out = Vec::with_capacity(display.len());
    let mut bytes = display.iter().copied();
    while let Some(mut byte) = bytes.next() {
        let escaped = byte == b'\\';
        if escaped {
            byte = bytes.next().unwrap_or(0);
        }
        match byte {
            b'\\' => out.extend_from_slice(br"\\"),
            // One that nothing escapes would end the string.
            b'"' if escaped => out.extend_from_slice(br#"\""#),
            b'"' => {}
            b'\t' => out.push(b' '),
            b' '..=b'~' => out.push(byte),
            128.. if is_text => out.push(byte),
            _ => {}
        }
    }
    Cow::Owned(out)
}
