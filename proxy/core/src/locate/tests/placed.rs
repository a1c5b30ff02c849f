//! Configuration ⊕ resolution.

use super::zone::place;
use crate::locate::{Dispute, LocatedAddress, Resolution};
use crate::route::fixture::{CARRIER_1, CARRIER_2, config};
use crate::{Config, ListenerId, NamedTarget, Owner, Target, TrunkId};

const CARRIER: Owner = Owner::Trunk(TrunkId(0));
const BACKUP: Owner = Owner::Trunk(TrunkId(1));

fn named(name: &str, owner: Owner, weight: u16) -> NamedTarget {
    let place = place(&format!("{name}.example.com"), None);
    NamedTarget { name: name.into(), owner, place, listener: ListenerId(0), weight, probe: None }
}

fn located(address: &str, rank: u16, weight: u32) -> LocatedAddress {
    LocatedAddress { address: address.parse().unwrap(), rank, weight }
}

fn of(config: &Config, trunk: usize) -> Vec<&Target> {
    config.trunks[trunk].targets.iter().map(|id| config.target(*id).unwrap()).collect()
}

#[test]
fn a_configuration_without_names_is_the_same() {
    let config = config();
    assert_eq!(config.located(&Resolution::new()), (config, vec![]));
}

#[test]
fn a_name_without_addresses_has_no_targets() {
    let mut config = config();
    config.named = vec![named("voice", CARRIER, 1)];
    let (located, _) = config.located(&Resolution::new());
    assert_eq!(located.trunks, config.trunks);
}

#[test]
fn a_name_alone_has_the_weights_of_its_records() {
    let mut config = config();
    config.trunks[1].targets.clear();
    config.named = vec![named("voice", BACKUP, 1)];
    let addresses = vec![
        located("203.0.113.8:5060", 0, 192),
        located("203.0.113.9:5060", 0, 64),
        located("203.0.113.10:5060", 1, 1),
    ];
    let (config, disputed) = config.located(&[(place("voice.example.com", None), addresses)].into());
    let backup = of(&config, 1);
    let names: Vec<_> = backup.iter().map(|t| (t.name.as_str(), t.rank, t.weight)).collect();
    let expected = [
        ("voice/203.0.113.8:5060", 0, 192),
        ("voice/203.0.113.9:5060", 0, 64),
        ("voice/203.0.113.10:5060", 1, 1),
    ];
    assert_eq!((names, disputed), (expected.to_vec(), vec![]));
}

#[test]
fn a_name_beside_addresses_has_its_own_share_however_many_it_has() {
    let mut config = config();
    config.named = vec![named("voice", CARRIER, 2)];
    let addresses = vec![located("198.51.100.8:5060", 0, 64), located("198.51.100.9:5060", 0, 192)];
    let (config, _) = config.located(&[(place("voice.example.com", None), addresses)].into());
    let weights: Vec<_> = of(&config, 0).iter().map(|t| t.weight).collect();
    assert_eq!(weights, [256, 256, 128, 384], "1 : 1 : 2, of which a quarter and three quarters");
}

#[test]
fn an_address_that_is_somebody_elses_is_not_used() {
    let mut config = config();
    config.named = vec![named("voice", BACKUP, 1)];
    let addresses = ["198.51.100.77:5060", "10.1.0.1:5060", "192.0.2.1:5060", "203.0.113.7:5060"];
    let addresses = addresses.map(|at| located(at, 0, 1)).to_vec();
    let (config, disputed) = config.located(&[(place("voice.example.com", None), addresses)].into());
    let why: Vec<_> = disputed.iter().map(|d| (d.address.to_string(), d.dispute)).collect();
    let expected = [
        ("198.51.100.77:5060".to_owned(), Dispute::Neighbours),
        ("10.1.0.1:5060".to_owned(), Dispute::Neighbours),
        ("192.0.2.1:5060".to_owned(), Dispute::Ours),
    ];
    assert_eq!(why, expected);
    assert_eq!(of(&config, 1).len(), 2);
}

#[test]
fn an_address_that_is_configured_and_named_is_one_target() {
    let mut config = config();
    config.named = vec![named("voice", CARRIER, 1)];
    let addresses = vec![located("198.51.100.1:5060", 0, 1)];
    let (config, _) = config.located(&[(place("voice.example.com", None), addresses)].into());
    assert_eq!(config.trunks[0].targets, [CARRIER_1, CARRIER_2]);
}
