//! REFER, INFO, MESSAGE and NOTIFY inside a call: what is carried, what is refused, and transfers that we carry out.

mod common;

use common::*;
use proxy_core::{CloseReason, Config, Manners, Refers};
use relay_values::{Duration, Leg, RelayCommand};

fn offer() -> String {
    sdp("192.0.2.1", 30000)
}

/// The tier's manners are these, the carrier's the opposite of what matters.
fn stage(refer: Refers) -> Stage {
    let mut config: Config = config();
    for group in &mut config.groups {
        group.manners = Manners { refer, ..Manners::default() };
    }
    Stage::with(config)
}

/// A call that is up in the east: the 200 that the carrier got, and the INVITE that east got.
fn up(stage: &mut Stage, call: &str) -> (String, String) {
    stage.receive(CARRIER, &invite(call, &offer()));
    let out = stage.take(EAST).pop().unwrap();
    let tag = format!("t-{call}");
    stage.receive(EAST, &answer(&out, 200, &tag, "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    (ok, out)
}

/// The tier's request inside the dialog of `call`, which an INVITE of ours has begun.
fn from_tier(call: &str, invite: &str, method: &str, cseq: u32, fields: &str) -> String {
    let head = format!(
        "{method} sip:192.0.2.100:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK{call}{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {};tag=t-{call}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <sip:bob@198.51.100.1>\r\n{fields}",
        header(invite, "To"),
        header(invite, "From"),
        header(invite, "Call-ID"),
    );
    with_body(&head, "")
}

/// A peer's response to a request inside its dialog.
fn reply(request: &str, code: u16, body: &str) -> String {
    answer(request, code, "", "x@198.51.100.1", body).replace(";tag=\r\n", "\r\n").replacen(
        &format!("To: {}", header(request, "To").split(";tag").next().unwrap()),
        &format!("To: {}", header(request, "To")),
        1,
    )
}

/// What NOTIFYs have told: the state of the subscription and the status line.
fn told(messages: &[String]) -> Vec<(String, String)> {
    let notified = messages.iter().filter(|message| message.starts_with("NOTIFY"));
    notified
        .map(|message| {
            let line = message.rsplit("\r\n\r\n").next().unwrap().trim().to_owned();
            (header(message, "Subscription-State").split(';').next().unwrap().to_owned(), line)
        })
        .collect()
}

fn as_told(what: &[(&str, &str)]) -> Vec<(String, String)> {
    what.iter().map(|(state, line)| ((*state).to_owned(), (*line).to_owned())).collect()
}

/// Answers whatever we have asked of the east inside dialogs, and returns all of it.
fn east_says_yes(stage: &mut Stage) -> Vec<String> {
    let asked = stage.take(EAST);
    for request in asked.iter().filter(|m| m.starts_with("NOTIFY") || m.starts_with("BYE")) {
        stage.receive(EAST, &reply(request, 200, ""));
    }
    asked
}

#[test]
fn a_tier_without_the_right_to_transfer_is_declined() {
    let mut stage = stage(Refers::Refuse);
    let (_, out) = up(&mut stage, "one");
    stage.receive(EAST, &from_tier("one", &out, "REFER", 9, "Refer-To: <sip:+15559000@192.0.2.1>\r\n"));
    assert!(stage.take(EAST)[0].starts_with("SIP/2.0 603"));
    assert_eq!(stage.take(CARRIER), Vec::<String>::new());
}

// Rules: uas-405-allow, invite-allow, invite-2xx-fields
#[test]
fn refer_is_listed_for_whose_it_is_taken_and_for_nobody_else() {
    for (manners, told) in [(Refers::Refuse, false), (Refers::Pass, true), (Refers::Transfer, true)] {
        let mut stage = stage(manners);
        let (ok, out) = up(&mut stage, "one");
        assert_eq!(header(&out, "Allow").contains("REFER"), told, "{out}");
        assert!(!header(&ok, "Allow").contains("REFER"), "the carrier's is declined: {ok}");
        stage.receive(EAST, &from_tier("one", &out, "OPTIONS", 9, ""));
        stage.receive(EAST, &from_tier("one", &out, "PUBLISH", 10, ""));
        for answer in stage.take(EAST) {
            assert_eq!(header(&answer, "Allow").contains("REFER"), told, "{answer}");
            assert!(header(&answer, "Allow").contains("NOTIFY"), "{answer}");
        }
    }
}

#[test]
fn a_refer_that_may_pass_passes_with_its_notifies_which_name_it_as_either_side_does() {
    let mut stage = stage(Refers::Pass);
    let (ok, out) = up(&mut stage, "one");
    stage.receive(EAST, &from_tier("one", &out, "REFER", 93, "Refer-To: <sip:+15559000@example.com>\r\n"));
    let refer = stage.take(CARRIER).remove(0);
    assert!(refer.starts_with("REFER sip:ann@192.0.2.1:5060"), "{refer}");
    assert_eq!(header(&refer, "Refer-To"), "<sip:+15559000@example.com>");
    let number = header(&refer, "CSeq").split(' ').next().unwrap();
    stage.receive(CARRIER, &reply(&refer, 202, ""));
    assert!(stage.take(EAST).pop().unwrap().starts_with("SIP/2.0 202"));
    let frag = "SIP/2.0 200 OK\r\nContact: <sip:secret@10.0.0.1>\r\n";
    let notify = in_dialog(&ok, "NOTIFY", 7, frag).replace("application/sdp", "message/sipfrag").replacen(
        "Content-Type",
        &format!(
            "Event: refer;id={number}\r\nSubscription-State: terminated;reason=noresource\r\nContent-Type"
        ),
        1,
    );
    stage.receive(CARRIER, &notify);
    let carried = stage.take(EAST).pop().unwrap();
    assert_eq!(header(&carried, "Event"), "refer;id=93", "{carried}");
    assert_eq!(header(&carried, "Subscription-State"), "terminated;reason=noresource");
    assert!(carried.ends_with("\r\n\r\nSIP/2.0 200 OK") && !carried.contains("secret"), "{carried}");
    stage.receive(EAST, &reply(&carried, 200, ""));
    assert!(stage.take(CARRIER).pop().unwrap().starts_with("SIP/2.0 200"));
    // The subscription is over, and there was never another.
    stage.receive(CARRIER, &notify.replace("CSeq: 7", "CSeq: 8").replace("NOTIFY7", "NOTIFY8"));
    assert!(stage.take(CARRIER).pop().unwrap().starts_with("SIP/2.0 481"));
    assert_eq!(stage.take(EAST), Vec::<String>::new());
}

#[test]
fn a_blind_transfer_places_a_new_leg_and_the_carrier_hears_of_nothing() {
    let mut stage = stage(Refers::Transfer);
    let (_, out) = up(&mut stage, "one");
    stage.relayed.clear();
    stage.receive(
        EAST,
        &from_tier(
            "one",
            &out,
            "REFER",
            9,
            "Refer-To: <sip:+15559000@203.0.113.1>\r\nReferred-By: <sip:agent7@inside>\r\n",
        ),
    );
    let to_east = east_says_yes(&mut stage);
    assert!(to_east[0].starts_with("SIP/2.0 202"), "{to_east:?}");
    assert_eq!(told(&to_east), as_told(&[("active", "SIP/2.0 100 Trying")]));
    assert_eq!(header(&to_east[1], "Event"), "refer;id=9");
    let new = stage.take(WEST).remove(0);
    assert!(new.starts_with("INVITE sip:+15559000@203.0.113.1:5060 SIP/2.0"), "{new}");
    assert!(header(&new, "From").contains("+15552000"), "the caller calls: {new}");
    assert_eq!(header(&new, "Referred-By"), "<sip:agent7@192.0.2.100>");
    assert!(new.contains("m=audio 20002"), "the same port: {new}");
    stage.receive(WEST, &answer(&new, 180, "t-west", "carol@203.0.113.1", ""));
    assert_eq!(told(&east_says_yes(&mut stage)), as_told(&[("active", "SIP/2.0 180 Ringing")]));
    stage.receive(WEST, &answer(&new, 200, "t-west", "carol@203.0.113.1", &sdp("203.0.113.1", 50000)));
    assert!(stage.take(WEST)[0].starts_with("ACK sip:carol@"));
    let to_east = east_says_yes(&mut stage);
    assert_eq!(told(&to_east), as_told(&[("terminated", "SIP/2.0 200 OK")]));
    assert!(to_east.last().unwrap().starts_with("BYE"), "{to_east:?}");
    assert!(
        matches!(stage.relayed[..], [RelayCommand::Retarget { leg: Leg::B, to: Some(_), .. }]),
        "{:?}",
        stage.relayed
    );
    assert_eq!(stage.take(CARRIER), Vec::<String>::new());
    // The new leg is the call's: what it says crosses, and its BYE ends the call.
    let bye = from_tier("west", &new, "BYE", 2, "").replace("198.51.100.1", "203.0.113.1");
    stage.receive(WEST, &bye);
    assert!(stage.take(WEST)[0].starts_with("SIP/2.0 200"));
    assert!(stage.take(CARRIER)[0].starts_with("BYE"));
    assert_eq!(stage.records[0].close, CloseReason::ByeFromB);
}

#[test]
fn a_transfer_that_is_refused_leaves_the_call_as_it_was() {
    let mut stage = stage(Refers::Transfer);
    let (ok, out) = up(&mut stage, "one");
    stage.relayed.clear();
    stage.receive(EAST, &from_tier("one", &out, "REFER", 9, "Refer-To: <sip:+15559000@203.0.113.1>\r\n"));
    east_says_yes(&mut stage);
    let new = stage.take(WEST).remove(0);
    stage.receive(WEST, &answer(&new, 486, "t-west", "carol@203.0.113.1", ""));
    assert_eq!(told(&east_says_yes(&mut stage)), as_told(&[("terminated", "SIP/2.0 486 Busy Here")]));
    assert_eq!(stage.relayed, []);
    // The next one is another transfer.
    stage.receive(EAST, &from_tier("one", &out, "REFER", 10, "Refer-To: <sip:+15559000@203.0.113.1>\r\n"));
    east_says_yes(&mut stage);
    let new = stage.take(WEST).pop().unwrap();
    // Its media is not what the carrier has.
    let video = sdp("203.0.113.1", 50000).replace("RTP/AVP 0 101", "RTP/AVP 18");
    stage.receive(WEST, &answer(&new, 200, "t-west", "carol@203.0.113.1", &video));
    let to_west = stage.take(WEST);
    assert!(to_west[0].starts_with("ACK") && to_west[1].starts_with("BYE"), "{to_west:?}");
    assert_eq!(
        told(&east_says_yes(&mut stage)),
        as_told(&[("terminated", "SIP/2.0 488 Not Acceptable Here")])
    );
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 7, ""));
    assert!(stage.take(EAST)[0].starts_with("INFO"), "the call goes on");
}

