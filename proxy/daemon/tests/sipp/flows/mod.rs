//! Every flow of offers, answers, provisionals and UPDATE between two SIPps, over every network: UDP and TCP, IPv4 and IPv6,
//! alike on both sides or not, and from either side. One appliance for each network, one flow after the other.

mod crossing;
mod forks;
mod network;
pub(crate) mod scenario;
mod sessions;
pub(crate) mod table;

use network::{Network, Running, Side, V4, V6};
use proxy_core::Transport::{Tcp, Tls, Udp};
use table::Flow;

/// Calls of each flow, all at once.
const CALLS: u32 = 3;

fn all_flows(network: Network) {
    play(network.starts(), &table::all());
}

fn play(place: Running, flows: &[Flow]) {
    played(place, flows).stops();
}

fn played(mut place: Running, flows: &[Flow]) -> Running {
    for flow in flows {
        let answerer = flow.answerer.as_ref().map(|answerer| place.answers(answerer, CALLS));
        place.calls(&flow.caller, CALLS).succeeds(CALLS);
        if let Some(answerer) = answerer {
            answerer.succeeds(CALLS);
        }
        place.ended(CALLS, (flow.code, flow.close));
    }
    place
}

#[test]
fn every_flow_over_udp() {
    all_flows(Network { n: 1, carrier: (Udp, V4), tier: (Udp, V4), outbound: false, proxies: &[] });
}

#[test]
fn every_flow_over_tcp() {
    all_flows(Network { n: 2, carrier: (Tcp, V4), tier: (Tcp, V4), outbound: false, proxies: &[] });
}

#[test]
fn every_flow_from_ipv6_to_ipv4_over_udp() {
    all_flows(Network { n: 3, carrier: (Udp, V6), tier: (Udp, V4), outbound: false, proxies: &[] });
}

#[test]
fn every_flow_from_ipv6_over_tcp_to_ipv4_over_udp() {
    all_flows(Network { n: 4, carrier: (Tcp, V6), tier: (Udp, V4), outbound: false, proxies: &[] });
}

#[test]
fn every_flow_from_udp_to_ipv6_over_tcp() {
    all_flows(Network { n: 5, carrier: (Udp, V4), tier: (Tcp, V6), outbound: false, proxies: &[] });
}

#[test]
fn every_flow_from_the_tier_to_the_carrier() {
    all_flows(Network { n: 6, carrier: (Tcp, V4), tier: (Udp, V6), outbound: true, proxies: &[] });
}

#[test]
fn every_session_is_kept_alive_or_ends_over_udp() {
    let network = Network { n: 7, carrier: (Udp, V4), tier: (Udp, V4), outbound: false, proxies: &[] };
    play(network.starts_with(sessions::SHORT), &sessions::all());
}

#[test]
fn every_session_is_kept_alive_or_ends_from_the_tier() {
    let network = Network { n: 8, carrier: (Udp, V4), tier: (Udp, V4), outbound: true, proxies: &[] };
    play(network.starts_with(sessions::SHORT), &sessions::all());
}

#[test]
fn every_session_is_kept_alive_or_ends_over_tcp() {
    let network = Network { n: 10, carrier: (Tcp, V4), tier: (Tcp, V4), outbound: false, proxies: &[] };
    play(network.starts_with(sessions::SHORT), &sessions::all());
}

#[test]
fn whatever_crosses_is_told_apart() {
    let network = Network { n: 9, carrier: (Udp, V4), tier: (Udp, V4), outbound: false, proxies: &[] };
    let flows: Vec<Flow> =
        [crossing::all(), crossing::everywhere(), vec![crossing::cancel_after_the_answer()]]
            .into_iter()
            .flatten()
            .collect();
    play(network.starts(), &flows);
}

#[test]
fn every_flow_through_the_carriers_proxy() {
    all_flows(Network {
        n: 11,
        carrier: (Udp, V4),
        tier: (Udp, V4),
        outbound: false,
        proxies: &[(Side::Carrier, 1)],
    });
}

/// Mutual TLS: each side shows its certificate, and the trunk is known by it.
#[test]
fn every_flow_from_the_carriers_proxy_over_tls() {
    all_flows(Network {
        n: 26,
        carrier: (Tls, V4),
        tier: (Udp, V4),
        outbound: false,
        proxies: &[(Side::Carrier, 1)],
    });
}

#[test]
fn every_flow_to_the_carriers_proxy_over_tls() {
    all_flows(Network {
        n: 27,
        carrier: (Tls, V4),
        tier: (Tcp, V4),
        outbound: true,
        proxies: &[(Side::Carrier, 1)],
    });
}

#[test]
fn every_flow_through_the_tiers_proxy_over_tcp() {
    all_flows(Network {
        n: 12,
        carrier: (Udp, V4),
        tier: (Tcp, V4),
        outbound: false,
        proxies: &[(Side::Tier, 1)],
    });
}

#[test]
fn every_flow_through_proxies_of_both_sides_over_tcp_and_ipv6() {
    all_flows(Network {
        n: 13,
        carrier: (Tcp, V6),
        tier: (Udp, V4),
        outbound: false,
        proxies: &[(Side::Carrier, 1), (Side::Tier, 1)],
    });
}

