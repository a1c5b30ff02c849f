//! Identity header fields (RFC 8224) and what lies behind their certificates' URLs: both are chosen by whoever calls.

use std::sync::LazyLock;
use stir::{Case, Credential, Facts, Identity, Party, Passport, Signer, TnAuthList, Trust, canonical};

/// Seconds since 1970.
const NOW: u64 = 1_795_000_000;

/// The key of RFC 8225 Appendix A, which anybody has.
const KEY: &[u8] = b"-----BEGIN EC PRIVATE KEY-----\n\
    MHcCAQEEIFeZ1R208QCvcu5GuYyMfG4W7sH4m99/7eHSDLpdYllFoAoGCCqGSM49\n\
    AwEHoUQDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH78YTU8qLS8I5HLHSSmlATLcs\n\
    lQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g==\n-----END EC PRIVATE KEY-----\n";

static SIGNER: LazyLock<Signer> =
    LazyLock::new(|| Signer::new(KEY, "https://c.example/a.pem", "").expect("a key of P-256"));

/// No panic; what nobody has signed is never believed; what can be read says the same when it is signed anew.
pub fn identity(data: &[u8]) {
    let (calling, called) = (["4930111111".to_owned()], ["442079460123".to_owned()]);
    let facts = Facts { calling: &calling, called: &called, date: Some(NOW) };
    // No key has this point.
    let nobody =
        Credential { key: vec![4; 65], numbers: TnAuthList::default(), not_before: 0, not_after: u64::MAX };
    let values = data.split(|b| *b == b'\n');
    if let Ok(case) = Case::read(values.clone(), &facts) {
        let all = vec![&nobody; case.urls().count()];
        assert!(case.judge(all, NOW).is_err(), "nobody has signed it");
    }
    for value in values {
        let Ok(identity) = Identity::parse(value) else { continue };
        if let Ok(Some(passport)) = Passport::read(&identity, None) {
            signed_anew(&passport);
        }
    }
    if let Some(number) = canonical(data) {
        assert_eq!(canonical(number.as_bytes()).as_ref(), Some(&number), "one form is the last one");
    }
    // It is no authority of anybody's, and none stands behind it.
    if let Some(trust) = Trust::read(data) {
        let _ = trust.check(data, NOW);
    }
    let _ = stir::seconds(data);
}

/// The same caller and destination in a PASSporT of ours are read as they were.
fn signed_anew(passport: &Passport) {
    let (orig, dest) = (&passport.claims.orig, &passport.claims.dest[0]);
    let div: &Party = orig;
    let Some(value) = SIGNER.div(orig, dest, div, passport.claims.iat) else { return };
    let Ok(identity) = Identity::parse(value.as_bytes()) else { panic!("too long for its own reader") };
    let again = Passport::read(&identity, None).expect("ours can be read").expect("and is of a known kind");
    assert_eq!((&again.claims.orig, &again.claims.dest[0]), (orig, dest));
    assert_eq!(again.claims.iat, passport.claims.iat);
}
