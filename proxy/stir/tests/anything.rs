//! Whatever comes is answered with a value, and nothing that was bent is believed.

mod common;

use common::{Authority, NOW, ORIGID, URL, Wish};
use proptest::prelude::*;
use std::sync::LazyLock;
use stir::{Attest, Case, Credential, Facts, Party, Signer, Trust, canonical};

static WORLD: LazyLock<(Signer, Credential)> = LazyLock::new(|| {
    let root = Authority::root("Root");
    let issued = root.issue(Wish::default());
    let credential = Trust::read(root.pem.as_bytes()).unwrap().check(issued.bundle.as_bytes(), NOW).unwrap();
    (Signer::new(issued.key.as_bytes(), URL, ORIGID).unwrap(), credential)
});

fn believed(value: &[u8], calling: &str, called: &str) -> bool {
    let (calling, called) = ([calling.to_owned()], [called.to_owned()]);
    let facts = Facts { calling: &calling, called: &called, date: Some(NOW) };
    Case::read([value].into_iter(), &facts).and_then(|case| case.judge([&WORLD.1], NOW)).is_ok()
}

proptest! {
    #[test]
    fn any_two_numbers_are_signed_and_believed(calling in "[1-9][0-9]{1,14}", called in "[1-9][0-9]{1,14}") {
        let party = |number: &str| Party::Number(number.to_owned());
        let value = WORLD.0.shaken(&party(&calling), &party(&called), Attest::B, NOW).unwrap();
        prop_assert!(believed(value.as_bytes(), &calling, &called));
        let other = format!("{called}0");
        prop_assert!(!believed(value.as_bytes(), &calling, &other));
        prop_assert_eq!(canonical(format!("+{calling}").as_bytes()), Some(calling));
    }

    #[test]
    fn a_byte_that_was_changed_in_the_token_is_found(at in any::<prop::sample::Index>(), by in 1u8..=255) {
        let party = |number: &str| Party::Number(number.to_owned());
        let value = WORLD.0.shaken(&party("4930111111"), &party("442079460123"), Attest::A, NOW).unwrap();
        let token = value.find(';').unwrap();
        let mut bent = value.into_bytes();
        let at = at.index(token);
        bent[at] ^= by;
        prop_assert!(!believed(&bent, "4930111111", "442079460123"));
    }

    #[test]
    fn anything_is_read_without_harm(value in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(!believed(&value, "1", "2"));
        let trust = Trust::read(&value);
        prop_assert!(trust.is_none() || value.len() > 100);
    }
}
