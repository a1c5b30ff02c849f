//! Much of what is nothing. Each flood is followed by a call, and leaves no memory behind.

use crate::agent::{self, Agent};
use crate::process::Daemon;
use crate::rows::{INVITE, OPTIONS, SDP, fill};
use std::cell::Cell;

pub(crate) struct Scene {
    pub(crate) daemon: Daemon,
    pub(crate) carrier: Agent,
    pub(crate) edge: Agent,
    calls: Cell<usize>,
}

impl Scene {
    fn open(n: u8) -> Self {
        Self::open_with(n, "")
    }

    /// `more` stands at the configuration's end.
    pub(crate) fn open_with(n: u8, more: &str) -> Self {
        let daemon = Daemon::start(n, more);
        let (carrier, edge) = (Agent::at(daemon.carrier(5060)), Agent::at(daemon.edge()));
        agent::call(&daemon, &carrier, &edge, "first");
        Self { daemon, carrier, edge, calls: Cell::new(0) }
    }

    /// Send it so many times, with a word in it that is another each time, and a call after every so many.
    pub(crate) fn flood(&self, from: &Agent, message: &[u8], times: usize, calls: usize) {
        const MARK: &[u8] = b"00000000";
        let mut message = message.to_vec();
        let places: Vec<_> =
            (0..message.len() - MARK.len()).filter(|at| message[*at..].starts_with(MARK)).collect();
        assert!(!places.is_empty(), "each is another");
        for n in 0..times {
            let word = format!("{:08x}", n + 1);
            for at in &places {
                message[*at..*at + MARK.len()].copy_from_slice(word.as_bytes());
            }
            from.send(&message, self.daemon.sip());
            if n % (times / calls) == 0 {
                self.settles();
            }
        }
        self.settles();
    }

    /// What was sent has been looked at, or thrown away: a call goes through.
    fn settles(&self) {
        self.calls.set(self.calls.get() + 1);
        let id = format!("call{}", self.calls.get());
        for attempt in 0..100 {
            // A full buffer takes nobody's datagram; a carrier repeats its own.
            let fence = fill(OPTIONS.as_bytes(), b"", self.carrier.at, "UDP", &format!("{id}fence{attempt}"));
            self.carrier.send(fence, self.daemon.sip());
            std::thread::sleep(std::time::Duration::from_millis(5));
            if self.carrier.at_once().is_some() {
                break;
            }
        }
        agent::call(&self.daemon, &self.carrier, &self.edge, &id);
    }

    pub(crate) fn grew(&self, before: usize) -> usize {
        self.daemon.memory().saturating_sub(before)
    }
}

#[test]
fn a_million_invites_of_strangers_leave_nothing_behind() {
    let scene = Scene::open(9);
    let stranger = Agent::at(scene.daemon.stranger(5060));
    let invite = fill(INVITE.as_bytes(), SDP.as_bytes(), stranger.at, "UDP", "00000000");
    scene.flood(&stranger, &invite, 20_000, 2);
    let before = scene.daemon.memory();
    scene.flood(&stranger, &invite, 1_000_000, 10);
    let kib = scene.grew(before);
    assert!(kib <= 16 * 1024, "{kib} KiB more");
    assert_eq!(stranger.at_once(), None);
}

#[test]
fn storms_of_what_belongs_to_nothing_are_dropped_or_refused() {
    let scene = Scene::open(10);
    let rude = Agent::at(scene.daemon.carrier(5_061));
    let request = |method: &str| {
        let text = OPTIONS.replace("OPTIONS", method);
        fill(text.as_bytes(), b"", rude.at, "UDP", "00000000")
    };
    let response = |branch: &str| {
        format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {0};branch={branch}\r\nFrom: <sip:x@{0}>;tag=1\r\nTo: <sip:y@{0}>;tag=2\r\n\
             Call-ID: 00000000\r\nCSeq: 1 INVITE\r\nContact: <sip:x@{0}>\r\nContent-Length: 0\r\n\r\n",
            scene.daemon.sip()
        )
    };
    let storms = [
        ("ACK", request("ACK"), 0),
        ("CANCEL", request("CANCEL"), 1),
        ("BYE", request("BYE"), 1),
        ("PRACK", request("PRACK"), 1),
        ("responses to INVITEs of ours", response("z9hG4bKb0000000000").into_bytes(), 0),
        ("responses to probes of ours", response("z9hG4bKh0000000000").into_bytes(), 0),
        ("responses to nobody", response("z9hG4bK00000000").into_bytes(), 0),
    ];
    // The buffers that datagrams are received in come into being with the first of them, and are no one's fault.
    scene.flood(&rude, &request("ACK"), 4_000, 1);
    for (what, message, transactions) in storms {
        let before = scene.daemon.memory();
        scene.flood(&rude, &message, 10_000, 2);
        // A request that is refused is remembered for 32 s, since it may come again.
        let (kib, allowed) = (scene.grew(before), 8 * 1024 + transactions * 10_000 * 2);
        assert!(kib <= allowed, "{what}: {kib} KiB more");
        while let Some(answer) = rude.at_once() {
            assert!(transactions > 0, "{what}: an answer: {}", answer.escape_ascii());
        }
    }
}
