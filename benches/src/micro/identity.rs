//! An INVITE through `Shard::handle` in memory: read, its identity taken, the next leg's INVITE built. With and without profiles
//! on both sides, so that their difference is what a profile costs.

use super::shard::{BETWEEN, CARRIER, EDGE, body, config, peer, response};
use crate::load::scan::Scan;
use bytes::Bytes;
use proxy_core::{
    Asserts, Config, Diversions, HostPart, Hosts, Input, NumberFormat, NumberPlan, NumberStyle, Numbers,
    Output, Peer, PrivacyService, Profile, ProfileId, Shard, Snapshot,
};
use relay_values::Time;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

/// What is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// No profile on either side; From, To and one P-Asserted-Identity.
    Plain,
    /// The same INVITE: numbers dialled nationally and written with digits alone, host parts by name, the caller asserted.
    Profiles,
    /// The same profiles, and an INVITE with Privacy, two diversions, charging, User-to-User and a header of its own, all of
    /// which cross.
    Everything,
}

/// A shard between a carrier and an edge, to which INVITEs come.
#[derive(Debug)]
pub struct Invites {
    shard: Shard,
    scene: Scene,
    now: Time,
    placed: u64,
    /// Time that the shard has spent with INVITEs of the carrier.
    spent: std::time::Duration,
}

fn profiles() -> [Profile; 2] {
    let own = Profile {
        plan: NumberPlan {
            country: "44".into(),
            national: "0".into(),
            international: "00".into(),
            ..NumberPlan::default()
        },
        privacy: PrivacyService::Us,
        charging: true,
        uui: true,
        takes: vec!["X-Account".into()],
        sends: vec!["X-Account".into()],
        diversion: Diversions::Diversion,
        asserts: Asserts { always: true, ..Asserts::default() },
        ..Profile::default()
    };
    let digits = NumberStyle { format: NumberFormat::Digits, prefix: String::new() };
    let named = |host: &str| HostPart::Named(host.to_owned());
    let edge = Profile {
        name: "tier".into(),
        plan: NumberPlan::default(),
        numbers: Numbers {
            called: digits.clone(),
            calling: digits.clone(),
            asserted: digits.clone(),
            diverting: digits,
        },
        hosts: Hosts {
            calling: named("sbc.example.net"),
            called: named("tier.example.net"),
            asserted: named("sbc.example.net"),
            diverting: Some(named("sbc.example.net")),
        },
        ..own.clone()
    };
    [Profile { name: "carrier".into(), ..own }, edge]
}

fn configured(scene: Scene) -> Config {
    let mut config = config();
    if scene != Scene::Plain {
        config.profiles = profiles().to_vec();
        config.trunks.iter_mut().for_each(|trunk| trunk.manners.profile = Some(ProfileId(0)));
        config.groups.iter_mut().for_each(|group| group.manners.profile = Some(ProfileId(1)));
    }
    config
}

impl Invites {
    /// A shard with a scene's configuration.
    pub fn new(scene: Scene) -> Self {
        let snapshot = Arc::new(Snapshot::first(Arc::new(configured(scene))));
        let now = Time::from_millis(1);
        let shard = Shard::new(0, 1, now, snapshot);
        Self { shard, scene, now, placed: 0, spent: std::time::Duration::ZERO }
    }

    /// Time spent with INVITEs so far.
    pub fn spent(&self) -> std::time::Duration {
        self.spent
    }

    /// One INVITE, which the edge refuses: that is not timed. The INVITE that was built.
    ///
    /// # Panics
    ///
    /// If none was built: then there is nothing to measure.
    pub fn step(&mut self) -> Bytes {
        self.placed += 1;
        let invite = self.invite();
        self.pass();
        let mut sent = Vec::with_capacity(4);
        let began = Instant::now();
        self.handle(CARRIER, invite, &mut sent);
        self.spent += began.elapsed();
        let built = sent.into_iter().find(|(to, _)| *to == peer(EDGE)).expect("an INVITE for the edge").1;
        let scan = Scan::read(&built).expect("the shard writes SIP");
        let mut answers = Vec::with_capacity(4);
        self.pass();
        self.handle(EDGE, response(&scan, "486 Busy Here", ""), &mut answers);
        let busy = answers.into_iter().find(|(to, _)| *to == peer(CARRIER)).expect("a 486 for the carrier").1;
        let ack = self.ack(&busy);
        self.pass();
        self.handle(CARRIER, ack, &mut Vec::new());
        built
    }

