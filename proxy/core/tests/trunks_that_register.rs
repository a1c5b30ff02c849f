//! A trunk finds us where we register (RFC 3261 §10), and calls for it go to the registrar that has bound us.

mod common;

use bytes::Bytes;
use common::dialogs::with;
use common::digest::{field, shows};
use common::*;
use proxy_core::*;
use relay_values::{Duration, Time};
use std::sync::Arc;

const FIRST: &str = "192.0.2.1:5060";
const SECOND: &str = "192.0.2.2:5060";

/// The carrier's trunk has two addresses, both of them registrars.
fn registering() -> Config {
    let mut config = config();
    let mut second = config.targets[2].clone();
    (second.name, second.peer.remote) = ("carrier-2".into(), SECOND.parse().unwrap());
    config.targets.push(second);
    config.trunks[0].targets = vec![TargetId(2), TargetId(3)];
    config.authentication.accounts = vec![
        [Account {
            realm: "carrier".into(),
            username: "bascule".into(),
            secret: Secret::Password((*b"zanzibar").into()),
        }]
        .into(),
    ];
    config.trunks[0].manners.accounts = Some(AccountsId(0));
    config.registrations = vec![Registration {
        trunk: TrunkId(0),
        registrars: vec![TargetId(2), TargetId(3)],
        aor: "sip:bascule@carrier.example".into(),
        contact: "line1".into(),
        expires: Duration::from_secs(300),
    }];
    config
}

/// The health core and its virtual time.
struct Lab {
    health: Health,
    now: Time,
    sent: Vec<(String, String)>,
    snapshots: Vec<Arc<Snapshot>>,
}

impl Lab {
    fn new(config: Config) -> Self {
        let health = Health::new(3, Arc::new(Snapshot::first(Arc::new(config))));
        let mut lab = Self { health, now: Time::ZERO, sent: vec![], snapshots: vec![] };
        lab.pass(Duration::from_millis(200));
        lab
    }

    fn input(&mut self, input: HealthInput) {
        self.health.handle(self.now, input);
        while let Some(output) = self.health.poll_output() {
            match output {
                HealthOutput::Send { to, bytes } => {
                    self.sent.push((to.remote.to_string(), String::from_utf8_lossy(&bytes).into_owned()));
                }
                HealthOutput::Snapshot { snapshot, .. } => self.snapshots.push(snapshot),
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.health.poll_timeout() <= end {
            self.now = self.health.poll_timeout().max(self.now);
            self.input(HealthInput::Timeout);
        }
        self.now = end;
    }

    /// Lets time pass until something is said, at most so much: how much it was.
    fn until_said(&mut self, most: Duration) -> Duration {
        let (from, end) = (self.now, self.now + most);
        while self.sent.is_empty() && self.health.poll_timeout() <= end {
            self.now = self.health.poll_timeout().max(self.now);
            self.input(HealthInput::Timeout);
        }
        self.now.since(from)
    }

    /// What was said since the last look: to whom, and the REGISTER.
    fn said(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.sent)
    }

    /// The one REGISTER that was said, to this registrar.
    fn register(&mut self, to: &str) -> String {
        let mut said = self.said();
        assert_eq!(said.len(), 1, "{said:?}");
        let (at, register) = said.remove(0);
        assert_eq!((at.as_str(), what(&register).as_str()), (to, "REGISTER"));
        register
    }

    fn answers(&mut self, register: &str, code: u16, fields: &str) {
        let plain = answer(register, code, "r", "x", "");
        let plain =
            plain.lines().filter(|line| !line.starts_with("Contact")).map(|line| format!("{line}\r\n"));
        let text = with(&plain.collect::<String>(), fields);
        let from =
            Peer { transport: Transport::Udp, listener: ListenerId(0), remote: FIRST.parse().unwrap() };
        self.input(HealthInput::Message { from, bytes: Bytes::from(text) });
    }

    fn bound(&self) -> Option<TargetId> {
        self.health.snapshot().bindings[0]
    }

    fn state(&self) -> &'static str {
        self.health.registrations()[0].state
    }
}

/// What the 200 of a registrar says that has bound us for so long.
fn binds(register: &str, seconds: u32) -> String {
    format!("Contact: <sip:other@192.0.2.9>;expires=7, {};expires={seconds}", header(register, "Contact"))
}

