//! Messages that cross, come twice, come late, come out of order or come for nobody (RFC 3261, 4320, 6026, 6141).

mod common;

use common::dialogs::*;
use common::*;
use proxy_core::CloseReason;
use relay_values::Duration;

const BOB: &str = "bob@198.51.100.1";
const TAG: (&str, &str) = (EAST, "t-east");

fn offer() -> String {
    sdp("192.0.2.1", 30000)
}

fn theirs() -> String {
    sdp("198.51.100.1", 40000)
}

fn held() -> String {
    format!("{}a=sendonly\r\n", offer())
}

/// The codes of the responses among these, and the methods of the requests.
fn words(messages: &[String]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| {
            let mut words = message.split(' ');
            match words.next() {
                Some("SIP/2.0") => words.next().unwrap_or_default(),
                first => first.unwrap_or_default(),
            }
        })
        .collect()
}

/// A CANCEL for the INVITE that begins a call of this name.
fn cancel(call: &str) -> String {
    let invite = invite(call, "");
    let head = invite.replace("CSeq: 1 INVITE", "CSeq: 1 CANCEL").replacen("INVITE ", "CANCEL ", 1);
    head.lines().filter(|line| !line.starts_with("Record-Route")).map(|line| format!("{line}\r\n")).collect()
}

/// A call that is ringing: the INVITE that east got.
fn ringing(stage: &mut Stage, call: &str) -> String {
    stage.receive(CARRIER, &invite(call, &offer()));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 180, "t-east", BOB, ""));
    stage.take(CARRIER);
    out
}

// Rules: reinvite-second-500, reinvite-glare-491, reinvite-one-at-a-time
#[test]
fn a_second_offer_of_the_same_side_has_500_and_one_of_the_other_side_491() {
    let mut stage = Stage::new();
    let (ok, out) = up_with(&mut stage, "", "");
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 7, &held()));
    let reinvite = stage.take(EAST).remove(0);
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 8, &held()));
    let refusal = stage.take(CARRIER).pop().unwrap();
    assert!(refusal.starts_with("SIP/2.0 500"), "{refusal}");
    assert!(header(&refusal, "Retry-After").parse::<u8>().unwrap() <= 10, "RFC 3261 §14.2");
    stage.receive(EAST, &from_edge(&out, TAG, "INVITE", 3, &format!("{}a=sendonly\r\n", theirs())));
    let refusal = stage.take(EAST).pop().unwrap();
    assert!(refusal.starts_with("SIP/2.0 491") && header(&refusal, "Retry-After").is_empty(), "{refusal}");
    // The first one goes on as if nothing had been said.
    stage.receive(EAST, &reply(&reinvite, 200, BOB, "", &format!("{}a=recvonly\r\n", theirs())));
    assert_eq!(words(&stage.take(CARRIER)), ["200"]);
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 7, ""));
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 9, &offer()));
    assert!(stage.take(EAST).iter().any(|m| m.starts_with("INVITE")), "and then it is the next one's turn");
}

#[test]
fn a_reinvite_before_the_ack_waits_for_it_whoever_sends_it() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &theirs()));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.take(EAST);
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 2, &held()));
    assert_eq!(words(&stage.take(CARRIER)), ["491"]);
    stage.receive(EAST, &from_edge(&out, TAG, "INVITE", 1, &format!("{}a=sendonly\r\n", theirs())));
    assert_eq!(words(&stage.take(EAST)), ["491"]);
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.receive(EAST, &from_edge(&out, TAG, "INVITE", 2, &format!("{}a=sendonly\r\n", theirs())));
    assert_eq!(words(&stage.take(CARRIER)), ["INVITE"]);
}

// Rules: bye-200
#[test]
fn byes_that_cross_are_both_answered_and_the_call_ends_once() {
    let mut stage = Stage::new();
    // The relay is still counting when the second one comes.
    let (ok, out) = up_with(&mut stage, "", "");
    stage.held = Some(vec![]);
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
    assert_eq!(words(&stage.take(CARRIER)), ["200"]);
    let ours = stage.take(EAST).remove(0);
    stage.receive(EAST, &from_edge(&out, TAG, "BYE", 1, ""));
    assert_eq!(words(&stage.take(EAST)), ["200"]);
    stage.receive(EAST, &reply(&ours, 481, BOB, "", ""));
    stage.let_go();
    stage.pass(Duration::from_secs(40));
    assert_eq!((stage.take(EAST), stage.take(CARRIER)), (vec![], vec![]));
    assert_eq!(stage.records.len(), 1);
    assert_eq!(stage.records[0].close, CloseReason::ByeFromA);
}