#[test]
fn whoever_transfers_may_hang_up_at_once() {
    let mut stage = stage(Refers::Transfer);
    let (_, out) = up(&mut stage, "one");
    stage.relayed.clear();
    stage.receive(EAST, &from_tier("one", &out, "REFER", 9, "Refer-To: <sip:+15559000@203.0.113.1>\r\n"));
    stage.receive(EAST, &from_tier("one", &out, "BYE", 10, ""));
    east_says_yes(&mut stage);
    assert!(
        matches!(stage.relayed[..], [RelayCommand::Bridge { leg: Leg::B, fill: Some(_), .. }]),
        "{:?}",
        stage.relayed
    );
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "the caller waits");
    let new = stage.take(WEST).remove(0);
    stage.receive(WEST, &answer(&new, 200, "t-west", "carol@203.0.113.1", &sdp("203.0.113.1", 50000)));
    assert_eq!(stage.take(EAST), Vec::<String>::new(), "there is nobody to be told");
    assert_eq!(stage.records.len(), 0);
    // The same, and nobody answers: then the caller is alone.
    let (_, out) = up(&mut stage, "two");
    stage.receive(EAST, &from_tier("two", &out, "REFER", 9, "Refer-To: <sip:+15559000@203.0.113.1>\r\n"));
    stage.receive(EAST, &from_tier("two", &out, "BYE", 10, ""));
    stage.take(CARRIER);
    stage.pass(Duration::from_millis(200));
    let bye = stage.take(CARRIER).pop().unwrap();
    assert!(bye.starts_with("BYE") && header(&bye, "Reason").contains("not_transferred"), "{bye}");
    assert_eq!(stage.records[0].close, CloseReason::NotTransferred);
}