const ASKS: &str = "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\", algorithm=MD5";

#[test]
fn it_is_challenged_answers_and_is_bound_until_it_asks_again() {
    let mut lab = Lab::new(registering());
    assert_eq!((lab.bound(), lab.state()), (None, "registering"));
    let first = lab.register(FIRST);
    assert!(first.starts_with("REGISTER sip:carrier.example SIP/2.0\r\n"), "{first}");
    assert_eq!(header(&first, "To"), "<sip:bascule@carrier.example>");
    assert_eq!(header(&first, "Contact"), "<sip:line1@192.0.2.100:5060>");
    assert_eq!((header(&first, "Expires"), header(&first, "CSeq")), ("300", "1 REGISTER"));
    lab.answers(&first, 401, ASKS);
    let second = lab.register(FIRST);
    shows(&second, "Authorization", "n1", "zanzibar");
    assert_eq!(header(&second, "CSeq"), "2 REGISTER");
    assert_eq!(header(&second, "Call-ID"), header(&first, "Call-ID"));
    lab.answers(&second, 200, &binds(&second, 100));
    assert_eq!((lab.bound(), lab.state()), (Some(TargetId(2)), "registered"));
    assert_eq!(lab.health.registrations()[0].registrar.as_deref(), Some("carrier-1"));

    let after = lab.until_said(Duration::from_secs(100));
    assert!((Duration::from_secs(50)..=Duration::from_secs(90)).contains(&after), "{after:?}");
    let again = lab.register(FIRST);
    assert_eq!(field(header(&again, "Authorization"), "nc"), "00000002", "unasked, with the next count");
    assert_eq!(lab.bound(), Some(TargetId(2)), "bound while it asks");
    lab.answers(&again, 200, "Expires: 3600");
    lab.pass(Duration::from_secs(1_700));
    assert_eq!((lab.said(), lab.bound()), (vec![], Some(TargetId(2))));
    let changes = lab.snapshots.len();
    assert_eq!(changes, 1, "asking again is no news");
}

#[test]
fn a_registrar_that_is_silent_is_left_for_the_next_and_both_are_asked_later() {
    let mut lab = Lab::new(registering());
    lab.register(FIRST);
    lab.pass(Duration::from_millis(7_500));
    let again = lab.said();
    assert_eq!(again.len(), 4, "0.5, 1, 2 and 4 seconds after: {again:?}");
    lab.pass(Duration::from_millis(500));
    let second = lab.register(SECOND);
    lab.answers(&second, 503, "");
    assert_eq!((lab.bound(), lab.state()), (None, "failed"));
    assert_eq!(lab.health.registrations()[0].last, Some(503));
    let rest = lab.until_said(Duration::from_secs(100));
    assert!((Duration::from_secs(15)..=Duration::from_secs(30)).contains(&rest), "{rest:?}");
    let third = lab.said().remove(0);
    assert_eq!(third.0, FIRST, "the first is asked first again");
    // Twice as long the next time.
    lab.answers(&third.1, 500, "");
    let fourth = lab.said().remove(0);
    assert_eq!(fourth.0, SECOND);
    lab.answers(&fourth.1, 403, "");
    let rest = lab.until_said(Duration::from_secs(100));
    assert!((Duration::from_secs(30)..=Duration::from_secs(60)).contains(&rest), "{rest:?}");
    let fifth = lab.said().remove(0);
    lab.answers(&fifth.1, 200, &binds(&fifth.1, 300));
    assert_eq!((lab.bound(), lab.state()), (Some(TargetId(2)), "registered"));
}

#[test]
fn a_bound_registrar_that_dies_is_no_place_for_calls_any_more() {
    let mut lab = Lab::new(registering());
    let first = lab.register(FIRST);
    lab.answers(&first, 200, &binds(&first, 300));
    let to = Peer { transport: Transport::Udp, listener: ListenerId(0), remote: FIRST.parse().unwrap() };
    lab.input(HealthInput::TransportError { to, failure: TransportFailure::Reset });
    let again = lab.register(FIRST);
    assert_eq!(lab.bound(), Some(TargetId(2)));
    lab.input(HealthInput::TransportError { to, failure: TransportFailure::Unreachable });
    assert_eq!(lab.bound(), None);
    let other = lab.register(SECOND);
    assert_ne!(header(&again, "Via"), header(&other, "Via"));
    lab.answers(&other, 200, &binds(&other, 60));
    assert_eq!(lab.bound(), Some(TargetId(3)));
    // It stays where it is bound.
    lab.until_said(Duration::from_secs(60));
    assert_eq!(lab.said().remove(0).0, SECOND);
    lab.pass(Duration::from_secs(61));
    assert_eq!(lab.bound(), None, "what has run out binds nobody");
}

