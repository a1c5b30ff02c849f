//! `[[stir]]`: what is signed and verified, by which keys and certificates.

use super::identity::global;
use super::names::Names;
use super::policy::{positive, time};
use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawAttestation, RawHost, RawKnown, RawSign, RawStir, RawVerify};
use crate::config::stir::{SignSettings, StirSettings, VerifySettings};
use crate::stir::{Host, Place, seconds_now};
use proxy_core::{Attestation, GroupId, SignPolicy, StirPolicy, VerifyPolicy};
use serde_spanned::Spanned;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use stir::{Failure, Signer, Trust};

/// How long an INVITE waits for its signature: a signature takes 50 µs, so this is a queue of two thousand.
const SIGN_WAIT: Duration = Duration::from_millis(100);
/// How long a call waits for what is found of its caller: a certificate that is not here yet has to be fetched.
const VERIFY_WAIT: Duration = Duration::from_millis(500);
/// Longer than that a caller takes silence for a dead line.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Where Debian keeps the authorities of the web.
const WEB_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Bytes of a file with authorities: the web's have some 220,000.
const MAX_FILE: u64 = 1 << 20;
/// Hosts, and certificates that are here already.
const MAX_LIST: usize = 256;
/// Codes that verification may refuse with (RFC 8224 §6.2.2).
const CODES: [i64; 5] = [403, 428, 436, 437, 438];

pub(super) fn read(
    sections: &[Spanned<RawStir>],
    groups: &Names<'_>,
    complaints: &mut Complaints,
) -> (Vec<StirPolicy>, Vec<StirSettings>) {
    let mut both = (Vec::new(), Vec::new());
    for section in sections {
        let raw = section.get_ref();
        let name = raw.name.as_ref().map(|name| name.get_ref().clone()).unwrap_or_default();
        if raw.sign.is_none() && raw.verify.is_none() {
            complaints
                .error(section.span(), format!("`{name}` neither signs nor verifies"))
                .advise("add `[stir.sign]` for calls to a trunk, `[stir.verify]` for calls from one");
        }
        let sign = raw.sign.as_ref().map(|sign| self::sign(sign, groups, complaints)).unzip();
        let verify = raw.verify.as_ref().map(|verify| self::verify(verify, complaints)).unzip();
        both.0.push(StirPolicy { name: name.as_str().into(), sign: sign.0, verify: verify.0 });
        both.1.push(StirSettings { name, sign: sign.1, verify: verify.1 });
    }
    both
}

fn sign(
    section: &Spanned<RawSign>,
    groups: &Names<'_>,
    complaints: &mut Complaints,
) -> (SignPolicy, SignSettings) {
    let raw = section.get_ref();
    let policy = SignPolicy {
        owns: raw.owns.iter().map(|own| global(own, complaints)).collect(),
        others: match raw.others {
            Some(RawAttestation::A) => Attestation::A,
            Some(RawAttestation::C) => Attestation::C,
            Some(RawAttestation::B) | None => Attestation::B,
        },
        gateways: raw.gateways.iter().filter_map(|name| groups.find(name, complaints)).map(GroupId).collect(),
        wait: wait(&raw.wait, SIGN_WAIT, complaints),
        required: raw.required,
    };
    let certificate =
        needed(&raw.certificate, section, "certificate", "\"https://cr.example.com/sp.pem\"", complaints);
    if let Some(written) = &raw.certificate {
        url(written, complaints);
    }
    let origid =
        needed(&raw.origid, section, "origid", "\"123e4567-e89b-12d3-a456-426655440000\"", complaints);
    if let Some(written) = raw.origid.as_ref().filter(|id| !is_uuid(id.get_ref())) {
        complaints
            .error(written.span(), format!("`{}` is no UUID (RFC 8588 §5)", written.get_ref().escape_debug()))
            .advise("`uuidgen` makes one; keep it, it is how others trace calls back to you");
    }
    let key = match &raw.key {
        Some(path) => file(path.get_ref(), path.span(), complaints).unwrap_or_default(),
        None => {
            complaints.missing(section.span(), "this `sign`", "key", "\"/etc/bascule/stir.key\"");
            Vec::new()
        }
    };
    if let (Some(path), false, Err(why)) =
        (&raw.key, key.is_empty(), Signer::new(&key, &certificate, &origid))
    {
        complaints
            .error(path.span(), format!("{} cannot be signed with: {why}", path.get_ref().display()))
            .advise("`openssl ecparam -name prime256v1 -genkey -noout -out stir.key` makes one");
    }
    (policy, SignSettings { key, certificate, origid })
}

