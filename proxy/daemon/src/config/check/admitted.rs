//! Whether a call gets through whichever way it goes: neighbours keep lists of addresses, and what is missing there is
//! noticed at the moment of a failover, as a refused call or as one-way audio.

use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawAdmits, RawConfig, RawEdgeGroup};
use crate::config::words::Source;
use ipnet::IpNet;
use proxy_core::{Config, GroupId, ListenerId, MediaMode, Owner, TrunkId};
use serde_spanned::Spanned;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;

/// Warns of everything of ours, and of every region's, that a neighbour's list leaves out, and of what the edge groups of
/// a site do not have in common.
pub(super) fn warn(raw: &RawConfig, config: &Config, complaints: &mut Complaints) {
    for ((id, trunk), section) in (0..).map(TrunkId).zip(&config.trunks).zip(&raw.trunk) {
        let who = format!("trunk `{}`", trunk.name);
        listed(&section.get_ref().admits, &who, Owner::Trunk(id), config, complaints);
        if config.media.mode == MediaMode::Bypass {
            regions_media(&section.get_ref().admits, &who, raw, complaints);
        }
    }
    for ((id, group), section) in (0..).map(GroupId).zip(&config.groups).zip(&raw.edge_group) {
        let who = format!("edge group `{}`", group.name);
        listed(&section.get_ref().admits, &who, Owner::Edge(id), config, complaints);
    }
    for (section, site) in raw.site.iter().zip(&config.sites) {
        let at = section.get_ref().groups.as_ref().map_or(section.span(), Spanned::span);
        let groups: Vec<_> = site
            .groups
            .iter()
            .filter_map(|id| {
                Some((raw.edge_group.get(id.index())?.get_ref(), config.groups.get(id.index())?))
            })
            .collect();
        let mut regions = BTreeSet::new();
        let several = groups.iter().map(|(_, group)| group.region).collect::<BTreeSet<_>>().len() > 1;
        for (_, group) in &groups {
            // Where there is only one region, that has been said.
            if !regions.insert(group.region) && several {
                let region = config.regions.get(usize::from(group.region.0)).map_or("", |r| r.name.as_str());
                complaints
                    .warn(
                        at.clone(),
                        format!("site `{}` has a second edge group in region `{region}`", site.name),
                    )
                    .at(format!("`{}` dies with the first", group.name))
                    .advise(
                        "make one group of them, with weights, or put one of them into a region of its own",
                    );
            }
        }
        let written: Vec<_> = groups.iter().map(|(raw, _)| *raw).collect();
        codecs(&written, complaints);
        credentials(&written, at, complaints);
    }
    unprobed_names(raw, config, complaints);
}

/// A group that would challenge us is challenged back by nobody at the moment of a failover, unless we have its credentials.
fn credentials(groups: &[&RawEdgeGroup], at: Range<usize>, complaints: &mut Complaints) {
    let Some(with) = groups.iter().find(|group| !group.auth.is_empty()) else { return };
    for without in groups.iter().filter(|group| group.auth.is_empty()) {
        complaints
            .warn(
                at.clone(),
                format!(
                    "there are credentials for edge group `{}` of this site and none for `{}`",
                    text(&with.name),
                    text(&without.name)
                ),
            )
            .at("a call that goes there is refused if it is challenged")
            .advise("give each of them its `auth`");
    }
}

/// Health leaves an address at once, a name server when its TTL has passed.
fn unprobed_names(raw: &RawConfig, config: &Config, complaints: &mut Complaints) {
    for named in config.named.iter().filter(|named| named.probe.is_none()) {
        let section = match named.owner {
            Owner::Edge(group) => raw.edge_group.get(group.index()).map(Spanned::span),
            Owner::Trunk(trunk) => raw.trunk.get(trunk.index()).map(Spanned::span),
        };
        complaints
            .warn(section.unwrap_or(0..0), format!("`{}` is configured by name and not probed", named.name))
            .at("an address that has died is tried for as long as the name's TTL lasts")
            .advise("leave probing on: every address of a name is probed by itself");
    }
}

