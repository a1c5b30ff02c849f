//! Calls that are signed by one side and judged by the other, with an authority of their own.

mod common;

use common::{Authority, Issued, NOW, Numbers, ORIGID, URL, Wish};
use std::fs;
use std::process::Command;
use stir::{Attest, Case, Credential, FRESH, Facts, Failure, Party, Signer, Trust, Verdict};

const CALLER: &str = "4930111111";
const CALLED: &str = "442079460123";
const ELSEWHERE: &str = "33140000000";

fn number(text: &str) -> Party {
    Party::Number(text.to_owned())
}

fn signer(issued: &Issued) -> Signer {
    Signer::new(issued.key.as_bytes(), URL, ORIGID).unwrap()
}

fn signed(issued: &Issued) -> String {
    signer(issued).shaken(&number(CALLER), &number(CALLED), Attest::A, NOW).unwrap()
}

fn judge(values: &[&str], called: &str, credential: &Credential, now: u64) -> Result<Verdict, Failure> {
    let (calling, called) = ([CALLER.to_owned()], [called.to_owned()]);
    let facts = Facts { calling: &calling, called: &called, date: None };
    let case = Case::read(values.iter().map(|value| value.as_bytes()), &facts)?;
    let all = vec![credential; case.urls().count()];
    case.judge(all, now)
}

fn world() -> (Issued, Credential) {
    let root = Authority::root("Root");
    let issued = root.intermediate("Intermediate").issue(Wish::default());
    let trust = Trust::read(root.pem.as_bytes()).unwrap();
    let credential = trust.check(issued.bundle.as_bytes(), NOW).unwrap();
    (issued, credential)
}

#[test]
fn a_signed_call_is_believed_and_says_how_sure_its_signer_was() {
    let (issued, credential) = world();
    assert!(signer(&issued).fits(&credential.key));
    let verdict = judge(&[&signed(&issued)], CALLED, &credential, NOW + 5).unwrap();
    assert_eq!(
        verdict,
        Verdict {
            attest: Some(Attest::A),
            origid: Some(ORIGID.to_owned()),
            calling: CALLER.to_owned(),
            diversions: 0
        }
    );
}

#[test]
fn a_call_that_went_elsewhere_needs_a_passport_for_every_step() {
    let (issued, credential) = world();
    let (base, signer) = (signed(&issued), signer(&issued));
    let step = |from: &str, to: &str| signer.div(&number(CALLER), &number(to), &number(from), NOW).unwrap();
    assert_eq!(judge(&[&base], ELSEWHERE, &credential, NOW), Err(Failure::Called));
    let (first, second) = (step(CALLED, "390612345"), step("390612345", ELSEWHERE));
    let all: [&str; 3] = [&base, &first, &second];
    assert_eq!(judge(&all, ELSEWHERE, &credential, NOW).unwrap().diversions, 2);
    assert_eq!(
        judge(&[&base, &second], ELSEWHERE, &credential, NOW),
        Err(Failure::Called),
        "a step is missing"
    );
    let circle = step(ELSEWHERE, ELSEWHERE);
    assert_eq!(
        judge(&[&base, &circle], ELSEWHERE, &credential, NOW),
        Err(Failure::Called),
        "it leads nowhere"
    );
}

#[test]
fn what_is_not_true_of_the_call_has_its_own_reason() {
    let (issued, credential) = world();
    let value = signed(&issued);
    assert_eq!(judge(&[], CALLED, &credential, NOW), Err(Failure::Missing));
    assert_eq!(judge(&[&value], CALLED, &credential, NOW + FRESH + 1), Err(Failure::Stale));
    assert_eq!(judge(&[&value], CALLED, &credential, NOW - FRESH - 1), Err(Failure::Future));
    assert!(judge(&[&value], CALLED, &credential, NOW + FRESH).is_ok());
    let other = signer(&issued).shaken(&number("4930999999"), &number(CALLED), Attest::A, NOW).unwrap();
    assert_eq!(judge(&[&other], CALLED, &credential, NOW), Err(Failure::Calling));
    let unknown = value.replace("shaken", "other");
    assert_eq!(
        judge(&[&unknown], CALLED, &credential, NOW),
        Err(Failure::Malformed),
        "it says one thing and signs another"
    );
    let moved = value.replace("info=<https://", "info=<http://");
    assert_eq!(judge(&[&moved], CALLED, &credential, NOW), Err(Failure::BadInfo));
    // One bit of the signature.
    let dot = value.rfind(';').and_then(|_| value.find(";info")).unwrap();
    let mut bent = value.clone().into_bytes();
    bent[dot - 10] = if bent[dot - 10] == b'A' { b'B' } else { b'A' };
    let bent = String::from_utf8(bent).unwrap();
    assert_eq!(judge(&[&bent], CALLED, &credential, NOW), Err(Failure::Signature));
    let stranger = Authority::root("Other").issue(Wish::default());
    assert_eq!(judge(&[&signed(&stranger)], CALLED, &credential, NOW), Err(Failure::Signature));
}

#[test]
fn a_certificate_speaks_for_its_own_numbers_only() {
    let root = Authority::root("Root");
    let trust = Trust::read(root.pem.as_bytes()).unwrap();
    for (numbers, outcome) in [
        (Numbers::Range("4930111000", 1_000), Ok(())),
        (Numbers::Range("4930112000", 1_000), Err(Failure::NotEntitled)),
    ] {
        let issued = root.issue(Wish { numbers, ..Wish::default() });
        let credential = trust.check(issued.bundle.as_bytes(), NOW).unwrap();
        assert_eq!(judge(&[&signed(&issued)], CALLED, &credential, NOW).map(|_| ()), outcome);
    }
    let none = root.issue(Wish { numbers: Numbers::None, ..Wish::default() });
    assert_eq!(trust.check(none.bundle.as_bytes(), NOW), Err(Failure::NotEntitled));
}

