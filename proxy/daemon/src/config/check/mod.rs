//! From what is written to what it means. Every function here goes on after an error with any value that fits: what
//! comes out of a file with errors is thrown away, only the complaints count.

mod admin;
mod admitted;
mod authentication;
mod codes;
mod correlation;
mod dns;
mod identity;
mod listeners;
mod media;
mod mirrored;
mod names;
mod observe;
mod overload;
mod policy;
mod records;
mod registration;
mod rehome;
mod routes;
mod session;
mod settings;
mod sources;
mod stir;
mod tier;
mod tls;
mod trunks;

use super::complaint::Complaints;
use super::raw::{RawConfig, RawUnknownSource};
use super::settings::Settings;
use crate::tls::Tls;
use names::Names;
use proxy_core::{CodePolicy, Config, EdgeGroup, NamedTarget, ShardLimits, Target, Trunk, UnknownSource};
use std::ops::Range;

/// What is resolved so far: later sections refer to earlier ones by name.
struct Parts<'a> {
    listeners: listeners::Listeners<'a>,
    regions: Names<'a>,
    groups: Names<'a>,
    sites: Names<'a>,
    trunks: Names<'a>,
    profiles: Names<'a>,
    stir: Names<'a>,
    targets: Vec<Target>,
    codes: Vec<CodePolicy>,
    authentication: proxy_core::Authentication,
    named: Vec<NamedTarget>,
    /// Name of each target, by address or by name, and where it is written.
    target_names: Vec<(String, Range<usize>)>,
}

pub(super) fn compile(raw: &RawConfig, complaints: &mut Complaints) -> (Config, Settings, Tls) {
    let mut parts = Parts {
        listeners: listeners::read(&raw.listener, complaints),
        regions: Names::collect(
            "[[region]]",
            raw.region.iter().map(|r| (&r.get_ref().name, r.span())),
            complaints,
        ),
        groups: Names::collect(
            "[[edge_group]]",
            raw.edge_group.iter().map(|g| (&g.get_ref().name, g.span())),
            complaints,
        ),
        sites: Names::collect("[[site]]", raw.site.iter().map(|s| (&s.get_ref().name, s.span())), complaints),
        trunks: Names::collect(
            "[[trunk]]",
            raw.trunk.iter().map(|t| (&t.get_ref().name, t.span())),
            complaints,
        ),
        profiles: Names::collect(
            "[[identity]]",
            raw.identity.iter().map(|i| (&i.get_ref().name, i.span())),
            complaints,
        ),
        stir: Names::collect("[[stir]]", raw.stir.iter().map(|s| (&s.get_ref().name, s.span())), complaints),
        targets: Vec::new(),
        codes: Vec::new(),
        authentication: proxy_core::Authentication::default(),
        named: Vec::new(),
        target_names: Vec::new(),
    };
    let default_probe = policy::default_probe(&raw.probe, complaints);
    let groups: Vec<EdgeGroup> = tier::groups(raw, default_probe, &mut parts, complaints);
    let sites = tier::sites(raw, &groups, &parts, complaints);
    let shards = settings::shards(&raw.process, complaints);
    let regions = rehome::regions(raw, parts.regions.all(), shards, complaints);
    let trunks: Vec<Trunk> = trunks::read(raw, default_probe, shards, &mut parts, complaints);
    let registrations = registration::read(raw, &trunks, &parts.targets, complaints);
    names::distinct_targets(&parts.target_names, complaints);
    dns::names(&parts.named, complaints);
    sources::overlaps(raw, complaints);
    let (inbound, outbound) = routes::read(raw, &parts, complaints);
    let (media, relay) = media::read(raw, complaints);
    let max_calls = media::max_calls(raw, relay.as_ref(), complaints);
    let (region_health, rehome) =
        (rehome::health(&raw.region_health, complaints), rehome::policy(&raw.rehome, complaints));
    if let Some(relay) = &relay {
        let thresholds = (relay.silence, region_health, &rehome, default_probe);
        rehome::contradictions(raw, thresholds, max_calls, complaints);
    }
    let (stir, stir_settings) = stir::read(&raw.stir, &parts.groups, complaints);
    let session = session::policy(&raw.session, media.mode, complaints);
    let config = Config {
        listeners: parts.listeners.compiled,
        regions,
        targets: parts.targets,
        named: parts.named,
        groups,
        sites,
        trunks,
        profiles: identity::read(&raw.identity, complaints),
        stir,
        codes: parts.codes,
        authentication: parts.authentication,
        registrations,
        inbound,
        outbound,
        media,
        timers: policy::timers(&raw.timers, complaints),
        hunt: policy::hunt(&raw.hunt, complaints),
        limits: ShardLimits { max_calls: max_calls.div_ceil(u32::from(shards)) },
        overload: overload::policy(raw, shards, complaints),
        scanners: overload::scanners(&raw.scanners, complaints),
        certificates: tls::certificates(raw, complaints),
        unknown_source: match raw.unknown_source {
            Some(RawUnknownSource::Reject) => UnknownSource::Reject,
            Some(RawUnknownSource::Drop) | None => UnknownSource::Drop,
        },
        product: policy::product(&raw.product, complaints),
        region_health,
        rehome,
        session,
    };
    mirrored::warn(raw, &config, complaints);
    admitted::warn(raw, &config, complaints);
    let settings = Settings { stir: stir_settings, ..settings::read(raw, shards, relay, complaints) };
    let tls = tls::read(raw, &config, complaints);
    (config, settings, tls)
}
