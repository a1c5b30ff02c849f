//! Where does a number lead?

use crate::route::fixture::config;
use crate::{Config, GroupId, InboundRoute, OutboundRoute, Router, Site, SiteId, TrunkChoice, TrunkId};
use proptest::prelude::*;

fn plan(routes: &[(Option<u16>, &str)]) -> Config {
    let mut config = config();
    config.sites = (0..routes.len())
        .map(|n| Site { name: format!("s{n}"), groups: vec![], correlation: None })
        .collect();
    config.inbound = (0..)
        .zip(routes)
        .map(|(n, (trunk, prefix))| InboundRoute {
            trunk: trunk.map(TrunkId),
            prefix: (*prefix).into(),
            site: SiteId(n),
        })
        .collect();
    config
}

/// The number of the route that a call on a trunk takes.
fn route(routes: &[(Option<u16>, &str)], trunk: u16, number: &str) -> Option<u16> {
    Router::new(&plan(routes)).inbound(TrunkId(trunk), number).map(|site| site.0)
}

#[test]
fn the_longest_prefix_wins_wherever_it_stands() {
    let routes = [(None, "4420"), (None, ""), (None, "44"), (None, "442079")];
    assert_eq!(route(&routes, 0, "442079460000"), Some(3));
    assert_eq!(route(&routes, 0, "4420"), Some(0), "the whole number is a prefix too");
    assert_eq!(route(&routes, 0, "442"), Some(2));
    assert_eq!(route(&routes, 0, "49"), Some(1));
    assert_eq!(route(&routes, 0, "alice"), Some(1), "a name matches only the empty prefix");
}

#[test]
fn a_plus_in_the_prefix_asks_for_a_plus_in_the_number() {
    let routes = [(None, "+44"), (None, "44"), (None, "+"), (None, "442")];
    assert_eq!(route(&routes, 0, "+4413"), Some(0), "at as many digits the plus says more");
    assert_eq!(route(&routes, 0, "4413"), Some(1));
    assert_eq!(route(&routes, 0, "+4420"), Some(3), "more digits say more than a plus");
    assert_eq!(route(&routes, 0, "+49"), Some(2));
    assert_eq!(route(&routes, 0, "49"), None);
}

#[test]
fn a_route_of_the_trunk_beats_one_for_all_of_the_same_length_only() {
    let routes = [(None, "44"), (Some(1), "44"), (None, "4420"), (Some(1), "")];
    assert_eq!(route(&routes, 0, "4413"), Some(0));
    assert_eq!(route(&routes, 1, "4413"), Some(1));
    assert_eq!(route(&routes, 1, "4420"), Some(2));
    assert_eq!(route(&routes, 1, "7"), Some(3));
    assert_eq!(route(&routes, 0, "7"), None);
}

#[test]
fn a_number_is_read_as_people_write_it() {
    let routes = [(None, "+1-201-555"), (None, "")];
    assert_eq!(route(&routes, 0, "+1(201)555.0123;npdi"), Some(0));
    assert_eq!(route(&routes, 0, "+1(201)556.0123"), Some(1));
}

#[test]
fn of_two_equal_routes_the_first_stands() {
    assert_eq!(route(&[(None, "44"), (None, "4-4")], 0, "44"), Some(0));
}

#[test]
fn an_outbound_call_gets_its_trunks_in_order() {
    let mut config = config();
    let out = |site: Option<u16>, prefix: &str, trunks: &[u16]| OutboundRoute {
        site: site.map(SiteId),
        prefix: prefix.into(),
        trunks: TrunkChoice::ranked(trunks.iter().copied().map(TrunkId)),
    };
    config.outbound = vec![out(None, "", &[0, 1]), out(Some(0), "", &[1, 0]), out(None, "+49", &[1])];
    let router = Router::new(&config);
    let trunks = |site, number| {
        let choices = router.outbound(site, number).unwrap();
        choices.iter().map(|choice| choice.trunk).collect::<Vec<_>>()
    };
    assert_eq!(trunks(None, "44"), [TrunkId(0), TrunkId(1)]);
    assert_eq!(trunks(Some(SiteId(0)), "44"), [TrunkId(1), TrunkId(0)]);
    assert_eq!(trunks(Some(SiteId(0)), "+4930"), [TrunkId(1)]);
    assert_eq!(trunks(Some(SiteId(9)), "44"), [TrunkId(0), TrunkId(1)], "an unknown site");
}

#[test]
fn a_group_stands_for_the_first_site_that_lists_it() {
    let mut config = config();
    config.sites.push(Site { name: "other".into(), groups: vec![GroupId(1)], correlation: None });
    let router = Router::new(&config);
    assert_eq!(router.site_of(GroupId(1)), Some(SiteId(0)));
    config.sites[0].groups = vec![GroupId(0)];
    assert_eq!(Router::new(&config).site_of(GroupId(1)), Some(SiteId(1)));
    assert_eq!(router.site_of(GroupId(7)), None);
}

/// The rule itself, without a trie: try every route, keep the best.
fn slowly(routes: &[(Option<u16>, String)], trunk: u16, number: &str) -> Option<u16> {
    let (plus, digits) = number.strip_prefix('+').map_or((false, number), |digits| (true, digits));
    let fits = |(scope, prefix): &(Option<u16>, String)| {
        let (wants, prefix) = prefix.strip_prefix('+').map_or((false, &**prefix), |prefix| (true, prefix));
        let fits = scope.is_none_or(|s| s == trunk) && (plus || !wants) && digits.starts_with(prefix);
        fits.then_some((prefix.len(), wants, scope.is_some()))
    };
    // The first of the best.
    let ranked =
        (0..).zip(routes).filter_map(|(n, route)| fits(route).map(|rank| (rank, std::cmp::Reverse(n))));
    ranked.max().map(|(_, n)| n.0)
}

proptest! {
    #[test]
    fn the_trie_says_what_trying_every_route_says(
        routes in prop::collection::vec((prop::option::of(0u16..2), "\\+?[123]{0,4}"), 0..24),
        number in "\\+?[1234]{0,6}",
        trunk in 0u16..2,
    ) {
        let borrowed: Vec<_> = routes.iter().map(|(trunk, prefix)| (*trunk, &**prefix)).collect();
        prop_assert_eq!(route(&borrowed, trunk, &number), slowly(&routes, trunk, &number));
    }

    #[test]
    fn no_number_upsets_it(number in any::<String>()) {
        let routes = [(None, "+1"), (None, "44"), (Some(0), "#*")];
        route(&routes, 0, &number);
    }
}
