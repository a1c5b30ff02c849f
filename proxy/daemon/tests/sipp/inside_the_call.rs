use crate::place::{ANSWERED_IN_THE_NORTH, Place, TWENTY, all_ended};
use proxy_core::CloseReason;
use relay_values::DropReason;

#[test]
fn a_caller_puts_the_call_on_hold_and_takes_it_back_and_hears_nothing_meanwhile() {
    let place = Place::new(11);
    let north = place.north("uas_reinvite", &["-m", "20", "-rtp_echo"]);
    place.carrier_calls("uac_reinvite_hold", &TWENTY).succeeds(20);
    north.succeeds(20);
    let records = place.ends_with(20);
    all_ended(&records, 200, CloseReason::ByeFromA, &ANSWERED_IN_THE_NORTH);
    for record in &records {
        // On hold the caller goes on sending; what its callee echoes then is stopped, and nothing else is.
        let media = record.media.as_deref().unwrap();
        let (from_a, from_b) = (&media.from_a, &media.from_b);
        assert!(from_a.forwarded > from_b.forwarded && from_b.forwarded > 0, "{record:#?}");
        let dropped: Vec<_> = media.drops.nonzero().map(|(reason, _)| reason).collect();
        assert_eq!(dropped, [DropReason::Held], "{record:#?}");
        assert!(from_a.lost == 0 && from_b.lost == 0, "what was held is not lost: {record:#?}");
    }
}

#[test]
fn whoever_was_called_puts_the_call_on_hold_takes_it_back_and_hangs_up() {
    let place = Place::new(12);
    let north = place.north("uas_reinvites", &["-m", "20"]);
    place.carrier_calls("uac_reinvited", &TWENTY).succeeds(20);
    north.succeeds(20);
    all_ended(&place.ends_with(20), 200, CloseReason::ByeFromB, &ANSWERED_IN_THE_NORTH);
}
