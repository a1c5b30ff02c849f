//! Which of the staying side's words the next peer is told.

use super::formats::Format;
use crate::lex::{Decimal, number32};
use crate::sdp::Lines;
use crate::sdp::anchor::{is_place, name, names_a_place};
use crate::sdp::media::{Direction, Media};

/// Writes what stands behind the port of the `m=` line, and the lines below it: bandwidth, formats, packet time, other
/// attributes. Direction and RTCP's place are left to each offer.
pub(super) fn write(
    text: &mut Vec<u8>,
    stays: &Media<'_>,
    formats: &[Format<'_>],
    ptime: Option<u32>,
    secured: bool,
) {
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| text.extend_from_slice(part));
    put(&[stays.proto]);
    for format in formats {
        put(&[b" ", Decimal::new(u64::from(format.stays)).as_bytes()]);
    }
    put(&[b"\r\n"]);
    let lines = || Lines::new(stays.section).flatten().filter(|line| is_one_line(line.value));
    for line in lines().filter(|line| line.letter == b'b') {
        put(&[b"b=", line.value, b"\r\n"]);
    }
    for format in formats {
        let (number, codec) = (Decimal::new(u64::from(format.stays)), &format.codec);
        if stays.is_mapped(format.stays) {
            let (clock, channels) = (u64::from(codec.clock_rate), u64::from(codec.channels));
            put(&[b"a=rtpmap:", number.as_bytes(), b" ", codec.name, b"/", Decimal::new(clock).as_bytes()]);
            if channels > 1 {
                put(&[b"/", Decimal::new(channels).as_bytes()]);
            }
            put(&[b"\r\n"]);
        }
        let fmtp = stays.fmtp(format.stays);
        if let Some(fmtp) = fmtp.filter(|fmtp| is_one_line(fmtp) && !names_a_place(fmtp, &[])) {
            put(&[b"a=fmtp:", number.as_bytes(), b" ", fmtp, b"\r\n"]);
        }
    }
    if let Some(ptime) = ptime {
        put(&[b"a=ptime:", Decimal::new(u64::from(ptime)).as_bytes(), b"\r\n"]);
    }
    attributes(text, stays, formats, secured);
}

/// The attributes that are not written apart.
pub(super) fn attributes(text: &mut Vec<u8>, stays: &Media<'_>, formats: &[Format<'_>], secured: bool) {
    let lines = Lines::new(stays.section).flatten().filter(|line| line.letter == b'a');
    for line in lines.filter(|line| is_one_line(line.value) && travels(line.value, formats, secured)) {
        for part in [b"a=", line.value, b"\r\n"] {
            text.extend_from_slice(part);
        }
    }
}

/// A lone CR ends a line for some readers.
fn is_one_line(value: &[u8]) -> bool {
    memchr::memchr2(b'\r', 0, value).is_none()
}

fn travels(attribute: &[u8], formats: &[Format<'_>], secured: bool) -> bool {
    let name = name(attribute);
    let value = attribute.get(name.len() + 1..).unwrap_or_default();
    match name {
        // Written apart.
        b"rtpmap" | b"fmtp" | b"ptime" | b"rtcp" | b"rtcp-mux" | b"rtcp-mux-only" => false,
        // Names inside one session description, which is not this one.
        b"mid" | b"msid" | b"bundle-only" | b"label" => false,
        // Offers of a change (RFC 5939, RFC 6871).
        b"csup" | b"creq" | b"acap" | b"tcap" | b"pcfg" | b"acfg" => false,
        b"rmcap" | b"omcap" | b"mfcap" | b"mscap" | b"bcap" | b"lcfg" | b"sescap" => false,
        b"crypto" | b"fingerprint" | b"setup" | b"tls-id" | b"key-mgmt" => {
            secured && !names_a_place(attribute, &[])
        }
        b"rtcp-fb" => {
            let word = value.split(|b| *b == b' ').next().unwrap_or_default();
            word == b"*"
                || number32(word).is_some_and(|n| formats.iter().any(|format| u32::from(format.stays) == n))
        }
        // Its URI names an extension, not a host.
        b"extmap" => !names_a_place(attribute, &[]),
        // What has a dot may be a host's name, and these are attributes that we do not know.
        _ => {
            Direction::parse(attribute).is_none()
                && !is_place(name)
                && !attribute.contains(&b'.')
                && !names_a_place(attribute, &[])
        }
    }
}
