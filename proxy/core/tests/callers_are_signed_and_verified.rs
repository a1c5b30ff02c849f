//! Signatures cost a call a bounded wait and nothing else: what is asked, what goes on without an answer, what is told.

mod common;

use common::*;
use proxy_core::*;
use relay_values::Duration;

const TOKEN: &str = "aaaa.bbbb.cccc;info=<https://c.example/a.pem>;alg=ES256;ppt=shaken";

fn policy(sign: Option<SignPolicy>, verify: Option<VerifyPolicy>) -> Config {
    let mut config = config();
    config.stir = vec![StirPolicy { name: "us".into(), sign, verify }];
    config.trunks[0].manners.stir = Some(StirId(0));
    config
}

fn verifying(refuse: &[u16]) -> Config {
    policy(None, Some(VerifyPolicy { wait: Duration::from_millis(500), refuse: refuse.to_vec() }))
}

fn signing(required: bool) -> Config {
    let sign = SignPolicy {
        owns: vec!["+1555200".into()],
        others: Attestation::B,
        gateways: vec![],
        wait: Duration::from_millis(100),
        required,
    };
    let mut config = policy(Some(sign), None);
    config.hunt.advance_on.push(486);
    config
}

fn with_fields(invite: &str, fields: &str) -> String {
    invite.replacen("Content-Type", &format!("{fields}Content-Type"), 1)
}

fn signed_invite() -> String {
    with_fields(
        &invite("one", &sdp("192.0.2.1", 4000)),
        &format!("Identity: {TOKEN}\r\nDate: Thu, 21 Feb 2002 13:02:03 GMT\r\n"),
    )
}

/// The tier's INVITE to a carrier.
fn outbound(caller: &str) -> String {
    let text = invite("out", &sdp("198.51.100.1", 4000));
    text.replace("192.0.2.1", "198.51.100.1")
        .replace("+15552000", caller)
        .replace(";branch=z9hG4bK", ";branch=z9hG4bKo")
}

fn verified(stage: &mut Stage, reason: VerifyReason) {
    let task = stage.tasks.pop().expect("something is to be verified");
    let number = if reason == VerifyReason::Passed { "15552000" } else { "" };
    let found = Verification { reason, attest: Some(Attestation::A), number: number.into() };
    let said = StirSaid::Verified(found);
    stage.input(Input::Stir(Box::new(StirAnswer { ticket: task.ticket, said })));
}

fn sign(stage: &mut Stage) -> ToSign {
    let task = stage.tasks.pop().expect("something is to be signed");
    let StirWork::Sign(what) = task.work else { panic!("{task:?}") };
    let said = StirSaid::Signed(Signature {
        identities: vec![TOKEN.as_bytes().into()],
        date: b"Thu, 21 Feb 2002 13:02:03 GMT"[..].into(),
    });
    stage.input(Input::Stir(Box::new(StirAnswer { ticket: task.ticket, said })));
    what
}

#[test]
fn a_call_waits_for_what_is_found_of_its_caller_and_tells_the_tier() {
    let mut stage = Stage::with(verifying(&[]));
    stage.receive(CARRIER, &signed_invite());
    assert!(stage.take(EAST).is_empty(), "nothing leaves before the answer");
    let StirWork::Verify(what) = &stage.tasks[0].work else { panic!() };
    assert_eq!(&*what.identities, format!("{TOKEN}\n").as_bytes());
    assert_eq!(&*what.date, b"Thu, 21 Feb 2002 13:02:03 GMT");
    assert_eq!(what.calling, [Box::from(&b"+15552000"[..])]);
    assert_eq!(what.called[0], Box::from(&b"+15551000"[..]));
    verified(&mut stage, VerifyReason::Passed);
    let sent = stage.take(EAST);
    assert_eq!(whats(&sent), ["INVITE"]);
    assert!(header(&sent[0], "From").contains("sip:+15552000;verstat=TN-Validation-Passed@"), "{}", sent[0]);
    assert_eq!(header(&sent[0], "Identity"), TOKEN, "the signature itself passes to the byte");
    assert_eq!(header(&sent[0], "Date"), "Thu, 21 Feb 2002 13:02:03 GMT");
    stage.receive(EAST, &answer(&sent[0], 486, "e", "e@198.51.100.1", ""));
    stage.pass(Duration::from_secs(1));
    let record = stage.records.pop().unwrap();
    assert_eq!(
        (record.stir.verified, record.stir.vouched),
        (Some(VerifyReason::Passed), Some(Attestation::A))
    );
    assert_eq!(record.calling, "+15552000", "the record has the number alone");
}

