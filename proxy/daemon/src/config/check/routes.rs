//! The number plan.

use super::Parts;
use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawConfig};
use proxy_core::{InboundRoute, OutboundRoute, SiteId, TrunkId};
use std::collections::BTreeMap;
use std::ops::Range;

pub(super) fn read(
    raw: &RawConfig,
    parts: &Parts<'_>,
    complaints: &mut Complaints,
) -> (Vec<InboundRoute>, Vec<OutboundRoute>) {
    let inbound = inbound(raw, parts, complaints);
    let outbound = outbound(raw, parts, complaints);
    if raw.route.inbound.is_empty() && raw.route.outbound.is_empty() {
        complaints
            .warn(0..0, "no [[route.inbound]] and no [[route.outbound]]: every call would be answered 404")
            .advise("add [[route.inbound]] with `site = \"…\"`; without `prefix` it takes every number");
    }
    (inbound, outbound)
}

fn inbound(raw: &RawConfig, parts: &Parts<'_>, complaints: &mut Complaints) -> Vec<InboundRoute> {
    let mut seen = BTreeMap::new();
    let mut compiled = Vec::new();
    for section in &raw.route.inbound {
        let route = section.get_ref();
        let trunk = route.trunk.as_ref().map(|t| parts.trunks.find(t, complaints));
        let prefix = prefix(&route.prefix, complaints);
        let site = match &route.site {
            Some(site) => parts.sites.find(site, complaints),
            None => {
                complaints.missing(section.span(), "this [[route.inbound]]", "site", "\"main\"");
                None
            }
        };
        twice(&mut seen, (trunk, prefix.clone()), section.span(), complaints);
        let trunk = trunk.map(|t| TrunkId(t.unwrap_or(0)));
        compiled.push(InboundRoute { trunk, prefix, site: SiteId(site.unwrap_or(0)) });
    }
    compiled
}

fn outbound(raw: &RawConfig, parts: &Parts<'_>, complaints: &mut Complaints) -> Vec<OutboundRoute> {
    let mut seen = BTreeMap::new();
    let mut compiled = Vec::new();
    for section in &raw.route.outbound {
        let route = section.get_ref();
        let site = route.site.as_ref().map(|s| parts.sites.find(s, complaints));
        let prefix = prefix(&route.prefix, complaints);
        let wanted = route.trunks.as_ref().map_or(&[][..], |t| t.get_ref().as_slice());
        if wanted.is_empty() && !complaints.was_removed(&section.span(), "trunks") {
            complaints.missing(section.span(), "this [[route.outbound]]", "trunks", "[\"some-trunk\"]");
        }
        let trunks: Vec<_> =
            wanted.iter().filter_map(|t| Some((t, parts.trunks.find(t, complaints)?))).collect();
        for (written, trunk) in &trunks {
            if raw.trunk.get(usize::from(*trunk)).is_some_and(|t| t.get_ref().targets.is_empty()) {
                complaints
                    .error(written.span(), format!("trunk `{}` has no targets", written.get_ref()))
                    .at("calls cannot be sent to it")
                    .advise("add `targets = [{ address = \"192.0.2.2:5060\" }]` to the trunk");
            }
        }
        twice(&mut seen, (site, prefix.clone()), section.span(), complaints);
        let trunks = trunks.into_iter().map(|(_, t)| TrunkId(t)).collect();
        compiled.push(OutboundRoute { site: site.map(|s| SiteId(s.unwrap_or(0))), prefix, trunks });
    }
    compiled
}

/// Digits with an optional leading `+`, or a service of RFC 5031.
fn prefix(written: &Maybe<String>, complaints: &mut Complaints) -> String {
    let Some(written) = written else { return String::new() };
    let text = written.get_ref();
    if !is_prefix(text) && !is_service(text) {
        complaints.error(written.span(), format!("`{text}` is not a number prefix")).advise(
            "write digits with an optional leading `+`, such as \"+4930\"; leave it out to match everything",
        );
    }
    text.clone()
}

/// `urn:service:sos` and its kin.
fn is_service(text: &str) -> bool {
    text.strip_prefix("urn:service:")
        .is_some_and(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b"-.".contains(&b)))
}

pub(super) fn is_prefix(text: &str) -> bool {
    text.strip_prefix('+').unwrap_or(text).chars().all(|c| c.is_ascii_digit())
}

type Key = (Option<Option<u16>>, String);

fn twice(seen: &mut BTreeMap<Key, Range<usize>>, key: Key, span: Range<usize>, complaints: &mut Complaints) {
    if let Some(first) = seen.get(&key) {
        complaints
            .error(span, format!("a second route for prefix \"{}\"", key.1))
            .at("can never be used")
            .see(first.clone(), "this one comes first")
            .advise("remove one of them, or make its prefix longer");
    } else {
        seen.insert(key, span);
    }
}
