//! `bascule check --firewall`: every way that has to be open, for every region, out of the configuration.

use super::report::{print, table};
use bascule::config::{Loaded, RelaySettings};
use ipnet::IpNet;
use proxy_core::{Config, ListenerId, Owner, TargetId, Transport};
use std::collections::BTreeSet;

/// A way: which direction, our end, their end, protocol, and for what.
type Way = [String; 5];

pub(crate) fn show(loaded: &Loaded) {
    print("");
    table(&["way", "here", "there", "over", "for"], ways(loaded).into_iter());
}

fn ways(loaded: &Loaded) -> Vec<Way> {
    let config = &loaded.config;
    let mut ways = Vec::new();
    for (number, trunk) in (0..).zip(&config.trunks) {
        let owner = Owner::Trunk(proxy_core::TrunkId(number));
        neighbour(config, owner, &trunk.sources, &format!("trunk {}", trunk.name), &mut ways);
    }
    for (number, group) in (0..).zip(&config.groups) {
        let owner = Owner::Edge(proxy_core::GroupId(number));
        let region = config.regions.get(usize::from(group.region.0)).map_or("", |r| r.name.as_str());
        let who = format!("region {region}, edge group {}", group.name);
        neighbour(config, owner, &group.sources, &who, &mut ways);
    }
    if let Some(relay) = &loaded.settings.relay {
        media(relay, &mut ways);
    }
    if !config.named.is_empty() {
        let servers: Vec<String> = loaded.settings.dns.servers.iter().map(ToString::to_string).collect();
        let servers =
            if servers.is_empty() { "those of resolv.conf, port 53".to_owned() } else { servers.join(", ") };
        ways.push(way("out", "any", &servers, "udp, tcp", "names of neighbours"));
    }
    let hosts = loaded.settings.stir.iter().filter_map(|stir| stir.verify.as_ref()).flat_map(|v| &v.hosts);
    for host in hosts {
        ways.push(way("out", "any", &host.to_string(), "tcp", "certificates of callers"));
    }
    if let Some(delivery) = &loaded.settings.records.delivery {
        ways.push(way("out", "any", &delivery.url.to_string(), "tcp", "call records"));
    }
    if let Some(hep) = &loaded.settings.observe.hep {
        ways.push(way(
            "out",
            "any",
            &hep.to.to_string(),
            "udp or tcp, as [hep] says",
            "signalling, for a collector",
        ));
    }
    ways
}

fn way(direction: &str, here: &str, there: &str, over: &str, what: &str) -> Way {
    [direction, here, there, over, what].map(str::to_owned)
}

/// Whom a trunk or an edge group calls, and who calls from it.
fn neighbour(config: &Config, owner: Owner, sources: &[IpNet], who: &str, ways: &mut Vec<Way>) {
    let mut listeners = BTreeSet::new();
    let mut callers: Vec<(ListenerId, String)> = Vec::new();
    let targets = (0..).map(TargetId).filter_map(|id| config.target(id)).take(config.targets.len());
    for target in targets.filter(|target| target.owner == owner) {
        let peer = target.peer;
        listeners.insert(peer.listener);
        callers.push((peer.listener, peer.remote.ip().to_string()));
        called(config, peer.listener, &peer.remote.to_string(), who, ways);
    }
    for named in config.named.iter().filter(|named| named.owner == owner) {
        listeners.insert(named.listener);
        callers.push((named.listener, named.place.host.to_string()));
        called(config, named.listener, &named.place.to_string(), who, ways);
    }
    // Without a target any listener may be called; a stream may come to each that has the family.
    if listeners.is_empty() {
        listeners.extend((0..config.listeners.len()).filter_map(|n| u16::try_from(n).ok()).map(ListenerId));
    }
    for source in sources {
        for id in &listeners {
            let same = config.listener(*id).is_some_and(|l| l.bind.is_ipv4() == source.addr().is_ipv4());
            if same {
                callers.push((*id, source.to_string()));
            }
        }
    }
    for (id, from) in callers {
        let Some(listener) = config.listener(id) else { continue };
        let over = over(listener.transport);
        ways.push(way("in", &listener.bind.to_string(), &from, over, &format!("{who}: its requests")));
    }
}

fn called(config: &Config, id: ListenerId, to: &str, who: &str, ways: &mut Vec<Way>) {
    let Some(listener) = config.listener(id) else { return };
    // A stream is begun from whatever port is free.
    let from = if listener.transport.is_reliable() {
        listener.bind.ip().to_string()
    } else {
        listener.bind.to_string()
    };
    ways.push(way("out", &from, to, over(listener.transport), &format!("{who}: our requests, probes")));
}

fn over(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp | Transport::Tls => "tcp",
    }
}

/// Whoever is in a call says in its SDP where its media is: no list holds that.
fn media(relay: &RelaySettings, ways: &mut Vec<Way>) {
    for address in &relay.addresses {
        let here = format!("{address} port {}-{}", relay.first_port, relay.last_port);
        for direction in ["in", "out"] {
            ways.push(way(
                direction,
                &here,
                "media of carriers and of every region",
                "udp",
                "RTP and RTCP: what passes is decided packet by packet",
            ));
        }
    }
}
