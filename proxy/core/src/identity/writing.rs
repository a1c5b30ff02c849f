//! The identity as a neighbour is told it.

use super::words::{address, unmarked};
use super::{
    ASSERTED, CHARGING, DATE, DISPLAY, FURTHER, HostPart, Identity, Marking, PRIORITY, PRIVACY,
    PrivacyService, Profile, SIGNED, UUI,
};
use crate::face::{Aim, Face};
use sip_wire::{Builder, HeaderName};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Whoever does not want to be named (RFC 3323 §4.1.1.3).
const ANONYMOUS: &[u8] = b"anonymous";

/// The host parts of a message: where it comes from, and where it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hosting<'a> {
    pub(super) ours: &'a [u8],
    pub(super) theirs: &'a [u8],
}

impl<'a> Hosting<'a> {
    /// From a listener to a target.
    pub(crate) fn new(face: &'a Face, aim: &'a Aim) -> Self {
        Self { ours: &face.host, theirs: &aim.host }
    }

    fn part(&self, which: &'a HostPart) -> &'a [u8] {
        match which {
            HostPart::Ours => self.ours,
            HostPart::Theirs => self.theirs,
            HostPart::Named(name) => name.as_bytes(),
        }
    }
}

impl Identity {
    /// Request URI for a target at `host_port`. A service is called by its name alone: whoever is asked knows where it is.
    pub(crate) fn request_uri(&self, host_port: &[u8], to: &Profile) -> SmallVec<[u8; 64]> {
        request_uri(self.called(), host_port, to)
    }

    /// Writes who calls whom: From, To, what is asserted, Privacy, diversions, signatures, priority, and what else the
    /// profile names.
    pub(crate) fn write(&self, out: &mut Builder, tag: &[u8], hosting: &Hosting<'_>, to: &Profile) {
        let privacy = self.privacy();
        let served = to.privacy == PrivacyService::Us;
        let caller = self.caller(to);
        self.write_from(out, tag, hosting, to, caller.filter(|_| !(served && privacy.hides_caller())));
        let called = marked(self.called(), to);
        let called = to.plan.written(&to.numbers.called, &called);
        let (scheme, at, host) = address(&called, hosting.part(&to.hosts.called));
        out.parts(HeaderName::To, &[b"<", scheme, &called, at, host, b">"]);
        let told = to.trusted || !privacy.hides_assertion();
        if told {
            self.write_asserted(out, hosting, to, caller);
        }
        match to.privacy {
            PrivacyService::Next => self.write_lines(out, PRIVACY, HeaderName::Privacy),
            PrivacyService::Us => {
                let left = privacy.left(told);
                if !left.is_empty() {
                    out.header(HeaderName::Privacy, &left);
                }
            }
        }
        self.write_diversions(out, hosting, to);
        if to.passports {
            self.write_lines(out, SIGNED, HeaderName::Identity);
        }
        self.write_lines(out, PRIORITY, HeaderName::ResourcePriority);
        if to.passports {
            self.write_lines(out, DATE, HeaderName::Date);
        }
        if to.charging {
            self.write_lines(out, CHARGING, HeaderName::PChargingVector);
        }
        if to.uui {
            self.write_lines(out, UUI, HeaderName::UserToUser);
        }
        self.write_further(out, to);
    }

    /// The number that may be shown as the caller's: the caller's own, or the one that stands for all that may not be.
    /// `None`: there is nothing to be shown.
    pub(super) fn caller<'a>(&'a self, to: &'a Profile) -> Option<&'a [u8]> {
        let calling = self.calling();
        if calling.is_empty() || calling.eq_ignore_ascii_case(ANONYMOUS) || to.may_present(calling) {
            return Some(calling);
        }
        to.default_caller.as_deref().map(str::as_bytes)
    }

    fn write_from(
        &self,
        out: &mut Builder,
        tag: &[u8],
        hosting: &Hosting<'_>,
        to: &Profile,
        caller: Option<&[u8]>,
    ) {
        let Some(caller) = caller else {
            out.parts(HeaderName::From, &[b"\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=", tag]);
            return;
        };
        let display = self.0.get(DISPLAY);
        let quote: (&[u8], &[u8]) = if display.is_empty() { (b"", b"") } else { (b"\"", b"\" ") };
        let caller = marked(caller, to);
        let caller = to.plan.written(&to.numbers.calling, &caller);
        let (scheme, at, host) = address(&caller, hosting.part(&to.hosts.calling));
        out.parts(
            HeaderName::From,
            &[quote.0, display, quote.1, b"<", scheme, &caller, at, host, b">;tag=", tag],
        );
    }