// Rules: invite-2xx-repeated
#[test]
fn a_bye_before_the_ack_ends_the_call_and_the_200_is_said_until_its_ack() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("hasty", &offer()));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &theirs()));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
    assert_eq!(words(&stage.take(CARRIER)), ["200"]);
    assert_eq!(words(&stage.take(EAST)), ["ACK", "BYE"]);
    stage.pass(Duration::from_millis(600));
    assert_eq!(stage.take(CARRIER), std::slice::from_ref(&ok), "RFC 3261 §13.3.1.4");
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.pass(Duration::from_secs(40));
    assert_eq!(stage.take(CARRIER), Vec::<String>::new());
    assert_eq!(stage.records[0].close, CloseReason::ByeFromA);
}

// Rules: cancel-after-final, cancel-200
#[test]
fn a_cancel_after_the_200_changes_nothing() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, "", "");
    stage.receive(CARRIER, &cancel("one"));
    let told = stage.take(CARRIER);
    assert_eq!(words(&told), ["200"]);
    assert_eq!(header(&told[0], "CSeq"), "1 CANCEL");
    assert_eq!((stage.take(EAST), stage.records.len()), (vec![], 0));
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
    assert_eq!(stage.records[0].close, CloseReason::ByeFromA);
}

// Rules: ack-each-2xx, ack-again, fork-bye
#[test]
fn a_200_that_crosses_our_cancel_is_acknowledged_and_ended() {
    let mut stage = Stage::new();
    let out = ringing(&mut stage, "late");
    stage.receive(CARRIER, &cancel("late"));
    assert_eq!(words(&stage.take(CARRIER)), ["200", "487"]);
    assert_eq!(words(&stage.take(EAST)), ["CANCEL"]);
    let ok = answer(&out, 200, "t-east", BOB, &theirs());
    stage.receive(EAST, &ok);
    let told = stage.take(EAST);
    assert_eq!(words(&told), ["ACK", "BYE"]);
    assert!(told.iter().all(|m| header(m, "To").ends_with("tag=t-east")));
    stage.receive(EAST, &reply(&told[1], 200, BOB, "", ""));
    stage.receive(EAST, &ok);
    assert_eq!(words(&stage.take(EAST)), ["ACK"], "said again, it is acknowledged again and not ended again");
    assert_eq!(stage.records[0].close, CloseReason::Cancelled);
}

// Rules: cancel-after-final
#[test]
fn a_reinvite_that_is_cancelled_too_late_has_its_200_and_no_more() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, "", "");
    let reinvite = in_dialog(&ok, "INVITE", 7, &held());
    stage.receive(CARRIER, &reinvite);
    let carried = stage.take(EAST).remove(0);
    stage.receive(EAST, &reply(&carried, 200, BOB, "", &format!("{}a=recvonly\r\n", theirs())));
    assert_eq!(words(&stage.take(CARRIER)), ["100", "200"]);
    stage.take(EAST);
    let cancel = in_dialog(&ok, "CANCEL", 7, "").replace("z9hG4bKCANCEL7", "z9hG4bKINVITE7");
    stage.receive(CARRIER, &cancel);
    assert_eq!(words(&stage.take(CARRIER)), ["200"]);
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 7, ""));
    stage.pass(Duration::from_secs(40));
    assert_eq!((stage.take(EAST), stage.take(CARRIER), stage.records.len()), (vec![], vec![], 0));
}

// Rules: bye-pending-487
#[test]
fn a_bye_answers_for_a_reinvite_that_is_on_its_way() {
    let mut stage = Stage::new();
    let (ok, out) = up_with(&mut stage, "", "");
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 7, &held()));
    let carried = stage.take(EAST).remove(0);
    stage.receive(EAST, &from_edge(&out, TAG, "BYE", 1, ""));
    assert_eq!(words(&stage.take(EAST)), ["200"]);
    assert_eq!(words(&stage.take(CARRIER)), ["100", "487", "BYE"], "RFC 3261 §15.1.2");
    stage.receive(EAST, &reply(&carried, 200, BOB, "", &theirs()));
    assert_eq!(words(&stage.take(EAST)), ["ACK"], "its sender waits for it");
    assert_eq!(stage.records[0].close, CloseReason::ByeFromB);
}

