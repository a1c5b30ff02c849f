//! Who sent this?

use crate::route::fixture::config;
use crate::{Config, GroupId, Router, Source, TrunkId};
use std::net::{IpAddr, SocketAddr};

fn ask(config: &Config, ip: &str) -> Option<Source> {
    Router::new(config).source(ip.parse::<IpAddr>().unwrap())
}

#[test]
fn the_longest_prefix_names_the_sender() {
    let mut config = config();
    config.trunks[0].sources = vec!["198.51.100.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    config.trunks[1].sources = vec!["198.51.100.128/25".parse().unwrap(), "0.0.0.0/0".parse().unwrap()];
    config.groups[1].sources = vec!["198.51.100.200/32".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];

    assert_eq!(ask(&config, "198.51.100.9"), Some(Source::Trunk(TrunkId(0))));
    assert_eq!(ask(&config, "198.51.100.129"), Some(Source::Trunk(TrunkId(1))));
    assert_eq!(ask(&config, "198.51.100.200"), Some(Source::Group(GroupId(1))));
    assert_eq!(ask(&config, "9.9.9.9"), Some(Source::Trunk(TrunkId(1))), "the default route");
    assert_eq!(ask(&config, "2001:db8:2::1"), Some(Source::Trunk(TrunkId(0))));
    assert_eq!(ask(&config, "2001:db8:1::1"), Some(Source::Group(GroupId(1))));
    assert_eq!(ask(&config, "2001:db9::1"), None, "a default route of the other family says nothing");
}

#[test]
fn a_target_at_its_own_address_beats_every_network() {
    let mut config = config();
    config.trunks[0].sources = vec!["10.1.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    assert_eq!(ask(&config, "10.1.0.1"), Some(Source::Group(GroupId(0))));
    assert_eq!(ask(&config, "10.1.0.9"), Some(Source::Trunk(TrunkId(0))));
}

#[test]
fn one_network_claimed_twice_goes_to_the_first_and_to_trunks_before_groups() {
    let mut config = config();
    let net = "10.9.0.0/16".parse().unwrap();
    config.groups[0].sources = vec![net];
    config.trunks[1].sources = vec![net];
    assert_eq!(ask(&config, "10.9.0.1"), Some(Source::Trunk(TrunkId(1))));
    config.trunks[0].sources = vec!["10.9.1.2/16".parse().unwrap()];
    assert_eq!(
        ask(&config, "10.9.0.1"),
        Some(Source::Trunk(TrunkId(0))),
        "host bits of a network do not count"
    );
}

#[test]
fn a_stranger_is_nobody() {
    assert_eq!(ask(&config(), "192.0.2.99"), None);
    assert_eq!(ask(&config(), "::1"), None);
}

#[test]
fn an_ipv4_sender_on_a_dual_stack_socket_is_the_same_sender() {
    assert_eq!(ask(&config(), "::ffff:10.2.0.1"), Some(Source::Group(GroupId(1))));
}

#[test]
fn neighbours_on_one_host_are_told_apart_by_their_port() {
    let mut config = config();
    for (target, port) in config.targets.iter_mut().zip(6000..) {
        target.peer.remote = SocketAddr::from(([127, 0, 0, 1], port));
    }
    let router = Router::new(&config);
    let at = |port| router.source_at(SocketAddr::from(([127, 0, 0, 1], port)));
    assert_eq!(at(6001), Some(Source::Group(GroupId(0))));
    assert_eq!(at(6002), Some(Source::Group(GroupId(1))));
    assert_eq!(at(6004), Some(Source::Trunk(TrunkId(0))));
    assert_eq!(at(40_000), Some(Source::Group(GroupId(0))), "an unknown port is judged by its IP alone");
}
