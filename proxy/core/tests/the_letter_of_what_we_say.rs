//! RFC 3261 §§8 to 15, read on the messages that we send: what every one of them has to have, and where it goes.

mod common;

use common::*;
use proxy_core::{CloseReason, Config, Input, Transport, TransportFailure};
use relay_values::Duration;
use std::collections::BTreeSet;

fn offer() -> String {
    sdp("192.0.2.1", 30000)
}

fn with(message: &str, field: &str) -> String {
    message.replacen("Content-", &format!("{field}\r\nContent-"), 1)
}

/// A call that is up: the 200 that the carrier got, and the INVITE that east got.
fn up(stage: &mut Stage, call: &str) -> (String, String) {
    stage.receive(CARRIER, &invite(call, &offer()));
    let out = stage.take(EAST).pop().unwrap();
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    (ok, out)
}

/// The tier's request inside the dialog that an INVITE of ours has begun.
fn from_tier(invite: &str, method: &str, cseq: u32, fields: &str) -> String {
    let head = format!(
        "{method} sip:192.0.2.100:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKt{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {};tag=t-east\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n{fields}",
        header(invite, "To"),
        header(invite, "From"),
        header(invite, "Call-ID"),
    );
    with_body(&head, "")
}

/// A peer's response to a request inside its dialog.
fn reply(request: &str, code: u16, body: &str) -> String {
    let to = header(request, "To");
    let plain = to.split(";tag").next().unwrap();
    answer(request, code, "", "x@198.51.100.1", body).replacen(
        &format!("To: {plain};tag="),
        &format!("To: {to}"),
        1,
    )
}

/// Every value of a header field.
fn all<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!("{name}: ");
    message.lines().filter_map(|line| line.strip_prefix(start.as_str())).collect()
}

fn tag(value: &str) -> &str {
    value.split(";tag=").nth(1).unwrap_or_default()
}

fn branch(message: &str) -> String {
    header(message, "Via").split("branch=").nth(1).unwrap().split(';').next().unwrap().to_owned()
}

// Rules: timer-request, update-allow
// Rules: uac-mandatory-fields, uac-to-without-tag, uac-from-tag, uac-call-id-random, uac-cseq-method, uac-cseq-range
// Rules: uac-max-forwards, uac-via-cookie, uac-contact, uac-require-supported, invite-allow, invite-supported, via-sent-by
#[test]
fn an_invite_has_all_that_a_request_needs() {
    let mut stage = Stage::new();
    let mut ids = BTreeSet::new();
    for call in ["one", "two"] {
        stage.receive(CARRIER, &with(&invite(call, &offer()), "Supported: 100rel"));
        let out = stage.take(EAST).remove(0);
        for name in ["To", "From", "CSeq", "Call-ID", "Max-Forwards", "Via", "Contact", "Allow"] {
            assert_eq!(all(&out, name).len(), 1, "{name}: {out}");
        }
        assert_eq!(tag(header(&out, "To")), "");
        assert_ne!(tag(header(&out, "From")), "");
        assert_eq!(header(&out, "CSeq"), "1 INVITE");
        assert!(branch(&out).starts_with("z9hG4bK"));
        assert!(header(&out, "Via").starts_with("SIP/2.0/UDP 192.0.2.100:5060;"), "{out}");
        assert_eq!(header(&out, "Contact"), "<sip:192.0.2.100:5060>");
        assert!(header(&out, "Allow").contains("UPDATE"), "{out}");
        assert_eq!(header(&out, "Session-Expires"), "1800");
        let supported = all(&out, "Supported").join(", ");
        assert!(supported.contains("100rel") && supported.contains("timer"), "{supported}");
        assert!(!out.contains(&format!("{call}@carrier.example")), "a Call-ID of our own: {out}");
        let id = header(&out, "Call-ID").to_owned();
        assert!(id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit()), "96 random bits: {id}");
        assert!(
            ids.insert(id) && ids.insert(branch(&out)) && ids.insert(tag(header(&out, "From")).to_owned())
        );
    }
}