#[test]
fn a_caller_who_hangs_up_ends_the_transfer_that_is_under_way() {
    let mut stage = stage(Refers::Transfer);
    let (ok, out) = up(&mut stage, "one");
    stage.receive(EAST, &from_tier("one", &out, "REFER", 9, "Refer-To: <sip:+15559000@203.0.113.1>\r\n"));
    east_says_yes(&mut stage);
    let new = stage.take(WEST).remove(0);
    stage.receive(WEST, &answer(&new, 180, "t-west", "carol@203.0.113.1", ""));
    east_says_yes(&mut stage);
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
    assert!(stage.take(WEST)[0].starts_with("CANCEL"));
    let to_east = east_says_yes(&mut stage);
    assert_eq!(told(&to_east), as_told(&[("terminated", "SIP/2.0 487 Request Terminated")]));
    assert!(to_east.last().unwrap().starts_with("BYE"));
    assert_eq!(stage.records[0].close, CloseReason::ByeFromA);
}

#[test]
fn a_transfer_to_a_number_goes_where_a_call_of_the_tier_would_and_the_tier_is_out_of_it() {
    let mut stage = stage(Refers::Transfer);
    let (_, out) = up(&mut stage, "one");
    stage.receive(EAST, &from_tier("one", &out, "REFER", 9, "Refer-To: <sip:+15559000@pbx.example>\r\n"));
    east_says_yes(&mut stage);
    let new = stage.take(CARRIER).pop().unwrap();
    assert!(new.starts_with("INVITE sip:+15559000@192.0.2.1:5060 SIP/2.0"), "{new}");
    stage.receive(CARRIER, &answer(&new, 200, "t-pstn", "pstn@192.0.2.1", &sdp("192.0.2.1", 31000)));
    east_says_yes(&mut stage);
    stage.take(CARRIER);
    // Its region may die now.
    let mut snapshot = (*stage.snapshot).clone();
    snapshot.generation += 1;
    snapshot.regions[0].state = proxy_core::RegionState::Down;
    snapshot.health[0].state = proxy_core::TargetState::Down;
    stage.input(proxy_core::Input::Snapshot(std::sync::Arc::new(snapshot)));
    stage.pass(Duration::from_secs(20));
    assert!(stage.records.is_empty() && stage.take(WEST).is_empty(), "nothing of it moves");
}

