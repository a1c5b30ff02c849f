//! A neighbour wants to know who we are: it is shown, and nobody else hears of it (RFC 3261 §22, RFC 7616).

mod common;

use common::dialogs::{down, reply, with};
use common::digest::{field, respond, shows};
use common::*;
use proxy_core::*;
use relay_values::Duration;

const PASSWORD: &str = "zanzibar";

/// Edges ask for the realm `tier`, the carrier for `carrier`: each knows us by another password.
fn known() -> Config {
    let mut config = config();
    let account = |realm: &str, password: &str| Account {
        realm: realm.into(),
        username: "bascule".into(),
        secret: Secret::Password(password.as_bytes().into()),
    };
    config.authentication.accounts =
        vec![[account("tier", PASSWORD)].into(), [account("carrier", "biloxi")].into()];
    config.groups.iter_mut().for_each(|group| group.manners.accounts = Some(AccountsId(0)));
    config.trunks[0].manners.accounts = Some(AccountsId(1));
    config
}

fn challenge(realm: &str, nonce: &str, more: &str) -> String {
    format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", algorithm=MD5{more}")
}

/// A 407 or a 401 to a request.
fn asks(request: &str, code: u16, realm: &str, nonce: &str, more: &str) -> String {
    let name = if code == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" };
    let field = format!("{name}: {}", challenge(realm, nonce, more));
    let tagged = header(request, "To").contains(";tag=");
    let plain = if tagged { reply(request, code, "x", "", "") } else { answer(request, code, "q", "x", "") };
    with(&plain, &field)
}

/// Without Via, number and credentials two tries of a request are the same.
fn same(request: &str) -> String {
    let differs = ["Via:", "CSeq:", "Authorization:", "Proxy-Authorization:"];
    let lines = request.lines().filter(|line| !differs.iter().any(|name| line.starts_with(name)));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_invite_that_is_challenged_is_said_again_and_the_caller_hears_nothing_of_it() {
    let mut stage = Stage::with(known());
    stage.receive(CARRIER, &invite("one", &sdp("192.0.2.1", 30000)));
    let first = stage.take(EAST).remove(0);
    stage.receive(EAST, &asks(&first, 407, "tier", "n1", ", opaque=\"o\""));
    let to_east = stage.take(EAST);
    assert_eq!(whats(&to_east), ["ACK", "INVITE"]);
    let second = &to_east[1];
    assert_eq!(same(&first), same(second));
    assert_eq!((header(&first, "CSeq"), header(second, "CSeq")), ("1 INVITE", "2 INVITE"));
    assert_ne!(header(&first, "Via"), header(second, "Via"));
    shows(second, "Proxy-Authorization", "n1", PASSWORD);
    let value = header(second, "Proxy-Authorization");
    assert_eq!((field(value, "nc"), field(value, "opaque")), ("00000001", "o"));

    // A repeated 407 is acknowledged again, and not answered again.
    stage.receive(EAST, &asks(&first, 407, "tier", "n1", ""));
    assert_eq!(whats(&stage.take(EAST)), ["ACK"]);

    stage.receive(EAST, &answer(second, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ack = stage.take(EAST).remove(0);
    assert_eq!(header(&ack, "CSeq"), "2 ACK");
    assert_eq!(header(&ack, "Proxy-Authorization"), value, "the ACK shows what its INVITE has shown");
    assert_eq!(field(value, "response"), respond(header(&ack, "Proxy-Authorization"), "INVITE", PASSWORD));
    assert_eq!(whats(&stage.take(CARRIER)), ["100 INVITE", "200 INVITE"]);
}

/// A call that is up, its edge having asked: the 200 that the carrier got, the INVITE that was answered.
fn up(stage: &mut Stage) -> (String, String) {
    stage.receive(CARRIER, &invite("one", &sdp("192.0.2.1", 30000)));
    let first = stage.take(EAST).remove(0);
    stage.receive(EAST, &asks(&first, 407, "tier", "n1", ""));
    let second = stage.take(EAST).remove(1);
    stage.receive(EAST, &answer(&second, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    (ok, second)
}

#[test]
fn later_requests_of_the_dialog_show_it_unasked_and_count() {
    let mut stage = Stage::with(known());
    let (ok, _) = up(&mut stage);
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 2, ""));
    let info = stage.take(EAST).remove(0);
    shows(&info, "Proxy-Authorization", "n1", PASSWORD);
    assert_eq!(field(header(&info, "Proxy-Authorization"), "nc"), "00000002");
    stage.receive(EAST, &reply(&info, 200, "x", "", ""));
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 3, ""));
    let bye = stage.take(EAST).remove(0);
    shows(&bye, "Proxy-Authorization", "n1", PASSWORD);
    assert_eq!(field(header(&bye, "Proxy-Authorization"), "nc"), "00000003");
}

#[test]
fn a_nonce_that_has_become_too_old_is_replaced_for_the_rest_of_the_dialog() {
    let mut stage = Stage::with(known());
    let (ok, _) = up(&mut stage);
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 2, ""));
    let info = stage.take(EAST).remove(0);
    stage.receive(EAST, &asks(&info, 407, "tier", "n2", ", stale=true"));
    let again = stage.take(EAST).remove(0);
    shows(&again, "Proxy-Authorization", "n2", PASSWORD);
    let number = |request: &str| header(request, "CSeq").split(' ').next().unwrap().parse::<u32>().unwrap();
    assert_eq!(number(&again), number(&info) + 1);
    stage.receive(EAST, &reply(&again, 200, "x", "", ""));
    let to_carrier = whats(&stage.take(CARRIER));
    assert_eq!(to_carrier, ["200 INFO"], "one answer, and no challenge");
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 3, ""));
    let bye = stage.take(EAST).remove(0);
    shows(&bye, "Proxy-Authorization", "n2", PASSWORD);
    assert_eq!(
        (number(&bye), field(header(&bye, "Proxy-Authorization"), "nc")),
        (number(&again) + 1, "00000002")
    );
    // Even that is asked for anew, with the call gone.
    stage.receive(EAST, &asks(&bye, 407, "tier", "n3", ", stale=true"));
    shows(&stage.take(EAST)[0], "Proxy-Authorization", "n3", PASSWORD);
}

