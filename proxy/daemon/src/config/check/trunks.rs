//! Trunks: peerings with carriers.

use super::names::number;
use super::policy::{latching, manners, probe, ranged};
use super::{Parts, authentication, codes, correlation, identity, tier};
use crate::config::complaint::Complaints;
use crate::config::raw::RawConfig;
use proxy_core::{Owner, ProbePolicy, StirId, Trunk, TrunkId};

pub(super) fn read(
    raw: &RawConfig,
    default_probe: ProbePolicy,
    shards: u8,
    parts: &mut Parts<'_>,
    complaints: &mut Complaints,
) -> Vec<Trunk> {
    let mut compiled = Vec::new();
    let names: Vec<_> = parts.trunks.all().collect();
    for (i, (section, name)) in raw.trunk.iter().zip(names).enumerate() {
        let trunk = section.get_ref();
        let removed = ["sources", "targets", "certificates"]
            .iter()
            .any(|key| complaints.was_removed(&section.span(), key));
        let is_unknown = trunk.sources.is_empty() && trunk.certificates.is_empty();
        if is_unknown && trunk.targets.is_empty() && !removed {
            complaints
                .error(section.span(), format!("trunk `{name}` has neither sources nor targets"))
                .at("no call could come from it or go to it")
                .advise("add `sources = [\"192.0.2.0/28\"]` for inbound calls, `targets` for outbound ones");
        }
        let listener = if trunk.targets.is_empty() && trunk.listener.is_none() {
            None
        } else {
            parts.listeners.choose(&trunk.listener, section.span(), "this [[trunk]]", complaints)
        };
        let probe = probe(trunk.probe.as_ref(), default_probe, complaints);
        let owner = Owner::Trunk(TrunkId(number(i)));
        let targets =
            tier::targets(&trunk.targets, &name, owner, listener, probe, parts, complaints, section.span());
        let max_calls = trunk
            .max_calls
            .as_ref()
            .map(|n| ranged(n, 1, 1_000_000, "`max_calls`", complaints).div_ceil(u32::from(shards)));
        let calls_per_second = trunk
            .calls_per_second
            .as_ref()
            .map(|n| ranged(n, 1, 1_000_000, "`calls_per_second`", complaints).div_ceil(u32::from(shards)));
        let profile = identity::chosen(&trunk.identity, &parts.profiles, complaints);
        let codes = codes::read(&trunk.codes, &mut parts.codes, complaints);
        let mut manners = manners(trunk.redirect, trunk.refer, trunk.offer_100rel, (profile, codes));
        manners.accounts = authentication::accounts(&trunk.auth, &mut parts.authentication, complaints);
        manners.demand = authentication::demand(&trunk.challenge, &mut parts.authentication, complaints);
        manners.stir = trunk.stir.as_ref().and_then(|name| parts.stir.find(name, complaints)).map(StirId);
        compiled.push(Trunk {
            name,
            sources: trunk.sources.iter().map(|s| s.get_ref().0).collect(),
            targets,
            max_calls,
            calls_per_second,
            latching: latching(trunk.latching),
            correlation: correlation::read(&trunk.correlation, complaints),
            manners,
        });
    }
    compiled
}