    fn pass(&mut self) {
        self.now += BETWEEN;
        if self.shard.poll_timeout() <= self.now {
            self.shard.handle(self.now, Input::Timeout);
            while self.shard.poll_output().is_some() {}
        }
    }

    fn handle(&mut self, from: ([u8; 4], u16), bytes: Bytes, sent: &mut Vec<(Peer, Bytes)>) {
        self.shard.handle(self.now, Input::Message { from: peer(from), bytes });
        while let Some(output) = self.shard.poll_output() {
            if let Output::Send { to, bytes } = output {
                sent.push((to, bytes));
            }
        }
    }

    fn head(&self, method: &str, to: &str) -> String {
        let id = self.placed;
        let mut b = String::with_capacity(1_600);
        let _ = write!(
            b,
            "{method} sip:02079460123@198.51.100.1;user=phone SIP/2.0\r\n\
             Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{id:x}\r\nMax-Forwards: 70\r\n\
             From: \"Alice Example\" <sip:02079460001@carrier.example.org>;tag={id:x}\r\nTo: {to}\r\n\
             Call-ID: {id:x}@192.0.2.10\r\nCSeq: 1 {method}\r\nContact: <sip:c@192.0.2.10:5060>\r\n",
        );
        b
    }

    fn invite(&self) -> Bytes {
        let (_, sdp) = super::wire::INVITE.split_once("\r\n\r\n").expect("a constant");
        let mut b = self.head("INVITE", "<sip:02079460123@198.51.100.1>");
        b.push_str("P-Asserted-Identity: <sip:02079460001@carrier.example.org>\r\n");
        if self.scene == Scene::Everything {
            b.push_str(
                "Privacy: none\r\n\
                 Diversion: <sip:02079460155@carrier.example.org>;reason=unconditional;counter=1\r\n\
                 Diversion: <sip:02079460177@carrier.example.org>;reason=no-answer\r\n\
                 P-Charging-Vector: icid-value=1234bc9876e;icid-generated-at=192.0.2.10;orig-ioi=carrier.example.org\r\n\
                 User-to-User: 56a390f3d2b7310023a2;encoding=hex\r\nX-Account: 4711\r\n",
            );
        }
        body(&mut b, sdp);
        b.into()
    }

    fn ack(&self, busy: &[u8]) -> Bytes {
        let scan = Scan::read(busy).expect("the shard writes SIP");
        let mut b = self.head("ACK", &String::from_utf8_lossy(scan.to));
        body(&mut b, "");
        b.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scene_builds_what_it_says() {
        let built = |scene| {
            let mut invites = Invites::new(scene);
            for _ in 0..50 {
                invites.step();
            }
            String::from_utf8(invites.step().to_vec()).unwrap()
        };
        let (plain, profiled, all) = (built(Scene::Plain), built(Scene::Profiles), built(Scene::Everything));
        assert!(plain.contains("P-Asserted-Identity: <sip:02079460001@198.51.100.1"), "{plain}");
        for text in [&profiled, &all] {
            assert!(text.contains("From: \"Alice Example\" <sip:442079460001@sbc.example.net>"), "{text}");
            assert!(text.contains("To: <sip:442079460123@tier.example.net>"), "{text}");
            assert!(text.contains("P-Asserted-Identity: <sip:442079460001@sbc.example.net>"), "{text}");
        }
        let further = [
            "Diversion: <sip:442079460155@sbc.example.net",
            "P-Charging-Vector",
            "User-to-User",
            "X-Account: 4711",
        ];
        for part in further {
            assert!(all.contains(part) && !profiled.contains(part), "{part}: {all}");
        }
        assert_eq!(all.matches("Diversion: ").count(), 2, "{all}");
    }
}
