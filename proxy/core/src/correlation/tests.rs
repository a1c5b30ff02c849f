//! Which call an INVITE continues, as the tier reads it.

use super::*;
use sip_wire::{Message, Method};

const UUID: [u8; 16] = *b"\xab\x30\x31\x7f\x1a\x78\x4d\xc4\x8f\xf8\x24\xd0\xd3\x71\x5d\x86";
const OTHER: [u8; 16] = *b"\x47\x75\x5a\x9d\xe7\x79\x4b\xa3\x87\x65\x3f\x2d\x99\x60\x00\x01";
const LOCAL: &str = "ab30317f1a784dc48ff824d0d3715d86";
const REMOTE: &str = "47755a9de7794ba387653f2d99600001";

fn facts() -> Facts<'static> {
    Facts {
        call_id: b"first@us",
        lost_call_id: b"lost@us",
        carrier_call_id: b"carrier@them",
        session_id: UUID,
        remote_session_id: None,
        from_region: "east",
        to_region: "west",
        reason: Some(MoveReason::RegionDown),
        replaces: Some((b"lost@us", b"tier", b"00b1")),
    }
}

fn all() -> Correlation {
    Correlation {
        session_id: true,
        uui: Some("{call_id}".into()),
        replaces: true,
        headers: vec![(
            "X-Continues".into(),
            "{lost_call_id};from={from_region};to={to_region};why={reason}".into(),
        )],
    }
}

fn written(correlation: &Correlation, facts: &Facts<'_>) -> Message {
    let mut out = Builder::request(Method::Invite, b"sip:a@b");
    write(correlation, facts, &mut out);
    Message::parse(out.finish()).unwrap()
}

/// The header lines as they stand, without Content-Length.
fn lines(message: &Message) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let lines = message.all().filter(|header| header.id != HeaderName::ContentLength);
    lines.map(|header| format!("{}: {}", text(header.name), text(header.value))).collect()
}

/// The one header that a template makes.
fn custom(template: &str, facts: &Facts<'_>) -> Vec<String> {
    let headers = vec![("X-A".to_owned(), template.to_owned())];
    lines(&written(&Correlation { headers, ..Correlation::default() }, facts))
}

#[test]
fn a_moved_call_says_what_it_continues_in_every_way_that_is_asked_for() {
    assert_eq!(
        lines(&written(&all(), &facts())),
        [
            format!("Session-ID: {LOCAL};remote={}", "0".repeat(32)),
            "Replaces: lost@us;to-tag=tier;from-tag=00b1".into(),
            "Supported: replaces".into(),
            "User-to-User: 6669727374407573;encoding=hex".into(),
            "X-Continues: lost@us;from=east;to=west;why=region_down".into(),
        ]
    );
}

#[test]
fn a_first_invite_has_a_session_id_and_nothing_more() {
    let first = Facts { reason: None, remote_session_id: Some(OTHER), ..facts() };
    assert_eq!(lines(&written(&all(), &first)), [format!("Session-ID: {LOCAL};remote={REMOTE}")]);
    let without = Correlation { session_id: false, ..all() };
    assert_eq!(lines(&written(&without, &first)), [""; 0]);
}

#[test]
fn nothing_is_written_that_was_not_asked_for() {
    assert_eq!(lines(&written(&Correlation::default(), &facts())), [""; 0]);
    let no_dialog = Facts { replaces: None, ..facts() };
    let replaces = Correlation { replaces: true, ..Correlation::default() };
    assert_eq!(lines(&written(&replaces, &no_dialog)), [""; 0], "no Supported without its header either");
}

#[test]
fn a_template_knows_its_placeholders_and_leaves_the_rest_as_written() {
    assert_eq!(custom("{carrier_call_id}|{session_id}", &facts()), [format!("X-A: carrier@them|{LOCAL}")]);
    for literal in ["{unknown}", "{", "}", "{call_id", "{}", "a{b}c{", "{Call_ID}", "é"] {
        assert_eq!(custom(literal, &facts()), [format!("X-A: {literal}")]);
    }
    assert_eq!(custom("{{call_id}}", &facts()), ["X-A: {first@us}"]);
    assert_eq!(custom("{x{call_id}", &facts()), ["X-A: {xfirst@us"]);
}