#[test]
fn whoever_wants_to_be_asked_less_often_is() {
    let mut lab = Lab::new(registering());
    let first = lab.register(FIRST);
    lab.answers(&first, 423, "Min-Expires: 600");
    let second = lab.register(FIRST);
    assert_eq!(header(&second, "Expires"), "600");
    lab.answers(&second, 423, "Min-Expires: 700");
    assert_eq!(lab.said().remove(0).0, SECOND, "but not for ever more");
}

#[test]
fn a_registrar_that_asks_on_and_on_or_for_somebody_else_is_left() {
    let mut lab = Lab::new(registering());
    let mut register = lab.register(FIRST);
    for n in 0..4 {
        lab.answers(&register, 401, &format!("{}, stale=true", ASKS.replace("n1", &format!("m{n}"))));
        register = lab.register(FIRST);
    }
    lab.answers(&register, 401, &ASKS.replace("n1", "m9"));
    let second = lab.register(SECOND);
    lab.answers(&second, 401, &ASKS.replace("carrier", "elsewhere"));
    assert_eq!(lab.state(), "failed");
}

#[test]
fn what_answers_nothing_of_ours_changes_nothing() {
    let mut lab = Lab::new(registering());
    let first = lab.register(FIRST);
    let ok = binds(&first, 300);
    for wrong in [
        first.replace("z9hG4bKr", "z9hG4bKr0"),
        first.replace("z9hG4bKr", "z9hG4bKh"),
        first.replace(";branch=", ";b="),
    ] {
        lab.answers(&wrong, 200, &ok);
        assert_eq!(lab.bound(), None, "{wrong}");
    }
    lab.answers(&first, 200, "Expires: 0");
    assert_eq!((lab.bound(), lab.said().remove(0).0), (None, SECOND.to_owned()), "bound for no time at all");
}

#[test]
fn who_stops_takes_its_binding_back() {
    let mut lab = Lab::new(registering());
    let first = lab.register(FIRST);
    lab.answers(&first, 200, &binds(&first, 300));
    lab.input(HealthInput::Leave);
    let last = lab.register(FIRST);
    assert_eq!((header(&last, "Expires"), lab.bound(), lab.health.has_left()), ("0", None, false));
    lab.answers(&last, 401, ASKS);
    let shown = lab.register(FIRST);
    assert_eq!(header(&shown, "Expires"), "0");
    shows(&shown, "Authorization", "n1", "zanzibar");
    lab.answers(&shown, 200, "");
    assert!(lab.health.has_left());
    lab.pass(Duration::from_secs(1_000));
    assert_eq!(lab.said(), []);
}

#[test]
fn a_reload_leaves_what_is_the_same_alone_and_takes_back_what_is_not() {
    let mut lab = Lab::new(registering());
    let first = lab.register(FIRST);
    lab.answers(&first, 200, &binds(&first, 300));
    let mut same = registering();
    same.targets.insert(0, Target { name: "new".into(), ..same.targets[0].clone() });
    same.groups[0].edges = vec![TargetId(0), TargetId(1)];
    same.groups[1].edges = vec![TargetId(2)];
    same.trunks[0].targets = vec![TargetId(3), TargetId(4)];
    same.registrations[0].registrars = vec![TargetId(3), TargetId(4)];
    lab.input(HealthInput::Config(Arc::new(same)));
    assert_eq!((lab.bound(), lab.said()), (Some(TargetId(3)), vec![]));
    let mut other = registering();
    other.registrations[0].contact = "line2".into();
    lab.input(HealthInput::Config(Arc::new(other)));
    let last = lab.register(FIRST);
    assert_eq!((header(&last, "Expires"), header(&last, "Contact")), ("0", "<sip:line1@192.0.2.100:5060>"));
    lab.pass(Duration::from_millis(200));
    assert_eq!(header(&lab.register(FIRST), "Contact"), "<sip:line2@192.0.2.100:5060>");
}

