//! Who is known by a certificate is known by nothing else, and for as long as the connection lasts.

mod common;

use common::{CARRIER, Stage, config, invite};
use proxy_core::{Certificate, Config, Input, ListenerId, Owner, Peer, Proof, Snapshot, Transport, TrunkId};
use std::sync::Arc;

/// The trunk is whoever shows this; its addresses are those of the stage.
fn certified() -> Config {
    let mut config = config();
    let owner = Owner::Trunk(TrunkId(0));
    config.certificates.push(Certificate { name: "carrier.example".into(), owner });
    config
}

fn over(transport: Transport, from: &str) -> Peer {
    Peer { transport, listener: ListenerId(0), remote: from.parse().unwrap() }
}

fn proves(stage: &mut Stage, peer: Peer, connection: u64, names: &[&str]) {
    let names: Vec<Box<str>> = names.iter().map(|name| (*name).into()).collect();
    let proof = Some(Proof::Names(names.into()));
    stage.shard.handle(stage.now, Input::Proven { peer, connection, proof });
}

fn ends(stage: &mut Stage, peer: Peer, connection: u64) {
    stage.shard.handle(stage.now, Input::Proven { peer, connection, proof: None });
}

fn lets_in(stage: &mut Stage, peer: Peer) -> bool {
    stage.shard.lets_in(stage.now, peer, invite("x", "").as_bytes())
}

#[test]
fn its_address_says_nothing_of_who_is_known_by_a_certificate() {
    let mut stage = Stage::with(certified());
    assert!(!lets_in(&mut stage, over(Transport::Udp, CARRIER)));
    assert!(!lets_in(&mut stage, over(Transport::Tcp, CARRIER)));
    let peer = over(Transport::Tls, "192.0.2.1:49152");
    assert!(!lets_in(&mut stage, peer));
    proves(&mut stage, peer, 1, &["other.example", "carrier.example"]);
    assert!(lets_in(&mut stage, peer));
    let beside = over(Transport::Tls, "192.0.2.1:49153");
    proves(&mut stage, beside, 2, &["other.example"]);
    assert!(!lets_in(&mut stage, beside), "another connection of the same host is another's");
}

#[test]
fn who_has_sources_too_has_to_come_from_there() {
    let mut stage = Stage::with(certified());
    let elsewhere = over(Transport::Tls, "192.0.2.2:49152");
    proves(&mut stage, elsewhere, 1, &["carrier.example"]);
    assert!(!lets_in(&mut stage, elsewhere));

    let mut anywhere = certified();
    anywhere.trunks[0].sources.clear();
    let mut stage = Stage::with(anywhere);
    proves(&mut stage, elsewhere, 1, &["carrier.example"]);
    assert!(lets_in(&mut stage, elsewhere));
}

#[test]
fn what_was_proved_ends_with_its_connection_and_with_no_other() {
    let mut stage = Stage::with(certified());
    let peer = over(Transport::Tls, "192.0.2.1:49152");
    proves(&mut stage, peer, 1, &["carrier.example"]);
    proves(&mut stage, peer, 2, &["carrier.example"]);
    ends(&mut stage, peer, 1);
    assert!(lets_in(&mut stage, peer), "the end of the first is heard of late");
    ends(&mut stage, peer, 2);
    assert!(!lets_in(&mut stage, peer));
}

#[test]
fn a_new_configuration_judges_connections_that_are_up() {
    let mut stage = Stage::with(certified());
    let peer = over(Transport::Tls, "192.0.2.1:49152");
    proves(&mut stage, peer, 1, &["new.example"]);
    assert!(!lets_in(&mut stage, peer));
    let mut config = certified();
    config.certificates[0].name = "new.example".into();
    let mut snapshot = Snapshot::first(Arc::new(config));
    (snapshot.generation, snapshot.config_generation) = (2, 2);
    stage.shard.handle(stage.now, Input::Snapshot(Arc::new(snapshot)));
    assert!(lets_in(&mut stage, peer));
}

/// We have called there, and the certificate was that of the domain that we called.
#[test]
fn a_target_that_we_have_called_is_its_owner() {
    let mut stage = Stage::with(certified());
    let peer = over(Transport::Tls, CARRIER);
    assert!(!lets_in(&mut stage, peer));
    stage.shard.handle(stage.now, Input::Proven { peer, connection: 7, proof: Some(Proof::Called) });
    assert!(lets_in(&mut stage, peer));
}
