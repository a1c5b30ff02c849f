//! A trunk has to show who it is before anything new of its is begun (RFC 3261 §22, RFC 7616, RFC 8760).

mod common;

use common::digest::{field, md5, respond};
use common::*;
use proxy_core::*;
use relay_values::Duration;

const PASSWORD: &str = "circle of life";

fn guarded() -> Config {
    let mut config = config();
    let user = |name: &str, secret| Account { realm: "edge".into(), username: name.into(), secret };
    let ha1 = md5(&["hashed", "edge", PASSWORD]).into_bytes().into();
    config.authentication.demands = vec![
        Demand {
            realm: "edge".into(),
            users: vec![
                user("acme", Secret::Password(PASSWORD.as_bytes().into())),
                user("hashed", Secret::Ha1(DigestHash::Md5, ha1)),
            ],
            hashes: vec![DigestHash::Sha256, DigestHash::Md5],
            integrity: false,
            nonce_life: Duration::from_secs(60),
        }
        .into(),
    ];
    config.trunks[0].manners.demand = Some(DemandId(0));
    config
}

/// The nonce of the MD5 challenge in a 401.
fn nonce(refusal: &str) -> &str {
    let values: Vec<_> = refusal.lines().filter_map(|line| line.strip_prefix("WWW-Authenticate: ")).collect();
    assert_eq!(values.len(), 2, "{refusal}");
    assert_eq!(values.iter().map(|value| field(value, "algorithm")).collect::<Vec<_>>(), ["SHA-256", "MD5"]);
    field(values[1], "nonce")
}

/// The same request, the so many'th try, with this user's credentials.
fn shown(request: &str, turn: u32, user: &str, password: &str, nonce: &str, nc: &str) -> String {
    let uri = request.split(' ').nth(1).unwrap();
    let head = format!(
        "Digest username=\"{user}\", realm=\"edge\", nonce=\"{nonce}\", uri=\"{uri}\", algorithm=MD5, qop=auth, nc={nc}, cnonce=\"c\""
    );
    let method = request.split(' ').next().unwrap();
    let response = respond(&head, method, password);
    let number = |name: &str| format!("{name}: 1 {method}");
    request
        .replacen(
            &number("CSeq"),
            &format!("CSeq: {} {method}\r\nAuthorization: {head}, response=\"{response}\"", turn + 1),
            1,
        )
        .replacen("branch=z9hG4bK", &format!("branch=z9hG4bK{turn}"), 1)
}

fn rejected(stage: &Stage, reason: RejectReason) -> u64 {
    stage.shard.counters().rejected(reason)
}

/// What the carrier hears to this, one message.
fn says(stage: &mut Stage, request: &str) -> String {
    stage.receive(CARRIER, request);
    let mut said = stage.take(CARRIER);
    assert_eq!(said.len(), 1, "{said:?}");
    said.remove(0)
}

fn acknowledge(stage: &mut Stage, request: &str, refusal: &str) {
    let ack = request.split("Record-Route").next().unwrap().replacen("INVITE", "ACK", 1);
    let rest = ["From", "Call-ID"].map(|name| format!("{name}: {}\r\n", header(request, name))).concat();
    let to = header(refusal, "To");
    let number = header(request, "CSeq").replacen("INVITE", "ACK", 1);
    stage.receive(
        CARRIER,
        &format!("{ack}Max-Forwards: 70\r\n{rest}To: {to}\r\nCSeq: {number}\r\nContent-Length: 0\r\n\r\n"),
    );
}