#[test]
fn a_re_invite_is_said_again_too_and_its_2xx_has_the_ack_of_the_second() {
    let mut stage = Stage::with(known());
    let (ok, _) = up(&mut stage);
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 2, &sdp("192.0.2.1", 30002)));
    let first = stage.take(EAST).remove(0);
    stage.receive(EAST, &asks(&first, 401, "tier", "w1", ""));
    let to_east = stage.take(EAST);
    assert_eq!(whats(&to_east), ["ACK", "INVITE"]);
    let second = &to_east[1];
    shows(second, "Authorization", "w1", PASSWORD);
    assert_eq!(
        field(header(second, "Proxy-Authorization"), "nonce"),
        "n1",
        "the proxy on the way is shown its own"
    );
    stage.receive(EAST, &reply(second, 200, "bob@198.51.100.1", "", &sdp("198.51.100.1", 40002)));
    let ack = stage.take(EAST).remove(0);
    assert_eq!(header(&ack, "CSeq").split(' ').next(), header(second, "CSeq").split(' ').next());
    assert_eq!(header(&ack, "Authorization"), header(second, "Authorization"));
    assert_eq!(whats(&stage.take(CARRIER)), ["100 INVITE", "200 INVITE"]);
}

#[test]
fn who_is_not_content_is_not_asked_again() {
    let mut stage = Stage::with(known());
    stage.receive(CARRIER, &invite("one", &sdp("192.0.2.1", 30000)));
    let first = stage.take(EAST).remove(0);
    stage.receive(EAST, &asks(&first, 407, "tier", "n1", ""));
    let second = stage.take(EAST).remove(1);
    stage.receive(EAST, &asks(&second, 407, "tier", "n1", ""));
    // East does not take our password: the call goes on to the next region.
    assert_eq!(whats(&stage.take(EAST)), ["ACK"]);
    let west = stage.take(WEST).remove(0);
    assert_eq!((header(&west, "CSeq"), header(&west, "Proxy-Authorization")), ("1 INVITE", ""));
    // West asks on and on, with nonces ever new.
    let mut request = west;
    for n in 0..20 {
        stage.receive(WEST, &asks(&request, 401, "tier", &format!("n{n}"), ", stale=true"));
        match stage.take(WEST).into_iter().find(|message| message.starts_with("INVITE")) {
            Some(next) => request = next,
            None => {
                assert_eq!(n, 4, "four times shown");
                break;
            }
        }
    }
    assert_eq!(
        whats(&stage.take(CARRIER)),
        ["100 INVITE", "403 INVITE"],
        "the caller never sees a 401 that is ours"
    );
    let outcome = StepOutcome::Advanced { reason: HuntReason::Unauthorized, code: 407 };
    assert_eq!(stage.records[0].steps[0].outcome, outcome);
    let challenges: Vec<_> = stage.shard.counters().challenges().filter(|(_, n)| *n > 0).collect();
    assert_eq!(
        challenges,
        [
            (ChallengeOutcome::Answered, 5),
            (ChallengeOutcome::NotAccepted, 1),
            (ChallengeOutcome::TooOften, 1)
        ]
    );
}