/// A shard whose trunk is bound at one of its addresses, or at none.
fn stage(bound: Option<TargetId>, change: impl FnOnce(&mut Config)) -> Stage {
    let mut config = registering();
    change(&mut config);
    let mut stage = Stage::with(config);
    let mut snapshot = (*stage.snapshot).clone();
    (snapshot.generation, snapshot.bindings[0]) = (2, bound);
    stage.snapshot = Arc::new(snapshot);
    let snapshot = stage.snapshot.clone();
    stage.input(Input::Snapshot(snapshot));
    stage
}

/// East calls out.
fn call_out(stage: &mut Stage, call: &str) {
    let text = invite(call, &sdp("198.51.100.1", 30000));
    stage.receive(
        EAST,
        &text.replace("192.0.2.1:", "198.51.100.1:").replace("<sip:192.0.2.1;lr>", "<sip:198.51.100.1;lr>"),
    );
}

#[test]
fn calls_go_to_the_registrar_that_has_bound_us() {
    for call in 0..8 {
        let mut stage = stage(Some(TargetId(3)), |_| ());
        call_out(&mut stage, &format!("call{call}"));
        assert_eq!((stage.take(FIRST).len(), whats(&stage.take(SECOND))), (0, vec!["INVITE".to_owned()]));
        assert_eq!(whats(&stage.take(EAST)), ["100 INVITE"]);
    }
}

#[test]
fn without_a_binding_the_next_trunk_is_tried_or_none() {
    let mut unbound = stage(None, |_| ());
    call_out(&mut unbound, "one");
    assert_eq!(whats(&unbound.take(EAST)), ["100 INVITE", "503 INVITE"]);
    assert_eq!(unbound.records[0].reject, Some(RejectReason::NotRegistered));
    let mut backed = stage(None, |config| {
        let mut backup = config.trunks[0].clone();
        (backup.name, backup.targets, backup.sources) = ("backup".into(), vec![TargetId(4)], vec![]);
        let mut target = config.targets[2].clone();
        (target.name, target.owner) = ("backup-1".into(), Owner::Trunk(TrunkId(1)));
        target.peer.remote = "192.0.2.7:5060".parse().unwrap();
        config.targets.push(target);
        config.trunks.push(backup);
        config.outbound[0].trunks = TrunkChoice::ranked([TrunkId(0), TrunkId(1)]);
    });
    call_out(&mut backed, "two");
    assert_eq!(whats(&backed.take("192.0.2.7:5060")), ["INVITE"]);
}

#[test]
fn a_call_to_our_contact_is_of_the_trunk_that_registered_it_and_for_whom_to_says() {
    let mut stage = stage(Some(TargetId(2)), |config| {
        // A second trunk with the same carrier, registered under another contact.
        let mut second = config.trunks[0].clone();
        (second.name, second.sources) = ("second".into(), vec![]);
        config.trunks.push(second);
        let own =
            Registration { trunk: TrunkId(1), contact: "line2".into(), ..config.registrations[0].clone() };
        config.registrations.push(own);
    });
    for (contact, trunk) in [("line2", "second"), ("line1", "carrier"), ("+15551000", "carrier")] {
        let text = invite(contact, &sdp("192.0.2.1", 30000));
        let text = text.replacen("sip:+15551000@", &format!("sip:{contact}@"), 1);
        stage.receive(FIRST, &text);
        let out = stage.take(EAST).remove(0);
        assert!(out.starts_with("INVITE sip:+15551000@198.51.100.1"), "{out}");
        stage.receive(EAST, &answer(&out, 486, "t", "x", ""));
        stage.take(FIRST);
        stage.take(EAST);
        assert_eq!(stage.records.pop().unwrap().trunk, trunk);
    }
    let party = invite("party", &sdp("192.0.2.1", 30000)).replacen("sip:+15551000@", "sip:line2@", 1);
    stage.receive(FIRST, &with(&party, "P-Called-Party-ID: <sip:+4930777@carrier.example>"));
    assert!(stage.take(EAST)[0].starts_with("INVITE sip:+4930777@"));
}
