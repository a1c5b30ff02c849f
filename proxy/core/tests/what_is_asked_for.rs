//! What a request may ask for, what it is told when it asks for more, and what passes from one leg to the other.

mod common;

use common::*;
use proxy_core::{CloseReason, Config, Manners, Redirects, RejectReason, StepOutcome};
use relay_values::Duration;

/// A message with a header field more, before its body's.
fn with(message: &str, field: &str) -> String {
    message.replacen("Content-", &format!("{field}\r\nContent-"), 1)
}

fn offer() -> String {
    sdp("192.0.2.1", 30000)
}

/// A call that is up: the 200 that the carrier got, and the INVITE that east got.
fn up(stage: &mut Stage) -> (String, String) {
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    (ok, out)
}

/// The tier's request inside the dialog that an INVITE of ours has begun.
fn from_tier(invite: &str, method: &str, cseq: u32, body: &str) -> String {
    let head = format!(
        "{method} sip:192.0.2.100:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKt{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {};tag=t-east\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n",
        header(invite, "To"),
        header(invite, "From"),
        header(invite, "Call-ID"),
    );
    with_body(&head, body)
}

fn refusal(stage: &mut Stage) -> String {
    stage.take(CARRIER).pop().unwrap()
}

// Rules: uas-require-420, uas-420-unsupported, uas-atomic
#[test]
fn extensions_that_we_lack_are_named_and_those_that_we_have_are_not() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &with(&invite("a", &offer()), "Require: 100rel, precondition\r\nRequire: x-mine"));
    let refused = refusal(&mut stage);
    assert!(refused.starts_with("SIP/2.0 420"), "{refused}");
    assert_eq!(header(&refused, "Unsupported"), "precondition, x-mine");
    assert_eq!(stage.take(EAST), Vec::<String>::new());
    // Inside a dialog it is the same.
    let (ok, _) = up(&mut stage);
    stage.receive(CARRIER, &with(&in_dialog(&ok, "INFO", 7, ""), "Require: x-mine"));
    let refused = refusal(&mut stage);
    assert!(refused.starts_with("SIP/2.0 420") && header(&refused, "Unsupported") == "x-mine", "{refused}");
    assert_eq!(stage.take(EAST), Vec::<String>::new());
    assert_eq!(stage.records.len(), 1, "the call goes on; the record is the refused one's");
}

// Rules: uas-require-in-ack-and-cancel
#[test]
fn what_an_ack_or_a_cancel_requires_is_passed_over_and_a_bye_ends_the_call_whatever_it_requires() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("a", &offer()));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 180, "t-east", "bob@198.51.100.1", ""));
    stage.take(CARRIER);
    let cancel = invite("a", "").replace("INVITE", "CANCEL");
    stage.receive(CARRIER, &with(&cancel, "Require: x-mine"));
    let told = stage.take(CARRIER);
    assert!(told[0].starts_with("SIP/2.0 200") && told[1].starts_with("SIP/2.0 487"), "{told:?}");
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).pop().unwrap();
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ok = refusal(&mut stage);
    stage.receive(CARRIER, &with(&in_dialog(&ok, "ACK", 1, ""), "Require: x-mine"));
    stage.pass(Duration::from_secs(40));
    assert_eq!(stage.records.len(), 1, "the ACK counts: the answer is not said again and nobody gives up");
    stage.receive(CARRIER, &with(&in_dialog(&ok, "BYE", 2, ""), "Require: x-mine"));
    assert!(stage.take(CARRIER).iter().any(|told| told.starts_with("SIP/2.0 200")));
    assert_eq!(stage.records[1].close, CloseReason::ByeFromA);
}