    /// Names the caller in the headers that the profile wants.
    fn write_asserted(&self, out: &mut Builder, hosting: &Hosting<'_>, to: &Profile, caller: Option<&[u8]>) {
        let own = self.0.get(ASSERTED);
        let named = match (own.is_empty(), to.asserts.always) {
            (false, _) if to.may_present(own) => Some(own),
            (false, _) => to.default_caller.as_deref().map(str::as_bytes),
            (true, true) => {
                caller.filter(|caller| !caller.is_empty() && !caller.eq_ignore_ascii_case(ANONYMOUS))
            }
            (true, false) => None,
        };
        let Some(named) = named else { return };
        let user = to.plan.written(&to.numbers.asserted, named);
        let host = hosting.part(&to.hosts.asserted);
        let uri: [&[u8]; 5] = [b"<sip:", &user, b"@", host, b">"];
        if to.asserts.asserted {
            out.parts(HeaderName::PAssertedIdentity, &uri);
        }
        if to.asserts.preferred {
            out.parts(HeaderName::PPreferredIdentity, &uri);
        }
        if to.asserts.remote_party {
            let hidden = self.privacy().hides_caller();
            let privacy: &[u8] = if hidden { b";privacy=full" } else { b";privacy=off" };
            let [a, b, c, d, e] = uri;
            out.parts(HeaderName::RemotePartyId, &[a, b, c, d, e, b";party=calling;screen=yes", privacy]);
        }
    }

    /// The values of a place, each on a line.
    pub(super) fn write_lines(&self, out: &mut Builder, place: usize, name: HeaderName) {
        let values = self.0.get(place);
        if values.is_empty() {
            return;
        }
        for value in values.split(|b| *b == b'\n').filter(|value| !value.is_empty()) {
            out.header(name, value);
        }
    }

    fn write_further(&self, out: &mut Builder, to: &Profile) {
        if to.sends.is_empty() {
            return;
        }
        for line in self.0.get(FURTHER).split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let (name, value) = line.split_at(line.iter().position(|b| *b == b':').unwrap_or(line.len()));
            if to.sends.iter().any(|wanted| wanted.as_bytes().eq_ignore_ascii_case(name)) {
                out.other(name, value.get(2..).unwrap_or_default());
            }
        }
    }

    /// Our Contact, which names the trunk group that the call comes from where the profile wants that (RFC 4904 §5).
    pub(crate) fn contact<'a>(&self, contact: &'a [u8], to: &Profile) -> Cow<'a, [u8]> {
        let Marking::Put { group, context, in_contact: true } = &to.marking else {
            return Cow::Borrowed(contact);
        };
        let caller = self.caller(to).unwrap_or(ANONYMOUS);
        let caller = to.plan.written(&to.numbers.calling, caller);
        let Some(rest) = contact.strip_prefix(b"<sip:") else { return Cow::Borrowed(contact) };
        let mut out = b"<sip:".to_vec();
        put_marked(&mut out, &caller, group, context);
        out.push(b'@');
        out.extend_from_slice(rest);
        Cow::Owned(out)
    }
}

/// Request URI for a user, number or service at `host_port`, as the profile writes and marks it.
pub(crate) fn request_uri(called: &[u8], host_port: &[u8], to: &Profile) -> SmallVec<[u8; 64]> {
    let user = to.plan.written(&to.numbers.called, called);
    let (scheme, at, host) = address(&user, host_port);
    let mut uri: SmallVec<[u8; 64]> = SmallVec::from_slice(scheme);
    match &to.marking {
        Marking::Put { group, context, .. } if !at.is_empty() => {
            let mut marked = Vec::new();
            put_marked(&mut marked, &user, group, context);
            uri.extend_from_slice(&marked);
        }
        Marking::Removed | Marking::Put { .. } => uri.extend_from_slice(&unmarked(&user)),
        Marking::AsSaid => uri.extend_from_slice(&user),
    }
    uri.extend_from_slice(at);
    uri.extend_from_slice(host);
    uri
}

/// A user part of From or To: with the trunk group that was said, or with none (RFC 4904 §5 has it in the request URI and in
/// Contact alone).
fn marked<'a>(user: &'a [u8], to: &Profile) -> Cow<'a, [u8]> {
    if to.marking == Marking::AsSaid || !user.contains(&b';') {
        return Cow::Borrowed(user);
    }
    Cow::Owned(unmarked(user).into_vec())
}

/// A user part with this trunk group, and no other.
fn put_marked(out: &mut Vec<u8>, user: &[u8], group: &str, context: &str) {
    out.extend_from_slice(&unmarked(user));
    out.extend_from_slice(b";tgrp=");
    out.extend_from_slice(group.as_bytes());
    out.extend_from_slice(b";trunk-context=");
    out.extend_from_slice(context.as_bytes());
}