// Rules: invite-client-ack-failure
#[test]
fn a_second_final_response_is_acknowledged_or_passed_over_and_never_believed() {
    // Refused, then answered: a proxy passes on a 2xx even then (RFC 3261 §16.7).
    let mut stage = Stage::new();
    let out = ringing(&mut stage, "both");
    stage.receive(EAST, &answer(&out, 486, "t-east", BOB, ""));
    assert_eq!(words(&stage.take(CARRIER)), ["486"]);
    assert_eq!(words(&stage.take(EAST)), ["ACK"]);
    stage.receive(EAST, &answer(&out, 200, "t-other", BOB, &theirs()));
    assert_eq!(words(&stage.take(EAST)), ["ACK", "BYE"]);
    // Refused twice.
    let mut stage = Stage::new();
    let out = ringing(&mut stage, "twice");
    stage.receive(EAST, &answer(&out, 486, "t-east", BOB, ""));
    stage.receive(EAST, &answer(&out, 603, "t-east", BOB, ""));
    assert_eq!(words(&stage.take(EAST)), ["ACK", "ACK"]);
    assert_eq!(words(&stage.take(CARRIER)), ["486"]);
    // Answered, then refused.
    let mut stage = Stage::new();
    let (_, out) = up_with(&mut stage, "", "");
    stage.receive(EAST, &answer(&out, 486, "t-east", BOB, ""));
    assert_eq!((stage.take(EAST), stage.take(CARRIER), stage.records.len()), (vec![], vec![], 0));
    // Answered, then ringing.
    stage.receive(EAST, &answer(&out, 180, "t-east", BOB, ""));
    assert_eq!((stage.take(EAST), stage.take(CARRIER)), (vec![], vec![]));
}

// Rules: invite-accepted-server, server-repeat, timer-j, dialog-unknown-481
#[test]
fn what_comes_again_after_the_end_begins_nothing() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, "", "");
    let bye = in_dialog(&ok, "BYE", 2, "");
    stage.receive(CARRIER, &bye);
    let answered = stage.take(CARRIER);
    let ours = stage.take(EAST).remove(0);
    stage.receive(EAST, &reply(&ours, 200, BOB, "", ""));
    assert_eq!(stage.records.len(), 1);
    stage.pass(Duration::from_secs(5));
    // The INVITE again (RFC 6026 §7.1), its ACK again, the BYE again, the 200 to ours again, for 64*T1.
    stage.receive(CARRIER, &invite("one", &offer()));
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    assert_eq!(stage.take(CARRIER), Vec::<String>::new());
    stage.receive(CARRIER, &bye);
    assert_eq!(stage.take(CARRIER), answered, "to the byte");
    stage.receive(EAST, &reply(&ours, 200, BOB, "", ""));
    stage.pass(Duration::from_secs(60));
    assert_eq!((stage.take(EAST), stage.take(CARRIER), stage.records.len()), (vec![], vec![], 1));
    // What is new inside the dialog that was is told so at once.
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 9, ""));
    assert_eq!(words(&stage.take(CARRIER)), ["481"]);
}

// Rules: dialog-cseq-below-500, dialog-cseq-gap
#[test]
fn numbers_may_leave_gaps_and_may_not_be_said_twice() {
    let mut stage = Stage::new();
    let (ok, out) = up_with(&mut stage, "", "");
    for (number, wanted) in [(5, "INFO"), (4000, "INFO"), (4000, "500"), (3999, "500"), (4001, "INFO")] {
        // Each in a transaction of its own.
        let branch = format!("z9hG4bKgap{number}{wanted}{}", stage.now.as_nanos());
        let info = in_dialog(&ok, "INFO", number, "").replace(&format!("z9hG4bKINFO{number}"), &branch);
        stage.receive(CARRIER, &info);
        stage.pass(Duration::from_millis(1));
        let seen = [stage.take(EAST), stage.take(CARRIER)].concat();
        assert_eq!(words(&seen), [wanted], "{number}");
        if wanted == "INFO" {
            stage.receive(EAST, &reply(&seen[0], 200, BOB, "", ""));
            assert_eq!(words(&stage.take(CARRIER)), ["200"]);
        }
    }
    // The other leg counts by itself.
    stage.receive(EAST, &from_edge(&out, TAG, "INFO", 1, ""));
    assert_eq!(words(&stage.take(CARRIER)), ["INFO"]);
}