#[test]
fn without_an_answer_in_time_the_call_is_marked_and_goes_on() {
    let mut stage = Stage::with(verifying(&[438]));
    stage.receive(CARRIER, &signed_invite());
    stage.pass(Duration::from_millis(499));
    assert!(stage.take(EAST).is_empty());
    stage.pass(Duration::from_millis(2));
    let sent = stage.take(EAST);
    assert!(header(&sent[0], "From").contains(";verstat=No-TN-Validation@"), "{}", sent[0]);
    // The answer comes late, and changes nothing.
    verified(&mut stage, VerifyReason::Signature);
    assert!(stage.take(CARRIER).iter().all(|message| what(message) == "100 INVITE"));
    assert_eq!(stage.records.len(), 0);
}

#[test]
fn what_is_wrong_is_marked_and_only_refused_where_the_policy_says_so() {
    for (reason, code) in [
        (VerifyReason::Signature, 438),
        (VerifyReason::Untrusted, 437),
        (VerifyReason::PrivateAddress, 436),
        (VerifyReason::Stale, 403),
    ] {
        let mut stage = Stage::with(verifying(&[]));
        stage.receive(CARRIER, &signed_invite());
        verified(&mut stage, reason);
        let sent = stage.take(EAST);
        assert!(header(&sent[0], "From").contains(";verstat=TN-Validation-Failed@"), "{reason:?}");
        let mut stage = Stage::with(verifying(&[code]));
        stage.receive(CARRIER, &signed_invite());
        verified(&mut stage, reason);
        assert_eq!(stage.take(EAST).len(), 0);
        assert_eq!(whats(&stage.take(CARRIER)).last().unwrap(), &format!("{code} INVITE"));
        stage.pass(Duration::from_secs(40));
        assert_eq!(stage.records[0].stir.verified, Some(reason));
        assert_eq!(stage.records[0].close, CloseReason::Rejected);
    }
}

#[test]
fn a_call_that_nobody_has_signed_is_marked_at_once_or_refused_with_428() {
    let mut stage = Stage::with(verifying(&[]));
    let plain = invite("one", &sdp("192.0.2.1", 4000));
    stage.receive(CARRIER, &plain);
    assert!(stage.tasks.is_empty());
    let sent = stage.take(EAST);
    assert!(header(&sent[0], "From").contains(";verstat=No-TN-Validation@"));
    let mut stage = Stage::with(verifying(&[428]));
    stage.receive(CARRIER, &plain);
    assert_eq!(whats(&stage.take(CARRIER)), ["100 INVITE", "428 INVITE"]);
    assert_eq!(stage.records[0].reject, Some(RejectReason::NoIdentity));
}

#[test]
fn a_caller_who_gives_up_meanwhile_has_his_487() {
    let mut stage = Stage::with(verifying(&[]));
    stage.receive(CARRIER, &signed_invite());
    let cancel = signed_invite().replacen("INVITE", "CANCEL", 1).replace("1 INVITE", "1 CANCEL");
    let head = cancel.split("Content-Type").next().unwrap();
    stage.receive(CARRIER, &with_body(head, ""));
    let said = whats(&stage.take(CARRIER));
    assert!(said.contains(&"487 INVITE".to_owned()), "{said:?}");
    verified(&mut stage, VerifyReason::Passed);
    assert!(stage.take(EAST).is_empty());
}

#[test]
fn a_call_to_a_trunk_that_signs_leaves_signed_and_dated() {
    for (caller, attest) in [("+15552000", Attestation::A), ("+33123", Attestation::B)] {
        let mut stage = Stage::with(signing(false));
        stage.receive(EAST, &outbound(caller));
        assert!(stage.take(CARRIER).is_empty(), "nothing leaves before its signature");
        let asked = sign(&mut stage);
        assert_eq!(
            (asked.attest, &*asked.calling, &*asked.called),
            (attest, caller.as_bytes(), &b"+15551000"[..])
        );
        assert_eq!((asked.was_for, &*asked.passed), (None, &b""[..]));
        let sent = stage.take(CARRIER);
        assert_eq!(header(&sent[0], "Identity"), TOKEN);
        assert_eq!(header(&sent[0], "Date"), "Thu, 21 Feb 2002 13:02:03 GMT");
        let retried = {
            stage.pass(Duration::from_millis(1));
            stage.receive(
                CARRIER,
                &answer(&sent[0], 422, "c", "c@192.0.2.1", "")
                    .replace("Content-Length", "Min-SE: 3600\r\nContent-Length"),
            );
            stage.take(CARRIER)
        };
        let again = retried.iter().find(|message| what(message) == "INVITE").expect("it is asked again");
        assert_eq!(header(again, "Identity"), TOKEN, "by the same signature");
        assert!(stage.tasks.is_empty());
    }
}

