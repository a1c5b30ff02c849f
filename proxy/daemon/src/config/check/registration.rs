//! Trunks that find us where we register.

use super::names::number;
use crate::config::complaint::Complaints;
use crate::config::raw::{RawConfig, RawRegister};
use proxy_core::{Registration, Target, TargetId, Trunk, TrunkId};
use relay_values::Duration;
use serde_spanned::Spanned;
use std::ops::Range;

/// How long a binding may last: a minute is as short as registrars like it, a day as long as anybody trusts it.
const EXPIRES: std::ops::RangeInclusive<u64> = 10..=86_400;

pub(super) fn read(
    raw: &RawConfig,
    trunks: &[Trunk],
    targets: &[Target],
    complaints: &mut Complaints,
) -> Vec<Registration> {
    let mut compiled: Vec<(Registration, Range<usize>)> = Vec::new();
    for (place, (section, trunk)) in raw.trunk.iter().zip(trunks).enumerate() {
        let section = section.get_ref();
        let Some(written) = &section.register else { continue };
        let registration = one(written, (TrunkId(number(place)), trunk), targets, complaints);
        let shares = |other: &Registration| {
            let ip = |id: &TargetId| targets.get(id.index()).map(|target| target.peer.remote.ip());
            let ours: Vec<_> = registration.registrars.iter().filter_map(ip).collect();
            other.contact == registration.contact
                && other.registrars.iter().filter_map(ip).any(|ip| ours.contains(&ip))
        };
        if let Some((_, first)) = compiled.iter().find(|(other, _)| shares(other)) {
            complaints
                .error(
                    written.span(),
                    format!("two trunks register `{}` at one address", registration.contact),
                )
                .at("second")
                .see(first.clone(), "first")
                .advise("give one of them another `contact`: calls from there are told apart by it");
        }
        compiled.push((registration, written.span()));
    }
    compiled.into_iter().map(|(registration, _)| registration).collect()
}

fn one(
    written: &Spanned<RawRegister>,
    (id, trunk): (TrunkId, &Trunk),
    targets: &[Target],
    complaints: &mut Complaints,
) -> Registration {
    let raw = written.get_ref();
    if trunk.targets.is_empty() {
        complaints
            .error(written.span(), format!("trunk `{}` registers, and has no targets", trunk.name))
            .at("nobody to register with")
            .advise("name the registrars as `targets` of the trunk: calls go to the one that has us");
    }
    let (aor, user) = aor(raw, written.span(), complaints);
    let contact = match &raw.contact {
        Some(contact) => {
            if !is_user(contact.get_ref()) {
                complaints
                    .error(contact.span(), format!("`{}` cannot be a user part", contact.get_ref()))
                    .advise("letters, digits and any of - . _ ~ + are fine");
            }
            contact.get_ref().as_str().into()
        }
        None => user,
    };
    let expires = raw.expires.as_ref().map_or(Duration::from_secs(300), |expires| {
        let span = expires.get_ref().0;
        if !EXPIRES.contains(&span.as_secs()) || span.subsec_nanos() != 0 {
            complaints
                .error(expires.span(), "`expires` has to be a whole number of seconds, from 10s to 24h")
                .advise("300s is usual; a registrar that wants more says so, and gets it");
        }
        Duration::from_secs(span.as_secs())
    });
    Registration { trunk: id, registrars: registrars(raw, trunk, targets, complaints), aor, contact, expires }
}

/// The trunk's targets in the order that is written, or in their own.
fn registrars(
    raw: &RawRegister,
    trunk: &Trunk,
    targets: &[Target],
    complaints: &mut Complaints,
) -> Vec<TargetId> {
    if raw.registrars.is_empty() {
        return trunk.targets.clone();
    }
    let peer = |id: &&TargetId| targets.get(id.index()).map(|target| target.peer);
    let remote = |id: &&TargetId| peer(id).map(|peer| peer.remote);
    let Some(transport) = trunk.targets.iter().find_map(|id| peer(&id)).map(|peer| peer.transport) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for wanted in &raw.registrars {
        let at = wanted.get_ref().sip(transport);
        match trunk.targets.iter().find(|id| remote(id) == Some(at)) {
            Some(id) if found.contains(id) => complaints
                .error(wanted.span(), format!("the registrar {at} is named twice"))
                .advise("name it once"),
            Some(id) => found.push(*id),
            None => {
                let known: Vec<String> =
                    trunk.targets.iter().filter_map(|id| remote(&id)).map(|at| at.to_string()).collect();
                complaints
                    .error(wanted.span(), format!("{at} is no target of trunk `{}`", trunk.name))
                    .advise(format!("name one of its targets ({}), or add it to them", known.join(", ")));
            }
        }
    }
    found
}

/// `sip:user@domain`, and its user.
fn aor(raw: &RawRegister, at: Range<usize>, complaints: &mut Complaints) -> (Box<str>, Box<str>) {
    let Some(written) = &raw.aor else {
        complaints.missing(at, "this registration", "aor", "\"sip:bascule@carrier.example\"");
        return Default::default();
    };
    let text = written.get_ref();
    let parts = text.strip_prefix("sip:").and_then(|rest| rest.split_once('@'));
    let is_host = |host: &str| {
        !host.is_empty()
            && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']'))
    };
    match parts.filter(|(user, host)| is_user(user) && is_host(host)) {
        Some((user, _)) => (text.as_str().into(), user.into()),
        None => {
            complaints
                .error(written.span(), format!("`{text}` is no address of record"))
                .advise("write it as `sip:user@domain`, without parameters");
            Default::default()
        }
    }
}

fn is_user(user: &str) -> bool {
    !user.is_empty()
        && user.len() <= 128
        && user.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+'))
}