#[test]
fn who_shows_nothing_is_asked_and_leaves_nothing_behind() {
    let mut stage = Stage::with(guarded());
    let invite = invite("one", &sdp("192.0.2.1", 30000));
    let refusal = says(&mut stage, &invite);
    assert_eq!(what(&refusal), "401 INVITE");
    assert!(header(&refusal, "To").contains(";tag="), "{refusal}");
    assert_eq!(stage.shard.counts().transactions, 0, "no state before the password");
    assert_eq!(stage.records.len(), 0, "and no call to be recorded");
    acknowledge(&mut stage, &invite, &refusal);
    assert_eq!((stage.take(CARRIER).len(), stage.shard.counts().transactions), (0, 0));

    let second = shown(&invite, 1, "acme", PASSWORD, nonce(&refusal), "00000001");
    assert_eq!(what(&says(&mut stage, &second)), "100 INVITE");
    let out = stage.take(EAST).remove(0);
    assert_eq!(header(&out, "Authorization"), "", "what is shown to us is for nobody else");
    // The same once more, because its 100 was lost: no second call, and no replay either.
    assert_eq!(what(&says(&mut stage, &second)), "100 INVITE");
    assert_eq!((stage.take(EAST).len(), rejected(&stage, RejectReason::NonceUsed)), (0, 0));
}

#[test]
fn what_follows_inside_the_dialog_is_not_asked() {
    let mut stage = Stage::with(guarded());
    let invite = invite("one", &sdp("192.0.2.1", 30000));
    let refusal = says(&mut stage, &invite);
    let second = shown(&invite, 1, "hashed", PASSWORD, nonce(&refusal), "00000001");
    says(&mut stage, &second);
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ok = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 2, ""));
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 3, ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["200 BYE"]);
    assert_eq!(whats(&stage.take(EAST)), ["ACK", "BYE"]);
    assert_eq!(stage.records[0].close, CloseReason::ByeFromA);
}

#[test]
fn what_was_shown_once_is_not_taken_twice_and_a_count_goes_on() {
    let mut stage = Stage::with(guarded());
    let first = invite("one", &sdp("192.0.2.1", 30000));
    let refusal = says(&mut stage, &first);
    says(&mut stage, &shown(&first, 1, "acme", PASSWORD, nonce(&refusal), "00000001"));
    // Somebody has heard it, and says it with another Call-ID.
    let heard = shown(&first, 1, "acme", PASSWORD, nonce(&refusal), "00000001");
    let replayed = says(&mut stage, &heard.replace("one@", "two@").replace("z9hG4bK1one", "z9hG4bKother"));
    assert_eq!((what(&replayed).as_str(), rejected(&stage, RejectReason::NonceUsed)), ("401 INVITE", 1));
    assert!(replayed.contains("stale=true"), "{replayed}");
    // The trunk itself counts on, with the next call.
    let next = invite("three", &sdp("192.0.2.1", 30000));
    let next = shown(&next, 1, "acme", PASSWORD, nonce(&refusal), "00000002");
    assert_eq!(what(&says(&mut stage, &next)), "100 INVITE");
}

#[test]
fn a_nonce_grows_old_and_says_so() {
    let mut stage = Stage::with(guarded());
    let invite = invite("one", &sdp("192.0.2.1", 30000));
    let refusal = says(&mut stage, &invite);
    stage.pass(Duration::from_secs(62));
    let late = says(&mut stage, &shown(&invite, 1, "acme", PASSWORD, nonce(&refusal), "00000001"));
    assert_eq!((what(&late).as_str(), late.contains("stale=true")), ("401 INVITE", true));
    let again = shown(&invite, 2, "acme", PASSWORD, nonce(&late), "00000001");
    assert_eq!(what(&says(&mut stage, &again)), "100 INVITE");
    assert_eq!(rejected(&stage, RejectReason::NonceTooOld), 1);
}

