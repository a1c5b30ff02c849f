use crate::place::{ANSWERED_IN_THE_NORTH, Place, TWENTY, all_ended, steps_of};
use proxy_core::{CloseReason, RejectReason};
use std::collections::BTreeSet;

/// A scenario of these stories' own.
fn own(scenario: &str) -> String {
    format!("{}/tests/sipp/scenarios/{scenario}.xml", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn keys_words_and_questions_are_carried_or_answered_and_what_nobody_can_do_is_refused_inside_a_call() {
    let place = Place::new(61);
    let north = place.north(&own("uas_inside"), &["-m", "20"]);
    place.carrier_calls(&own("uac_inside"), &TWENTY).succeeds(20);
    north.succeeds(20);
    all_ended(&place.ends_with(20), 200, CloseReason::ByeFromA, &ANSWERED_IN_THE_NORTH);
}

#[test]
fn who_asks_for_more_than_we_can_do_is_told_what_we_can() {
    for (n, scenario, code, reason) in [
        (62, "uac_420", 420, RejectReason::BadExtension),
        (63, "uac_415", 415, RejectReason::UnsupportedMedia),
    ] {
        let place = Place::new(n);
        place.carrier_calls(&own(scenario), &TWENTY).succeeds(20);
        let records = place.ends_with(20);
        all_ended(&records, code, CloseReason::Rejected, &[]);
        assert!(records.iter().all(|record| record.reject == Some(reason)), "{records:#?}");
    }
}

#[test]
fn an_invite_that_comes_on_two_ways_rings_once() {
    let place = Place::new(64);
    let north = place.north("uas_ringing", &["-m", "5"]);
    place.carrier_calls(&own("uac_482"), &["-m", "5", "-r", "5"]).succeeds(5);
    north.succeeds(5);
    let records = place.ends_with(10);
    let codes: Vec<_> = records.iter().map(|record| record.code).collect();
    assert_eq!(codes.iter().filter(|code| **code == 482).count(), 5, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 487).count(), 5, "{codes:?}");
}

#[test]
fn a_blind_transfer_takes_the_call_to_the_other_region_and_the_carrier_hears_of_nothing() {
    let place = Place::transferring(65);
    let south = place.south("uas", &["-m", "5"]);
    let to = format!("{}:5060", place.v4(12));
    let north = place.north(&own("uas_refers"), &["-m", "5", "-key", "refer_to", &to]);
    place.carrier_calls("uac", &["-m", "5", "-r", "5", "-d", "2500"]).succeeds(5);
    north.succeeds(5);
    south.succeeds(5);
    all_ended(&place.ends_with(5), 200, CloseReason::ByeFromA, &ANSWERED_IN_THE_NORTH);
}

#[test]
fn an_attended_transfer_joins_the_far_ends_of_two_calls() {
    let place = Place::transferring(66);
    let north = place.north(&own("uas_attends"), &["-m", "2"]);
    place.carrier_calls(&own("uac_attended"), &["-m", "2", "-r", "1", "-rp", "500"]).succeeds(2);
    north.succeeds(2);
    let records = place.ends_with(2);
    let closes: BTreeSet<_> = records.iter().map(|record| record.close.as_str()).collect();
    assert_eq!(closes, BTreeSet::from(["bye_from_b", "transferred"]), "{records:#?}");
    assert!(records.iter().all(|record| steps_of(record) == ANSWERED_IN_THE_NORTH), "{records:#?}");
}
