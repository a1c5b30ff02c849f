//! The words that identity is made of, and which of them can stand in a message of ours.

use crate::limits::{MAX_DISPLAY, MAX_PASSED, MAX_USER};
use sip_wire::{HeaderName, Message, Uri};
use smallvec::SmallVec;
use std::borrow::Cow;

/// How a service is called (RFC 5031): its name takes the place of a number and has no host part. No user part of a SIP
/// URI has a colon in it, so none is taken for one.
const SERVICE: &[u8] = b"urn:service:";
/// Services for whoever is in danger (RFC 5031 §4.2), sub-services included.
const SOS: &[u8] = b"urn:service:sos";

/// The sound values of a header, in order, as many as [`MAX_PASSED`] holds. A value that could not stand on a line of its
/// own is no value.
pub(super) fn passed(invite: &Message, name: HeaderName, is_sound: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut all = Vec::new();
    if invite.header(name).is_none() {
        return all;
    }
    for value in invite.values(name) {
        let value = sip_wire::unfold(value);
        if is_on_one_line(&value) && is_sound(&value) {
            if all.len() + value.len() >= MAX_PASSED {
                break;
            }
            all.extend_from_slice(&value);
            all.push(b'\n');
        }
    }
    all
}

/// Whether a value can stand on a line of its own.
pub(super) fn is_on_one_line(value: &[u8]) -> bool {
    value.iter().all(|b| *b == b'\t' || !b.is_ascii_control())
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
pub(super) fn unmarked(user: &[u8]) -> SmallVec<[u8; 32]> {
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

/// A user part without the result of somebody's verification that nobody here has made (`verstat`, 3GPP TS 24.229 §7.2A.20).
pub(super) fn unverified(user: &[u8]) -> Cow<'_, [u8]> {
    let is_result = |piece: &[u8]| {
        piece.split(|b| *b == b'=').next().is_some_and(|name| name.eq_ignore_ascii_case(b"verstat"))
    };
    if !user.split(|b| *b == b';').skip(1).any(is_result) {
        return Cow::Borrowed(user);
    }
    let mut pieces = user.split(|b| *b == b';').enumerate();
    let kept: Vec<&[u8]> =
        pieces.by_ref().filter(|(at, piece)| *at == 0 || !is_result(piece)).map(|(_, piece)| piece).collect();
    Cow::Owned(kept.join(&b';'))
}

/// What stands before and behind a user, number or service in its URI.
pub(super) fn address<'a>(user: &[u8], host: &'a [u8]) -> (&'static [u8], &'static [u8], &'a [u8]) {
    if is_service(user) { (b"", b"", b"") } else { (b"sip:", at(user), host) }
}

/// Whether it is the name of a service.
pub(super) fn is_service(called: &[u8]) -> bool {
    called.get(..SERVICE.len()).is_some_and(|head| head.eq_ignore_ascii_case(SERVICE))
}

/// The sign between user and host, where there is a user.
fn at(user: &[u8]) -> &'static [u8] {
    if user.is_empty() { b"" } else { b"@" }
}

/// The user part of a URI, where it has one that can be passed on.
pub(super) fn user_of(uri: &[u8]) -> &[u8] {
    let user = Uri::parse(uri).ok().and_then(|uri| uri.user);
    user.filter(|user| user.len() <= MAX_USER && is_safe(user)).unwrap_or_default()
}

/// Whether a user part can stand in a URI between angle brackets without ending it. What is escaped stays so.
pub(crate) fn is_safe(user: &[u8]) -> bool {
    user.iter().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b'@' | b'\\'))
        && (!user.contains(&b'%') || is_escaped(user))
}

/// Whether every `%` stands before two digits (RFC 3261 §25.1, escaped).
fn is_escaped(user: &[u8]) -> bool {
    user.split(|b| *b == b'%')
        .skip(1)
        .all(|rest| rest.get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

/// A display name as it can stand between quotes (RFC 3261 §25.1, quoted-string): from the inside of one, or from words.
/// Quotes and backslashes in it are escaped, and controls are left out.
pub(super) fn shown(display: &[u8]) -> Cow<'_, [u8]> {
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