// Rules: uac-call-id-same, uac-via-unique, uac-max-forwards, dialog-identifiers, dialog-cseq-counts, ack-cseq
#[test]
fn what_is_sent_inside_a_dialog_bears_its_name_and_counts_on() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    let ok = answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000));
    stage.receive(EAST, &ok);
    let mut sent = vec![out.clone()];
    sent.extend(stage.take(EAST));
    let told = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&told, "ACK", 1, ""));
    for (cseq, method) in [(5, "INFO"), (9, "MESSAGE")] {
        stage.receive(CARRIER, &in_dialog(&told, method, cseq, ""));
        let carried = stage.take(EAST).remove(0);
        stage.receive(EAST, &reply(&carried, 200, ""));
        sent.push(carried);
    }
    stage.receive(CARRIER, &in_dialog(&told, "BYE", 10, ""));
    sent.extend(stage.take(EAST));
    let numbers: Vec<_> = sent.iter().map(|message| header(message, "CSeq")).collect();
    assert_eq!(numbers, ["1 INVITE", "1 ACK", "2 INFO", "3 MESSAGE", "4 BYE"]);
    let ids: BTreeSet<_> = sent.iter().map(|message| header(message, "Call-ID")).collect();
    assert_eq!(ids.len(), 1);
    let branches: BTreeSet<_> = sent.iter().map(|message| branch(message)).collect();
    assert_eq!(branches.len(), sent.len());
    for inside in &sent[1..] {
        assert_eq!(header(inside, "From"), header(&out, "From"));
        assert_eq!(header(inside, "To"), format!("{};tag=t-east", header(&out, "To")));
    }
    assert_eq!(header(sent.last().unwrap(), "Max-Forwards"), "70", "one that we begin");
}

// Rules: uac-timeout-is-408, dialog-481-ends
#[test]
fn what_nobody_answers_is_a_408_for_whoever_asked_and_the_end_of_the_call() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage, "one");
    // Of requests that are no INVITE nothing is said (RFC 4320 §4.2).
    let held = format!("{}a=sendonly\r\n", offer());
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 5, &held));
    stage.pass(Duration::from_secs(32));
    let told = stage.take(CARRIER);
    assert!(told.iter().any(|message| what(message) == "408 INVITE"), "{:?}", whats(&told));
    assert!(told.iter().any(|message| what(message) == "BYE"), "{:?}", whats(&told));
    assert_eq!(stage.records[0].close, CloseReason::LegGone);
}

// Rules: uac-transport-error-is-503, client-transport-error
#[test]
fn what_cannot_be_sent_anywhere_is_a_503() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    for edge in [EAST, WEST] {
        assert_eq!(whats(&stage.take(edge)), ["INVITE"]);
        let to = proxy_core::Peer {
            transport: Transport::Udp,
            listener: proxy_core::ListenerId(0),
            remote: edge.parse().unwrap(),
        };
        stage.input(Input::TransportError { to, failure: TransportFailure::Unreachable });
    }
    assert_eq!(whats(&stage.take(CARRIER)), ["100 INVITE", "503 INVITE"]);
}

// Rules: uac-unknown-final, uac-unknown-provisional
#[test]
fn codes_that_nobody_knows_mean_what_their_class_does() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 155, "t-east", "bob@198.51.100.1", ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["100 INVITE", "155 INVITE"], "progress, like a 183");
    stage.receive(EAST, &answer(&out, 577, "t-east", "bob@198.51.100.1", ""));
    let out = stage.take(WEST).remove(0);
    assert_eq!(what(&out), "INVITE", "a server's failure, like a 500: the hunt goes on");
    stage.receive(WEST, &answer(&out, 477, "t-west", "bob@203.0.113.1", ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["477 INVITE"], "a refusal, like a 400: it ends there");
}

// Rules: uas-uri-404
#[test]
fn a_number_that_leads_nowhere_is_not_found() {
    let mut config: Config = config();
    config.inbound[0].prefix = "+44".into();
    let mut stage = Stage::with(config);
    stage.receive(CARRIER, &invite("one", &offer()));
    assert_eq!(whats(&stage.take(CARRIER)), ["100 INVITE", "404 INVITE"]);
}

// Rules: uas-provisional-only-for-invite
#[test]
fn provisional_responses_of_anything_but_an_invite_stay_where_they_are() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage, "one");
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 5, ""));
    let info = stage.take(EAST).remove(0);
    for code in [100, 182] {
        stage.receive(EAST, &reply(&info, code, ""));
        assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "{code}");
    }
    stage.receive(EAST, &reply(&info, 200, ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["200 INFO"]);
}

