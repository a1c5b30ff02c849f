//! Who is who by source address: no address may mean two neighbours.

use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawConfig, RawTarget};
use crate::config::words::Whereabouts;
use ipnet::IpNet;
use serde_spanned::Spanned;
use std::collections::BTreeMap;
use std::ops::Range;

/// Whom a source means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner<'a> {
    Trunk(&'a str),
    Group(&'a str),
}

impl Owner<'_> {
    fn say(self) -> String {
        match self {
            Owner::Trunk(name) => format!("trunk `{name}`"),
            Owner::Group(name) => format!("edge group `{name}`"),
        }
    }
}

/// Sources of equal length that overlap are equal. The longest prefix decides, so only these are in doubt.
pub(super) fn overlaps(raw: &RawConfig, complaints: &mut Complaints) {
    let mut seen: BTreeMap<IpNet, (Owner<'_>, Range<usize>)> = BTreeMap::new();
    // Who is known by certificates is known by no address, and may share one.
    let groups = raw.edge_group.iter().map(Spanned::get_ref).filter(|g| g.certificates.is_empty());
    for group in groups {
        let owner = Owner::Group(name(&group.name));
        let edges = group.edges.as_ref().map_or(&[][..], |e| e.get_ref().as_slice());
        let listed = group.sources.iter().map(|s| (s.get_ref().0, s.span()));
        for (net, span) in listed.chain(addresses(edges)) {
            claim(&mut seen, owner, net, span, complaints);
        }
    }
    for trunk in raw.trunk.iter().map(Spanned::get_ref).filter(|t| t.certificates.is_empty()) {
        let owner = Owner::Trunk(name(&trunk.name));
        let listed = trunk.sources.iter().map(|s| (s.get_ref().0, s.span()));
        for (net, span) in listed.chain(addresses(&trunk.targets)) {
            claim(&mut seen, owner, net, span, complaints);
        }
    }
}

fn claim<'a>(
    seen: &mut BTreeMap<IpNet, (Owner<'a>, Range<usize>)>,
    owner: Owner<'a>,
    net: IpNet,
    span: Range<usize>,
    complaints: &mut Complaints,
) {
    let net = net.trunc();
    let Some((other, first)) = seen.get(&net) else {
        seen.insert(net, (owner, span));
        return;
    };
    if *other == owner {
        return;
    }
    let message = format!("{net} is claimed by {} and by {}", other.say(), owner.say());
    let advice =
        "a source must mean one neighbour: use distinct addresses, or a longer prefix for one of them";
    // Two groups are at least both the tier: only the site of an outbound call is in doubt.
    let note = if matches!((owner, other), (Owner::Group(_), Owner::Group(_))) {
        complaints.warn(span, message)
    } else {
        complaints.error(span, message)
    };
    note.at("claimed again").see(first.clone(), "claimed first").advise(advice);
}

/// Every target's own address is a source of its owner.
fn addresses(targets: &[Spanned<RawTarget>]) -> impl Iterator<Item = (IpNet, Range<usize>)> + '_ {
    targets.iter().filter_map(|t| t.get_ref().address.as_ref()).filter_map(|a| match a.get_ref() {
        Whereabouts::Address(address) => Some((IpNet::from(address.ip), a.span())),
        // What a name turns out to be is looked at when it does.
        Whereabouts::Name(..) | Whereabouts::Neither(..) => None,
    })
}

fn name(name: &Maybe<String>) -> &str {
    name.as_ref().map_or("", |n| n.get_ref())
}
