//! Session descriptions that are broken, and those that count too far.

use super::Outcome::{Code, Rings};
use super::{Outcome, Row};

const MAP: &str = "a=rtpmap:0 PCMU/8000\r\n";
const PARAMETERS: &str = "a=fmtp:101 0-15\r\n";
const TIME: &str = "a=ptime:20\r\n";
const MEDIA: &str = "m=audio 40000 RTP/AVP 0 101\r\n";
const ALL: &str = super::SDP;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = attributes();
    rows.extend(media());
    rows.extend(sessions());
    rows
}

fn attributes() -> Vec<Row> {
    let row = |name: &str, part: &str, instead: &str| Row::sdp(name, part, instead, Rings);
    vec![
        row("an fmtp of nothing", PARAMETERS, "a=fmtp:\r\n"),
        row("an fmtp of a format that is not there", PARAMETERS, "a=fmtp:999 x=y\r\n"),
        row("an fmtp of a format alone", PARAMETERS, "a=fmtp:101\r\n"),
        row("an fmtp of endless events", PARAMETERS, "a=fmtp:101 0-99999999999999999999\r\n"),
        row("an fmtp of 20,000 bytes", PARAMETERS, &format!("a=fmtp:101 {}\r\n", "0,".repeat(10_000))),
        row("an rtpmap of nothing", MAP, "a=rtpmap:\r\n"),
        row("an rtpmap of a format alone", MAP, "a=rtpmap:0\r\n"),
        row("an rtpmap of no number", MAP, "a=rtpmap:x PCMU/8000\r\n"),
        row("an rtpmap without a rate", MAP, "a=rtpmap:0 PCMU\r\n"),
        row("an rtpmap of rate 0", MAP, "a=rtpmap:0 PCMU/0\r\n"),
        row("an rtpmap of a rate beyond 32 bits", MAP, "a=rtpmap:0 PCMU/99999999999\r\n"),
        row("an rtpmap of slashes", MAP, "a=rtpmap:0 ////\r\n"),
        row("a thousand rtpmaps of one format", MAP, &MAP.repeat(1_000)),
        row("ptime 0", TIME, "a=ptime:0\r\n"),
        row("ptime below zero", TIME, "a=ptime:-20\r\n"),
        row("ptime beyond 64 bits", TIME, "a=ptime:99999999999999999999\r\n"),
        row("ptime of a word", TIME, "a=ptime:soon\r\n"),
        row("ptime of a fraction", TIME, "a=ptime:0.001\r\na=maxptime:0\r\n"),
        row("an attribute without a name", TIME, "a=\r\n"),
        row("an attribute of a colon", TIME, "a=:\r\n"),
        row(
            "four directions at once",
            "a=sendrecv\r\n",
            "a=sendrecv\r\na=inactive\r\na=sendonly\r\na=recvonly\r\n",
        ),
        row("an RTCP port that is no number", TIME, "a=rtcp:x\r\n"),
        row("an RTCP port of 0", TIME, "a=rtcp:0\r\n"),
        row("keys that are none", TIME, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\r\n"),
        row("NUL in an attribute", TIME, "a=x:\0\r\n"),
    ]
}

fn media() -> Vec<Row> {
    let row = |name: &str, instead: String, outcome: Outcome| Row::sdp(name, MEDIA, instead, outcome);
    let formats: String = (0..1_000).map(|n| format!(" {n}")).collect();
    vec![
        row("a thousand lines of media", MEDIA.repeat(1_000), Code(488)),
        row("a thousand formats on a line", format!("m=audio 40000 RTP/AVP{formats}\r\n"), Rings),
        row("a line of media without formats", "m=audio 40000 RTP/AVP\r\n".into(), Code(488)),
        row("a line of media and no more", "m=\r\n".into(), Code(488)),
        row("a line of media of one word", "m=audio\r\n".into(), Code(488)),
        row("a media port beyond 16 bits", "m=audio 99999 RTP/AVP 0\r\n".into(), Code(488)),
        row("a media port below zero", "m=audio -1 RTP/AVP 0\r\n".into(), Code(488)),
        row("a media port that is no number", "m=audio x RTP/AVP 0\r\n".into(), Code(488)),
        row("a media port of 0", "m=audio 0 RTP/AVP 0\r\n".into(), Rings),
        row("sixty thousand ports", "m=audio 40000/60000 RTP/AVP 0\r\n".into(), Rings),
        row("a media format beyond 7 bits", "m=audio 40000 RTP/AVP 128 255 256 4294967296\r\n".into(), Rings),
        row("no media", String::new(), Code(488)),
    ]
}

fn sessions() -> Vec<Row> {
    let whole = |name: &str, body: &[u8], outcome| Row::sdp(name, ALL, body, outcome);
    vec![
        whole("a description of nothing", b"", Rings),
        whole("a description of one byte", b"v", Code(488)),
        whole("a description of NULs", &[0; 500], Code(488)),
        whole("a description of 60,000 bytes of one line", &[b'a'; 60_000], Code(488)),
        whole("a description of 10,000 empty lines", "\r\n".repeat(10_000).as_bytes(), Code(488)),
        whole(
            "a description of 10,000 attributes",
            (ALL.to_owned() + &"a=x\r\n".repeat(10_000)).as_bytes(),
            Rings,
        ),
        Row::sdp("a version of the future", "v=0", "v=99999999999", Code(488)),
        Row::sdp("no version", "v=0\r\n", "", Code(488)),
        Row::sdp("no origin", "o=- 1 1 IN IP4 «ip»\r\n", "", Rings),
        Row::sdp(
            "an origin of numbers beyond 64 bits",
            "o=- 1 1",
            "o=- 99999999999999999999999 99999999999999999999999",
            Rings,
        ),
        Row::sdp("no address", "c=IN IP4 «ip»\r\n", "", Code(488)),
        Row::sdp("an address of nothing", "c=IN IP4 «ip»", "c=", Code(488)),
        Row::sdp("an address of no network", "c=IN IP4 «ip»", "c=XX IP9 x", Code(488)),
        Row::sdp("a multicast address", "c=IN IP4 «ip»", "c=IN IP4 224.2.1.1/127/65535", Code(488)),
        Row::sdp("a broadcast address", "c=IN IP4 «ip»", "c=IN IP4 255.255.255.255", Code(488)),
        Row::sdp("an address of 0.0.0.0", "c=IN IP4 «ip»", "c=IN IP4 0.0.0.0", Rings),
        Row::sdp("a thousand addresses", "c=IN IP4 «ip»\r\n", "c=IN IP4 «ip»\r\n".repeat(1_000), Rings),
        Row::sdp("times that are no numbers", "t=0 0", "t=x y", Rings),
        Row::sdp("lines that end with LF alone", "s=-\r\n", "s=-\n", Rings),
        Row::sdp("lines that end with CR alone", "s=-\r\n", "s=-\r", Code(488)),
    ]
}
