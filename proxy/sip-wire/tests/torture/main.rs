//! The torture messages of RFC 4475 and RFC 5118: what we make of each, message by message.
//!
//! A message without a verdict fails the test, and so does a verdict without a message.

mod invalid;
mod ipv6;
mod upper;
mod valid;

use bytes::Bytes;
use sip_wire::{Defect, Message, RejectReason};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file, relative to the torture folder, and the story that it tells.
pub(crate) type Case = (&'static str, fn(&[u8]));

fn folder() -> PathBuf {
    // The messages lie beside the workspace, not in it.
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/torture")
}

fn cases() -> BTreeMap<&'static str, fn(&[u8])> {
    let all = [valid::CASES, invalid::CASES, upper::CASES, ipv6::CASES].concat();
    let map: BTreeMap<_, _> = all.iter().copied().collect();
    assert_eq!(map.len(), all.len(), "one verdict for each message");
    map
}

// Rules: framing-surplus, framing-short-request
#[test]
fn every_torture_message_gets_the_verdict_that_its_rfc_asks_for() {
    let folder = folder();
    if !folder.is_dir() {
        eprintln!("NOT RUN: no torture messages at {}; nothing was tested here", folder.display());
        return;
    }
    let cases = cases();
    let mut files = Vec::new();
    collect(&folder, &folder, &mut files);
    for name in &files {
        assert!(cases.contains_key(name.as_str()), "{name} has no verdict");
    }
    for (name, verdict) in &cases {
        let bytes = std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        eprintln!("{name}");
        verdict(&bytes);
    }
    assert_eq!(files.len(), cases.len());
}

#[test]
fn every_row_of_the_expectations_has_its_kind_of_verdict() {
    let folder = folder();
    if !folder.is_dir() {
        eprintln!("NOT RUN: no torture messages at {}; nothing was tested here", folder.display());
        return;
    }
    let mut valid = 0;
    for rfc in ["rfc4475", "rfc5118"] {
        let table = std::fs::read_to_string(folder.join(rfc).join("EXPECT.tsv")).unwrap();
        for row in table.lines().skip(1) {
            let [file, _section, expect] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
            let name = format!("{rfc}/{file}");
            let bytes = std::fs::read(folder.join(&name)).unwrap();
            let sound = outcome(&bytes);
            if expect.starts_with("valid") {
                valid += 1;
                assert_eq!(sound, Ok(()), "{name}");
            } else if expect.starts_with("invalid") {
                let repaired = name == "rfc4475/baddate.dat";
                assert_eq!(sound.is_ok(), repaired, "{name}: {sound:?}");
            } else if expect.starts_with("400") {
                assert_eq!(sound, Err("request_uri"), "{name}");
            } else if expect.starts_with("accept") {
                // As published, this one's Content-Length counts 17 bytes more than its body has. RFC 3261 §18.3 calls
                // that an error, as in clerr.dat; the copy with the right length must be accepted.
                let published = if file == "ipv6-in-sdp.dat" { Err("body_short") } else { Ok(()) };
                assert_eq!(sound, published, "{name}");
                let corrected = folder.join(rfc).join("cl-corrected").join(file);
                if corrected.is_file() {
                    assert_eq!(outcome(&std::fs::read(corrected).unwrap()), Ok(()), "{name}, corrected");
                }
            }
        }
    }
    assert_eq!(valid, 13, "RFC 4475 §3.1.1 has 13 messages");
}

/// Accepted, or the reason why not.
fn outcome(bytes: &[u8]) -> Result<(), &'static str> {
    let message = Message::parse(Bytes::copy_from_slice(bytes)).map_err(|r| r.reason.as_str())?;
    message.check().map_err(Defect::as_str)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|e| e == "dat") {
            files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// Accepted, all of it.
pub(crate) fn accept(bytes: &[u8]) -> Message {
    let message = parse(bytes);
    assert_eq!(message.check(), Ok(()));
    message
}

/// A message in shape.
pub(crate) fn parse(bytes: &[u8]) -> Message {
    let message = Message::parse(Bytes::copy_from_slice(bytes)).unwrap();
    let keys = message.keys();
    assert_eq!(sip_wire::peek(bytes), keys, "peek says what a parse says");
    let answer = keys.and_then(|keys| keys.code.map(|code| (code, keys.branch)));
    assert_eq!(sip_wire::peek_answer(bytes), answer, "and so does the shorter look");
    assert_eq!(sip_wire::peek_call_id(bytes), keys.map(|keys| keys.call_id), "and the shortest");
    message
}

/// A request in shape that must not be acted on; it can be answered with this status.
pub(crate) fn refuse(bytes: &[u8], defect: Defect, status: u16) -> Message {
    let message = parse(bytes);
    assert_eq!(message.check(), Err(defect));
    assert_eq!(defect.status(), status);
    message
}

/// No message; 400 can be answered from what was read.
pub(crate) fn reject(bytes: &[u8], reason: RejectReason) -> Message {
    let rejected = Message::parse(Bytes::copy_from_slice(bytes)).unwrap_err();
    assert_eq!(rejected.reason, reason);
    let partial = rejected.partial.expect("enough to answer");
    assert!(partial.top_via().is_ok() && partial.call_id().is_ok() && partial.cseq().is_ok());
    partial
}

/// No message, and nobody to answer.
pub(crate) fn drop(bytes: &[u8], reason: RejectReason) {
    let rejected = Message::parse(Bytes::copy_from_slice(bytes)).unwrap_err();
    assert_eq!(rejected.reason, reason);
    assert!(rejected.partial.is_none());
}
