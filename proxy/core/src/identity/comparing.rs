//! What of a call looks different to two neighbours.

use super::{Hosting, Identity, Profile};
use sip_wire::{Builder, Message, Method};

/// Calls that between them say everything that a profile could treat in its own way.
const SAMPLES: [&str; 4] = [
    "From: \"Ann\" <sip:+4930111111;tgrp=a;trunk-context=b@h.invalid>;tag=1\r\nP-Asserted-Identity: <sip:+4930222222@h.invalid>\r\n\
     Diversion: <sip:+4930333333@h.invalid>;reason=user-busy\r\nP-Charging-Vector: icid-value=1\r\nUser-to-User: 00\r\n\
     Identity: a.b.c;info=<https://h.invalid/a>\r\nDate: Thu, 21 Feb 2002 13:02:03 GMT\r\nResource-Priority: esnet.0\r\n",
    "From: <sip:+12015550123@h.invalid>;tag=1\r\nPrivacy: id;user\r\nP-Asserted-Identity: <sip:+12015550124@h.invalid>\r\n\
     History-Info: <sip:+12015550125@h.invalid>;index=1, <sip:+12015550126@h.invalid;cause=302>;index=1.1;mp=1\r\n",
    "From: <sip:110@h.invalid>;tag=1\r\n",
    "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1\r\n",
];

/// The header fields, by name, in which two neighbours would be told differently of the same call, hosts of their own aside.
/// `Request-URI` stands for the first line. What only one of them may be shown, and shows no sample, is named by its key.
pub fn identity_differences(a: &Profile, b: &Profile) -> Vec<String> {
    if a == b {
        return Vec::new();
    }
    let mut found: Vec<String> = Vec::new();
    let mut note = |name: &str| {
        if !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    };
    let numbers = ["+4930444444", "+442079460123", "110"];
    // Numbers that either may be shown, and that it may not.
    let own = a
        .presents
        .iter()
        .chain(&b.presents)
        .map(|prefix| format!("From: <sip:{prefix}@h.invalid>;tag=1\r\n"));
    for sample in SAMPLES.iter().map(|sample| (*sample).to_owned()).chain(own) {
        for number in numbers {
            let (Some(one), Some(other)) = (told(a, &sample, number), told(b, &sample, number)) else {
                continue;
            };
            if one.0 != other.0 {
                note("Request-URI");
            }
            let names: Vec<&String> = one.1.iter().chain(&other.1).map(|(name, _)| name).collect();
            for name in names {
                let of = |all: &[(String, Vec<u8>)]| -> Vec<Vec<u8>> {
                    all.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
                };
                if of(&one.1) != of(&other.1) {
                    note(name);
                }
            }
        }
    }
    let (mut one, mut other) = (a.sends.clone(), b.sends.clone());
    for list in [&mut one, &mut other] {
        list.iter_mut().for_each(|name| name.make_ascii_lowercase());
        list.sort();
    }
    if one != other {
        note("`sends`");
    }
    found
}

/// Header fields in order: name and value.
type Headers = Vec<(String, Vec<u8>)>;

/// Request URI and header fields of a call as this neighbour hears it.
fn told(profile: &Profile, headers: &str, number: &str) -> Option<(Vec<u8>, Headers)> {
    let text = format!(
        "INVITE sip:{number}@h.invalid SIP/2.0\r\nVia: SIP/2.0/UDP h.invalid;branch=z9hG4bK1\r\nTo: <sip:{number}@h.invalid>\r\n\
         Call-ID: 1\r\nCSeq: 1 INVITE\r\n{headers}Content-Length: 0\r\n\r\n"
    );
    let identity = Identity::take(&Message::parse(text.into()).ok()?, Profile::plain()).ok()?;
    let uri = identity.request_uri(b"t.invalid", profile);
    let mut out = Builder::request(Method::Invite, &uri);
    let hosting = Hosting { ours: b"o.invalid", theirs: b"t.invalid" };
    identity.write(&mut out, b"1", &hosting, profile);
    let contact = identity.contact(b"<sip:o.invalid>", profile);
    out.header(sip_wire::HeaderName::Contact, &contact);
    let message = Message::parse(out.finish()).ok()?;
    let all = message
        .all()
        .map(|header| (String::from_utf8_lossy(header.name).into_owned(), header.value.to_vec()));
    Some((uri.to_vec(), all.collect()))
}