fn text(name: &Maybe<String>) -> String {
    name.as_ref().map_or(String::new(), |name| name.get_ref().clone())
}

/// Our own addresses, as this neighbour sees them.
fn listed(admits: &Maybe<RawAdmits>, who: &str, owner: Owner, config: &Config, complaints: &mut Complaints) {
    let Some(admits) = admits else { return };
    let lists = admits.get_ref();
    let targets = config.targets.iter().map(|target| (target.owner, target.peer.listener));
    let named = config.named.iter().map(|named| (named.owner, named.listener));
    let own = targets.chain(named).filter(|(of, _)| *of == owner);
    let listeners: BTreeSet<ListenerId> = own.map(|(_, listener)| listener).collect();
    for listener in listeners.iter().filter_map(|id| config.listener(*id)) {
        let ours = listener.advertised.ip();
        if !lists.signalling.is_empty() && !holds(&lists.signalling, ours.into()) {
            complaints
                .warn(admits.span(), format!("{who} does not admit {ours}, from which it is called"))
                .at(format!("listener `{}` is seen there as {}", listener.name, listener.advertised))
                .advise("have the address listed there, then add it to `signalling`");
        }
    }
    let seen = |own: Option<IpAddr>, advertised: Option<IpAddr>| advertised.or(own);
    let media = [
        seen(config.media.v4, config.media.advertised_v4),
        seen(config.media.v6, config.media.advertised_v6),
    ];
    let relayed = config.media.mode == MediaMode::Relay && !lists.media.is_empty();
    for ours in media.into_iter().flatten().filter(|ours| relayed && !holds(&lists.media, (*ours).into())) {
        // A neighbour of one family is never offered the other.
        let same_family = lists.media.iter().any(|net| net.get_ref().0.addr().is_ipv4() == ours.is_ipv4());
        if same_family {
            complaints
                .warn(admits.span(), format!("{who} does not admit media from {ours}"))
                .at("it would be heard nowhere: one-way audio")
                .advise("have the address listed there, then add it to `media`");
        }
    }
}

/// Where media bypasses us the carrier hears the regions themselves.
fn regions_media(admits: &Maybe<RawAdmits>, who: &str, raw: &RawConfig, complaints: &mut Complaints) {
    let Some(admits) = admits.as_ref().filter(|admits| !admits.get_ref().media.is_empty()) else { return };
    for group in raw.edge_group.iter().map(Spanned::get_ref) {
        for net in group.media.iter().filter(|net| !holds(&admits.get_ref().media, net.get_ref().0)) {
            complaints
                .warn(
                    admits.span(),
                    format!(
                        "{who} does not admit the media of region `{}` ({})",
                        text(&group.region),
                        net.get_ref().0
                    ),
                )
                .at("one-way audio the moment a call goes there")
                .see(net.span(), format!("edge group `{}`", text(&group.name)))
                .advise("have the range listed there, then add it to `media`");
        }
    }
}

/// The groups of a site that say what their media takes have to say the same.
fn codecs(groups: &[&RawEdgeGroup], complaints: &mut Complaints) {
    let words = |group: &RawEdgeGroup| -> Option<BTreeSet<String>> {
        let list = group.codecs.as_ref()?;
        Some(list.get_ref().iter().map(|codec| codec.get_ref().to_ascii_lowercase()).collect())
    };
    let Some((first, known)) = groups.iter().find_map(|group| Some((*group, words(group)?))) else { return };
    for group in groups {
        let (Some(list), Some(other)) = (&group.codecs, words(group)) else { continue };
        let missing: Vec<_> = known.symmetric_difference(&other).cloned().collect();
        if !missing.is_empty() {
            complaints
                .warn(
                    list.span(),
                    format!("not the codecs of its fellow at the same site: {}", missing.join(", ")),
                )
                .at("a call that comes here has to change its codec, or fails")
                .see(first.codecs.as_ref().map_or(0..0, Spanned::span), "the first group's")
                .advise("give the regions the same codecs");
        }
    }
}

fn holds(list: &[Spanned<Source>], net: IpNet) -> bool {
    list.iter().any(|listed| listed.get_ref().0.contains(&net))
}