/// A consultation: the tier has another call, to the west's edge by way of a carrier's second call.
fn consult(stage: &mut Stage) -> (String, String, String) {
    let (_, one) = up(stage, "one");
    let (ok, two) = up(stage, "two");
    (one, two, ok)
}

/// Session id and version of a description's `o=` line.
fn origin(message: &str) -> (String, u64) {
    let line = message.lines().find_map(|line| line.strip_prefix("o=- ")).unwrap();
    let mut words = line.split(' ');
    (words.next().unwrap().to_owned(), words.next().unwrap().parse().unwrap())
}

/// Refer-To with the dialog that the tier has by `invite`, as the tier sees it.
fn replaces(call: &str, invite: &str) -> String {
    let ours = header(invite, "From").split(";tag=").nth(1).unwrap();
    let id = header(invite, "Call-ID").replace('@', "%40");
    format!("Refer-To: <sip:ann@192.0.2.100?Replaces={id}%3Bto-tag%3D{ours}%3Bfrom-tag%3Dt-{call}>\r\n")
}

#[test]
fn an_attended_transfer_joins_the_far_ends_of_two_calls() {
    let mut stage = stage(Refers::Transfer);
    let (one, two, ok) = consult(&mut stage);
    stage.relayed.clear();
    stage.receive(EAST, &from_tier("one", &one, "REFER", 9, &replaces("two", &two)));
    let to_east = east_says_yes(&mut stage);
    assert!(to_east[0].starts_with("SIP/2.0 202"), "{to_east:?}");
    // The far end of the second call is offered the media of the first.
    let again = stage.take(CARRIER).pop().unwrap();
    assert!(again.starts_with("INVITE sip:ann@192.0.2.1:5060"), "{again}");
    assert_eq!(header(&again, "Call-ID"), "two@carrier.example");
    assert!(again.contains("m=audio 20002"), "{again}");
    // RFC 3264 §8: it is the next description of the same session to whoever hears it.
    let (session, version) = origin(&ok);
    assert_eq!(origin(&again), (session, version + 1));
    stage.receive(
        CARRIER,
        &reply(&again, 200, &sdp("192.0.2.1", 30000)).replace("x@198.51.100.1", "ann2@192.0.2.1"),
    );
    let to_carrier = stage.take(CARRIER);
    assert!(to_carrier[0].starts_with("ACK sip:ann2@192.0.2.1") && to_carrier.len() == 1, "{to_carrier:?}");
    let to_east = east_says_yes(&mut stage);
    assert_eq!(told(&to_east), as_told(&[("terminated", "SIP/2.0 200 OK")]));
    let ended: Vec<_> =
        to_east.iter().filter(|m| m.starts_with("BYE")).map(|m| header(m, "Call-ID")).collect();
    assert_eq!(ended.len(), 2, "both of its calls: {to_east:?}");
    assert!(ended.contains(&header(&one, "Call-ID")) && ended.contains(&header(&two, "Call-ID")));
    assert_eq!(stage.records.len(), 1);
    assert_eq!(
        (stage.records[0].close, &*stage.records[0].a_call_id),
        (CloseReason::Transferred, "two@carrier.example")
    );
    // The leg that was taken says its tag, which names the call that is over; it is the other call's all the same.
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 7, ""));
    let info = stage.take(CARRIER).pop().unwrap();
    assert!(info.starts_with("INFO") && header(&info, "Call-ID") == "one@carrier.example", "{info}");
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 8, ""));
    let to_carrier = stage.take(CARRIER);
    assert!(to_carrier.iter().any(|m| m.starts_with("SIP/2.0 200")), "{to_carrier:?}");
    assert!(to_carrier.iter().any(|m| m.starts_with("BYE") && header(m, "Call-ID") == "one@carrier.example"));
    assert_eq!(stage.records.len(), 2);
}

