//! TLS: what listeners show, what targets have to show, and who is known by that.

use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawConfig, RawListener, RawTarget, RawTls};
use crate::tls::{Ask, Pair, PairError, Standing, Tls, is_domain, read_pair, read_roots};
use proxy_core::{Certificate, Config, Listener, Owner, Transport};
use rustls::RootCertStore;
use serde_spanned::Spanned;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Whom the system believes, where nothing else is written: Debian's and most others' place.
pub(super) const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Everything that new connections are made with.
pub(super) fn read(raw: &RawConfig, config: &Config, complaints: &mut Complaints) -> Tls {
    let mut tls = Tls::default();
    let mut pairs = Vec::new();
    for (number, (section, listener)) in (0..).zip(raw.listener.iter().zip(&config.listeners)) {
        pairs.push(listens(&mut tls, number, section, listener, complaints));
    }
    for group in &raw.edge_group {
        let (name, raw) = (name(&group.get_ref().name), group.get_ref());
        let edges = raw.edges.as_ref().map_or(&[][..], |edges| edges.get_ref());
        called(&mut tls, (name, edges, &raw.tls), config, &pairs, complaints);
    }
    for trunk in &raw.trunk {
        let (name, raw) = (name(&trunk.get_ref().name), trunk.get_ref());
        called(&mut tls, (name, &raw.targets, &raw.tls), config, &pairs, complaints);
    }
    super::admin::secure(&mut tls, &raw.admin, complaints);
    tls
}

fn name(written: &Maybe<String>) -> &str {
    written.as_ref().map_or("", |name| name.get_ref())
}

/// One listener; its certificate is what we show as client, too.
fn listens(
    tls: &mut Tls,
    number: u16,
    section: &Spanned<RawListener>,
    listener: &Listener,
    complaints: &mut Complaints,
) -> Option<Pair> {
    let raw = section.get_ref();
    if listener.transport != Transport::Tls {
        let written = [
            raw.certificate.as_ref().map(|v| (v.span(), "certificate")),
            raw.key.as_ref().map(|v| (v.span(), "key")),
            raw.client_ca.as_ref().map(|v| (v.span(), "client_ca")),
            raw.require_client.as_ref().map(|v| (v.span(), "require_client")),
        ];
        for (at, key) in written.into_iter().flatten() {
            complaints
                .error(at, format!("`{key}` at a listener that does not speak TLS"))
                .advise("add `transport = \"tls\"` to the listener, or remove it");
        }
        return None;
    }
    for (missing, key, example) in [
        (raw.certificate.is_none(), "certificate", "\"/etc/bascule/tls/sip.pem\""),
        (raw.key.is_none(), "key", "\"/etc/bascule/tls/sip.key\""),
    ] {
        if missing {
            complaints.missing(section.span(), "this [[listener]] for TLS", key, example);
        }
    }
    let roots = raw.client_ca.as_ref().map(|ca| authorities(ca.get_ref(), ca.span(), complaints));
    let required = raw.require_client.as_ref().is_some_and(|required| *required.get_ref());
    if let (Some(at), None) = (raw.require_client.as_ref().filter(|_| required), &roots) {
        complaints
            .error(at.span(), "certificates are required, and nothing says whose are believed")
            .advise("add `client_ca = \"/etc/bascule/tls/carriers.pem\"`: the authorities' certificates");
    }
    let pair = pair(raw.certificate.as_ref()?, raw.key.as_ref()?, complaints)?;
    let ask = match roots {
        None => Ask::Nothing,
        Some(roots) if required => Ask::Required(roots?),
        Some(roots) => Ask::Wanted(roots?),
    };
    if let Err(error) = tls.serve(number, &pair, ask) {
        complaints
            .error(section.span(), format!("this listener cannot speak TLS: {error}"))
            .advise("use a certificate that openssl(1) can verify");
    }
    Some(pair)
}

