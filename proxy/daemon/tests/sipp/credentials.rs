//! Digest both ways with SIPp's arithmetic (RFC 7616): it shows who it is, and it asks who we are.

use crate::place::{ANSWERED_IN_THE_NORTH, Place, TWENTY, all_ended};
use proxy_core::{ChallengeOutcome, CloseReason, StepOutcome};

/// A scenario of these stories' own.
fn own(scenario: &str) -> String {
    format!("{}/tests/sipp/scenarios/{scenario}.xml", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_carrier_that_is_asked_shows_who_it_is_and_its_calls_go_through() {
    let place = Place::with_trunk(
        51,
        "challenge = { realm = \"edge.example\", algorithms = [\"md5\"], \
         users = [{ username = \"acme\", password = \"zanzibar\" }] }",
        "",
    );
    let north = place.north("uas", &["-m", "20"]);
    place.carrier_calls(&own("uac_shows"), &TWENTY).succeeds(20);
    north.succeeds(20);
    assert_eq!(place.counted("bascule_rejects_total{reason=\"unauthorized\"}"), "20");
    all_ended(&place.ends_with(20), 200, CloseReason::ByeFromA, &ANSWERED_IN_THE_NORTH);
}

#[test]
fn a_carrier_that_asks_is_shown_who_we_are_and_again_when_its_nonce_is_too_old() {
    let place = Place::with_trunk(
        52,
        "auth = [{ realm = \"carrier.example\", username = \"bascule\", password = \"zanzibar\" }]",
        "",
    );
    let carrier = place.carrier(&own("uas_asks"), &["-m", "20"]);
    place.north_calls("uac", &[&TWENTY[..], &["-d", "100"]].concat()).succeeds(20);
    carrier.succeeds(20);
    let answered = ChallengeOutcome::Answered.as_str();
    assert_eq!(place.counted(&format!("bascule_challenges_total{{outcome=\"{answered}\"}}")), "40");
    all_ended(&place.ends_with(20), 200, CloseReason::ByeFromA, &[("acme-1", StepOutcome::Answered)]);
}
