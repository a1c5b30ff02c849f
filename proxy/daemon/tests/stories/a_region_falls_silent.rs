use super::operators::{Speaking, takes};
use super::world::{PATIENCE, Place, call, hang_up, media};
use bascule::Notice;
use proxy_core::{MoveOutcome, MoveReason};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

#[test]
fn its_calls_live_on_elsewhere_and_the_carrier_hears_the_new_region_on_the_old_line() {
    let place = Place(80);
    // Nobody here answers a probe: what is silent for the burst's time is down.
    let appliance = place.start("[media.silence]\nmin_flows = 2\n[region_health]\nmedia_down = \"200ms\"");
    let events = appliance.events();
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    let phone = UdpSocket::bind((place.ip(2), 40_000)).unwrap();
    phone.set_read_timeout(Some(PATIENCE)).unwrap();
    let up = |i| call(place, &carrier, &north, &format!("silent-{i}"), "+4930123456");
    let ups: Vec<_> = (0..3).map(up).collect();
    let ports: Vec<_> = ups.iter().map(|up| media(&up.invite)).collect();
    let north_speaks = Speaking::new((place.ip(11), 41_000).into(), ports.clone(), 0x11);
    std::thread::sleep(Duration::from_millis(800));
    drop(north_speaks);
    takes(place, &south, 41_002, 3);
    let _south_speaks = Speaking::new((place.ip(12), 41_002).into(), ports, 0x22);

    // SSRC and sequence as the carrier sees them, call by call; the voice is the first octet of sound.
    let deadline = Instant::now() + PATIENCE;
    let mut buffer = [0; 2_000];
    loop {
        let n = phone.recv(&mut buffer).expect("the carrier hears something");
        if buffer[12..n].first() == Some(&0x22) {
            break;
        }
        assert!(Instant::now() < deadline, "the carrier never hears the new region");
    }
    let receipts = events.iter().filter_map(|notice| match notice {
        Notice::Moved(receipt) => Some(receipt),
        Notice::Finished(_) | Notice::Moves { .. } | Notice::Health { .. } => None,
    });
    for receipt in receipts.take(3) {
        assert_eq!(
            (receipt.reason, receipt.outcome),
            (MoveReason::RegionDown, MoveOutcome::Moved),
            "{receipt:?}"
        );
        assert!(receipt.gap_conversation > receipt.gap_media && receipt.gap_media.is_some(), "{receipt:?}");
    }
    carrier.hears_nothing();
    for up in &ups {
        hang_up(place, &carrier, &south, up);
    }
}
