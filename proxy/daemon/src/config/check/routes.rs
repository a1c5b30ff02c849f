//! The number plan.

use super::Parts;
use super::policy::ranged;
use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawConfig, RawTrunkChoice};
use proxy_core::{InboundRoute, OutboundRoute, SiteId, TrunkChoice, TrunkId};
use serde_spanned::Spanned;
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
        let trunks: Vec<_> = wanted.iter().filter_map(|written| choice(written, parts, complaints)).collect();
        for (written, chosen) in &trunks {
            if raw.trunk.get(chosen.trunk.index()).is_some_and(|t| t.get_ref().targets.is_empty()) {
                complaints
                    .error(written.span(), format!("trunk `{}` has no targets", written.get_ref()))
                    .at("calls cannot be sent to it")
                    .advise("add `targets = [{ address = \"192.0.2.2:5060\" }]` to the trunk");
            }
        }
        twice(&mut seen, (site, prefix.clone()), section.span(), complaints);
        let trunks = placed(&trunks, section.span(), complaints);
        compiled.push(OutboundRoute { site: site.map(|s| SiteId(s.unwrap_or(0))), prefix, trunks });
    }
    compiled
}

/// One of a route's trunks; its cost is its own, if it has one.
struct Chosen {
    trunk: TrunkId,
    cost: Option<u16>,
    weight: u16,
}

fn choice(
    written: &Spanned<RawTrunkChoice>,
    parts: &Parts<'_>,
    complaints: &mut Complaints,
) -> Option<(Spanned<String>, Chosen)> {
    let (name, cost, weight) = match written.get_ref() {
        RawTrunkChoice::Ranked(name) => (name, None, None),
        RawTrunkChoice::Priced(priced) => (&priced.trunk, Some(priced.cost), priced.weight),
    };
    let name = Spanned::new(written.span(), name.clone());
    let mut number = |n: i64, what: &str| {
        let ranged = ranged(&Spanned::new(written.span(), n), 0, 65_535, what, complaints);
        u16::try_from(ranged).unwrap_or(u16::MAX)
    };
    let cost = cost.map(|cost| number(cost, "`cost`"));
    let weight = weight.map_or(1, |weight| number(weight, "`weight`"));
    let trunk = TrunkId(parts.trunks.find(&name, complaints)?);
    Some((name, Chosen { trunk, cost, weight }))
}

/// Each in its place: by cost, or as they are listed.
fn placed(
    trunks: &[(Spanned<String>, Chosen)],
    section: Range<usize>,
    complaints: &mut Complaints,
) -> Vec<TrunkChoice> {
    let priced = trunks.iter().filter(|(_, chosen)| chosen.cost.is_some()).count();
    if priced != 0 && priced != trunks.len() {
        complaints
            .error(section.clone(), "some of the trunks of this route have a cost and some have none")
            .advise("give each a cost, or list them best first without");
    }
    let mut seen: Vec<TrunkId> = Vec::new();
    for (written, chosen) in trunks {
        if seen.contains(&chosen.trunk) {
            complaints
                .error(written.span(), format!("this route names trunk `{}` twice", written.get_ref()))
                .advise("name it once");
        }
        seen.push(chosen.trunk);
    }
    (0..)
        .zip(trunks)
        .map(|(listed, (_, chosen))| TrunkChoice {
            trunk: chosen.trunk,
            cost: chosen.cost.unwrap_or(listed),
            weight: chosen.weight,
        })
        .collect()
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
