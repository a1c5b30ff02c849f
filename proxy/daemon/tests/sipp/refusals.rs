use crate::place::{Place, TWENTY, all_ended, steps_of, twenty};
use proxy_core::{CloseReason, HuntReason, StepOutcome};

const OUT_OF_SERVICE: StepOutcome = StepOutcome::Advanced { reason: HuntReason::FinalResponse, code: 503 };

#[test]
fn busy_ends_the_hunt_and_reaches_the_caller() {
    let place = Place::new(21);
    let north = place.north("uas_486", &["-m", "20"]);
    let south = place.south("uas", &[]);
    place.carrier_calls("uac_486", &TWENTY).succeeds(20);
    north.succeeds(20);
    assert_eq!(south.stops(), 0, "the other region is not bothered");
    let refused = [("north-1", StepOutcome::Refused { code: 486 })];
    all_ended(&place.ends_with(20), 486, CloseReason::Refused, &refused);
}

#[test]
fn out_of_service_in_one_region_is_hunted_past_to_the_other() {
    let place = Place::new(22);
    let north = place.north("uas_503", &[]);
    let south = place.south("uas", &["-m", "20"]);
    place.carrier_calls("uac", &twenty(&["-d", "200"])).succeeds(20);
    south.succeeds(20);
    let asked = north.stops();
    let records = place.ends_with(20);
    let hunted = [("north-1", OUT_OF_SERVICE), ("south-1", StepOutcome::Answered)];
    let mut both = 0;
    for record in &records {
        assert_eq!((record.code, record.close), (200, CloseReason::ByeFromA), "{record:#?}");
        // It has asked for a pause (Retry-After), so that later calls go past it without a try.
        let steps = steps_of(record);
        assert!(steps == hunted || steps == hunted[1..], "{record:#?}");
        both += u32::from(steps == hunted);
    }
    assert!(both >= 1, "{records:#?}");
    assert_eq!(asked, both, "each try is in a record");
}

#[test]
fn out_of_service_everywhere_reaches_the_caller_when_both_were_asked() {
    let place = Place::new(23);
    let (north, south) = (place.north("uas_503", &["-m", "1"]), place.south("uas_503", &["-m", "1"]));
    place.carrier_calls("uac_503", &["-m", "1"]).succeeds(1);
    north.succeeds(1);
    south.succeeds(1);
    let steps = [("north-1", OUT_OF_SERVICE), ("south-1", OUT_OF_SERVICE)];
    all_ended(&place.ends_with(1), 503, CloseReason::HuntExhausted, &steps);
}

#[test]
fn who_asks_whether_somebody_is_there_is_told_so_and_no_call_is_made_of_it() {
    let place = Place::new(24);
    place.carrier_calls("uac_options", &TWENTY).succeeds(20);
    place.ends_with(0);
}