#[test]
fn nothing_is_shown_to_a_realm_of_another_leg_or_of_nobody() {
    for realm in ["carrier", "elsewhere", ""] {
        let mut stage = Stage::with(known());
        stage.receive(CARRIER, &invite("one", &sdp("192.0.2.1", 30000)));
        let first = stage.take(EAST).remove(0);
        stage.receive(EAST, &asks(&first, 407, realm, "n1", ""));
        assert_eq!(whats(&stage.take(EAST)), ["ACK"], "{realm}");
        assert_eq!(whats(&stage.take(WEST)), ["INVITE"]);
        let foreign =
            stage.shard.counters().challenges().find(|(what, _)| *what == ChallengeOutcome::ForeignRealm);
        assert_eq!(foreign, Some((ChallengeOutcome::ForeignRealm, 1)));
    }
}

#[test]
fn a_caller_who_gives_up_while_we_are_asked_is_believed() {
    let mut stage = Stage::with(known());
    let text = invite("one", &sdp("192.0.2.1", 30000));
    stage.receive(CARRIER, &text);
    let first = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&first, 100, "q", "x", ""));
    let cancel = text.split("Record-Route").next().unwrap().replacen("INVITE", "CANCEL", 1);
    let rest = ["From", "To", "Call-ID"].map(|name| format!("{name}: {}\r\n", header(&text, name))).concat();
    stage.receive(
        CARRIER,
        &format!("{cancel}Max-Forwards: 70\r\n{rest}CSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n"),
    );
    assert_eq!(whats(&stage.take(EAST)), ["CANCEL"]);
    stage.receive(EAST, &asks(&first, 407, "tier", "n1", ""));
    assert_eq!(whats(&stage.take(EAST)), ["ACK"], "and no INVITE");
}

#[test]
fn a_region_dies_and_the_next_one_asks_who_we_are() {
    let mut stage = Stage::with(known());
    up(&mut stage);
    down(&mut stage, &[0], &[0]);
    let first = stage.take(WEST).remove(0);
    stage.receive(WEST, &asks(&first, 401, "tier", "w1", ""));
    let second = stage.take(WEST).remove(1);
    shows(&second, "Authorization", "w1", PASSWORD);
    assert_eq!(header(&second, "CSeq"), "2 INVITE");
    stage.receive(WEST, &answer(&second, 200, "t-west", "eve@203.0.113.1", &sdp("203.0.113.1", 50000)));
    let ack = stage.take(WEST).remove(0);
    assert_eq!((what(&ack).as_str(), header(&ack, "CSeq")), ("ACK", "2 ACK"));
    assert_eq!(header(&ack, "Authorization"), header(&second, "Authorization"));
    // Its 2xx comes again: the same ACK.
    stage.receive(WEST, &answer(&second, 200, "t-west", "eve@203.0.113.1", &sdp("203.0.113.1", 50000)));
    assert_eq!(header(&stage.take(WEST)[0], "Authorization"), header(&second, "Authorization"));
    stage.pass(Duration::from_secs(3));
    let bye = format!(
        "BYE sip:192.0.2.100:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {WEST};branch=z9hG4bKbye\r\nMax-Forwards: 70\r\n\
         From: {};tag=t-west\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 7 BYE\r\nContent-Length: 0\r\n\r\n",
        header(&second, "To"),
        header(&second, "From"),
        header(&second, "Call-ID"),
    );
    stage.receive(WEST, &bye);
    assert_eq!(whats(&stage.take(CARRIER)).last().map(String::as_str), Some("BYE"));
}

#[test]
fn a_reliable_provisional_of_a_challenged_invite_is_acknowledged_with_what_was_shown() {
    let mut config = known();
    config.groups.iter_mut().for_each(|group| group.manners.offer_100rel = true);
    let mut stage = Stage::with(config);
    stage.receive(CARRIER, &invite("one", &sdp("192.0.2.1", 30000)));
    let first = stage.take(EAST).remove(0);
    stage.receive(EAST, &asks(&first, 407, "tier", "n1", ""));
    let second = stage.take(EAST).remove(1);
    let ringing = answer(&second, 180, "t-east", "bob@198.51.100.1", "");
    stage.receive(EAST, &with(&ringing, "Require: 100rel\r\nRSeq: 7"));
    let prack = stage.take(EAST).remove(0);
    assert_eq!((header(&prack, "CSeq"), header(&prack, "RAck")), ("3 PRACK", "7 2 INVITE"));
    shows(&prack, "Proxy-Authorization", "n1", PASSWORD);
    // A proxy that gives each nonce out once.
    stage.receive(EAST, &asks(&prack, 407, "tier", "n2", ", stale=true"));
    let again = stage.take(EAST).remove(0);
    assert_eq!((header(&again, "CSeq"), header(&again, "RAck")), ("4 PRACK", "7 2 INVITE"));
    shows(&again, "Proxy-Authorization", "n2", PASSWORD);
    stage.receive(EAST, &answer(&second, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ack = stage.take(EAST).remove(0);
    assert_eq!(header(&ack, "CSeq"), "2 ACK");
}
