//! Those who have no business here, and those who ask for too much.

use super::operators::{bascule, start, text};
use super::world::{Place, Ua, call, eventually, hang_up, metric};

#[test]
fn a_scanner_is_listed_written_for_nftables_and_forgotten() {
    let place = Place(90);
    let appliance = start(place, "");
    let stranger = Ua::at((place.ip(99), 5060).into());
    for n in 0..12 {
        stranger.send(stranger.invite(&format!("scan{n}"), "+4930123456", 40_000), place.appliance());
    }
    eventually("the stranger is a scanner", || {
        metric(&appliance, "bascule_rejects_total{reason=\"scanner\"}") == 2.0
    });
    stranger.hears_nothing();
    let said = |args: &[&str]| {
        let (code, out, complaint) = text(&bascule(place, args).output().unwrap());
        assert_eq!((code, complaint.as_str()), (0, ""), "{out}");
        out
    };
    let people = said(&["scanners"]);
    assert!(people.contains("127.77.90.99") && people.contains("1 scanners"), "{people}");
    let nft = said(&["scanners", "--nft"]);
    assert!(nft.contains("elements = { 127.77.90.99 timeout "), "{nft}");
    assert!(nft.contains("ip saddr @v4 udp dport { 5060, 5070 } drop"), "{nft}");
    let json = said(&["scanners", "--forget", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["scanners"][0]["messages"], &json["forgotten"]), (&12.into(), &true.into()));
    eventually("nobody is on the list", || said(&["scanners"]).contains("0 scanners"));
}

#[test]
fn a_flood_from_nobody_leaves_calls_and_tables_alone() {
    let place = Place(91);
    let appliance = place.start("");
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &edge, "before", "+4930123456");
    let strangers: Vec<Ua> = (0..20).map(|n| Ua::at((place.ip(100 + n), 5060).into())).collect();
    for n in 0..2_000 {
        let stranger = &strangers[n % strangers.len()];
        stranger.send(stranger.invite(&format!("flood{n}"), "+4930123456", 40_000), place.appliance());
        if n % 20 == 0 {
            // The kernel's own buffer is not what is told of here.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    let during = call(place, &carrier, &edge, "during", "+4930123456");
    hang_up(place, &carrier, &edge, &up);
    hang_up(place, &carrier, &edge, &during);
    let transactions = metric(&appliance, "bascule_transactions");
    assert!(transactions < 20.0, "{transactions}");
    strangers[0].hears_nothing();
    let counted = |reason: &str| metric(&appliance, &format!("bascule_rejects_total{{reason=\"{reason}\"}}"));
    eventually("each of them is counted", || counted("unknown_source") + counted("scanner") == 2_000.0);
    assert_eq!(counted("unknown_source"), 200.0, "ten tries of each");
}

#[test]
fn who_asks_more_often_than_it_may_is_told_to_come_back_later() {
    let place = Place(92);
    let appliance = place.start("[limits]\nrequests_per_second = 3");
    let carrier = place.carrier();
    for n in 0..5 {
        let options = carrier.invite(&format!("ask{n}"), "+4930123456", 40_000).replace("INVITE", "OPTIONS");
        carrier.send(options, place.appliance());
    }
    let codes: Vec<_> = (0..5).map(|_| carrier.next().code().unwrap()).collect();
    assert_eq!(codes, [200, 200, 200, 503, 503]);
    assert_eq!(metric(&appliance, "bascule_rejects_total{reason=\"rate_limit\"}"), 2.0);
}