// Rules: stray-response, client-matching, response-sent-by
#[test]
fn responses_that_nobody_asked_for_are_dropped() {
    let mut stage = Stage::new();
    let out = ringing(&mut stage, "stray");
    let ok = answer(&out, 200, "t-east", BOB, &theirs());
    let via = header(&out, "Via").to_owned();
    let branch = via.rsplit("branch=").next().unwrap();
    let last = if branch.ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{last}", &via[..via.len() - 1]);
    for (what, odd) in [
        ("another branch", ok.replace(&via, &forged)),
        ("another sent-by (RFC 3261 §18.1.2)", ok.replace("UDP 192.0.2.100:5060", "UDP 192.0.2.101:5060")),
        ("another port there", ok.replace("UDP 192.0.2.100:5060", "UDP 192.0.2.100:5070")),
        (
            "another Via below ours",
            ok.replacen("From", "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx\r\nFrom", 1),
        ),
        ("another method", ok.replace("CSeq: 1 INVITE", "CSeq: 1 OPTIONS")),
    ] {
        stage.receive(EAST, &odd);
        assert_eq!((stage.take(EAST), stage.take(CARRIER)), (vec![], vec![]), "{what}");
    }
    stage.receive(EAST, &ok);
    assert_eq!(words(&stage.take(CARRIER)), ["200"]);
}

// Rules: dialog-uac-no-to-tag, ack-again
#[test]
fn a_200_without_a_tag_begins_a_dialog_without_one() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("old", &offer()));
    let out = stage.take(EAST).remove(0);
    let ok = answer(&out, 200, "", BOB, &theirs()).replace(";tag=\r\n", "\r\n");
    stage.receive(EAST, &ok);
    let ack = stage.take(EAST).remove(0);
    assert!(ack.starts_with("ACK sip:bob@"), "{ack}");
    assert_eq!(header(&ack, "To"), header(&out, "To"));
    stage.receive(EAST, &ok);
    assert_eq!(words(&stage.take(EAST)), ["ACK"], "said again, acknowledged again");
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    let bye = from_edge(&out, TAG, "BYE", 1, "").replace(";tag=t-east", "");
    stage.receive(EAST, &bye);
    assert_eq!(words(&stage.take(EAST)), ["200"]);
    assert_eq!(words(&stage.take(CARRIER)), ["BYE"]);
}

#[test]
fn a_fork_that_answers_inside_the_dialog_does_not_move_the_leg() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, "", "");
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 7, &held()));
    let carried = stage.take(EAST).remove(0);
    let foreign = reply(&carried, 200, "mallory@198.51.100.1", "", &theirs()).replace("t-east", "t-other");
    stage.receive(EAST, &foreign);
    stage.take(EAST);
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 7, ""));
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 8, ""));
    assert!(stage.take(EAST).iter().any(|m| m.starts_with("BYE sip:bob@")));
}

#[test]
fn what_is_no_invite_has_no_408_and_no_provisional_response() {
    for silent in [false, true] {
        let mut stage = Stage::new();
        let (ok, _) = up_with(&mut stage, "", "");
        stage.receive(CARRIER, &in_dialog(&ok, "INFO", 2, ""));
        let carried = stage.take(EAST).remove(0);
        stage.receive(EAST, &reply(&carried, 100, BOB, "", ""));
        stage.receive(EAST, &reply(&carried, 183, BOB, "", ""));
        assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "RFC 4320 §4.1");
        if silent {
            stage.pass(Duration::from_secs(32));
        } else {
            stage.receive(EAST, &reply(&carried, 408, BOB, "", ""));
        }
        let told = stage.take(CARRIER);
        assert_eq!(words(&told), ["BYE"], "RFC 4320 §4.2: the leg is gone, and that is all");
        assert_eq!(stage.records[0].close, CloseReason::LegGone);
        stage.receive(CARRIER, &reply(&told[0], 200, "ann@192.0.2.1:5060", "", ""));
        stage.pass(Duration::from_secs(70));
        assert_eq!(stage.shard.counts().transactions, 0, "nothing waits for an answer that is not given");
    }
}
