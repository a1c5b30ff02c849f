//! Who calls whom: the call's canonical identity, taken at admission and written for each leg from that alone.
//!
//! ```text
//!  INVITE of the A-leg ──Identity::take, profile of its source──▶ Identity ──Identity::write, profile of the target──▶ INVITE
//! ```
//!
//! Nothing is copied from one leg to the other that is not named here. A [`Profile`] says what a neighbour is believed and
//! how it is told; what a carrier sees is a function of the identity and that profile, whichever region the call is in.

mod comparing;
mod diversion;
mod number;
mod privacy;
mod profile;
#[cfg(test)]
mod tests;
mod turning;
mod vouching;
mod words;
mod writing;

pub use comparing::identity_differences;
pub use number::{NumberFormat, NumberPlan, NumberStyle};
pub use profile::{Asserts, Diversions, HostPart, Hosts, Marking, Numbers, PrivacyService, Profile};
pub(crate) use words::{is_priority, is_safe, is_sos};
pub(crate) use writing::{Hosting, request_uri};

use crate::limits::{MAX_PASSED, MAX_USER};
use crate::packed::Packed;
use privacy::Privacy;
use sip_wire::{Defect, HeaderName, Message, NameAddr, Scheme, Uri};
use std::borrow::Cow;
use words::{is_on_one_line, is_service, passed, shown, unverified, user_of};

/// The identity of a call, taken at admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity(Packed<PLACES>);

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
const HISTORY: usize = 9;
const CHARGING: usize = 10;
const UUI: usize = 11;
/// Further header fields, each as `name: value` and a line feed.
const FURTHER: usize = 12;
const PLACES: usize = 13;

/// What a source has to be believed for (RFC 3325 §5 and its like): from anybody else it goes no further.
const ASSERTIONS: [HeaderName; 6] = [
    HeaderName::PAssertedIdentity,
    HeaderName::PPreferredIdentity,
    HeaderName::RemotePartyId,
    HeaderName::Diversion,
    HeaderName::HistoryInfo,
    HeaderName::PChargingVector,
];

/// Whether an INVITE asserts what its source is not believed.
pub(crate) fn is_disbelieved(invite: &Message, source: &Profile) -> bool {
    !source.trusts && ASSERTIONS.into_iter().any(|name| invite.values(name).next().is_some())
}

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
    /// Takes the identity from an INVITE, as far as its source is believed.
    pub(crate) fn take(invite: &Message, source: &Profile) -> Result<Self, NoIdentity> {
        Self::take_for(invite, invite.uri(), source)
    }

    /// The same of one that calls another than its request URI says.
    pub(crate) fn take_for(invite: &Message, target: &[u8], source: &Profile) -> Result<Self, NoIdentity> {
        let from = invite.from()?;
        let uri = Uri::parse(target)?;
        let called = match uri.scheme {
            Scheme::Sip | Scheme::Sips | Scheme::Tel => uri.user.unwrap_or_default(),
            Scheme::Urn if is_service(target) => target,
            Scheme::Urn | Scheme::Other(_) => return Err(NoIdentity::Scheme),
        };
        if called.len() > MAX_USER {
            return Err(NoIdentity::TooLong);
        }
        if !is_safe(called) || (uri.scheme == Scheme::Tel && called.contains(&b':')) {
            return Err(NoIdentity::Malformed);
        }
        let number = |user| source.plan.canonical(user);
        let believed = |name| if source.trusts { passed(invite, name, |_| true) } else { Vec::new() };
        let privacy = privacy_of(invite);
        let display = shown(from.display.unwrap_or_default());
        let diversion = diversion::canonical(believed(HeaderName::Diversion), &source.plan);
        let history = diversion::canonical(believed(HeaderName::HistoryInfo), &source.plan);
        let charging = believed(HeaderName::PChargingVector);
        let signed = passed(invite, HeaderName::Identity, |_| true);
        let priority = passed(invite, HeaderName::ResourcePriority, is_priority);
        let uui = passed(invite, HeaderName::UserToUser, |_| true);
        // Who verifies a signature may have to know when it was made (RFC 8224 §4.1); nobody else needs it.
        let date = if signed.is_empty() { Vec::new() } else { passed(invite, HeaderName::Date, |_| true) };
        let calling = user_of(from.uri);
        let calling = if source.trusts { Cow::Borrowed(calling) } else { unverified(calling) };
        let asserted = if source.trusts { asserted(invite) } else { b"" };
        let (calling, called, asserted) = (number(&calling), number(called), number(asserted));
        let further = further(invite, source);
        let said: [&[u8]; PLACES] = [
            &calling, &display, &called, &asserted, &privacy, &diversion, &signed, &priority, &date,
            &history, &charging, &uui, &further,
        ];
        Ok(Self(Packed::of(said)))
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

    /// Whether the INVITE asked for priority in words that can be read (RFC 4412 §3.1).
    pub(crate) fn is_priority(&self) -> bool {
        !self.0.get(PRIORITY).is_empty()
    }

    /// What the caller wants withheld.
    fn privacy(&self) -> Privacy {
        Privacy::read(self.0.get(PRIVACY))
    }
}

/// What is to be withheld, in all lines that say so: a second one takes nothing back.
fn privacy_of(invite: &Message) -> Cow<'_, [u8]> {
    let mut lines = invite.lines(HeaderName::Privacy).map(sip_wire::unfold);
    let first = lines.next().unwrap_or_default();
    lines.fold(first, |all, line| Cow::Owned([&*all, b";", &*line].concat()))
}

/// The user that a trusted source says the caller is: P-Asserted-Identity, the older Remote-Party-ID, or what the caller
/// prefers (RFC 3325 §9). Empty when nobody says so.
fn asserted(invite: &Message) -> &[u8] {
    let user = |name: HeaderName| {
        let mut named = invite.values(name).filter_map(|value| NameAddr::parse(value).ok());
        let of_caller = |value: &NameAddr<'_>| {
            name != HeaderName::RemotePartyId
                || value.param(b"party").is_none_or(|party| party.eq_ignore_ascii_case(b"calling"))
        };
        named.find(of_caller).map(|value| user_of(value.uri)).filter(|user| !user.is_empty())
    };
    let names = [HeaderName::PAssertedIdentity, HeaderName::RemotePartyId, HeaderName::PPreferredIdentity];
    names.into_iter().find_map(user).unwrap_or_default()
}

/// The further headers that are taken from this source, as many as [`MAX_PASSED`] holds.
fn further(invite: &Message, source: &Profile) -> Vec<u8> {
    let mut all = Vec::new();
    for name in &source.takes {
        for value in invite.named(name.as_bytes()) {
            let value = sip_wire::unfold(value);
            let room = all.len() + name.len() + value.len() + 3 <= MAX_PASSED;
            if is_on_one_line(&value) && room {
                all.extend_from_slice(name.as_bytes());
                all.extend_from_slice(b": ");
                all.extend_from_slice(&value);
                all.push(b'\n');
            }
        }
    }
    all
}
