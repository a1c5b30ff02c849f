use super::world::{Place, call, hang_up, metric};

/// Whichever shard's socket the kernel gives a message to, it finds the shard that owns its call.
#[test]
fn every_call_works_whichever_socket_its_messages_come_in_on() {
    let place = Place(30);
    let appliance = place.start("[process]\nshards = 3");
    let edge = place.edge(1);
    // From several ports: the kernel spreads sources over the sockets.
    for n in 0..12_u16 {
        let carrier = super::world::Ua::at((place.ip(2), 6_000 + n).into());
        let call = call(place, &carrier, &edge, &format!("spread{n}"), "+4930123456");
        hang_up(place, &carrier, &edge, &call);
    }
    let reports = appliance.reports();
    assert_eq!(reports.len(), 3);
    assert_eq!(reports.iter().map(|r| r.counters.answered).sum::<u64>(), 12);
    assert!(reports.iter().filter(|r| r.counters.calls > 0).count() > 1, "all calls went to one shard");
    assert_eq!(metric(&appliance, "bascule_rejects_total{reason=\"no_dialog\"}"), 0.0);
}
