use crate::place::{ANSWERED_IN_THE_NORTH, Place, TWENTY, all_ended};
use proxy_core::CloseReason;

#[test]
fn a_caller_puts_the_call_on_hold_and_takes_it_back() {
    let place = Place::new(11);
    let north = place.north("uas_reinvite", &["-m", "20"]);
    place.carrier_calls("uac_reinvite_hold", &TWENTY).succeeds(20);
    north.succeeds(20);
    all_ended(&place.ends_with(20), 200, CloseReason::ByeFromA, &ANSWERED_IN_THE_NORTH);
}

#[test]
fn whoever_was_called_puts_the_call_on_hold_takes_it_back_and_hangs_up() {
    let place = Place::new(12);
    let north = place.north("uas_reinvites", &["-m", "20"]);
    place.carrier_calls("uac_reinvited", &TWENTY).succeeds(20);
    north.succeeds(20);
    all_ended(&place.ends_with(20), 200, CloseReason::ByeFromB, &ANSWERED_IN_THE_NORTH);
}