// Rules: update-allow, uas-to-tag-same, dialog-uas-record-route, dialog-uas-contact, invite-2xx-fields, tag-random
#[test]
fn all_that_answers_an_invite_has_one_tag_and_what_a_dialog_needs() {
    let mut stage = Stage::new();
    let routes = "Record-Route: <sip:p2.carrier.example;lr>\r\nRecord-Route: <sip:p1.carrier.example;lr>";
    let asked = invite("one", &offer()).replace("Record-Route: <sip:192.0.2.1;lr>", routes);
    stage.receive(CARRIER, &asked);
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 180, "t-east", "bob@198.51.100.1", ""));
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let told = stage.take(CARRIER);
    assert_eq!(whats(&told), ["100 INVITE", "180 INVITE", "200 INVITE"]);
    assert_eq!(tag(header(&told[0], "To")), "");
    let (ringing, ok) = (&told[1], &told[2]);
    let tags: BTreeSet<_> = [ringing, ok].map(|told| tag(header(told, "To"))).into();
    assert_eq!(tags.len(), 1);
    assert!(tags.first().unwrap().len() > 8, "with 32 random bits at least: {tags:?}");
    for told in [ringing, ok] {
        assert_eq!(all(told, "Record-Route"), ["<sip:p2.carrier.example;lr>", "<sip:p1.carrier.example;lr>"]);
        assert_eq!(header(told, "Contact"), "<sip:192.0.2.100:5060>");
        assert!(header(told, "Allow").contains("UPDATE"));
    }
    assert!(header(ok, "Supported").contains("100rel"), "{ok}");
}

// Rules: dialog-uas-route-set, dialog-loose-route
#[test]
fn who_called_is_reached_along_the_route_that_he_came_by() {
    let mut stage = Stage::new();
    let routes = "Record-Route: <sip:192.0.2.1;lr>, <sip:p1.carrier.example;lr>";
    let asked = invite("one", &offer()).replace("Record-Route: <sip:192.0.2.1;lr>", routes);
    stage.receive(CARRIER, &asked);
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.receive(EAST, &from_tier(&out, "BYE", 3, ""));
    let bye = stage.take(CARRIER).pop().unwrap();
    assert!(bye.starts_with("BYE sip:ann@192.0.2.1:5060 SIP/2.0"), "{bye}");
    assert_eq!(all(&bye, "Route"), ["<sip:192.0.2.1;lr>", "<sip:p1.carrier.example;lr>"]);
}

// Rules: dialog-uac-route-set, dialog-loose-route
#[test]
fn who_was_called_is_reached_along_the_route_in_reverse() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    let ok = answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000));
    stage.receive(
        EAST,
        &with(&ok, "Record-Route: <sip:inner.example;lr>\r\nRecord-Route: <sip:198.51.100.1;lr>"),
    );
    let ack = stage.take(EAST).remove(0);
    assert!(ack.starts_with("ACK sip:bob@198.51.100.1 SIP/2.0"), "{ack}");
    assert_eq!(all(&ack, "Route"), ["<sip:198.51.100.1;lr>", "<sip:inner.example;lr>"]);
}

// Rules: dialog-strict-route
#[test]
fn a_strict_router_is_asked_as_it_wants_to_be() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    let ok = answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000));
    stage.receive(
        EAST,
        &with(&ok, "Record-Route: <sip:inner.example;lr>\r\nRecord-Route: <sip:198.51.100.1>"),
    );
    let ack = stage.take(EAST).remove(0);
    assert!(ack.starts_with("ACK sip:198.51.100.1 SIP/2.0"), "{ack}");
    assert_eq!(all(&ack, "Route"), ["<sip:inner.example;lr>", "<sip:bob@198.51.100.1>"]);
}

#[test]
fn what_cannot_stand_in_a_request_line_is_not_put_there() {
    let nobody = "sip:invalid.invalid";
    for (contact, paths, uri) in [
        ("<sipbob@198.51.100.1:5060>", "", nobody),
        ("<sip:>", "", nobody),
        ("<sip:bob@198.51.100.1?Replaces=one>", "", "sip:bob@198.51.100.1"),
        ("<sip:bob@198.51.100.1>", "Record-Route: <proxy.example>", "sip:bob@198.51.100.1"),
    ] {
        let mut stage = Stage::new();
        stage.receive(CARRIER, &invite("one", &offer()));
        let out = stage.take(EAST).remove(0);
        let ok = answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000));
        let ok = ok.replace("<sip:bob@198.51.100.1>", contact);
        stage.receive(EAST, &if paths.is_empty() { ok } else { with(&ok, paths) });
        let ack = stage.take(EAST).remove(0);
        assert!(ack.starts_with(&format!("ACK {uri} SIP/2.0\r\n")), "{contact}: {ack}");
    }
}

// Rules: dialog-uas-no-from-tag
#[test]
fn a_caller_without_a_tag_has_his_call() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()).replace(";tag=c-one", ""));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["200 BYE"]);
}

