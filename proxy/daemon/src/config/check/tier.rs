//! The tier: edge groups and sites.

use super::names::{number, target_name};
use super::policy::{latching, manners, probe, weight};
use super::{Parts, authentication, codes, correlation, identity};
use crate::config::complaint::Complaints;
use crate::config::raw::{RawConfig, RawTarget};
use crate::config::words::Whereabouts;
use proxy_core::{
    EdgeGroup, GroupId, ListenerId, NamedTarget, Owner, ProbePolicy, RegionId, Site, Target, TargetId,
};
use serde_spanned::Spanned;
use std::collections::BTreeSet;
use std::ops::Range;

pub(super) fn groups(
    raw: &RawConfig,
    default_probe: ProbePolicy,
    parts: &mut Parts<'_>,
    complaints: &mut Complaints,
) -> Vec<EdgeGroup> {
    let mut compiled = Vec::new();
    let names: Vec<_> = parts.groups.all().collect();
    for (i, (section, name)) in raw.edge_group.iter().zip(names).enumerate() {
        let group = section.get_ref();
        let region = match &group.region {
            Some(region) => parts.regions.find(region, complaints),
            None => {
                complaints.missing(section.span(), "this [[edge_group]]", "region", "\"north\"");
                None
            }
        };
        let listener =
            parts.listeners.choose(&group.listener, section.span(), "this [[edge_group]]", complaints);
        let probe = probe(group.probe.as_ref(), default_probe, complaints);
        let edges = group.edges.as_ref().map_or(&[][..], |e| e.get_ref().as_slice());
        if edges.is_empty() && !complaints.was_removed(&section.span(), "edges") {
            let at = group.edges.as_ref().map_or(section.span(), Spanned::span);
            complaints
                .error(at, format!("edge group `{name}` has no edges"))
                .advise("add `edges = [{ address = \"192.0.2.11:5060\" }]`, or remove the group");
        }
        let owner = Owner::Edge(GroupId(number(i)));
        let edges = targets(edges, &name, owner, listener, probe, parts, complaints, section.span());
        let profile = identity::chosen(&group.identity, &parts.profiles, complaints);
        let codes = codes::read(&group.codes, &mut parts.codes, complaints);
        let mut manners = manners(group.redirect, group.refer, group.offer_100rel, (profile, codes));
        manners.accounts = authentication::accounts(&group.auth, &mut parts.authentication, complaints);
        compiled.push(EdgeGroup {
            name,
            region: RegionId(region.unwrap_or(0)),
            edges,
            sources: group.sources.iter().map(|s| s.get_ref().0).collect(),
            latching: latching(group.latching),
            manners,
        });
    }
    unused_regions(raw, &compiled, complaints);
    compiled
}

/// Number the targets of one group or trunk.
#[expect(
    clippy::too_many_arguments,
    reason = "one call for each of two kinds of owner; a struct would be used once"
)]
pub(super) fn targets(
    list: &[Spanned<RawTarget>],
    owner_name: &str,
    owner: Owner,
    listener: Option<ListenerId>,
    probe: Option<ProbePolicy>,
    parts: &mut Parts<'_>,
    complaints: &mut Complaints,
    section: Range<usize>,
) -> Vec<TargetId> {
    let mut ids = Vec::new();
    let (mut written, mut chosen) = (0_u32, 0_u32);
    for (place, entry) in list.iter().enumerate() {
        let raw = entry.get_ref();
        let Some(address) = &raw.address else {
            complaints.missing(entry.span(), "this target", "address", "\"192.0.2.11:5060\"");
            continue;
        };
        let name = target_name(owner_name, place, raw);
        parts.target_names.push((name.clone(), entry.span()));
        let weight = weight(&raw.weight, complaints);
        match address.get_ref() {
            Whereabouts::Address(at) => {
                let peer = parts.listeners.peer(listener, *at, address.span(), complaints);
                ids.push(TargetId(number(parts.targets.len())));
                parts.targets.push(Target { name, owner, peer, rank: 0, weight, probe });
            }
            Whereabouts::Name(host, port) => {
                let place = parts.listeners.place(listener, host.clone(), *port);
                let listener = listener.unwrap_or(ListenerId(0));
                parts.named.push(NamedTarget { name, owner, place, listener, weight, probe });
            }
            Whereabouts::Neither(text, why) => {
                complaints
                    .error(address.span(), format!("`{text}` is neither an address nor a host name"))
                    .at(why.to_string())
                    .advise("write an address such as \"192.0.2.1:5060\" or \"[2001:db8::1]:5060\", or a name such as \"sip.example.com\"");
                continue;
            }
        }
        chosen += u32::from(weight);
        written += 1;
    }
    if written > 0 && chosen == 0 {
        complaints
            .error(
                section,
                format!("every target of `{owner_name}` has weight 0, so none would ever be chosen"),
            )
            .advise("give at least one of them a weight of 1 or more");
    }
    ids
}

fn unused_regions(raw: &RawConfig, groups: &[EdgeGroup], complaints: &mut Complaints) {
    for (i, region) in raw.region.iter().enumerate() {
        let used = groups.iter().any(|g| g.region.0 == number(i));
        let Some(name) = &region.get_ref().name else { continue };
        let namesake = raw.region.iter().take(i).filter_map(|r| r.get_ref().name.as_ref());
        if !used && !namesake.map(Spanned::get_ref).any(|n| n == name.get_ref()) {
            complaints
                .warn(name.span(), format!("no edge group is in region `{}`", name.get_ref()))
                .advise("add an [[edge_group]] to it, or remove the region");
        }
    }
}

pub(super) fn sites(
    raw: &RawConfig,
    groups: &[EdgeGroup],
    parts: &Parts<'_>,
    complaints: &mut Complaints,
) -> Vec<Site> {
    let mut compiled = Vec::new();
    for (section, name) in raw.site.iter().zip(parts.sites.all()) {
        let listed = section.get_ref().groups.as_ref();
        let wanted = listed.map_or(&[][..], |g| g.get_ref().as_slice());
        let found: Vec<_> =
            wanted.iter().filter_map(|g| parts.groups.find(g, complaints)).map(GroupId).collect();
        let at = listed.map_or(section.span(), Spanned::span);
        if wanted.is_empty() && !complaints.was_removed(&section.span(), "groups") {
            complaints
                .error(at, format!("site `{name}` has no edge groups"))
                .advise("add `groups = [\"first-choice\", \"second-choice\"]`");
        } else if found.len() == wanted.len() {
            let regions: BTreeSet<_> =
                found.iter().filter_map(|g| groups.get(g.index())).map(|g| g.region).collect();
            if found.iter().collect::<BTreeSet<_>>().len() < found.len() {
                complaints
                    .error(at, format!("site `{name}` names an edge group twice"))
                    .advise("name it once");
            } else if regions.len() == 1 {
                complaints
                    .warn(at, format!("every edge group of site `{name}` is in one region"))
                    .at("when it dies, this site has nowhere to go")
                    .advise("add an edge group of another region as the second choice");
            }
        }
        let correlation = correlation::read(&section.get_ref().correlation, complaints);
        compiled.push(Site { name, groups: found, correlation });
    }
    let used: BTreeSet<_> = compiled.iter().flat_map(|s| s.groups.iter().map(|g| g.index())).collect();
    for (i, group) in raw.edge_group.iter().enumerate() {
        if let (false, Some(name)) = (used.contains(&i), &group.get_ref().name) {
            complaints
                .warn(name.span(), format!("no site uses edge group `{}`", name.get_ref()))
                .advise("name it in a [[site]]'s `groups`, or remove it");
        }
    }
    compiled
}
