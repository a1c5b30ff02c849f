//! Who calls whom is the same in every INVITE that the tier gets for a call: numbers, display name, asserted identity,
//! privacy, diversion. A call that the tier began is offered to it again the other way round.

use super::Complaints;
use super::seen::Seen;
use super::topology::side_of;
use crate::agent::Side;
use sip_wire::{HeaderName, Message, Uri};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Identity(BTreeMap<usize, Parts>);

/// Calling and called user, and everything else that may not change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    calling: String,
    called: String,
    rest: Option<Vec<String>>,
}

impl Identity {
    pub(super) fn received(&mut self, seen: &Seen<'_>) {
        let tier = side_of(seen.peer) == Some(Side::Tier);
        if let Some(call) = seen.call.filter(|_| tier && seen.begins() && seen.is_invite()) {
            let parts = read(seen.message);
            let turned = Parts { calling: parts.called, called: parts.calling, rest: None };
            self.0.entry(call).or_insert(turned);
        }
    }

    pub(super) fn sent(&mut self, seen: &Seen<'_>, complaints: &mut Complaints) {
        let tier = side_of(seen.peer) == Some(Side::Tier);
        let Some(call) = seen.call.filter(|_| tier && seen.begins() && seen.is_invite()) else { return };
        let parts = read(seen.message);
        let first = self.0.entry(call).or_insert_with(|| parts.clone());
        let same = first.rest.is_none() || first.rest == parts.rest;
        if (&first.calling, &first.called) != (&parts.calling, &parts.called) || !same {
            let text = format!("{} says {parts:?}, before it was {first:?}", seen.line());
            complaints.add(seen.at, seen.call, "identity", text);
        }
    }
}

fn read(invite: &Message) -> Parts {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let user = |uri: &[u8]| Uri::parse(uri).ok().and_then(|uri| uri.user).map(text).unwrap_or_default();
    let from = invite.from().ok();
    let display = from.as_ref().and_then(|from| from.display).map(text).unwrap_or_default();
    let names =
        [HeaderName::PAssertedIdentity, HeaderName::Privacy, HeaderName::Diversion, HeaderName::Identity];
    let rest = names.into_iter().flat_map(|name| invite.lines(name).map(text).collect::<Vec<_>>());
    Parts {
        calling: from.map(|from| user(from.uri)).unwrap_or_default(),
        called: user(invite.uri()),
        rest: Some(std::iter::once(display).chain(rest).collect()),
    }
}
