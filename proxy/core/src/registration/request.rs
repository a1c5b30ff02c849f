//! What is said to a registrar, and what its answers say.

use crate::dialog::put_cseq;
use crate::digest::Passes;
use crate::ids::{hex, unhex};
use crate::{Listener, Peer, Registration, Transport};
use bytes::Bytes;
use relay_values::Duration;
use sip_wire::{Builder, HeaderName, Message, Method, NameAddr, Uri};

/// What stands before the number of a REGISTER in its branch.
const PREFIX: &[u8; 8] = b"z9hG4bKr";

/// Whether a response is to a REGISTER of ours, by the looks of its branch.
pub(crate) fn is_for_registration(branch: &[u8]) -> bool {
    branch.starts_with(PREFIX)
}

/// The number of a REGISTER.
pub(super) fn number_of(branch: &[u8]) -> Option<u64> {
    let digits = branch.strip_prefix(PREFIX).filter(|digits| digits.len() == 16)?;
    unhex(digits)
}

/// One REGISTER.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) number: u64,
    pub(super) registration: &'a Registration,
    pub(super) to: &'a Peer,
    pub(super) ours: &'a Listener,
    pub(super) product: Option<&'a str>,
    pub(super) call_id: &'a [u8],
    pub(super) cseq: u32,
    pub(super) expires: Duration,
}

/// Writes it, with what was shown before.
pub(super) fn write(asked: &Asked<'_>, passes: &mut Passes) -> Bytes {
    let Asked { number, registration, to, ours, product, call_id, cseq, expires } = asked;
    let (aor, uri) = (registration.aor.as_bytes(), domain(&registration.aor));
    let mut branch = [0; 24];
    let (head, tail) = branch.split_at_mut(PREFIX.len());
    head.copy_from_slice(PREFIX);
    hex(*number, tail);
    let mut tag = [0; 16];
    hex(*number, &mut tag);
    let at = ours.advertised.to_string();
    let mut out = Builder::request(Method::Register, uri.as_bytes());
    let transport = to.transport.as_str().as_bytes();
    out.parts(HeaderName::Via, &[b"SIP/2.0/", transport, b" ", at.as_bytes(), b";rport;branch=", &branch]);
    out.number(HeaderName::MaxForwards, 70)
        .parts(HeaderName::From, &[b"<", aor, b">;tag=", &tag])
        .parts(HeaderName::To, &[b"<", aor, b">"])
        .header(HeaderName::CallId, call_id);
    put_cseq(&mut out, *cseq, Method::Register);
    let how: &[u8] = match to.transport {
        Transport::Udp => b">",
        Transport::Tcp => b";transport=tcp>",
        Transport::Tls => b";transport=tls>",
    };
    let contact = registration.contact.as_bytes();
    out.parts(HeaderName::Contact, &[b"<sip:", contact, b"@", at.as_bytes(), how]);
    out.number(HeaderName::Expires, expires.as_secs());
    if let Some(product) = product {
        out.header(HeaderName::UserAgent, product.as_bytes());
    }
    passes.write(&mut out, b"REGISTER", uri.as_bytes());
    out.finish()
}

/// The request URI: the domain whose location service is asked, without a user (RFC 3261 §10.2).
fn domain(aor: &str) -> String {
    match (aor.split_once(':'), aor.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}:{host}"),
        _ => aor.to_owned(),
    }
}

/// How long a 200 says that we are bound: what stands at our own Contact, else in Expires, else what was asked for
/// (RFC 3261 §10.2.4).
pub(super) fn bound_for(response: &Message, registration: &Registration, asked: Duration) -> Duration {
    let is_ours = |contact: &NameAddr<'_>| {
        let user = Uri::parse(contact.uri).ok().and_then(|uri| uri.user);
        user == Some(registration.contact.as_bytes())
    };
    let seconds = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse::<u32>().ok());
    let contacts = response.values(HeaderName::Contact).filter_map(|value| NameAddr::parse(value).ok());
    let ours = contacts.filter(is_ours).find_map(|contact| seconds(contact.params.value(b"expires")?));
    let said = ours.or_else(|| response.expires().ok().flatten());
    said.map_or(asked, |seconds| Duration::from_secs(u64::from(seconds)))
}

/// The least that a 423 asks for (RFC 3261 §20.23).
pub(super) fn at_least(response: &Message) -> Option<Duration> {
    let seconds = response.number32(HeaderName::MinExpires).ok().flatten()?;
    Some(Duration::from_secs(u64::from(seconds)))
}