// Rules: uas-body-415, uas-415-accept, uas-415-accept-encoding, uas-atomic
#[test]
fn a_body_that_nobody_reads_here_is_refused_with_what_would_be_read() {
    let mut stage = Stage::new();
    let isup = invite("a", "x").replace("application/sdp", "application/isup");
    stage.receive(CARRIER, &isup);
    let refused = refusal(&mut stage);
    assert!(
        refused.starts_with("SIP/2.0 415") && header(&refused, "Accept") == "application/sdp",
        "{refused}"
    );
    stage.receive(CARRIER, &with(&invite("b", &offer()), "Content-Encoding: gzip"));
    let refused = refusal(&mut stage);
    assert!(refused.starts_with("SIP/2.0 415"), "{refused}");
    assert_eq!((header(&refused, "Accept-Encoding"), header(&refused, "Accept")), ("identity", ""));
    // So it is in a re-INVITE, which changes nothing.
    let (ok, _) = up(&mut stage);
    let again = with(&in_dialog(&ok, "INVITE", 7, &offer()), "Content-Encoding: gzip");
    stage.receive(CARRIER, &again);
    assert!(refusal(&mut stage).starts_with("SIP/2.0 415"));
    assert_eq!(stage.take(EAST), Vec::<String>::new());
    // What may be passed over is.
    let optional = with(
        &isup.replace("a@carrier", "c@carrier").replace("bKa", "bKc"),
        "Content-Disposition: signal;handling=optional",
    );
    stage.receive(CARRIER, &optional);
    assert!(stage.take(EAST)[0].starts_with("INVITE"));
}

#[test]
fn who_would_take_no_session_description_is_told_406() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &with(&invite("a", &offer()), "Accept: text/plain"));
    assert!(refusal(&mut stage).starts_with("SIP/2.0 406"));
    stage.receive(CARRIER, &with(&invite("b", &offer()), "Accept: application/*;q=0.5, text/plain"));
    assert!(stage.take(EAST)[0].starts_with("INVITE"));
}

// Rules: invite-expires
#[test]
fn an_invite_rings_no_longer_than_it_is_valid() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &with(&invite("a", &offer()), "Expires: 20"));
    let out = stage.take(EAST).remove(0);
    assert_eq!(header(&out, "Expires"), "20");
    stage.receive(EAST, &answer(&out, 180, "t-east", "bob@198.51.100.1", ""));
    stage.pass(Duration::from_millis(19_999));
    stage.take(CARRIER);
    assert_eq!(stage.take(EAST), Vec::<String>::new());
    stage.pass(Duration::from_millis(1));
    assert!(stage.take(EAST)[0].starts_with("CANCEL"));
    assert!(refusal(&mut stage).starts_with("SIP/2.0 487"));
    assert_eq!((stage.records[0].close, stage.records[0].code), (CloseReason::Expired, 487));
}

#[test]
fn the_next_target_hears_how_long_the_invite_is_still_valid() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &with(&invite("a", &offer()), "Expires: 20"));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 180, "t-east", "bob@198.51.100.1", ""));
    stage.pass(Duration::from_secs(5));
    stage.receive(EAST, &answer(&out, 503, "t-east", "bob@198.51.100.1", ""));
    assert_eq!(header(&stage.take(WEST)[0], "Expires"), "15");
}

// Rules: uas-timestamp
#[test]
fn a_timestamp_comes_back_in_the_100() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &with(&invite("a", &offer()), "Timestamp: 54.2"));
    let trying = stage.take(CARRIER).remove(0);
    assert!(trying.starts_with("SIP/2.0 100") && header(&trying, "Timestamp") == "54.2", "{trying}");
}

// Rules: uas-merged-482
#[test]
fn an_invite_that_comes_on_two_ways_is_one_call() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("a", &offer()));
    stage.take(CARRIER);
    stage.receive(CARRIER, &invite("a", &offer()).replace("branch=z9hG4bKa", "branch=z9hG4bKother"));
    assert!(refusal(&mut stage).starts_with("SIP/2.0 482"));
    assert_eq!(stage.take(EAST).len(), 1);
    assert_eq!(stage.records[0].reject, Some(RejectReason::Merged));
    // The same caller with another number is another call.
    stage.receive(CARRIER, &invite("a", &offer()).replace("bKa", "bKnext").replace("CSeq: 1", "CSeq: 2"));
    assert_eq!(stage.take(EAST).len(), 1);
}