// Rules: dialog-refresh-contact, dialog-refresh-request, dialog-refresh-response
// Rules: reinvite-refresh-request, reinvite-refresh-response, dialog-cseq-gap
#[test]
fn a_contact_that_changes_in_a_reinvite_is_where_the_next_request_goes() {
    let mut stage = Stage::new();
    let (ok, out) = up(&mut stage, "one");
    let moved =
        with(&in_dialog(&ok, "INVITE", 40, &sdp("192.0.2.1", 30010)), "Contact: <sip:ann2@192.0.2.1:5060>");
    stage.receive(CARRIER, &moved);
    let again = stage.take(EAST).remove(0);
    assert_eq!(header(&again, "Contact"), "<sip:192.0.2.100:5060>");
    let taken =
        reply(&again, 200, &sdp("198.51.100.1", 40002)).replace("x@198.51.100.1", "bob2@198.51.100.1");
    stage.receive(EAST, &taken);
    stage.take(EAST);
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 40, ""));
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 41, ""));
    let info = stage.take(EAST).pop().unwrap();
    assert!(info.starts_with("INFO sip:bob2@198.51.100.1 SIP/2.0"), "{info}");
    stage.receive(EAST, &from_tier(&out, "INFO", 77, ""));
    let info = stage.take(CARRIER).pop().unwrap();
    assert!(info.starts_with("INFO sip:ann2@192.0.2.1:5060 SIP/2.0"), "{info}");
}

// Rules: dialog-early-ends, bye-without-dialog
#[test]
fn a_refusal_ends_what_has_rung_and_nobody_says_bye_to_it() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 183, "t-east", "bob@198.51.100.1", ""));
    stage.receive(EAST, &answer(&out, 486, "t-east", "bob@198.51.100.1", ""));
    assert_eq!(whats(&stage.take(EAST)), ["ACK"]);
    stage.receive(EAST, &from_tier(&out, "INFO", 3, ""));
    assert_eq!(whats(&stage.take(EAST)), ["481 INFO"]);
    assert_eq!(whats(&stage.take(CARRIER)), ["100 INVITE", "183 INVITE", "486 INVITE"]);
}

// Rules: bye-pending-487, bye-200, bye-ends-at-once
#[test]
fn a_bye_ends_the_call_at_once_and_answers_what_still_waits() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage, "one");
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 5, ""));
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 6, ""));
    let told = whats(&stage.take(CARRIER));
    assert!(told.contains(&"487 INFO".to_owned()) && told.contains(&"200 BYE".to_owned()), "{told:?}");
    assert_eq!(whats(&stage.take(EAST)), ["INFO", "BYE"]);
    assert_eq!(stage.records.len(), 1, "whatever the BYE's answer will be");
}

// Rules: cancel-481, cancel-after-final
#[test]
fn a_cancel_for_nothing_and_one_that_comes_too_late_change_nothing() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("none", "").replace("INVITE", "CANCEL"));
    assert_eq!(whats(&stage.take(CARRIER)), ["481 CANCEL"]);
    let (ok, _) = up(&mut stage, "one");
    stage.receive(CARRIER, &invite("one", "").replace("INVITE", "CANCEL"));
    assert_eq!(whats(&stage.take(CARRIER)), ["200 CANCEL"]);
    assert_eq!(stage.take(EAST), Vec::<String>::new());
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 5, ""));
    assert_eq!(whats(&stage.take(EAST)), ["INFO"], "the call is up");
}

// Rules: cancel-487, cancel-200, cancel-same-tag, cancel-identical, cancel-via, cancel-no-require
#[test]
fn a_cancel_is_answered_and_so_is_its_invite_and_the_phone_stops_ringing() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &with(&invite("one", &offer()), "Require: 100rel"));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 180, "t-east", "bob@198.51.100.1", ""));
    stage.take(CARRIER);
    stage.receive(CARRIER, &invite("one", "").replace("INVITE", "CANCEL"));
    let told = stage.take(CARRIER);
    assert_eq!(whats(&told), ["200 CANCEL", "487 INVITE"]);
    assert_eq!(tag(header(&told[0], "To")), tag(header(&told[1], "To")));
    let cancel = stage.take(EAST).remove(0);
    for name in ["Call-ID", "To", "From", "Via"] {
        assert_eq!(all(&cancel, name), all(&out, name), "{name}");
    }
    assert_eq!(header(&cancel, "CSeq"), "1 CANCEL");
    assert_eq!(cancel.split(' ').nth(1), out.split(' ').nth(1));
    assert_eq!(all(&cancel, "Require"), Vec::<&str>::new());
}