#[test]
fn every_flow_from_the_tier_through_proxies_of_both_sides() {
    all_flows(Network {
        n: 14,
        carrier: (Udp, V4),
        tier: (Udp, V6),
        outbound: true,
        proxies: &[(Side::Carrier, 1), (Side::Tier, 1)],
    });
}

#[test]
fn every_session_is_kept_alive_or_ends_through_proxies_of_both_sides() {
    let network = Network {
        n: 15,
        carrier: (Udp, V4),
        tier: (Udp, V4),
        outbound: false,
        proxies: &[(Side::Carrier, 1), (Side::Tier, 1)],
    };
    play(network.starts_with(sessions::SHORT), &sessions::all());
}

#[test]
fn whatever_crosses_is_told_apart_through_proxies_of_both_sides() {
    let network = Network {
        n: 16,
        carrier: (Udp, V4),
        tier: (Udp, V4),
        outbound: false,
        proxies: &[(Side::Carrier, 1), (Side::Tier, 1)],
    };
    let flows: Vec<Flow> = [crossing::all(), crossing::everywhere()].into_iter().flatten().collect();
    play(network.starts(), &flows);
}

#[test]
fn every_flow_from_ipv4_to_ipv6_over_udp() {
    all_flows(Network { n: 18, carrier: (Udp, V4), tier: (Udp, V6), outbound: false, proxies: &[] });
}

#[test]
fn whatever_crosses_is_told_apart_over_tcp() {
    let network = Network { n: 19, carrier: (Tcp, V4), tier: (Tcp, V4), outbound: false, proxies: &[] };
    let flows: Vec<Flow> =
        [crossing::everywhere(), vec![crossing::cancel_after_the_answer()]].into_iter().flatten().collect();
    play(network.starts(), &flows);
}

#[test]
fn whatever_crosses_is_told_apart_from_ipv6_to_ipv4() {
    let network = Network { n: 20, carrier: (Udp, V6), tier: (Udp, V4), outbound: false, proxies: &[] };
    let flows: Vec<Flow> =
        [crossing::everywhere(), vec![crossing::cancel_after_the_answer()]].into_iter().flatten().collect();
    play(network.starts(), &flows);
}

#[test]
fn a_proxy_that_lets_two_phones_ring_over_udp() {
    forks::play(Network {
        n: 21,
        carrier: (Udp, V4),
        tier: (Udp, V4),
        outbound: false,
        proxies: &[(Side::Tier, 2)],
    });
}

#[test]
fn a_proxy_that_lets_two_phones_ring_over_tcp() {
    forks::play(Network {
        n: 22,
        carrier: (Udp, V6),
        tier: (Tcp, V4),
        outbound: false,
        proxies: &[(Side::Tier, 2)],
    });
}

#[test]
fn every_flow_from_ipv6_to_ipv6() {
    all_flows(Network { n: 17, carrier: (Udp, V6), tier: (Udp, V6), outbound: false, proxies: &[] });
}

#[test]
fn every_flow_from_ipv6_to_ipv6_over_tcp() {
    all_flows(Network { n: 23, carrier: (Tcp, V6), tier: (Tcp, V6), outbound: true, proxies: &[] });
}

#[test]
fn every_flow_from_the_tier_to_a_carrier_that_wants_to_know_who_we_are() {
    all_flows(Network {
        n: 24,
        carrier: (Udp, V4),
        tier: (Udp, V4),
        outbound: true,
        proxies: &[(Side::AskingCarrier, 1)],
    });
}

#[test]
fn every_flow_from_a_carrier_that_wants_to_know_who_we_are_over_tcp() {
    all_flows(Network {
        n: 25,
        carrier: (Tcp, V4),
        tier: (Udp, V4),
        outbound: false,
        proxies: &[(Side::AskingCarrier, 1)],
    });
}

#[test]
fn every_flow_from_the_tier_to_a_carrier_that_wants_to_know_who_we_are_over_tcp() {
    all_flows(Network {
        n: 28,
        carrier: (Tcp, V4),
        tier: (Tcp, V4),
        outbound: true,
        proxies: &[(Side::AskingCarrier, 1)],
    });
}

/// It sees our certificate, and asks all the same.
#[test]
fn every_flow_from_a_carrier_that_wants_to_know_who_we_are_over_tls() {
    all_flows(Network {
        n: 29,
        carrier: (Tls, V4),
        tier: (Udp, V4),
        outbound: false,
        proxies: &[(Side::AskingCarrier, 1)],
    });
}

/// Our challenge is answered by the carrier's proxy for its phones, with the CSeq that the INVITE had before.
#[test]
fn every_flow_from_a_carrier_that_is_asked_who_it_is() {
    let network = Network {
        n: 30,
        carrier: (Udp, V4),
        tier: (Udp, V4),
        outbound: false,
        proxies: &[(Side::AskedCarrier, 1)],
    };
    let flows = table::all();
    let place = played(network.starts(), &flows);
    let asked = CALLS as usize * flows.len();
    assert_eq!(place.counted("bascule_rejects_total{reason=\"unauthorized\"}"), asked.to_string());
    place.stops();
}