// Rules: hops-decremented, hops-483, hops-absent
#[test]
fn hops_are_counted_over_the_call_and_inside_it() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("a", &offer()).replace("Max-Forwards: 70", "Max-Forwards: 9"));
    assert_eq!(header(&stage.take(EAST)[0], "Max-Forwards"), "8");
    stage.receive(CARRIER, &invite("b", &offer()).replace("Max-Forwards: 70\r\n", ""));
    assert_eq!(header(&stage.take(EAST)[0], "Max-Forwards"), "69");
    stage.take(CARRIER);
    stage.receive(CARRIER, &invite("c", &offer()).replace("Max-Forwards: 70", "Max-Forwards: 0"));
    assert!(refusal(&mut stage).starts_with("SIP/2.0 483"));
    let (ok, _) = up(&mut stage);
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 7, "").replace("Max-Forwards: 70", "Max-Forwards: 9"));
    assert_eq!(header(&stage.take(EAST)[0], "Max-Forwards"), "8");
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 8, "").replace("Max-Forwards: 70", "Max-Forwards: 0"));
    assert!(refusal(&mut stage).starts_with("SIP/2.0 483"));
    assert_eq!(stage.take(EAST), Vec::<String>::new());
}

// Rules: breadth-passed, breadth-440
#[test]
fn breadth_goes_on_as_it_came_and_without_any_left_nothing_does() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &with(&invite("a", &offer()), "Max-Breadth: 7"));
    assert_eq!(header(&stage.take(EAST)[0], "Max-Breadth"), "7");
    stage.receive(CARRIER, &with(&invite("b", &offer()), "Max-Breadth: 0"));
    assert!(refusal(&mut stage).starts_with("SIP/2.0 440"));
}

// Rules: loop-482
#[test]
fn our_own_invite_that_comes_back_is_a_loop() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("a", &offer()));
    let out = stage.take(EAST).remove(0);
    let via = format!("Via: {}\r\nMax-Forwards", header(&out, "Via"));
    stage.receive(CARRIER, &invite("b", &offer()).replacen("Max-Forwards", &via, 1));
    assert!(refusal(&mut stage).starts_with("SIP/2.0 482"));
}

// Rules: dialog-unknown-481, bye-481
#[test]
fn requests_inside_a_dialog_that_was_lost_are_told_so_at_once() {
    let mut stage = Stage::new();
    let (ok, out) = up(&mut stage);
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
    stage.take(CARRIER);
    let bye = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&bye, 200, "", "x@198.51.100.1", "").replace(";tag=\r\n", "\r\n"));
    for (cseq, method) in
        [(3, "INVITE"), (4, "UPDATE"), (5, "INFO"), (6, "BYE"), (7, "OPTIONS"), (8, "MESSAGE")]
    {
        stage.receive(CARRIER, &in_dialog(&ok, method, cseq, ""));
        assert!(refusal(&mut stage).starts_with("SIP/2.0 481"), "{method}");
        stage.receive(EAST, &from_tier(&out, method, cseq, ""));
        assert!(stage.take(EAST).pop().unwrap().starts_with("SIP/2.0 481"), "{method}");
    }
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 9, ""));
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "an ACK is never answered");
}

// Rules: uas-stateless-tag, uas-stateless-no-provisional
#[test]
fn an_answer_without_state_has_the_same_tag_each_time() {
    let mut stage = Stage::new();
    let broken = invite("a", &offer()).replace("Contact: <sip:ann@192.0.2.1:5060>", "Contact: <<>");
    let tag = |told: &str| header(told, "To").split_once(";tag=").unwrap().1.to_owned();
    stage.receive(CARRIER, &broken);
    stage.receive(CARRIER, &broken);
    let told = stage.take(CARRIER);
    assert_eq!(told.len(), 2, "no 100 before it: {told:?}");
    assert!(told.iter().all(|told| told.starts_with("SIP/2.0 400")), "{told:?}");
    assert_eq!(tag(&told[0]), tag(&told[1]));
    // Another request has another branch (RFC 3261 §8.1.1.7).
    stage.receive(
        CARRIER,
        &broken.replace("CSeq: 1", "CSeq: 2").replace("branch=z9hG4bKa", "branch=z9hG4bKb"),
    );
    assert_ne!(tag(&refusal(&mut stage)), tag(&told[0]), "another request has another one");
}

