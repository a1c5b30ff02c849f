//! `cargo xtask audit` over captures that are made here, byte by byte.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const US: [u8; 4] = [192, 0, 2, 1];
const PEER: [u8; 4] = [192, 0, 2, 9];

/// A datagram over IPv4 (RFC 791 §3.1, RFC 768), from port 5060 to port 5060.
fn datagram(from: [u8; 4], to: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let udp = u16::try_from(8 + payload.len()).unwrap();
    let mut ip = vec![0x45, 0];
    ip.extend((20 + udp).to_be_bytes());
    ip.extend([0, 1, 0, 0, 64, 17, 0, 0]);
    ip.extend([from, to].concat());
    ip.extend([5060_u16.to_be_bytes(), 5060_u16.to_be_bytes(), udp.to_be_bytes(), [0, 0]].concat());
    [ip, payload.to_vec()].concat()
}

/// OPTIONS and its 200.
fn options(n: u32, code: Option<u16>) -> Vec<u8> {
    let start = code.map_or("OPTIONS sip:192.0.2.9 SIP/2.0".to_owned(), |code| format!("SIP/2.0 {code} So"));
    let to = if code.is_some() { ";tag=peer" } else { "" };
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKo{n}\r\nMax-Forwards: 70\r\nFrom: <sip:a@192.0.2.1>;tag=us\r\n\
         To: <sip:b@192.0.2.9>{to}\r\nCall-ID: call{n}\r\nCSeq: {n} OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// A pcap file of Ethernet frames: milliseconds and packet.
fn pcap(packets: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (ms, packet) in packets {
        let frame = [&[2; 12][..], &[8, 0], packet].concat();
        let length = u32::try_from(frame.len()).unwrap();
        for word in [1_700_000_000 + ms / 1_000, ms % 1_000 * 1_000, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

/// A pcapng file of `tcpdump -i any`, Linux cooked version 2, with times in nanoseconds.
fn pcapng(packets: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let padded = [body, &vec![0; body.len().next_multiple_of(4) - body.len()][..]].concat();
        let length = u32::try_from(12 + padded.len()).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &length, &padded, &length].concat()
    };
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    // Link type 276, any length; if_tsresol (9) is 10^-9; the end of options.
    let interface = [&[0x14, 1, 0, 0][..], &[0; 4], &[9, 0, 1, 0, 9, 0, 0, 0], &[0; 4]].concat();
    let mut file = [block(0x0a0d_0d0a, &section), block(1, &interface)].concat();
    for (ms, packet) in packets {
        let frame = [&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6][..], &[0; 8], packet].concat();
        let time = (1_700_000_000_000 + u64::from(*ms)) * 1_000_000;
        let length = u32::try_from(frame.len()).unwrap();
        let words = [0, (time >> 32) as u32, time as u32, length, length];
        let head: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        file.extend(block(6, &[head, frame].concat()));
    }
    file
}

fn audit(name: &str, capture: &[u8], args: &[&str]) -> Output {
    let file: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, capture).unwrap();
    Command::new(env!("CARGO_BIN_EXE_xtask")).arg("audit").arg(file).args(args).output().unwrap()
}

/// A probe that comes again after 100 ms, one that nobody asked for an answer to, and what the peer does meanwhile.
fn bad() -> Vec<(u32, Vec<u8>)> {
    let media = [&[0x80, 0][..], &[7; 170]].concat();
    vec![
        (0, datagram(US, PEER, &options(1, None))),
        (20, datagram(US, PEER, &media)),
        (100, datagram(US, PEER, &options(1, None))),
        (110, datagram(PEER, US, &options(1, Some(200)))),
        (200, datagram(US, PEER, &options(7, Some(200)))),
        (300, datagram(PEER, US, &options(8, Some(200)))),
    ]
}

#[test]
fn what_was_broken_stands_in_the_table_with_rule_and_frame() {
    let output = audit("bad.pcap", &pcap(&bad()), &["--ours", "192.0.2.1"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{table}");
    for said in [
        "5 messages, 2 findings",
        "TooSoon",
        "frame 3",
        "StrayResponse",
        "frame 5",
        "RFC 3261 §17.2",
        "call7",
    ] {
        assert!(table.contains(said), "{said}: {table}");
    }
    assert!(!table.contains("call8"), "the peer is not judged: {table}");
}

#[test]
fn programs_read_the_same_and_everybody_is_judged_if_nobody_is_named() {
    for (name, capture) in [("bad.pcap", pcap(&bad())), ("bad.pcapng", pcapng(&bad()))] {
        let output = audit(&format!("json-{name}"), &capture, &["--json"]);
        assert_eq!(output.status.code(), Some(1));
        let sides: Value = serde_json::from_slice(&output.stdout).unwrap();
        let of = |side: usize| {
            let findings = sides[side]["findings"].as_array().unwrap();
            findings
                .iter()
                .map(|f| (f["rule"].as_str().unwrap().to_owned(), f["frame"].clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (&sides[0]["ours"], &sides[1]["ours"]),
            (&"192.0.2.1".into(), &"192.0.2.9".into()),
            "{sides}"
        );
        assert_eq!(
            of(0),
            [("TooSoon".to_owned(), 3.into()), ("StrayResponse".to_owned(), 5.into())],
            "{sides}"
        );
        assert_eq!(of(1), [("StrayResponse".to_owned(), 6.into())], "{sides}");
        assert_eq!(sides[0]["findings"][0]["at_s"], 0.1, "{name}");
    }
}

#[test]
fn a_capture_without_a_finding_is_a_success_and_what_is_no_capture_is_told() {
    let good = [(0, datagram(US, PEER, &options(1, None))), (9, datagram(PEER, US, &options(1, Some(200))))];
    let output = audit("good.pcapng", &pcapng(&good), &[]);
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("192.0.2.1: 2 messages, 0 findings"), "{said}");
    let output = audit("none.pcap", b"this is no capture, whatever its name says", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not a capture"), "{output:?}");
}