#[test]
fn what_is_filled_in_is_not_filled_in_again() {
    let facts = Facts { call_id: b"{to_region}", ..facts() };
    assert_eq!(custom("{call_id}", &facts), ["X-A: {to_region}"]);
}

#[test]
fn no_value_ends_its_line() {
    let evil = Facts { call_id: b"a\r\nVia: x\0\x7f\tb", from_region: "e\nast", ..facts() };
    assert_eq!(custom("{call_id} {from_region}", &evil), ["X-A: aVia: xb east"]);
    let written = written(&all(), &evil);
    assert_eq!(written.all().count(), lines(&written).len() + 1);
    assert_eq!(written.header(HeaderName::UserToUser).unwrap(), b"615669613a207862;encoding=hex", "aVia: xb");
}

#[test]
fn a_dialog_that_could_be_read_in_two_ways_is_not_named() {
    let correlation = Correlation { replaces: true, ..Correlation::default() };
    for bad in [&b""[..], b"a;early-only", b"a,b", b"a b", b"a\r\nVia: x", b"\"", b"<a>", b"\xff"] {
        let (call_id, to_tag, from_tag) = facts().replaces.unwrap();
        for replaces in [(bad, to_tag, from_tag), (call_id, bad, from_tag), (call_id, to_tag, bad)] {
            let facts = Facts { replaces: Some(replaces), ..facts() };
            assert_eq!(lines(&written(&correlation, &facts)), [""; 0], "{bad:?}");
        }
    }
}

#[test]
fn what_is_too_long_is_left_out_whole_and_so_is_nothing_at_all() {
    let longest = "x".repeat(MAX_CORRELATION - 1);
    assert_eq!(custom(&format!("{longest}y"), &facts()).len(), 1);
    assert_eq!(custom(&format!("{longest}yz"), &facts()), [""; 0]);
    let long = Facts { carrier_call_id: &[b'x'; 60_000], ..facts() };
    assert_eq!(custom("{carrier_call_id}{carrier_call_id}", &long), [""; 0]);
    let empty = Facts { from_region: "", ..facts() };
    assert_eq!(custom("{from_region}", &empty), [""; 0]);
}

#[test]
fn a_session_id_is_read_as_it_is_written() {
    let both = Facts { remote_session_id: Some(OTHER), ..facts() };
    let correlation = Correlation { session_id: true, ..Correlation::default() };
    for (facts, remote) in [(both, Some(OTHER)), (facts(), None)] {
        let message = written(&correlation, &facts);
        assert_eq!(session_id::parse(message.header(HeaderName::SessionId).unwrap()), Some((UUID, remote)));
    }
}

#[test]
fn session_ids_of_the_field_are_read_and_broken_ones_are_not() {
    let parse = |text: &str| session_id::parse(text.as_bytes());
    assert_eq!(parse(LOCAL), Some((UUID, None)), "RFC 7329 knew no remote");
    assert_eq!(parse(&format!("{LOCAL} ; x=y ;remote={REMOTE};z")), Some((UUID, Some(OTHER))));
    assert_eq!(parse(&format!("{};Remote={REMOTE}", LOCAL.to_uppercase())), Some((UUID, Some(OTHER))));
    assert_eq!(parse(&format!("{};remote={REMOTE}", "0".repeat(32))), Some((session_id::NIL, Some(OTHER))));
    for broken in [
        "".to_owned(),
        LOCAL[1..].into(),
        format!("{LOCAL}0"),
        format!("{LOCAL};remote"),
        format!("{LOCAL};remote=1"),
        format!("{};remote={REMOTE}", LOCAL.replace('a', "g")),
        "ab30317f-1a78-4dc4-8ff8-24d0d3715d86".into(),
    ] {
        assert_eq!(parse(&broken), None, "{broken}");
    }
}
