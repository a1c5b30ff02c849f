//! Lengths, counts and numbers.

use super::Outcome::{Closed, Code, Rings, Silence};
use super::Row;

const LENGTH: &str = "Content-Length: «len»";
const SUBJECT: &str = "Subject: x";
const TO: &str = "<sip:y@127.0.0.1>";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = content_lengths();
    rows.extend(other_numbers());
    rows.extend(lengths());
    rows.extend(counts());
    rows
}

fn content_lengths() -> Vec<Row> {
    let one = |name: &str, value: &str| Row::options(name, LENGTH, value, Code(400)).over_tcp(Closed);
    vec![
        one("a Content-Length that is huge", "Content-Length: 999999"),
        one("a Content-Length that is negative", "Content-Length: -1"),
        one("a Content-Length beyond 32 bits", "Content-Length: 4294967296"),
        one("a Content-Length beyond 64 bits", "Content-Length: 18446744073709551616"),
        one("a Content-Length of 60,000 digits", &format!("Content-Length: {}", "9".repeat(60_000))),
        one("two Content-Lengths that differ", "Content-Length: 0\r\nContent-Length: 1"),
        one("two Content-Lengths that differ, one compact", "l: 1\r\nContent-Length: 0"),
        one("a Content-Length in hexadecimal", "Content-Length: 0x0"),
        one("a Content-Length with a sign", "Content-Length: +0"),
        one("a Content-Length of two numbers", "Content-Length: 0 0"),
        one("an empty Content-Length", "Content-Length:"),
        Row::options("two Content-Lengths that agree", LENGTH, "Content-Length: 0\r\nl: 0", Code(200)),
        Row::options(
            "a Content-Length with zeros before it",
            LENGTH,
            "Content-Length: 0000000000000000000000",
            Code(200),
        ),
        Row::options("no Content-Length", LENGTH, "X: y", Code(200)).over_tcp(Closed),
    ]
}

fn other_numbers() -> Vec<Row> {
    vec![
        Row::options("a CSeq method of 10 kB", "1 OPTIONS", format!("1 {}", "X".repeat(10_000)), Code(400)),
        Row::options("a CSeq beyond 32 bits", "1 OPTIONS", "4294967296 OPTIONS", Code(400)),
        Row::options("a CSeq below zero", "1 OPTIONS", "-1 OPTIONS", Code(400)),
        Row::options("a CSeq of the largest number", "1 OPTIONS", "4294967295 OPTIONS", Code(200)),
        Row::options("a CSeq of another method", "1 OPTIONS", "1 INVITE", Code(400)),
        Row::options("Max-Forwards of 256", "Max-Forwards: 70", "Max-Forwards: 256", Code(400)),
        Row::options("Max-Forwards of a word", "Max-Forwards: 70", "Max-Forwards: many", Code(400)),
        Row::invite("Max-Forwards of none", "Max-Forwards: 70", "Max-Forwards: 0", Code(483)),
        Row::options("a sent-by port beyond 16 bits", "«at»;branch", "«ip»:65536;branch", Silence),
        Row::options("a sent-by port that is no number", "«at»;branch", "«ip»:x;branch", Silence),
        Row::options("a ttl and an rport that are no numbers", ";rport", ";rport;ttl=x", Code(200)),
    ]
}

fn lengths() -> Vec<Row> {
    let mut rows = Vec::new();
    for n in [255, 256, 1_023, 1_024, 65_000] {
        let tag = format!("{TO};tag={}", "t".repeat(n));
        rows.push(Row::options(&format!("a To tag of {n} bytes, of no dialog"), TO, tag, Code(481)));
        let branch = format!("z9hG4bK«id»{}", "b".repeat(n - 10));
        rows.push(Row::options(&format!("a branch of about {n} bytes"), "z9hG4bK«id»", branch, Code(200)));
    }
    for n in [255, 256, 1_023, 1_024, 60_000] {
        let tag = format!("tag={}", "f".repeat(n));
        rows.push(Row::invite(&format!("a call whose From tag has {n} bytes"), "tag=f«id»", tag, Rings));
        let branch = format!("z9hG4bK«id»{}", "b".repeat(n - 10));
        rows.push(Row::invite(
            &format!("a call whose branch has about {n} bytes"),
            "z9hG4bK«id»",
            branch,
            Rings,
        ));
        let id = format!("Call-ID: «id»{}", "i".repeat(n - 10));
        rows.push(Row::invite(
            &format!("a call whose Call-ID has about {n} bytes"),
            "Call-ID: «id»",
            id,
            Rings,
        ));
    }
    rows
}

fn counts() -> Vec<Row> {
    let lines = |line: &str| format!("Subject: x{}", format!("\r\n{line}").repeat(1_000));
    let list = |name: &str, value: &str| format!("{name}: {}", vec![value; 1_000].join(","));
    let via = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKv";
    vec![
        Row::options("a thousand lines of Via", SUBJECT, lines(&format!("Via: {via}")), Code(400)),
        Row::options("a thousand lines of Route", SUBJECT, lines("Route: <sip:192.0.2.1;lr>"), Code(400)),
        Row::options("a thousand lines of Contact", SUBJECT, lines("Contact: <sip:x@192.0.2.1>"), Code(400)),
        Row::options("a thousand lines of anything", SUBJECT, lines("X: y"), Code(400)),
        Row::options("a thousand Via on a line", SUBJECT, list("Via", via), Code(200)),
        Row::options("a thousand Routes on a line", SUBJECT, list("Route", "<sip:192.0.2.1;lr>"), Code(200)),
        Row::options(
            "a thousand Contacts on a line",
            SUBJECT,
            list("Contact", "<sip:x@192.0.2.1>"),
            Code(200),
        ),
        Row::invite("a call with a thousand Via on a line", SUBJECT, list("Via", via), Rings),
        Row::invite(
            "a call with a thousand Routes on a line",
            SUBJECT,
            list("Route", "<sip:192.0.2.1;lr>"),
            Rings,
        ),
        Row::invite(
            "a call with a thousand Contacts on a line",
            SUBJECT,
            list("Contact", "<sip:x@192.0.2.1>"),
            Rings,
        ),
        Row::invite(
            "a call with a thousand Record-Routes",
            SUBJECT,
            list("Record-Route", "<sip:192.0.2.1;lr>"),
            Code(513),
        ),
        Row::invite(
            "a call with a thousand Diversions",
            SUBJECT,
            list("Diversion", "<sip:x@192.0.2.1>"),
            Rings,
        ),
        Row::options(
            "ten thousand parameters in Via",
            ";rport",
            format!(";rport{}", ";p".repeat(10_000)),
            Code(200),
        ),
        Row::options(
            "ten thousand parameters in From",
            "=f«id»",
            format!("=f«id»{}", ";p".repeat(10_000)),
            Code(200),
        ),
    ]
}