#[test]
fn an_attended_transfer_that_the_far_end_refuses_leaves_both_calls_as_they_were() {
    let mut stage = stage(Refers::Transfer);
    let (one, two, _) = consult(&mut stage);
    stage.receive(EAST, &from_tier("one", &one, "REFER", 9, &replaces("two", &two)));
    east_says_yes(&mut stage);
    let again = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &reply(&again, 488, ""));
    assert_eq!(
        told(&east_says_yes(&mut stage)),
        as_told(&[("terminated", "SIP/2.0 488 Not Acceptable Here")])
    );
    stage.take(CARRIER);
    assert_eq!(stage.records.len(), 0);
    for (call, invite) in [("one", &one), ("two", &two)] {
        stage.receive(EAST, &from_tier(call, invite, "INFO", 20, ""));
        assert!(stage.take(CARRIER).pop().unwrap().starts_with("INFO"), "{call}");
    }
}

#[test]
fn a_dialog_that_nobody_has_cannot_be_replaced() {
    let mut stage = stage(Refers::Transfer);
    let (one, two, _) = consult(&mut stage);
    let strange = [
        replaces("two", &two).replace("t-two", "t-other"),
        replaces("two", &two).replace("to-tag%3D", "to-tag%3Dx"),
        replaces("one", &one),
    ];
    for (at, refer_to) in strange.iter().enumerate() {
        stage.receive(EAST, &from_tier("one", &one, "REFER", 9 + at as u32, refer_to));
        let to_east = east_says_yes(&mut stage);
        let refused = to_east[0].starts_with("SIP/2.0 481");
        let told_so = told(&to_east).last().is_some_and(|(_, line)| line.contains("481"));
        assert!(refused || told_so, "{to_east:?}");
    }
    assert_eq!(stage.take(CARRIER), Vec::<String>::new());
    assert_eq!(stage.records.len(), 0);
}

