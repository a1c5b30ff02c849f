//! A carrier that refuses a call is not the end of it: which other one is asked is a matter of cost, of weight, and of what
//! its refusal means.

mod common;

use common::carriers::{FIRST, FIRST_TOO, SECOND, at_two_addresses, from_edge, invites, two_trunks};
use common::{EAST, Stage, answer};
use proxy_core::*;

/// What a trunk's refusals mean.
fn means(config: &mut Config, rules: &[(u16, u16, AfterRefusal)]) {
    let rules = rules.iter().map(|(from, to, after)| (*from..=*to, *after)).collect();
    config.codes = vec![CodePolicy { rules }];
    config.trunks[0].manners.codes = Some(CodesId(0));
}

/// A call whose first attempt is refused; what the caller hears, and how many INVITEs then come to the first trunk's other
/// address and to the second trunk.
fn refused(config: Config, code: u16) -> (Vec<u16>, usize, usize) {
    let mut stage = Stage::with(config);
    stage.receive(EAST, &from_edge("one"));
    let asked = stage.take(FIRST).remove(0);
    stage.take(EAST);
    stage.receive(FIRST, &answer(&asked, code, "t1", "x@192.0.2.1", ""));
    let heard = stage.take(EAST).iter().filter_map(|m| m.split(' ').nth(1)?.parse().ok()).collect();
    (heard, invites(&mut stage, FIRST_TOO), invites(&mut stage, SECOND))
}

#[test]
fn a_trunk_that_has_spoken_for_all_its_addresses_is_left_as_a_whole() {
    let mut config = two_trunks();
    at_two_addresses(&mut config);
    assert_eq!(refused(config.clone(), 503), (vec![], 1, 0), "without a word the next address is asked");
    assert_eq!(
        refused(config.clone(), 404),
        (vec![404], 0, 0),
        "and a number that is not known is not known"
    );
    means(&mut config, &[(404, 404, AfterRefusal::Leave), (500, 599, AfterRefusal::Leave)]);
    assert_eq!(refused(config.clone(), 404), (vec![], 0, 1));
    assert_eq!(refused(config.clone(), 503), (vec![], 0, 1));
    assert_eq!(refused(config, 486), (vec![486], 0, 0), "of busy callees nothing was said");
}

#[test]
fn what_would_be_hunted_on_can_be_left_to_the_caller_and_a_single_code_goes_before_its_class() {
    let mut config = two_trunks();
    at_two_addresses(&mut config);
    means(&mut config, &[(503, 503, AfterRefusal::Stop), (500, 599, AfterRefusal::Next)]);
    assert_eq!(refused(config.clone(), 503).0, [503]);
    assert_eq!(refused(config.clone(), 502), (vec![], 1, 0));
    assert_eq!(refused(config, 599), (vec![], 1, 0), "a code that nobody has defined is one of its class");
}

#[test]
fn of_one_trunk_nothing_is_said_by_another_ones_policy() {
    let mut config = two_trunks();
    means(&mut config, &[(404, 404, AfterRefusal::Leave)]);
    let mut stage = Stage::with(config);
    stage.receive(EAST, &from_edge("one"));
    for (at, heard) in [(FIRST, vec![]), (SECOND, vec!["404"])] {
        let asked = stage.take(at).remove(0);
        stage.take(EAST);
        stage.receive(at, &answer(&asked, 404, "t1", "x@192.0.2.1", ""));
        let said = stage.take(EAST);
        let codes: Vec<_> = said.iter().filter_map(|m| m.split(' ').nth(1)).collect();
        assert_eq!(codes, heard, "{at}");
    }
}

#[test]
fn the_next_trunk_is_asked_by_the_same_caller_for_the_same_number() {
    let mut config = two_trunks();
    means(&mut config, &[(404, 404, AfterRefusal::Leave)]);
    let mut stage = Stage::with(config);
    let call =
        from_edge("one").replace("Contact:", "P-Asserted-Identity: <sip:+4930123@tier.example>\r\nContact:");
    stage.receive(EAST, &call);
    let who = |message: &str| -> Vec<String> {
        let of =
            |line: &str| ["From:", "To:", "P-Asserted-Identity:"].iter().any(|name| line.starts_with(name));
        let without_tag = |line: &str| line.split(";tag=").next().unwrap_or_default().to_owned();
        let lines = message.lines().filter(|line| of(line)).map(without_tag);
        lines.chain(message.split(' ').nth(1).map(|uri| uri.split('@').next().unwrap().to_owned())).collect()
    };
    let first = stage.take(FIRST).remove(0);
    stage.receive(FIRST, &answer(&first, 404, "t1", "x@192.0.2.1", ""));
    let second = stage.take(SECOND).remove(0);
    assert!(who(&first).len() >= 3, "{first}");
    let alike = |message: &str, at: &str| who(message).join("\n").replace(&format!("@{at}>"), "@there>");
    assert_eq!(alike(&first, "192.0.2.1"), alike(&second, "192.0.2.2"));
}

#[test]
fn the_cheapest_trunk_comes_first_wherever_it_is_listed() {
    let mut config = two_trunks();
    let choice = |trunk, cost| TrunkChoice { trunk: TrunkId(trunk), cost, weight: 1 };
    config.outbound[0].trunks = vec![choice(0, 20), choice(1, 10)];
    let mut stage = Stage::with(config);
    for n in 0..20 {
        stage.receive(EAST, &from_edge(&format!("c{n}")));
    }
    assert_eq!((invites(&mut stage, FIRST), invites(&mut stage, SECOND)), (0, 20));
}

#[test]
fn trunks_of_one_cost_share_by_weight() {
    let mut config = two_trunks();
    let choice = |trunk, weight| TrunkChoice { trunk: TrunkId(trunk), cost: 1, weight };
    config.outbound[0].trunks = vec![choice(0, 3), choice(1, 1)];
    let mut stage = Stage::with(config);
    for n in 0..400 {
        stage.receive(EAST, &from_edge(&format!("c{n}")));
    }
    // 300 of 400 with a deviation of 8.7: five of these to either side.
    let (first, second) = (invites(&mut stage, FIRST), invites(&mut stage, SECOND));
    assert!(first + second == 400 && (257..=343).contains(&first), "{first} {second}");
}

#[test]
fn a_trunk_without_weight_is_asked_when_all_others_of_its_cost_have_failed() {
    let mut config = two_trunks();
    let choice = |trunk, weight| TrunkChoice { trunk: TrunkId(trunk), cost: 1, weight };
    config.outbound[0].trunks = vec![choice(1, 0), choice(0, 1)];
    assert_eq!(refused(config, 503), (vec![], 0, 1));
}
