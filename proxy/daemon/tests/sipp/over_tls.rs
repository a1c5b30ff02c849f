//! The carrier is a Kamailio that we speak mutual TLS with, and a region dies behind us.

use crate::line::Voice;
use crate::place::Place;
use crate::rehome::{AGAIN, CALLS, REGULAR, TWELVE, all_went_over, all_were_moved, hears};
use crate::wire::Wire;
use proxy_core::{CloseReason, Direction};

/// A phone that is asked for anything inside its call fails it: its scenario expects nothing until it hangs up.
#[test]
fn a_region_freezes_and_neither_the_carriers_proxy_nor_its_phone_hears_a_word_of_it() {
    let mut place = Place::probed_over_tls(35);
    let phone_at = place.v4(3);
    let wire = Wire::of(&[phone_at]);
    let north = place.north("uas_rtp", &[]);
    let south = place.south(&place.retuned("uas_rtp"), &[]);
    place.starts();
    let phone = place.phone_calls("uac_rtp", &[&TWELVE[..], &["-d", "10000"]].concat());
    hears(&wire, phone_at, CALLS, Voice::North, REGULAR);
    let handshakes = place.counted("bascule_tls_handshakes_total");
    assert_ne!(handshakes, "0");

    north.freezes();
    place.receipts(CALLS);
    hears(&wire, phone_at, CALLS, Voice::South, AGAIN);
    north.thaws();

    phone.succeeds(CALLS as u32);
    assert!(north.stops() >= CALLS as u32 && south.stops() >= CALLS as u32);
    assert_eq!(
        place.counted("bascule_tls_handshakes_total"),
        handshakes,
        "the dialogs went on over the connections that they had"
    );
    all_went_over(&wire.stop(), phone_at, CALLS);
    all_were_moved(&place.ends_with(CALLS), Direction::Inbound, CloseReason::ByeFromA);
}
