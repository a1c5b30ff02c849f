//! The messages that the calling side sends.

use super::clock::CallNo;
use super::uac::UacConfig;
use bytes::{BufMut, BytesMut};
use std::net::SocketAddr;

/// Append without a formatter: these few lines are most of the generator's work.
pub(super) fn put(b: &mut BytesMut, parts: &[&[u8]]) {
    for part in parts {
        b.extend_from_slice(part);
    }
}

/// Eight hexadecimal digits.
pub(super) fn hex(n: u32) -> [u8; 8] {
    std::array::from_fn(|i| b"0123456789abcdef"[(n >> (28 - 4 * i) & 15) as usize])
}

/// A decimal number.
pub(super) fn decimal(b: &mut BytesMut, n: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut n = n;
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    b.extend_from_slice(&digits[at..]);
}

/// An address, with brackets around IPv6.
pub(super) fn address(b: &mut BytesMut, at: SocketAddr) {
    match at {
        SocketAddr::V4(v4) => {
            for (i, octet) in v4.ip().octets().into_iter().enumerate() {
                if i > 0 {
                    b.put_u8(b'.');
                }
                decimal(b, octet.into());
            }
            b.put_u8(b':');
            decimal(b, v4.port().into());
        }
        SocketAddr::V6(_) => b.extend_from_slice(at.to_string().as_bytes()),
    }
}

fn top(b: &mut BytesMut, config: &UacConfig, local: SocketAddr, no: CallNo, letter: u8) {
    let (run, slot, serial) = (hex(config.run), hex(no.slot), hex(no.serial));
    put(b, &[b"Via: SIP/2.0/", config.over.via(), b" "]);
    address(b, local);
    put(
        b,
        &[
            b";rport;branch=z9hG4bK",
            &run,
            &slot,
            &serial,
            &[letter],
            b"\r\nMax-Forwards: 70\r\nFrom: \"Load\" <sip:+4916099000000@",
        ],
    );
    address(b, local);
    put(
        b,
        &[
            b">;tag=",
            &run,
            &slot,
            &serial,
            b"\r\nCall-ID: ",
            &slot,
            &serial,
            b"-",
            &run,
            b"@load.invalid\r\n",
        ],
    );
}

/// INVITE with an offer of G.711 and telephone events.
pub(super) fn invite(b: &mut BytesMut, config: &UacConfig, local: SocketAddr, no: CallNo, talks: bool) {
    put(b, &[b"INVITE sip:", config.number.as_bytes(), b"@"]);
    address(b, config.to);
    b.extend_from_slice(b" SIP/2.0\r\n");
    top(b, config, local, no, b'i');
    put(b, &[b"To: <sip:", config.number.as_bytes(), b"@"]);
    address(b, config.to);
    b.extend_from_slice(b">\r\nCSeq: 1 INVITE\r\nContact: <sip:load@");
    address(b, local);
    b.extend_from_slice(config.over.parameter());
    b.extend_from_slice(
        b">\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO\r\nSupported: timer, 100rel\r\n\
          User-Agent: bascule-load\r\nContent-Type: application/sdp\r\nContent-Length: ",
    );
    body(b, local, no.slot, FORMATS.into_iter(), talks);
}

/// What is spoken here: G.711 of both laws, and telephone events.
pub(super) const FORMATS: [u8; 3] = [0, 8, 101];

/// Content-Length's value, the empty line and an SDP whose media address is that of the call's slot. A call that is to
/// carry no media says so, and nobody misses it. `formats` are among [`FORMATS`].
pub(super) fn body(
    b: &mut BytesMut,
    local: SocketAddr,
    slot: u32,
    formats: impl Iterator<Item = u8>,
    talks: bool,
) {
    let media = super::media::address_of(local, slot);
    let mut port = BytesMut::with_capacity(5);
    decimal(&mut port, media.port().into());
    let ip = media.ip().to_string();
    let family: &[u8] = if media.is_ipv4() { b"IP4 " } else { b"IP6 " };
    let (mut names, mut lines) = (BytesMut::with_capacity(16), BytesMut::with_capacity(96));
    for format in formats {
        names.put_u8(b' ');
        decimal(&mut names, format.into());
        lines.extend_from_slice(match format {
            0 => b"a=rtpmap:0 PCMU/8000\r\n",
            8 => b"a=rtpmap:8 PCMA/8000\r\n",
            _ => b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n",
        });
    }
    let parts: [&[u8]; 14] = [
        b"v=0\r\no=load 1 1 IN ",
        family,
        ip.as_bytes(),
        b"\r\ns=-\r\nc=IN ",
        family,
        ip.as_bytes(),
        b"\r\nt=0 0\r\nm=audio ",
        &port,
        b" RTP/AVP",
        &names,
        b"\r\n",
        &lines,
        b"a=ptime:20\r\n",
        if talks { b"a=sendrecv\r\n" } else { b"a=inactive\r\n" },
    ];
    decimal(b, parts.iter().map(|p| p.len() as u64).sum());
    b.extend_from_slice(b"\r\n\r\n");
    put(b, &parts);
}

/// ACK of a 2xx, or BYE.
#[expect(clippy::too_many_arguments, reason = "a message has as many parts")]
pub(super) fn in_dialog(
    b: &mut BytesMut,
    method: &[u8],
    cseq: u64,
    config: &UacConfig,
    local: SocketAddr,
    no: CallNo,
    target: &[u8],
    to: &[u8],
    routes: &[u8],
) {
    put(b, &[method, b" ", target, b" SIP/2.0\r\n"]);
    top(b, config, local, no, method[0].to_ascii_lowercase());
    put(b, &[routes, b"To: ", to, b"\r\nCSeq: "]);
    decimal(b, cseq);
    put(b, &[b" ", method, b"\r\nContent-Length: 0\r\n\r\n"]);
}

/// ACK of a refusal: part of the INVITE's transaction (RFC 3261 §17.1.1.3).
pub(super) fn ack_refusal(b: &mut BytesMut, config: &UacConfig, local: SocketAddr, no: CallNo, to: &[u8]) {
    put(b, &[b"ACK sip:", config.number.as_bytes(), b"@"]);
    address(b, config.to);
    b.extend_from_slice(b" SIP/2.0\r\n");
    top(b, config, local, no, b'i');
    put(b, &[b"To: ", to, b"\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"]);
}
