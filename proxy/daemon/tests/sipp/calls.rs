use crate::place::{ANSWERED_IN_THE_NORTH, Place, TWENTY, all_ended, heard_both_ways, twenty};
use proxy_core::{CloseReason, Direction, StepOutcome};

#[test]
fn twenty_calls_from_a_carrier_are_answered_and_heard_both_ways() {
    let place = Place::new(1);
    let north = place.north("uas", &["-m", "20", "-rtp_echo"]);
    place.carrier_calls("uac_rtp", &twenty(&["-d", "1000"])).succeeds(20);
    north.succeeds(20);
    let records = place.ends_with(20);
    all_ended(&records, 200, CloseReason::ByeFromA, &ANSWERED_IN_THE_NORTH);
    for record in &records {
        assert_eq!(record.direction, Direction::Inbound);
        assert!(record.ringing.is_some() && record.answered.is_some());
        heard_both_ways(record);
    }
}

#[test]
fn twenty_calls_from_the_tier_are_answered_by_the_carrier_and_heard_both_ways() {
    let place = Place::new(2);
    let carrier = place.carrier("uas", &["-m", "20", "-rtp_echo"]);
    place.north_calls("uac_rtp", &twenty(&["-d", "1000"])).succeeds(20);
    carrier.succeeds(20);
    let records = place.ends_with(20);
    all_ended(&records, 200, CloseReason::ByeFromA, &[("acme-1", StepOutcome::Answered)]);
    for record in &records {
        assert_eq!(record.direction, Direction::Outbound);
        heard_both_ways(record);
    }
}

#[test]
fn an_offer_that_comes_with_the_answer_and_an_answer_that_comes_with_the_ack_make_media() {
    let place = Place::new(3);
    let north = place.north("uas_no_sdp", &["-m", "20", "-rtp_echo"]);
    place.carrier_calls("uac_no_sdp", &twenty(&["-d", "1000"])).succeeds(20);
    north.succeeds(20);
    let records = place.ends_with(20);
    all_ended(&records, 200, CloseReason::ByeFromA, &ANSWERED_IN_THE_NORTH);
    records.iter().for_each(|record| heard_both_ways(record));
}

#[test]
fn early_media_is_heard_both_ways_before_the_answer() {
    let place = Place::new(4);
    let north = place.north("uas_early_media", &["-m", "20", "-rtp_echo"]);
    place.carrier_calls("uac_early_media", &twenty(&["-d", "100"])).succeeds(20);
    north.succeeds(20);
    let records = place.ends_with(20);
    all_ended(&records, 200, CloseReason::ByeFromA, &ANSWERED_IN_THE_NORTH);
    // The caller sends from the 183 to the 200 only.
    records.iter().for_each(|record| heard_both_ways(record));
}

#[test]
fn a_caller_who_gives_up_while_it_rings_leaves_nothing_behind() {
    let place = Place::new(5);
    let north = place.north("uas_ringing", &["-m", "20"]);
    place.carrier_calls("uac_cancel", &TWENTY).succeeds(20);
    north.succeeds(20);
    let records = place.ends_with(20);
    all_ended(&records, 487, CloseReason::Cancelled, &[("north-1", StepOutcome::Cancelled)]);
}