#[test]
fn digits_and_words_cross_as_they_were_said() {
    let mut stage = stage(Refers::Refuse);
    let (ok, out) = up(&mut stage, "one");
    for (cseq, method, kind, body) in [
        (2, "INFO", "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"),
        (3, "INFO", "application/dtmf", "5"),
        (4, "MESSAGE", "text/plain;charset=UTF-8", "Grüße"),
    ] {
        let said = in_dialog(&ok, method, cseq, body).replace("application/sdp", kind).replacen(
            "Content-Type",
            "Content-Disposition: render\r\nContent-Type",
            1,
        );
        stage.receive(CARRIER, &said);
        let carried = stage.take(EAST).pop().unwrap();
        assert!(carried.starts_with(method) && carried.ends_with(&format!("\r\n\r\n{body}")), "{carried}");
        assert_eq!(
            (header(&carried, "Content-Type"), header(&carried, "Content-Disposition")),
            (kind, "render")
        );
        stage.receive(EAST, &reply(&carried, 200, ""));
        assert!(stage.take(CARRIER).pop().unwrap().starts_with("SIP/2.0 200"));
    }
    // And the other way; what the far end makes of it comes back.
    stage.receive(EAST, &from_tier("one", &out, "MESSAGE", 20, ""));
    let carried = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &reply(&carried, 415, ""));
    assert!(stage.take(EAST).pop().unwrap().starts_with("SIP/2.0 415"));
}

#[test]
fn a_region_that_dies_in_the_middle_of_a_transfer_takes_the_transfer_with_it_and_not_the_call() {
    let mut stage = stage(Refers::Transfer);
    let (_, out) = up(&mut stage, "one");
    stage.receive(EAST, &from_tier("one", &out, "REFER", 9, "Refer-To: <sip:+15559000@203.0.113.1>\r\n"));
    east_says_yes(&mut stage);
    let new = stage.take(WEST).remove(0);
    stage.receive(WEST, &answer(&new, 180, "t-west", "carol@203.0.113.1", ""));
    common::dialogs::down(&mut stage, &[0], &[0]);
    let to_west = stage.take(WEST);
    assert_eq!(whats(&to_west), ["CANCEL", "INVITE"], "whom it was to be transferred to is left alone");
    let moved = &to_west[1];
    assert!(
        moved.starts_with("INVITE sip:+15551000@203.0.113.1:5060"),
        "whom the caller has called: {moved}"
    );
    stage.receive(WEST, &answer(moved, 200, "t-moved", "bob@203.0.113.1", &sdp("203.0.113.1", 50000)));
    assert_eq!(stage.take(CARRIER), Vec::<String>::new());
    assert!(stage.records.is_empty());
}

#[test]
fn a_transfer_that_is_asked_for_while_the_call_moves_may_be_asked_for_again() {
    let mut config: Config = config();
    config.trunks[0].manners = Manners { refer: Refers::Transfer, ..Manners::default() };
    let mut stage = Stage::with(config);
    let (ok, _) = up(&mut stage, "one");
    common::dialogs::down(&mut stage, &[0], &[0]);
    assert_eq!(whats(&stage.take(WEST)), ["INVITE"]);
    let refer =
        in_dialog(&ok, "REFER", 5, "").replacen("Content-", "Refer-To: <sip:+15559000@x>\r\nContent-", 1);
    stage.receive(CARRIER, &refer);
    let refused = stage.take(CARRIER).pop().unwrap();
    assert_eq!(what(&refused), "500 REFER");
    assert!(header(&refused, "Retry-After").parse::<u32>().is_ok_and(|seconds| seconds <= 10), "{refused}");
}
