//! `bascule route`, as a person runs it before a change goes live: where a call would go, and the message that would leave.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What is printed, what is complained of, and the exit status.
fn route(args: &[&str]) -> (String, String, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_bascule"))
        .args(["route", "--config", "conf/production.toml"])
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

const INBOUND: [&str; 6] = ["--from", "+442079460123", "--to", "030123456", "--trunk", "acme"];
const OUTBOUND: [&str; 6] = ["--from", "+442079460123", "--to", "+15551000", "--group", "fra"];

fn with<'a>(call: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [call, more].concat()
}

/// The attempts of a call, as `--json` has them.
fn attempts(args: &[&str]) -> Vec<Value> {
    let (said, _, code) = route(&with(args, &["--json"]));
    assert_eq!(code, 0, "{said}");
    serde_json::from_str::<Value>(&said).unwrap()["attempts"].as_array().unwrap().clone()
}

/// One column of all attempts.
fn column<'a>(attempts: &'a [Value], key: &str) -> Vec<&'a str> {
    attempts.iter().map(|attempt| attempt[key].as_str().unwrap()).collect()
}

#[test]
fn an_outbound_call_is_shown_with_its_attempts_in_order_and_the_message_as_the_trunk_wants_it() {
    let (said, _, code) = route(&OUTBOUND);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("\n3  globex-1  globex  -       TCP 198.51.100.17:5060\n"),
        "the dearer trunk is last:\n{said}"
    );
    // National numbers, the default caller for one that this trunk may not show, who is asserted, too.
    for line in [
        "P-Asserted-Identity: <sip:+49301230@203.0.113.5>",
        "From: <sip:0301230@203.0.113.5>;tag=",
        "Contact: <sip:203.0.113.5:5060>",
        "c=IN IP4 203.0.113.5",
    ] {
        assert!(said.lines().any(|said| said.starts_with(line)), "no {line}:\n{said}");
    }
    assert!(said.contains("\nINVITE sip:0015551000@192.0.2."), "{said}");
    assert!(!said.contains("+442079460123"), "a number that may not be shown there:\n{said}");
}

#[test]
fn the_message_of_every_attempt_is_one_that_can_be_read_and_goes_where_it_is_said_to_go() {
    for call in [&INBOUND, &OUTBOUND] {
        for attempt in attempts(call) {
            let text = attempt["message"].as_str().unwrap();
            let message = sip_wire::Message::parse(bytes::Bytes::copy_from_slice(text.as_bytes())).unwrap();
            let uri = sip_wire::Uri::parse(message.uri()).unwrap();
            let at = format!("{}:{}", uri.ip().unwrap(), uri.port.unwrap_or(5060));
            assert_eq!(attempt["address"], at, "{text}");
        }
    }
}

#[test]
fn the_tier_hears_on_whose_trunk_group_a_call_has_come_and_carriers_do_not() {
    // RFC 4904 §4: parameters of the user, in what is called and in our Contact.
    let said = ";tgrp=byoc-berlin;trunk-context=edge.example.com@";
    for attempt in attempts(&INBOUND) {
        let message = attempt["message"].as_str().unwrap();
        let of = |begin: &str| message.lines().find(|line| line.starts_with(begin)).unwrap().to_owned();
        assert!(of("INVITE ").contains(said) && of("Contact:").contains(said), "{message}");
    }
    for attempt in attempts(&OUTBOUND) {
        let message = attempt["message"].as_str().unwrap();
        assert!(!message.contains("tgrp"), "{message}");
    }
}

#[test]
fn a_region_that_is_taken_away_is_tried_last() {
    let alive = attempts(&INBOUND);
    assert_eq!(column(&alive, "region"), ["fra", "fra", "fra", "ams", "ams", "ams"]);
    let dead = attempts(&with(&INBOUND, &["--region-down", "fra"]));
    assert_eq!(column(&dead, "region"), ["ams", "ams", "ams", "fra", "fra", "fra"]);
}

#[test]
fn two_regions_side_by_side_differ_in_nothing_but_their_addresses() {
    let (said, _, code) = route(&with(&INBOUND, &["--diff"]));
    assert_eq!(code, 0, "{said}");
    let rows: Vec<_> = said.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(rows, ["fra", "Request", "To"], "{said}");
}

#[test]
fn what_the_caller_adds_is_heeded() {
    let (said, _, code) = route(&with(&OUTBOUND, &["--header", "Privacy: id"]));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("\nFrom: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="), "{said}");
    // acme is trusted with it, and keeps it to itself.
    assert!(said.contains("P-Asserted-Identity: <sip:+49301230@203.0.113.5>"), "{said}");
    let (_, complaint, code) = route(&with(&OUTBOUND, &["--header", "no header"]));
    assert!(code == 2 && !complaint.is_empty(), "{complaint}");
}

#[test]
fn a_call_that_would_be_refused_and_one_that_cannot_be_are_told_apart() {
    let (said, _, code) = route(&["--from", "+1", "--to", "99999", "--trunk", "acme"]);
    assert_eq!((said.trim(), code), ("refused: 404 no_route", 1));
    let (_, complaint, code) = route(&["--from", "+1", "--to", "99999", "--trunk", "acmee"]);
    assert_eq!(code, 2);
    assert!(complaint.contains("no trunk is named `acmee`") && complaint.contains("acme"), "{complaint}");
    let (_, complaint, code) = route(&with(&INBOUND, &["--region-down", "nowhere"]));
    assert!(code == 2 && complaint.contains("nowhere"), "{complaint}");
}