#[test]
fn wrong_names_passwords_realms_and_everything_broken_is_asked_anew() {
    let mut stage = Stage::with(guarded());
    let invite = invite("one", &sdp("192.0.2.1", 30000));
    let refusal = says(&mut stage, &invite);
    let nonce = nonce(&refusal).to_owned();
    let good = shown(&invite, 1, "acme", PASSWORD, &nonce, "00000001");
    let response = field(header(&good, "Authorization"), "response").to_owned();
    let wrong = [
        shown(&invite, 1, "acme", "guess", &nonce, "00000001"),
        shown(&invite, 1, "nobody", PASSWORD, &nonce, "00000001"),
        good.replace("nc=00000001", "nc=1"),
        good.replace("nc=00000001", "nc=0000000g"),
        good.replace("nc=00000001, ", ""),
        good.replace("cnonce=\"c\"", "cnonce=\"d\""),
        good.replace(", cnonce=\"c\"", ""),
        good.replace("qop=auth", "qop=auth-int"),
        good.replace("qop=auth", "qop=auth-conf"),
        good.replace("algorithm=MD5", "algorithm=SHA-512-256"),
        good.replace("algorithm=MD5", "algorithm=AKAv1-MD5"),
        good.replace(&response, "00"),
        good.replace("username=\"acme\"", "username=\"acme\", username=\"acme\""),
        good.replace("username=\"acme\"", "username=\"acme"),
    ];
    for (place, request) in wrong.iter().enumerate() {
        assert_ne!(*request, good, "{place}");
        assert_eq!(what(&says(&mut stage, request)), "401 INVITE", "{request}");
        assert_eq!(rejected(&stage, RejectReason::WrongCredentials), place as u64 + 1, "{request}");
    }
    let asked = rejected(&stage, RejectReason::Unauthorized);
    let others = [
        good.replace("realm=\"edge\"", "realm=\"elsewhere\""),
        good.replace("Authorization: Digest", "Authorization: Basic"),
        good.replace("Authorization", "Proxy-Authorization"),
    ];
    for request in &others {
        assert_eq!(what(&says(&mut stage, request)), "401 INVITE", "{request}");
    }
    assert_eq!(rejected(&stage, RejectReason::Unauthorized), asked + others.len() as u64);
    let endless = shown(&invite, 1, "acme", PASSWORD, &"0".repeat(50_000), "00000001");
    assert!(says(&mut stage, &endless).contains("stale=true"));
    assert_eq!(stage.shard.counts().transactions, 0);
    assert_eq!(what(&says(&mut stage, &good)), "100 INVITE", "nothing of this has used the nonce up");
}

#[test]
fn whoever_asks_whether_we_are_there_is_asked_too_but_no_ack_and_no_cancel() {
    let mut stage = Stage::with(guarded());
    let options = |method: &str| {
        format!(
            "{method} sip:192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{method}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:192.0.2.100>\r\nCall-ID: {method}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let refusal = says(&mut stage, &options("OPTIONS"));
    assert_eq!(what(&refusal), "401 OPTIONS");
    let again = shown(&options("OPTIONS"), 1, "acme", PASSWORD, nonce(&refusal), "00000001");
    assert_eq!(what(&says(&mut stage, &again)), "200 OPTIONS");
    assert_eq!(what(&says(&mut stage, &options("CANCEL"))), "481 CANCEL");
    stage.receive(CARRIER, &options("ACK"));
    assert_eq!(stage.take(CARRIER).len(), 0);
}

#[test]
fn calls_that_are_only_asked_use_nothing_of_their_trunks_rate() {
    let mut config = guarded();
    config.trunks[0].calls_per_second = Some(2);
    let mut stage = Stage::with(config);
    for call in ["a", "b"] {
        let invite = invite(call, &sdp("192.0.2.1", 30000));
        let refusal = says(&mut stage, &invite);
        assert_eq!(what(&refusal), "401 INVITE");
        let again = shown(&invite, 1, "acme", PASSWORD, nonce(&refusal), "00000001");
        assert_eq!(what(&says(&mut stage, &again)), "100 INVITE");
    }
    let invite = invite("c", &sdp("192.0.2.1", 30000));
    let refusal = says(&mut stage, &invite);
    let third = shown(&invite, 1, "acme", PASSWORD, nonce(&refusal), "00000001");
    assert_eq!(what(&says(&mut stage, &third)), "503 INVITE");
}