// Rules: uas-405, uas-405-allow
#[test]
fn methods_that_are_not_for_us_are_refused_with_those_that_are() {
    let mut stage = Stage::new();
    for (code, method) in [(405, "REGISTER"), (405, "SUBSCRIBE"), (405, "PUBLISH"), (501, "DANCE")] {
        stage.receive(CARRIER, &invite(method, "").replace("INVITE", method));
        let refused = refusal(&mut stage);
        assert!(refused.starts_with(&format!("SIP/2.0 {code}")), "{refused}");
        assert!(header(&refused, "Allow").contains("INVITE"), "{refused}");
    }
}

// Rules: uas-scheme-416
#[test]
fn a_scheme_that_leads_nowhere_is_refused_and_emergencies_are_not() {
    let mut stage = Stage::new();
    for uri in ["urn:isbn:0451450523", "mailto:bob@example.com"] {
        stage.receive(CARRIER, &invite("a", &offer()).replace("sip:+15551000@192.0.2.100", uri));
        assert!(refusal(&mut stage).starts_with("SIP/2.0 416"), "{uri}");
    }
    stage.receive(
        CARRIER,
        &invite("b", &offer()).replace("sip:+15551000@192.0.2.100", "urn:service:sos.fire"),
    );
    let out = stage.take(EAST).remove(0);
    assert!(out.starts_with("INVITE urn:service:sos.fire SIP/2.0"), "{out}");
    assert_eq!(header(&out, "To"), "<urn:service:sos.fire>");
}

#[test]
fn why_somebody_hangs_up_or_gives_up_is_heard_at_the_other_end() {
    const BUSY: &str = "Reason: Q.850;cause=17;text=\"busy\", SIP;cause=486";
    let mut stage = Stage::new();
    let (_, out) = up(&mut stage);
    stage.receive(EAST, &with(&from_tier(&out, "BYE", 9, ""), BUSY));
    let bye = stage.take(CARRIER).pop().unwrap();
    assert!(bye.starts_with("BYE") && bye.contains(BUSY), "{bye}");
    stage.receive(CARRIER, &invite("two", &offer()));
    let out = stage.take(EAST).pop().unwrap();
    stage.receive(EAST, &answer(&out, 180, "t-east", "bob@198.51.100.1", ""));
    let cancel = invite("two", "").replace("INVITE", "CANCEL");
    stage.receive(CARRIER, &with(&cancel, "Reason: SIP;cause=200;text=\"Call completed elsewhere\""));
    let cancel = stage.take(EAST).pop().unwrap();
    assert!(cancel.starts_with("CANCEL"), "{cancel}");
    assert_eq!(header(&cancel, "Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
}

#[test]
fn why_a_callee_refuses_reaches_the_caller_and_what_only_concerns_us_does_not() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("a", &offer()));
    let out = stage.take(EAST).remove(0);
    let busy = answer(&out, 488, "t-east", "bob@198.51.100.1", "");
    let said =
        "Warning: 304 198.51.100.1 \"no video\"\r\nReason: Q.850;cause=88\r\nRetry-After: 9\r\nX-Inside: 1";
    stage.receive(EAST, &with(&busy, said));
    let refused = refusal(&mut stage);
    assert!(refused.starts_with("SIP/2.0 488"), "{refused}");
    assert_eq!(header(&refused, "Warning"), "304 198.51.100.1 \"no video\"");
    assert_eq!((header(&refused, "Reason"), header(&refused, "Retry-After")), ("Q.850;cause=88", "9"));
    assert!(!refused.contains("X-Inside") && !refused.contains("Contact"), "{refused}");
    // A challenge cannot be met by the caller, nor by us.
    stage.receive(CARRIER, &invite("b", &offer()));
    let out = stage.take(EAST).pop().unwrap();
    stage.receive(EAST, &answer(&out, 407, "t-east", "bob@198.51.100.1", ""));
    assert!(refusal(&mut stage).starts_with("SIP/2.0 403"));
}

/// A stage whose groups redirect like this, with a second edge in the first one.
fn redirecting(redirect: Redirects) -> Stage {
    let mut config: Config = config();
    for group in &mut config.groups {
        group.manners = Manners { redirect, ..Manners::default() };
    }
    let mut second = config.targets[0].clone();
    second.name = "east-2".into();
    second.peer.remote = "198.51.100.2:5060".parse().unwrap();
    // Only a redirection leads there.
    second.weight = 0;
    config.targets.push(second);
    config.groups[0].edges.push(proxy_core::TargetId(3));
    Stage::with(config)
}

