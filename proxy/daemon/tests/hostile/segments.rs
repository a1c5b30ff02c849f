//! Streams cut where nobody would cut them, and closed where nobody would close them.

use crate::agent::{self, Agent};
use crate::line::Line;
use crate::process::Daemon;
use crate::rows::{INVITE, OPTIONS, SDP, fill};
use sip_wire::{Frame, Message};
use std::net::SocketAddr;

/// A daemon and the two who make the call that has to go through.
struct Scene {
    daemon: Daemon,
    carrier: Agent,
    edge: Agent,
}

impl Scene {
    fn open(n: u8) -> Self {
        let daemon = Daemon::start(n, "");
        let (carrier, edge) = (Agent::at(daemon.carrier(5060)), Agent::at(daemon.edge()));
        Self { daemon, carrier, edge }
    }

    fn line(&self) -> Line {
        Line::connect(self.carrier.at, self.daemon.sip())
    }

    fn goes_on(&self, id: &str) {
        agent::call(&self.daemon, &self.carrier, &self.edge, id);
    }
}

fn options(at: SocketAddr, id: &str) -> Vec<u8> {
    fill(OPTIONS.as_bytes(), b"", at, "TCP", id)
}

fn invite(at: SocketAddr, id: &str) -> Vec<u8> {
    fill(INVITE.as_bytes(), SDP.as_bytes(), at, "TCP", id)
}

#[test]
fn a_message_may_come_byte_by_byte_and_a_hundred_in_one_segment() {
    let scene = Scene::open(3);
    let mut line = scene.line();
    for byte in options(line.at, "slow") {
        assert!(line.send([byte]));
    }
    assert_eq!(line.code("byte by byte"), Some(200));

    let many: Vec<u8> = (0..100).flat_map(|n| options(line.at, &format!("many{n}"))).collect();
    assert!(line.send(&many));
    for n in 0..100 {
        let response = Message::parse(line.bytes("one of a hundred").expect("open")).unwrap();
        assert_eq!(response.call_id(), Ok(format!("many{n}").as_bytes()), "in order");
    }

    // Cut in the middle of everything, with keep-alives between.
    let mixed: Vec<u8> =
        (0..20).flat_map(|n| [options(line.at, &format!("m{n}")), b"\r\n\r\n".to_vec()].concat()).collect();
    for piece in mixed.chunks(333) {
        assert!(line.send(piece));
    }
    let (mut answers, mut pongs) = (0, 0);
    while answers < 20 || pongs < 20 {
        match line.frame("mixed").expect("open") {
            Frame::Message(_) => answers += 1,
            Frame::Pong => pongs += 1,
            // Two pongs on each other's heels.
            Frame::Ping => pongs += 2,
        }
    }
    scene.goes_on("after");
}

#[test]
fn what_never_ends_is_cut_off() {
    let scene = Scene::open(4);
    let before = scene.daemon.memory();
    let endless: [(&str, &str, &str); 4] = [
        ("a header field", "OPTIONS sip:x SIP/2.0\r\nSubject: ", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("header fields", "OPTIONS sip:x SIP/2.0\r\n", "Subject: x\r\n"),
        ("a fold", "OPTIONS sip:x SIP/2.0\r\nSubject: x", "\r\n x"),
        ("a start line", "OPTIONS sip:", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    ];
    for (what, beginning, more) in endless {
        let mut line = scene.line();
        assert!(line.send(beginning));
        let piece = more.repeat(1_000);
        // A message has 64 KiB at most; what is beyond lies in the kernel's buffers.
        let sent = (0..10_000).take_while(|_| line.send(&piece)).count();
        assert!(sent < 10_000, "{what} without end was taken");
        scene.goes_on(&format!("after{}", what.len()));
    }
    let mut line = scene.line();
    assert!(
        line.send(format!("OPTIONS sip:x SIP/2.0\r\nContent-Length: 65535\r\n\r\n{}", "x".repeat(60_000)))
    );
    assert_eq!(line.frame("a message of more than 64 KiB"), None);
    drop(line);
    scene.daemon.keeps(0);
    let after = scene.daemon.memory();
    assert!(after <= before + 16 * 1024, "memory: {before} KiB, then {after}");
}

#[test]
fn a_connection_may_end_at_any_point_of_a_transaction() {
    let scene = Scene::open(5);
    type End = fn(Line);
    let ends: [(&str, End); 2] = [("closed", drop), ("reset", Line::reset)];
    for (how, end) in ends {
        // In the middle of a message.
        let mut line = scene.line();
        let message = options(line.at, how);
        assert!(line.send(&message[..message.len() / 2]));
        end(line);
        scene.goes_on(&format!("{how}half"));

        // Before the answer.
        let mut line = scene.line();
        assert!(line.send(&message));
        end(line);
        scene.goes_on(&format!("{how}asked"));

        // While the edge rings: it is answered all the same, and whoever asked hears nothing.
        let mut line = scene.line();
        assert!(line.send(invite(line.at, how)));
        let invited = agent::invited(&scene.edge, how);
        end(line);
        scene.edge.send(agent::answer(&scene.edge, &invited, 180), scene.daemon.tier());
        scene.edge.send(agent::answer(&scene.edge, &invited, 486), scene.daemon.tier());
        scene.edge.next(how, |m| m.is_request() && m.method() == sip_wire::Method::Ack);
        scene.goes_on(&format!("{how}ringing"));
    }
    scene.daemon.keeps(0);
}

#[test]
fn who_has_closed_its_half_still_hears_the_answers() {
    let scene = Scene::open(6);
    let mut line = scene.line();
    let at = line.at;
    assert!(line.send([options(at, "one"), options(at, "two")].concat()));
    line.close_half();
    assert_eq!((line.code("one"), line.code("two"), line.code("the end")), (Some(200), Some(200), None));

    let mut line = scene.line();
    assert!(line.send(invite(line.at, "half")));
    line.close_half();
    let invited = agent::invited(&scene.edge, "half");
    scene.edge.send(agent::answer(&scene.edge, &invited, 486), scene.daemon.tier());
    assert_eq!((line.code("busy"), line.code("the end")), (Some(486), None));
    scene.goes_on("after");
    scene.daemon.keeps(0);
}