/// The targets of one owner.
fn called(
    tls: &mut Tls,
    (owner, targets, common): (&str, &[Spanned<RawTarget>], &Maybe<RawTls>),
    config: &Config,
    pairs: &[Option<Pair>],
    complaints: &mut Complaints,
) {
    let mut wants = Vec::new();
    for (place, entry) in targets.iter().enumerate() {
        let raw = entry.get_ref();
        let name = super::names::target_name(owner, place, raw);
        // The domain is the one that is written, not what it leads to (RFC 5922 §7.3).
        let by_address = config.targets.iter().filter(|target| target.name == name).map(|target| {
            let domain = target.peer.remote.ip().to_canonical().to_string();
            (target.peer.transport, target.peer.listener, domain)
        });
        let by_name = config
            .named
            .iter()
            .filter(|target| target.name == name)
            .map(|target| (target.place.transport, target.listener, target.place.host.to_string()));
        match by_address.chain(by_name).next() {
            Some((Transport::Tls, listener, domain)) => wants.push((name, listener, domain, entry)),
            Some((Transport::Udp | Transport::Tcp, ..)) => {
                if let Some(written) = &raw.server_name {
                    misplaced(written.span(), "server_name", complaints);
                }
            }
            // Its address was complained of.
            None => {}
        }
    }
    if wants.is_empty() {
        if let Some(written) = common.as_ref().filter(|_| !targets.is_empty()) {
            misplaced(written.span(), "tls", complaints);
        }
        return;
    }
    let raw = common.as_ref().map(Spanned::get_ref);
    let Some(first) = wants.first() else { return };
    let Some(roots) = roots(raw, &first.3.span(), complaints) else { return };
    let own = match raw.map(|raw| (&raw.certificate, &raw.key)) {
        Some((Some(certificate), Some(key))) => match pair(certificate, key, complaints) {
            Some(pair) => Some(pair),
            None => return,
        },
        Some((Some(one), None) | (None, Some(one))) => {
            complaints
                .error(one.span(), "a certificate and its key belong together")
                .advise("write both `certificate` and `key`, or none: then the listener's are shown");
            return;
        }
        Some((None, None)) | None => None,
    };
    for (name, listener, host, entry) in wants {
        let written = entry.get_ref().server_name.as_ref().or(raw.and_then(|raw| raw.server_name.as_ref()));
        let domain = match written {
            Some(written) if is_domain(written.get_ref()) || is_address(written.get_ref()) => {
                written.get_ref().to_ascii_lowercase()
            }
            Some(written) => {
                complaints
                    .error(written.span(), format!("`{}` is no domain", written.get_ref().escape_debug()))
                    .advise("write the name that its certificate is of, in full: \"sip.carrier.example\"");
                continue;
            }
            None if !is_address(&host) => host,
            None => {
                complaints
                    .warn(entry.span(), format!("`{name}` has to have a certificate of the address {host}"))
                    .at("few authorities sign such")
                    .advise(
                        "add `server_name = \"sip.carrier.example\"`: the domain that its certificate is of",
                    );
                host
            }
        };
        let ours = own.as_ref().or(pairs.get(listener.index()).and_then(Option::as_ref));
        if let Err(error) = tls.call(&name, &domain, Arc::clone(&roots), ours) {
            complaints
                .error(entry.span(), format!("`{name}` cannot be called over TLS: {error}"))
                .advise("use a certificate that openssl(1) can verify");
        }
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn misplaced(at: Range<usize>, key: &str, complaints: &mut Complaints) {
    complaints
        .error(at, format!("`{key}` for targets that are not reached over TLS"))
        .advise("name a listener with `transport = \"tls\"`, or remove it");
}

/// Who has to have signed the targets' certificates.
fn roots(raw: Option<&RawTls>, at: &Range<usize>, complaints: &mut Complaints) -> Option<Arc<RootCertStore>> {
    match raw.and_then(|raw| raw.ca.as_ref()) {
        Some(ca) => authorities(ca.get_ref(), ca.span(), complaints),
        None => authorities(Path::new(SYSTEM), at.clone(), complaints),
    }
}

pub(super) fn authorities(
    path: &Path,
    at: Range<usize>,
    complaints: &mut Complaints,
) -> Option<Arc<RootCertStore>> {
    read_roots(path)
        .map_err(|error| {
            complaints.error(at, error.to_string()).advise(
                "write a file of certificates in PEM that our user may read: those of the authorities that are believed",
            );
        })
        .ok()
}

/// A certificate and its key, with what is to be said of them.
pub(super) fn pair(
    certificate: &Spanned<PathBuf>,
    key: &Spanned<PathBuf>,
    complaints: &mut Complaints,
) -> Option<Pair> {
    let pair = match read_pair(certificate.get_ref(), key.get_ref()) {
        Ok(pair) => pair,
        Err(error) => {
            let (at, advice) = match &error {
                PairError::Certificate { .. } => {
                    (certificate, "write the path of a file that our user may read")
                }
                PairError::NoCertificate(_) | PairError::BadCertificate(_) => (
                    certificate,
                    "write a file in PEM: our certificate first, then those between it and its root",
                ),
                PairError::Key { .. } => {
                    (key, "write the path of a file that our user, and nobody else, may read")
                }
                PairError::NoKey(_) => (key, "write a file in PEM with the key alone, not encrypted"),
                PairError::Unfit { .. } => (key, "write the key that the certificate was asked for with"),
            };
            complaints.error(at.span(), error.to_string()).advise(advice);
            return None;
        }
    };
    let path = certificate.get_ref().display();
    let said = match pair.standing(SystemTime::now()) {
        Standing::Valid => None,
        Standing::Early(for_so_long) => Some(format!(
            "the certificate in {path} is not valid for another {} h",
            for_so_long.as_secs() / 3_600
        )),
        Standing::Ending(left) => {
            Some(format!("the certificate in {path} ends in {} days", left.as_secs() / 86_400))
        }
        Standing::Over => Some(format!("the certificate in {path} has expired")),
    };
    if let Some(said) = said {
        complaints
            .warn(certificate.span(), said)
            .at("peers refuse it then")
            .advise("renew it, and reload: connections that are up stay");
    }
    Some(pair)
}

/// Who is known by certificates.
pub(super) fn certificates(raw: &RawConfig, complaints: &mut Complaints) -> Vec<Certificate> {
    let mut found: Vec<Certificate> = Vec::new();
    let mut first_at: BTreeMap<String, Range<usize>> = BTreeMap::new();
    let groups = (0..)
        .zip(&raw.edge_group)
        .map(|(n, g)| (Owner::Edge(proxy_core::GroupId(n)), &g.get_ref().certificates));
    let trunks =
        (0..).zip(&raw.trunk).map(|(n, t)| (Owner::Trunk(proxy_core::TrunkId(n)), &t.get_ref().certificates));
    let is_asked = raw.listener.iter().any(|listener| listener.get_ref().client_ca.is_some());
    for (owner, written) in groups.chain(trunks).flat_map(|(owner, all)| all.iter().map(move |w| (owner, w)))
    {
        let name = written.get_ref().to_ascii_lowercase();
        if !is_domain(&name) {
            complaints
                .error(written.span(), format!("`{}` is no domain", written.get_ref().escape_debug()))
                .advise("write the whole name that the certificate is of; wildcards are never matched (RFC 5922 §7.2)");
        } else if let Some(first) = first_at.get(&name) {
            complaints
                .error(written.span(), format!("two neighbours are known by a certificate of `{name}`"))
                .at("second")
                .see(first.clone(), "first")
                .advise("a source must mean one neighbour: use distinct names");
        } else if !is_asked {
            complaints
                .error(written.span(), "nobody is asked for a certificate")
                .at("so nobody is known by this one")
                .advise("add `client_ca` to a [[listener]] with `transport = \"tls\"`");
        }
        first_at.entry(name.clone()).or_insert(written.span());
        found.push(Certificate { name, owner });
    }
    found
}