fn moved(stage: &mut Stage, contacts: &str) {
    stage.receive(CARRIER, &invite("a", &offer()));
    let out = stage.take(EAST).remove(0);
    let there = answer(&out, 302, "t-east", "x@198.51.100.1", "")
        .replace("Contact: <sip:x@198.51.100.1>", &format!("Contact: {contacts}"));
    stage.receive(EAST, &there);
}

#[test]
fn a_redirection_ends_the_hunt_unless_somebody_says_otherwise() {
    let mut stage = redirecting(Redirects::Refuse);
    moved(&mut stage, "<sip:carol@198.51.100.2>");
    let refused = refusal(&mut stage);
    assert!(refused.starts_with("SIP/2.0 480") && !refused.contains("carol"), "{refused}");
    let mut stage = redirecting(Redirects::Pass);
    moved(&mut stage, "<sip:carol@198.51.100.2>");
    let passed = refusal(&mut stage);
    assert!(passed.starts_with("SIP/2.0 302"), "{passed}");
    assert_eq!(header(&passed, "Contact"), "<sip:carol@198.51.100.2>");
}

// Rules: uac-redirect, uac-redirect-once
#[test]
fn a_redirection_is_followed_to_the_neighbours_own_addresses_best_first_and_each_once() {
    let mut stage = redirecting(Redirects::Follow);
    let stranger = "<sip:carol@203.0.113.99>";
    moved(
        &mut stage,
        &format!(
            "<sip:carol@198.51.100.1>;q=0.2, {stranger};q=1.0, <sip:carol@198.51.100.2>;q=0.7, <sip:+15551000@198.51.100.1>"
        ),
    );
    let first = stage.take("198.51.100.2:5060").remove(0);
    assert!(first.starts_with("INVITE sip:carol@198.51.100.2:5060 SIP/2.0"), "{first}");
    assert_eq!(header(&first, "To"), "<sip:+15551000@198.51.100.2>", "who was called stays who was called");
    // It points back and forth; what was tried is not tried again.
    let back = answer(&first, 301, "t-two", "x@1", "")
        .replace("<sip:x@1>", "<sip:carol@198.51.100.2>, <sip:carol@198.51.100.1>");
    stage.receive("198.51.100.2:5060", &back);
    let second = stage.take(EAST).pop().unwrap();
    assert!(second.starts_with("INVITE sip:carol@198.51.100.1:5060 SIP/2.0"), "{second}");
    let again = answer(&second, 302, "t-three", "x@1", "").replace("<sip:x@1>", "<sip:carol@198.51.100.2>");
    stage.receive(EAST, &again);
    assert!(refusal(&mut stage).starts_with("SIP/2.0 480"));
    assert!(stage.sent.iter().all(|(to, _)| to.ip().to_string() != "203.0.113.99"));
    let codes: Vec<_> = stage.records[0].steps.iter().map(|step| step.outcome).collect();
    assert!(
        matches!(
            codes[..],
            [
                StepOutcome::Advanced { code: 302, .. },
                StepOutcome::Advanced { code: 301, .. },
                StepOutcome::Refused { code: 302 }
            ]
        ),
        "{codes:?}"
    );
}

// Rules: options-as-invite, options-fields
#[test]
fn who_asks_what_we_can_do_is_told_inside_a_call_and_outside() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage);
    for asked in [invite("o", "").replace("INVITE", "OPTIONS"), in_dialog(&ok, "OPTIONS", 5, "")] {
        stage.receive(CARRIER, &asked);
        let told = refusal(&mut stage);
        assert!(told.starts_with("SIP/2.0 200"), "{told}");
        for name in ["Allow", "Accept", "Accept-Encoding", "Accept-Language", "Supported"] {
            assert_ne!(header(&told, name), "", "{name}: {told}");
        }
    }
    assert_eq!(stage.take(EAST), Vec::<String>::new());
    stage.input(proxy_core::Input::Drain);
    stage.receive(CARRIER, &invite("p", "").replace("INVITE", "OPTIONS"));
    assert!(refusal(&mut stage).starts_with("SIP/2.0 503"));
}
