//! Messages as other elements write them, for property tests.

use proptest::prelude::*;

/// A token.
pub(crate) fn token() -> impl Strategy<Value = Vec<u8>> {
    "[A-Za-z0-9.!%*_+`'~-]{1,12}".prop_map(String::into_bytes)
}

/// Any bytes at all, line ends and NUL more often than chance has them.
pub(crate) fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => any::<u8>(),
        1 => Just(b'\r'),
        1 => Just(b'\n'),
        1 => Just(b' '),
        1 => Just(b':'),
        1 => Just(0),
    ];
    proptest::collection::vec(byte, 0..40)
}

/// Blanks, with or without a fold.
fn blank() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(" "), Just(""), Just("\r\n "), Just("\t"), Just(" \r\n\t ")]
}

/// A header line in one of the spellings that RFC 3261 allows.
fn spelled(full: &'static str, compact: &'static str, value: String) -> impl Strategy<Value = String> {
    let name = prop_oneof![Just(full.to_owned()), Just(compact.to_owned()), Just(full.to_uppercase())];
    (name, prop_oneof![Just(""), Just(" "), Just("\t ")], blank())
        .prop_map(move |(name, before, after)| format!("{name}{before}:{after}{value}\r\n"))
}

/// What a generated message says.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) bytes: Vec<u8>,
    pub(crate) method: String,
    pub(crate) call_id: String,
    pub(crate) branch: String,
    pub(crate) from_tag: String,
    pub(crate) to_tag: Option<String>,
    pub(crate) cseq: u32,
    pub(crate) vias: usize,
    pub(crate) body: Vec<u8>,
}

prop_compose! {
    fn words()(
        method in prop_oneof![Just("INVITE".to_owned()), Just("OPTIONS".to_owned()), Just("BYE".to_owned()), "[A-Z]{3,9}"],
        call_id in "[A-Za-z0-9]{1,20}@[a-z0-9.]{1,12}",
        branch in "z9hG4bK[A-Za-z0-9]{1,20}",
        from_tag in "[A-Za-z0-9]{1,10}",
        to_tag in proptest::option::of("[A-Za-z0-9]{1,10}"),
        cseq in any::<u32>(),
        more_vias in 0usize..3,
        body in proptest::collection::vec(any::<u8>(), 0..60),
        response in any::<bool>(),
    ) -> (Said, bool) {
        (Said { bytes: Vec::new(), method, call_id, branch, from_tag, to_tag, cseq, vias: 1 + more_vias, body }, response)
    }
}

/// A sound request or response in any spelling, its headers in any order.
pub(crate) fn message() -> impl Strategy<Value = Said> {
    words().prop_flat_map(|(said, response)| {
        let mut via = format!("SIP/2.0/UDP a.example.com:5060;branch={}", said.branch);
        for n in 1..said.vias {
            via.push_str(&format!(" , SIP / 2.0 / TCP [2001:db8::{n}] ;branch=z9hG4bKn{n}"));
        }
        let tag = said.to_tag.as_ref().map(|tag| format!(" ; tag = {tag}")).unwrap_or_default();
        let lines = (
            spelled("Via", "v", via),
            spelled("From", "f", format!("\"Bell, \\\"A\\\" <x>\" <sip:a@b;x=y>;tag={}", said.from_tag)),
            spelled("To", "t", format!("<sip:+1555;tgrp=t@c>{tag}")),
            spelled("Call-ID", "i", said.call_id.clone()),
            spelled("CSeq", "cseq", format!("{} {}", said.cseq, said.method)),
            spelled("Content-Length", "l", said.body.len().to_string()),
            spelled("X-Unknown", "x-u", ";;,,\"\u{e9}".to_owned()),
        )
            .prop_map(|(a, b, c, d, e, f, g)| vec![a, b, c, d, e, f, g]);
        lines.prop_shuffle().prop_map(move |lines| {
            let mut bytes = if response {
                b"SIP/2.0 180 Ringing\r\n".to_vec()
            } else {
                format!("{} sip:+1555;tgrp=t@[2001:db8::1]:5060;lr SIP/2.0\r\n", said.method).into_bytes()
            };
            bytes.extend(lines.concat().into_bytes());
            bytes.extend(b"\r\n");
            bytes.extend(&said.body);
            Said { bytes, ..said.clone() }
        })
    })
}
