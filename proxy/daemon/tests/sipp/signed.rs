//! Callers signed and verified between us and secsipidx, which shares nothing with us (RFC 8224, RFC 8588).

use crate::authority::{Authority, ORIGID, URL, Wish};
use crate::place::{Place, all_ended};
use crate::wire::Wire;
use proxy_core::{Attestation, CloseReason, VerifyReason};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

/// As SIPp's scenarios name both ends.
const CALLER: &str = "4916099000000";
const CALLED: &str = "4930123456";

fn secsipidx(args: &[&str]) -> Output {
    Command::new("secsipidx")
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("secsipidx: {error}; type: apt-get install secsipidx"))
}

/// A trunk whose calls are signed and verified with what lies in a folder.
fn signed(n: u8, folder: &Path) -> Place {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let root = Authority::root_at("STI-CA", now);
    let issued = root.issue(Wish::default());
    for (name, text) in [("key.pem", &issued.key), ("sp.pem", &issued.bundle), ("roots.pem", &root.pem)] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let at = folder.display();
    let stir = format!(
        r#"
        [[stir]]
        name = "us"
        [stir.sign]
        key = "{at}/key.pem"
        certificate = "{URL}"
        origid = "{ORIGID}"
        owns = ["+4916099"]
        wait = "5s"
        required = true
        [stir.verify]
        authorities = "{at}/roots.pem"
        wait = "5s"
        certificates = [{{ url = "{URL}", file = "{at}/sp.pem" }}]
        "#
    );
    Place::with_trunk(n, "stir = \"us\"", &stir)
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn what_secsipidx_has_signed_is_believed_of_its_call_and_of_no_other() {
    let folder = folder("signed-53");
    let place = signed(53, &folder);
    let key = folder.join("key.pem").display().to_string();
    let made = secsipidx(&[
        "-sign-full",
        "-orig-tn",
        CALLER,
        "-dest-tn",
        CALLED,
        "-attest",
        "B",
        "-orig-id",
        ORIGID,
        "-x5u",
        URL,
        "-k",
        &key,
    ]);
    let identity = String::from_utf8(made.stdout).unwrap();
    assert!(made.status.success() && identity.contains(";info="), "{identity}");
    let identity = identity.trim();
    let line = format!("Max-Forwards: 70\n      Identity: {identity}");
    let caller = place.changed("uac", "Max-Forwards: 70", &line);
    let north = place.north("uas", &["-m", "10"]);
    place.carrier_calls(&caller, &["-m", "5", "-r", "5"]).succeeds(5);
    let other = format!("{line}\n      Subject: another caller");
    let copied = place.changed("uac", "Max-Forwards: 70", &other);
    let text = std::fs::read_to_string(&copied).unwrap().replace("+4916099000000", "+4916099000001");
    std::fs::write(&copied, text).unwrap();
    place.carrier_calls_too(&copied, &["-m", "5", "-r", "5"]).succeeds(5);
    north.succeeds(10);
    let records = place.ends_with(10);
    let found: Vec<_> = records.iter().map(|record| (record.stir.verified, record.stir.vouched)).collect();
    assert_eq!(found[..5], [(Some(VerifyReason::Passed), Some(Attestation::B)); 5]);
    assert_eq!(found[5..], [(Some(VerifyReason::Calling), None); 5]);
}

#[test]
fn what_we_have_signed_is_good_to_secsipidx_and_one_letter_less_is_not() {
    let folder = folder("signed-54");
    let place = signed(54, &folder);
    let wire = Wire::of(&[place.v4(2)]);
    let carrier = place.carrier("uas", &["-m", "5"]);
    place.north_calls("uac", &["-m", "5", "-r", "5", "-d", "100"]).succeeds(5);
    carrier.succeeds(5);
    let seen = wire.stop();
    let invites = seen.iter().filter(|d| *d.to.ip() == place.v4(2) && d.payload.starts_with(b"INVITE "));
    let identities: Vec<String> = invites
        .filter_map(|invite| {
            let text = String::from_utf8_lossy(&invite.payload).into_owned();
            text.lines().find_map(|line| line.strip_prefix("Identity: ").map(str::to_owned))
        })
        .collect();
    assert!(identities.len() >= 5, "every INVITE is signed");
    let certificate = folder.join("sp.pem").display().to_string();
    let check = |identity: &str| {
        let said = secsipidx(&["-check", "-identity", identity, "-fpubkey", &certificate, "-expire", "3600"]);
        (said.status.success(), String::from_utf8_lossy(&said.stdout).trim().to_owned())
    };
    for identity in &identities {
        assert_eq!(check(identity), (true, "ok".to_owned()), "{identity}");
        let (claims, rest) = identity.rsplit_once('.').unwrap();
        let other = format!("{claims}.{}{}", if rest.starts_with('A') { "B" } else { "A" }, &rest[1..]);
        assert!(!check(&other).0, "{other}");
    }
    let records = place.ends_with(5);
    assert!(records.iter().all(|record| record.stir.attested == Some(Attestation::A)), "{records:#?}");
    all_ended(&records, 200, CloseReason::ByeFromA, &[("acme-1", proxy_core::StepOutcome::Answered)]);
}