fn verify(section: &Spanned<RawVerify>, complaints: &mut Complaints) -> (VerifyPolicy, VerifySettings) {
    let raw = section.get_ref();
    for code in raw.refuse.iter().filter(|code| !CODES.contains(code.get_ref())) {
        complaints.error(code.span(), format!("verification does not end with {}", code.get_ref())).advise(
            "write 403 (stale), 428 (not signed), 436 (no certificate), 437 (not believed) or 438 (not true)",
        );
    }
    let policy = VerifyPolicy {
        wait: wait(&raw.wait, VERIFY_WAIT, complaints),
        refuse: raw.refuse.iter().filter_map(|code| u16::try_from(*code.get_ref()).ok()).collect(),
    };
    let authorities = match &raw.authorities {
        Some(path) => file(path.get_ref(), path.span(), complaints).unwrap_or_default(),
        None => {
            complaints.missing(section.span(), "this `verify`", "authorities", "\"/etc/bascule/sti-pa.pem\"");
            Vec::new()
        }
    };
    let trust = Trust::read(&authorities);
    if let (Some(path), false, None) = (&raw.authorities, authorities.is_empty(), &trust) {
        complaints
            .error(
                path.span(),
                format!("{} holds no certificates that can be read", path.get_ref().display()),
            )
            .advise("write a file of certificates in PEM, those of the authorities that you trust");
    }
    let hosts: Vec<Host> = raw.hosts.iter().filter_map(|host| self::host(host, complaints)).collect();
    let known = raw.certificates.iter().filter_map(|known| certificate(known, trust.as_ref(), complaints));
    let certificates: Vec<(String, Vec<u8>)> = known.collect();
    if hosts.is_empty() && certificates.is_empty() && raw.hosts.is_empty() && raw.certificates.is_empty() {
        complaints
            .warn(section.span(), "no certificate can be had: every signature is as good as none")
            .advise("add `hosts = [\"cr.example.com\"]`: where certificates may be fetched from");
    }
    for (list, what) in [(raw.hosts.len(), "hosts"), (raw.certificates.len(), "certificates")] {
        if list > MAX_LIST {
            complaints
                .error(section.span(), format!("{list} {what} are too many"))
                .advise(format!("name at most {MAX_LIST}"));
        }
    }
    let https_authorities = match &raw.https_authorities {
        Some(path) => file(path.get_ref(), path.span(), complaints).unwrap_or_default(),
        None if hosts.is_empty() => Vec::new(),
        None => file(Path::new(WEB_AUTHORITIES), section.span(), complaints).unwrap_or_default(),
    };
    (policy, VerifySettings { authorities, hosts, https_authorities, certificates })
}

fn needed(
    written: &Maybe<String>,
    section: &Spanned<RawSign>,
    key: &str,
    example: &str,
    complaints: &mut Complaints,
) -> String {
    if written.is_none() {
        complaints.missing(section.span(), "this `sign`", key, example);
    }
    written.as_ref().map(|text| text.get_ref().clone()).unwrap_or_default()
}

fn wait(
    written: &Maybe<crate::config::words::Span>,
    default: Duration,
    complaints: &mut Complaints,
) -> Duration {
    positive(written, "`wait`", complaints);
    let wait = time(written, default);
    if let Some(written) = written.as_ref().filter(|_| wait > MAX_WAIT) {
        complaints
            .error(written.span(), "nobody waits so long for a call to begin")
            .advise("write \"5s\" at most; a call that is not verified in time is marked and goes on");
    }
    wait
}

fn url(written: &Spanned<String>, complaints: &mut Complaints) -> Option<Place> {
    let place = Place::parse(written.get_ref());
    if place.is_none() {
        complaints
            .error(written.span(), format!("`{}` is no https URL", written.get_ref().escape_debug()))
            .advise("write one such as \"https://cr.example.com/sp.pem\" (RFC 8588 §4)");
    }
    place
}

fn host(written: &Spanned<RawHost>, complaints: &mut Complaints) -> Option<Host> {
    let (text, internal) = match written.get_ref() {
        RawHost::Plain(host) => (host, false),
        RawHost::Marked(marked) => (&marked.host, marked.internal),
    };
    let host = Host::parse(text, internal);
    match &host {
        None => {
            complaints
                .error(written.span(), format!("`{}` is no host", text.escape_debug()))
                .advise("write a name, with a port where it is not 443, such as \"cr.example.com:8443\"");
        }
        Some(host) if host.is_inside() && !internal => {
            complaints
                .error(written.span(), format!("`{text}` is an address inside of a network"))
                .at("whoever calls could make us ask our own machines")
                .advise(format!("if that is meant: {{ host = \"{text}\", internal = true }}"));
        }
        Some(_) => {}
    }
    host
}

fn certificate(
    written: &Spanned<RawKnown>,
    trust: Option<&Trust>,
    complaints: &mut Complaints,
) -> Option<(String, Vec<u8>)> {
    let raw = written.get_ref();
    for (is_there, key, example) in [
        (raw.url.is_some(), "url", "\"https://cr.example.com/sp.pem\""),
        (raw.file.is_some(), "file", "\"/etc/bascule/sp.pem\""),
    ] {
        if !is_there {
            complaints.missing(written.span(), "this certificate", key, example);
        }
    }
    let (place, path) = (raw.url.as_ref()?, raw.file.as_ref()?);
    url(place, complaints)?;
    let bundle = file(path.get_ref(), path.span(), complaints)?;
    match trust.map(|trust| trust.check(&bundle, seconds_now())) {
        Some(Err(why @ Failure::Expired)) => {
            complaints
                .warn(path.span(), format!("{}: {why}", path.get_ref().display()))
                .advise("calls that it has signed are marked as failed: get the new one");
        }
        Some(Err(why)) => {
            complaints.error(path.span(), format!("{}: {why}", path.get_ref().display())).advise(
                "write the signer's certificate in PEM, followed by those between it and an authority",
            );
        }
        Some(Ok(_)) | None => {}
    }
    Some((place.get_ref().clone(), bundle))
}

/// What a file holds, or a complaint.
fn file(path: &Path, span: Range<usize>, complaints: &mut Complaints) -> Option<Vec<u8>> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // A pipe would have us wait for its writer.
        if !std::fs::metadata(path)?.is_file() {
            return Err(std::io::Error::other("it is no file"));
        }
        std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let why = match read() {
        Ok(bytes) if bytes.is_empty() => "it is empty".to_owned(),
        Ok(bytes) if bytes.len() as u64 > MAX_FILE => format!("it is longer than {MAX_FILE} bytes"),
        Ok(bytes) => return Some(bytes),
        Err(error) => error.to_string(),
    };
    complaints
        .error(span, format!("{} cannot be read: {why}", PathBuf::from(path).display()))
        .advise("write the path of a file in PEM that the service's user may read");
    None
}

/// 8-4-4-4-12 hexadecimal digits (RFC 9562 §4).
fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}
