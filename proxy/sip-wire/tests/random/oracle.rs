//! rsip as a second opinion: where it accepts a message and its view is sane, ours must agree.

use crate::generate::message;
use bytes::Bytes;
use proptest::prelude::*;
use rsip::headers::untyped::{ToTypedHeader, UntypedHeader};
use rsip::message::HeadersExt;
use sip_wire::{HeaderName, Message, Uri};

/// What both say of a message.
#[derive(Debug, PartialEq)]
struct View {
    method: String,
    call_id: String,
    cseq: u32,
    branch: String,
    from_tag: Option<String>,
    to_tag: Option<String>,
    host: Option<String>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn ours(bytes: &[u8]) -> Option<View> {
    let m = Message::parse(Bytes::copy_from_slice(bytes)).ok()?;
    m.check().ok()?;
    // Only `sip` and `sips` have a host; rsip reads one into any scheme.
    let host = m
        .is_request()
        .then(|| Uri::parse(m.uri()).unwrap())
        .filter(|uri| uri.is_sip())
        .map(|uri| text(uri.host));
    Some(View {
        method: text(m.method().as_bytes()),
        call_id: text(m.call_id().unwrap()),
        cseq: m.cseq().unwrap().number,
        branch: text(m.top_via().unwrap().branch?),
        from_tag: m.from().unwrap().tag().map(text),
        to_tag: m.to().unwrap().tag().map(text),
        host,
    })
}

/// `None` where it rejects the message or one of these headers.
fn theirs(bytes: &[u8]) -> Option<View> {
    let m = rsip::SipMessage::try_from(bytes).ok()?;
    let cseq = m.cseq_header().ok()?.typed().ok()?;
    let tag = |params: &[rsip::common::uri::Param]| {
        params.iter().find_map(|p| match p {
            rsip::common::uri::Param::Tag(tag) => Some(tag.value().trim().to_owned()),
            _ => None,
        })
    };
    Some(View {
        method: cseq.method.to_string(),
        call_id: m.call_id_header().ok()?.value().trim().to_owned(),
        cseq: cseq.seq,
        branch: m.via_header().ok()?.typed().ok()?.branch()?.value().trim().to_owned(),
        from_tag: tag(&m.from_header().ok()?.typed().ok()?.params),
        to_tag: tag(&m.to_header().ok()?.typed().ok()?.params),
        host: match &m {
            rsip::SipMessage::Request(r) => Some(r.uri.host_with_port.host.to_string()),
            rsip::SipMessage::Response(_) => None,
        },
    })
}

/// A message as simple as rsip needs it: no folds, no blanks before colons, no compact forms.
fn plain() -> impl Strategy<Value = Vec<u8>> {
    (
        prop_oneof![Just("INVITE"), Just("OPTIONS"), Just("BYE"), Just("REGISTER"), Just("ACK")],
        "[a-z0-9]{1,12}(\\.[a-z]{2,5}){1,2}",
        "[0-9a-f]{8,20}@[a-z]{3,8}",
        "z9hG4bK[A-Za-z0-9]{1,20}",
        "[A-Za-z0-9]{1,12}",
        proptest::option::of("[A-Za-z0-9]{1,12}"),
        1u32..2_000_000_000,
        any::<bool>(),
    )
        .prop_map(|(method, host, call_id, branch, from, to, cseq, response)| {
            let start = if response {
                "SIP/2.0 200 OK".to_owned()
            } else {
                format!("{method} sip:+1555@{host} SIP/2.0")
            };
            let to = to.map(|tag| format!(";tag={tag}")).unwrap_or_default();
            format!(
                "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport\r\nMax-Forwards: 70\r\n\
                 From: \"A\" <sip:a@{host}>;tag={from}\r\nTo: <sip:b@{host}>{to}\r\nCall-ID: {call_id}\r\n\
                 CSeq: {cseq} {method}\r\nContact: <sip:a@192.0.2.1:5060>\r\nContent-Length: 0\r\n\r\n"
            )
            .into_bytes()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_say_the_same_of_a_plain_message(bytes in plain()) {
        let view = theirs(&bytes).expect("rsip reads plain messages");
        prop_assert_eq!(ours(&bytes).expect("so do we"), view);
    }

    /// One byte changed: where both still accept and rsip's view is sane, they agree.
    #[test]
    fn both_agree_on_a_changed_message_that_both_accept(
        bytes in plain(),
        at in any::<prop::sample::Index>(),
        new in prop_oneof![any::<u8>(), Just(b' '), Just(b';'), Just(b','), Just(b'A'), Just(b'=')],
    ) {
        let mut bytes = bytes;
        let at = at.index(bytes.len());
        bytes[at] = new;
        if let (Some(ours), Some(theirs)) = (ours(&bytes), theirs(&bytes))
            && sane(&theirs)
            && !misread(&ours)
        {
            let theirs = View { host: theirs.host.filter(|_| ours.host.is_some()), ..theirs };
            prop_assert_eq!(ours, theirs);
        }
    }

    /// rsip rejects or misreads most of these spellings; what it does read, it must not read otherwise than we do.
    #[test]
    fn we_read_every_spelling_that_rsip_reads(said in message()) {
        let ours = ours(&said.bytes).expect("sound");
        if let Some(theirs) = theirs(&said.bytes) && sane(&theirs) {
            prop_assert_eq!(ours.call_id, theirs.call_id);
            prop_assert_eq!(ours.cseq, theirs.cseq);
            prop_assert_eq!(ours.branch, theirs.branch);
        }
    }
}

/// Values that rsip could not have read in a wrong way: words of the characters that stand in sound ones.
fn sane(view: &View) -> bool {
    let word = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    word(&view.method, "")
        && word(&view.call_id, "@.")
        && word(&view.branch, "")
        && view.branch.starts_with("z9hG4bK")
        && view.host.as_ref().is_none_or(|host| word(host, ".-"))
        && [&view.from_tag, &view.to_tag].into_iter().all(|tag| tag.as_ref().is_none_or(|tag| word(tag, "")))
}

/// What rsip reads in another way, and the RFC in ours: it ends a parameter's value where its own idea of a token ends, and
/// drops the rest without a word; it takes methods in any case (RFC 3261 §7.1: they are case-sensitive).
fn misread(ours: &View) -> bool {
    let names = [Some(&ours.branch), ours.from_tag.as_ref(), ours.to_tag.as_ref()];
    let lower = ours.method.chars().any(|c| c.is_ascii_lowercase());
    lower || names.into_iter().flatten().any(|name| !name.chars().all(|c| c.is_ascii_alphanumeric()))
}

#[test]
fn what_rsip_rejects_or_loses_we_read() {
    let head = "SIP/2.0\r\nv: SIP/2.0/UDP a ;branch=z9hG4bK1, SIP/2.0/UDP b;branch=z9hG4bK2\r\nf: <sip:a@b>;tag=1\r\n\
                t: <sip:john.doe@h>\r\ni: x\r\nCSeq: 1";
    for (method, uri) in [
        ("INVITE", "tel:+13125550111"),
        ("INVITE", "urn:service:sos"),
        ("INVITE", "sip:[2001:db8::1]:5060"),
        ("INVITE", "sip:+1630;tgrp=t;trunk-context=x.y@gw"),
        ("NEWMETHOD", "sip:a@b"),
    ] {
        let bytes = format!("{method} {uri} {head} {method}\r\nSubject : a\r\n b\r\nl: 0\r\n\r\n");
        let m = Message::parse(Bytes::from(bytes)).unwrap();
        assert_eq!(m.check(), Ok(()), "{method} {uri}");
        assert_eq!(m.top_via().unwrap().branch, Some(&b"z9hG4bK1"[..]));
        assert_eq!(m.values(HeaderName::Via).count(), 2);
        let to = m.to().unwrap().parse_uri().unwrap();
        assert_eq!((to.user, to.host), (Some(&b"john.doe"[..]), &b"h"[..]));
    }
}
