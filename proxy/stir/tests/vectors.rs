//! What the RFCs have as examples is read and written here as there.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use stir::{Attest, Claims, Identity, Kind, Party, Passport, Signer};

/// RFC 8225 Appendix A: the protected header, the claims, and the key pair. The signature that is printed beside them does
/// not fit the key, which openssl finds too; so a signature by that key takes its place.
const HEADER: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9";
const CLAIMS: &str = "eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6IjEyMTU1NTUxMjEyIn19";
const PRIVATE: &str = "-----BEGIN EC PRIVATE KEY-----\n\
    MHcCAQEEIFeZ1R208QCvcu5GuYyMfG4W7sH4m99/7eHSDLpdYllFoAoGCCqGSM49\n\
    AwEHoUQDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH78YTU8qLS8I5HLHSSmlATLcs\n\
    lQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g==\n-----END EC PRIVATE KEY-----\n";
const PUBLIC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH78YTU8qLS8I5HLHSSmlATLcslQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g==";
const X5U: &str = "https://cert.example.org/passport.cer";

#[test]
fn the_passport_of_rfc_8225_is_read_as_it_was_meant() {
    let value = format!("{HEADER}.{CLAIMS}.AAAA;info=<{X5U}>");
    let passport = Passport::read(&Identity::parse(value.as_bytes()).unwrap(), None).unwrap().unwrap();
    assert_eq!(passport.claims.orig, Party::Number("12155551212".into()));
    assert_eq!(passport.claims.dest, [Party::Uri("sip:alice@example.com".into())]);
    assert_eq!((passport.claims.iat, &passport.claims.kind), (1_471_375_418, &Kind::Plain));
}

#[test]
fn the_key_of_rfc_8225_signs_what_its_other_half_finds_good() {
    let signer = Signer::new(PRIVATE.as_bytes(), X5U, "").unwrap();
    // A key in the form of RFC 5480 ends in its point.
    let public = STANDARD.decode(PUBLIC).unwrap();
    let public = &public[public.len() - 65..];
    assert!(signer.fits(public));
    let (orig, dest) = (Party::Number("12155551212".into()), Party::Uri("sip:alice@example.com".into()));
    let value = signer.shaken(&orig, &dest, Attest::A, 1_471_375_418).unwrap();
    let (token, behind) = value.split_once(';').unwrap();
    assert_eq!(behind, format!("info=<{X5U}>;alg=ES256;ppt=shaken"));
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public);
    key.verify(input.as_bytes(), &signature).unwrap();
}

#[test]
fn the_claims_of_rfc_8225_are_written_as_they_stand_there() {
    let claims = Claims {
        orig: Party::Number("12155551212".into()),
        dest: vec![Party::Uri("sip:alice@example.com".into())],
        iat: 1_471_375_418,
        kind: Kind::Plain,
    };
    assert_eq!(URL_SAFE_NO_PAD.encode(claims.json()), CLAIMS);
}

#[test]
fn the_claims_of_rfc_8588_and_rfc_8946_are_written_in_the_order_of_their_names() {
    let shaken = Claims {
        orig: Party::Number("12155551212".into()),
        dest: vec![Party::Number("12125551213".into())],
        iat: 1_443_208_345,
        kind: Kind::Shaken { attest: Attest::A, origid: "123e4567-e89b-12d3-a456-426655440000".into() },
    };
    assert_eq!(
        shaken.json(),
        r#"{"attest":"A","dest":{"tn":["12125551213"]},"iat":1443208345,"orig":{"tn":"12155551212"},"origid":"123e4567-e89b-12d3-a456-426655440000"}"#
    );
    let div = Claims {
        dest: vec![Party::Uri("sip:a\"b@x".into()), Party::Number("12155551214".into())],
        kind: Kind::Div { div: Party::Number("12155551213".into()) },
        ..shaken
    };
    assert_eq!(
        div.json(),
        r#"{"dest":{"tn":["12155551214"],"uri":["sip:a\"b@x"]},"div":{"tn":"12155551213"},"iat":1443208345,"orig":{"tn":"12155551212"}}"#
    );
}