// Rules: options-no-dialog-state
#[test]
fn a_question_inside_a_dialog_changes_nothing_of_it() {
    let mut stage = Stage::new();
    let (ok, out) = up(&mut stage, "one");
    let asked = with(&in_dialog(&ok, "OPTIONS", 5, ""), "Contact: <sip:elsewhere@192.0.2.1>");
    stage.receive(CARRIER, &asked);
    assert_eq!(whats(&stage.take(CARRIER)), ["200 OPTIONS"]);
    stage.receive(EAST, &from_tier(&out, "INFO", 3, ""));
    assert!(stage.take(CARRIER)[0].starts_with("INFO sip:ann@192.0.2.1:5060"));
}

// Rules: stray-response
#[test]
fn a_response_to_nothing_goes_no_further() {
    let mut stage = Stage::new();
    let (_, out) = up(&mut stage, "one");
    let before = stage.relayed.len();
    for (from, to) in [("branch=z9hG4bKb00", "branch=z9hG4bKb00f"), ("branch=z9hG4bK", "branch=z9hG4bKx")] {
        let strange = answer(&out, 200, "t-other", "x@198.51.100.1", &offer()).replacen(from, to, 1);
        stage.receive(EAST, &strange);
    }
    assert!(stage.sent.is_empty() && stage.relayed.len() == before && stage.records.is_empty());
}

// Rules: rel-not-100, invite-server-100
#[test]
fn an_invite_has_its_100_at_once_and_never_reliably() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &with(&invite("one", &offer()), "Require: 100rel"));
    let trying = stage.take(CARRIER).remove(0);
    assert_eq!((what(&trying).as_str(), header(&trying, "RSeq")), ("100 INVITE", ""));
}

// Rules: reinvite-second-500, reinvite-one-at-a-time
#[test]
fn a_second_reinvite_before_the_first_is_over_may_come_again_later() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage, "one");
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 5, &sdp("192.0.2.1", 30010)));
    assert_eq!(whats(&stage.take(EAST)), ["INVITE"]);
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 6, &sdp("192.0.2.1", 30020)));
    let refused = stage.take(CARRIER).pop().unwrap();
    assert_eq!(what(&refused), "500 INVITE");
    assert!(header(&refused, "Retry-After").parse::<u32>().is_ok_and(|seconds| seconds <= 10), "{refused}");
    assert_eq!(stage.take(EAST), Vec::<String>::new());
}

// Rules: reinvite-glare-491, reinvite-one-at-a-time
#[test]
fn a_reinvite_that_crosses_ours_is_told_to_wait() {
    let mut stage = Stage::new();
    let (ok, out) = up(&mut stage, "one");
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 5, &sdp("192.0.2.1", 30010)));
    stage.take(EAST);
    let crossing = from_tier(&out, "INVITE", 3, "Contact: <sip:bob@198.51.100.1>\r\n");
    stage.receive(EAST, &crossing);
    assert!(whats(&stage.take(EAST)).contains(&"491 INVITE".to_owned()));
    assert!(stage.take(CARRIER).iter().all(|message| what(message) != "INVITE"));
}

// Rules: reinvite-488
#[test]
fn a_reinvite_that_nobody_can_relay_is_refused_with_a_warning() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage, "one");
    let odd = sdp("192.0.2.1", 30000).replace("RTP/AVP 0 101", "DCCP/TLS/RTP/SAVP 0");
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 5, &odd));
    let refused = stage.take(CARRIER).pop().unwrap();
    assert_eq!(what(&refused), "488 INVITE");
    assert!(header(&refused, "Warning").starts_with("30"), "{refused}");
    assert_eq!(stage.take(EAST), Vec::<String>::new());
}

// Rules: framing-short-response
#[test]
fn a_response_that_is_shorter_than_it_says_is_thrown_away() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    stage.take(CARRIER);
    let ok = answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000));
    stage.receive(EAST, ok.strip_suffix("events/8000\r\n").unwrap_or(&ok[..ok.len() - 5]));
    assert!(stage.sent.is_empty(), "{:?}", stage.sent);
    stage.receive(EAST, &ok);
    assert_eq!(whats(&stage.take(CARRIER)), ["200 INVITE"]);
}

// Rules: dialog-uac-no-to-tag
#[test]
fn a_callee_without_a_tag_has_its_ack_and_its_call() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    let ok =
        answer(&out, 200, "", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)).replace(";tag=\r\n", "\r\n");
    stage.receive(EAST, &ok);
    assert_eq!(whats(&stage.take(EAST)), ["ACK"]);
    let told = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&told, "ACK", 1, ""));
    stage.receive(CARRIER, &in_dialog(&told, "BYE", 2, ""));
    let bye = stage.take(EAST).pop().unwrap();
    assert!(what(&bye) == "BYE" && header(&bye, "To") == header(&out, "To"), "{bye}");
}