#[test]
fn a_chain_leads_to_somebody_trusted_and_is_valid_today_or_is_worth_nothing() {
    let (root, other) = (Authority::root("Root"), Authority::root("Root"));
    let trust = Trust::read(root.pem.as_bytes()).unwrap();
    let check = |bundle: &str| trust.check(bundle.as_bytes(), NOW).map(|_| ());
    assert_eq!(
        check(&other.issue(Wish::default()).bundle),
        Err(Failure::Untrusted),
        "the name alone is not enough"
    );
    let below = root.intermediate("Intermediate").issue(Wish::default());
    assert_eq!(check(&below.bundle), Ok(()));
    let alone = below.bundle.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    assert_eq!(check(alone), Err(Failure::Untrusted), "without what stands between");
    let old = root.issue(Wish { from: -1_000, until: -1, ..Wish::default() });
    assert_eq!(check(&old.bundle), Err(Failure::Expired));
    let early = root.issue(Wish { from: 1, until: 1_000, ..Wish::default() });
    assert_eq!(check(&early.bundle), Err(Failure::Expired));
    let good = root.issue(Wish::default());
    assert_eq!(trust.check(&good.der, NOW).map(|_| ()), Ok(()), "DER will do");
    for broken in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert_eq!(check(broken), Err(Failure::BadCertificate), "{broken:?}");
    }
    let mut cut = good.der.clone();
    cut.truncate(cut.len() - 1);
    assert_eq!(trust.check(&cut, NOW), Err(Failure::BadCertificate));
    // A certificate that is no authority's has signed another.
    let key = rcgen::KeyPair::from_pem(&good.key).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "SHAKEN 1234");
    let false_authority = rcgen::Issuer::new(params, key);
    let (leaf, leaf_key) = (rcgen::CertificateParams::default(), rcgen::KeyPair::generate().unwrap());
    let leaf = leaf.signed_by(&leaf_key, &false_authority).unwrap();
    assert_eq!(check(&format!("{}{}", leaf.pem(), good.bundle)), Err(Failure::Untrusted));
}

/// RFC 8224 §4.1: what is left out of the compact form, the INVITE says.
#[test]
fn the_compact_form_stands_for_what_the_invite_says() {
    let (issued, credential) = world();
    let claims =
        stir::Claims { orig: number(CALLER), dest: vec![number(CALLED)], iat: NOW, kind: stir::Kind::Plain };
    use base64::Engine;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let header = format!("{{\"alg\":\"ES256\",\"typ\":\"passport\",\"x5u\":\"{URL}\"}}");
    let input = format!("{}.{}", encode(&header), encode(&claims.json()));
    let key = rcgen::KeyPair::from_pem(&issued.key).unwrap();
    let key = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        key.serialized_der(),
    )
    .unwrap();
    let signature = key.sign(&aws_lc_rs::rand::SystemRandom::new(), input.as_bytes()).unwrap();
    let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature);
    let value = format!("..{signature};info=<{URL}>;alg=ES256");
    let judge = |date| {
        let (calling, called) = ([CALLER.to_owned()], [CALLED.to_owned()]);
        let case =
            Case::read([value.as_bytes()].into_iter(), &Facts { calling: &calling, called: &called, date })?;
        case.judge([&credential], NOW)
    };
    assert_eq!(judge(Some(NOW)).unwrap().attest, None);
    assert_eq!(judge(Some(NOW + 1)), Err(Failure::Signature), "another date is another claim");
    assert_eq!(judge(None), Err(Failure::Malformed), "without Date nobody knows what was signed");
}

/// Nobody of ours has a part in it: the token goes to openssl, with the key of the certificate.
#[test]
fn openssl_finds_the_signature_good() {
    use base64::Engine;
    let issued = Authority::root("Root").issue(Wish::default());
    let value = signed(&issued);
    let (token, _) = value.split_once(';').unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap();
    let folder = std::env::temp_dir().join(format!("stir-openssl-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let certificate = file("certificate.pem", issued.bundle.as_bytes());
    let key = folder.join("key.pem");
    #[allow(clippy::disallowed_methods, reason = "the core starts nothing; this story of it does")]
    let run = |args: &[&std::ffi::OsStr]| {
        Command::new("openssl").args(args).output().expect("openssl is installed")
    };
    let os = std::ffi::OsStr::new;
    let made = run(&[
        os("x509"),
        os("-in"),
        certificate.as_os_str(),
        os("-pubkey"),
        os("-noout"),
        os("-out"),
        key.as_os_str(),
    ]);
    assert!(made.status.success());
    let (message, signature) = (file("message", input.as_bytes()), file("signature", &der(&signature)));
    let verified = run(&[
        os("dgst"),
        os("-sha256"),
        os("-verify"),
        key.as_os_str(),
        os("-signature"),
        signature.as_os_str(),
        message.as_os_str(),
    ]);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    fs::remove_dir_all(&folder).unwrap();
    assert!(verified.status.success() && said.contains("Verified OK"), "{said}");
}

/// Both numbers of a signature as openssl wants them.
fn der(fixed: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let zeros = half.iter().take_while(|b| **b == 0).count();
        let mut bytes = half[zeros..].to_vec();
        if bytes.first().is_none_or(|b| *b >= 0x80) {
            bytes.insert(0, 0);
        }
        [vec![2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    };
    let (r, s) = fixed.split_at(32);
    let both = [integer(r), integer(s)].concat();
    [vec![0x30, u8::try_from(both.len()).unwrap()], both].concat()
}