#[test]
fn without_a_signature_in_time_the_call_goes_on_unsigned_unless_it_has_to_be() {
    let mut stage = Stage::with(signing(false));
    stage.receive(EAST, &outbound("+15552000"));
    stage.pass(Duration::from_millis(101));
    let sent = stage.take(CARRIER);
    assert_eq!((header(&sent[0], "Identity"), header(&sent[0], "Date")), ("", ""));
    let mut stage = Stage::with(signing(true));
    stage.receive(EAST, &outbound("+15552000"));
    let busy = stage.tasks[0].busy();
    stage.input(Input::Stir(Box::new(busy)));
    assert!(stage.take(CARRIER).is_empty());
    assert_eq!(whats(&stage.take(EAST)), ["100 INVITE", "503 INVITE"]);
    stage.pass(Duration::from_secs(40));
    let record = stage.records.pop().unwrap();
    assert_eq!(
        (record.reject, record.stir.unsigned),
        (Some(RejectReason::NotSigned), Some(UnsignedReason::Busy))
    );
}

#[test]
fn what_came_signed_passes_and_is_not_signed_again_unless_it_was_diverted() {
    let mut stage = Stage::with(signing(false));
    let date = "Date: Thu, 21 Feb 2002 13:02:03 GMT\r\n";
    stage.receive(EAST, &with_fields(&outbound("+33123"), &format!("Identity: {TOKEN}\r\n{date}")));
    assert!(stage.tasks.is_empty());
    let sent = stage.take(CARRIER);
    assert_eq!(sent[0].matches("\r\nIdentity: ").count(), 1);
    let mut stage = Stage::with(signing(false));
    let diverted = "Diversion: <sip:+15557777@x>;reason=unconditional\r\n";
    stage.receive(EAST, &with_fields(&outbound("+33123"), &format!("Identity: {TOKEN}\r\n{date}{diverted}")));
    let asked = sign(&mut stage);
    assert_eq!(asked.was_for.as_deref(), Some(&b"+15557777"[..]));
    assert_eq!(&*asked.passed, format!("{TOKEN}\n").as_bytes());
    let sent = stage.take(CARRIER);
    assert_eq!(sent[0].matches("\r\nIdentity: ").count(), 2, "{}", sent[0]);
    assert_eq!(sent[0].matches("\r\nDate: ").count(), 1);
}

#[test]
fn a_redirection_that_is_followed_is_signed_as_one() {
    let mut config = signing(false);
    config.trunks[0].manners.redirect = Redirects::Follow;
    let mut stage = Stage::with(config);
    stage.receive(EAST, &outbound("+15552000"));
    sign(&mut stage);
    let sent = stage.take(CARRIER);
    let moved = answer(&sent[0], 302, "c", "+15553000@192.0.2.1", "");
    stage.receive(CARRIER, &moved);
    assert!(
        !stage.take(CARRIER).iter().any(|message| what(message) == "INVITE"),
        "it waits for its own signature"
    );
    let asked = sign(&mut stage);
    assert_eq!((&*asked.called, asked.was_for.as_deref()), (&b"+15553000"[..], Some(&b"+15551000"[..])));
    let sent = stage.take(CARRIER);
    assert!(sent[0].starts_with("INVITE sip:+15553000@"), "{}", sent[0]);
    assert_eq!(header(&sent[0], "Identity"), TOKEN);
}

#[test]
fn trunks_without_a_policy_ask_nobody() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &signed_invite());
    let sent = stage.take(EAST);
    assert_eq!(header(&sent[0], "Identity"), TOKEN);
    assert!(!sent[0].contains("verstat"));
    assert!(stage.tasks.is_empty());
}
