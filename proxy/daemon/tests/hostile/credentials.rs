//! A carrier that has to show who it is, and what it may show instead. Another carrier calls meanwhile.

use crate::agent::{self, Agent};
use crate::floods::Scene;
use crate::process::METRICS;
use crate::rows::{INVITE, SDP, fill};
use sip_wire::{HeaderName, Message};

/// A trunk that is asked, and where its refusals are counted.
fn guarded(n: u8) -> String {
    format!(
        r#"
        [[trunk]]
        name = "guarded"
        listener = "carriers"
        sources = ["127.91.{n}.3"]
        challenge = {{ realm = "edge.example", users = [{{ username = "acme", password = "zanzibar" }}] }}
        [admin]
        listen = "127.91.{n}.1:{METRICS}"
        "#
    )
}

/// An INVITE that shows this.
fn showing(guarded: &Agent, credentials: &str, id: &str) -> Vec<u8> {
    let head = INVITE.replacen("Subject: x", credentials, 1);
    fill(head.as_bytes(), SDP.as_bytes(), guarded.at, "UDP", id)
}

/// What comes of it: the final response.
fn said(scene: &Scene, guarded: &Agent, credentials: &str, id: &str) -> Message {
    guarded.send(showing(guarded, credentials, id), scene.daemon.sip());
    guarded.next(id, |m| m.code().is_some_and(|code| code >= 200) && m.call_id() == Ok(id.as_bytes()))
}

fn refused(scene: &Scene, reason: &str) -> f64 {
    scene.daemon.metric(&format!("bascule_rejects_total{{reason=\"{reason}\"}}"))
}

#[test]
fn whoever_shows_what_is_no_proof_is_asked_again_and_counted_and_others_call_meanwhile() {
    let scene = Scene::open_with(13, &guarded(13));
    let guarded = Agent::at(scene.daemon.other_carrier(5060));
    let asked = said(&scene, &guarded, "X: y", "first");
    let challenge = asked.header(HeaderName::WwwAuthenticate).expect("it is asked");
    let challenge = String::from_utf8_lossy(challenge).into_owned();
    let nonce = challenge.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();

    let sound = format!(
        "Authorization: Digest username=\"acme\", realm=\"edge.example\", nonce=\"{nonce}\", uri=\"sip:x\", \
         response=\"{}\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\"",
        "0".repeat(32)
    );
    let with = |from: &str, to: &str| {
        assert!(sound.contains(from), "{from}");
        sound.replacen(from, to, 1)
    };
    let many = format!("{sound}{}", ", a=\"b\"".repeat(5_000));
    let huge = format!("nonce=\"{}\"", "0".repeat(50_000));
    let rows = [
        ("another realm", with("edge.example", "elsewhere.example"), "unauthorized"),
        ("a realm of 50,000 letters", with("edge.example", &"r".repeat(50_000)), "unauthorized"),
        ("an empty realm", with("edge.example", ""), "unauthorized"),
        ("another scheme", "Authorization: Basic YWNtZTp6YW56aWJhcg==".to_owned(), "unauthorized"),
        ("credentials for a proxy", with("Authorization", "Proxy-Authorization"), "unauthorized"),
        ("a wrong response", sound.clone(), "wrong_credentials"),
        ("an unknown user", with("username=\"acme\"", "username=\"nobody\""), "wrong_credentials"),
        ("a user beyond ASCII", with("username=\"acme\"", "username=\"Ωμέγα\""), "wrong_credentials"),
        ("an unknown algorithm", with("algorithm=MD5", "algorithm=ROT13"), "wrong_credentials"),
        ("a count of letters", with("nc=00000001", "nc=abcdefgh"), "wrong_credentials"),
        (
            "a count of 50,000 digits",
            with("nc=00000001", &format!("nc={}", "0".repeat(50_000))),
            "wrong_credentials",
        ),
        ("no nonce", with(&format!("nonce=\"{nonce}\", "), ""), "wrong_credentials"),
        ("two nonces", with("uri=\"sip:x\"", "nonce=\"x\""), "wrong_credentials"),
        ("a nonce of 50,000 digits", with(&format!("nonce=\"{nonce}\""), &huge), "wrong_credentials"),
        ("a quote that does not end", with("cnonce=\"c\"", "cnonce=\"c"), "wrong_credentials"),
        ("five thousand parameters", many, "wrong_credentials"),
    ];
    for (n, (name, credentials, reason)) in rows.iter().enumerate() {
        let (before, id) = (refused(&scene, reason), format!("row{n}"));
        let response = said(&scene, &guarded, credentials, &id);
        assert_eq!(response.code(), Some(401), "{name}");
        assert!(
            response.header(HeaderName::WwwAuthenticate).is_some(),
            "{name}: it is told how to do better"
        );
        assert_eq!(refused(&scene, reason), before + 1.0, "{name}: {reason}");
        agent::call(&scene.daemon, &scene.carrier, &scene.edge, &format!("after{n}"));
    }
}

#[test]
fn nonces_without_end_leave_nothing_behind() {
    let scene = Scene::open_with(14, &guarded(14));
    let guarded = Agent::at(scene.daemon.other_carrier(5060));
    let shown = format!(
        "Authorization: Digest username=\"acme\", realm=\"edge.example\", nonce=\"00000000{}\", uri=\"sip:x\", \
         response=\"{}\", algorithm=MD5",
        "1".repeat(48),
        "2".repeat(32)
    );
    // None is a repetition of another.
    let [first, others] = ["f", "o"].map(|word| showing(&guarded, &shown, &format!("{word}00000000")));
    scene.flood(&guarded, &first, 4_000, 1);
    let before = scene.daemon.memory();
    scene.flood(&guarded, &others, 40_000, 4);
    let kib = scene.grew(before);
    assert!(kib <= 8 * 1024, "{kib} KiB more");
    assert!(refused(&scene, "wrong_credentials") > 0.0);
    assert_eq!(
        scene.daemon.metric("bascule_calls_admitted_total"),
        scene.daemon.metric("bascule_calls_answered_total")
    );
}
