//! Start lines, names and values of header fields, quotes, and what came out of turn.

use super::Outcome::{Closed, Code, Rings, Silence};
use super::Row;

const SUBJECT: &str = "Subject: x";
const FROM: &str = "<sip:x@«at»>;tag";
const CALLER: &str = "<sip:+4917@«at»>;tag";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = lines();
    rows.extend(names());
    rows.extend(values());
    rows.extend(quotes());
    rows.extend(credentials());
    rows.extend(strays());
    rows
}

fn lines() -> Vec<Row> {
    let first = "OPTIONS sip:+4930@127.0.0.1 SIP/2.0\r\n";
    vec![
        Row::options("a version of the future", "SIP/2.0\r\n", "SIP/3.0\r\n", Code(505)),
        Row::options("two blanks in the start line", "OPTIONS sip", "OPTIONS  sip", Code(400)),
        Row::options("a start line of one word", first, "OPTIONS\r\n", Silence),
        Row::options("a start line of nothing but blanks", first, "   \r\n", Silence),
        Row::options(
            "a method of 60,000 bytes",
            "OPTIONS sip",
            format!("{} sip", "X".repeat(60_000)),
            Code(400),
        ),
        Row::options("a method that is no token", "OPTIONS sip", "OPT(IONS sip", Silence),
        Row::options("a method that nobody has", "OPTIONS sip", "X sip", Code(400)),
        Row::options("lines that end with LF alone", "\r\nSubject: x\r\n", "\nSubject: x\n", Code(400))
            .over_tcp(Closed),
        Row::options("an extension that nobody has", SUBJECT, "Require: nothing-such", Code(420)),
        Row::options(
            "a thousand extensions that nobody has",
            SUBJECT,
            format!("Require: {}", vec!["x"; 1_000].join(",")),
            Code(420),
        ),
    ]
}

fn names() -> Vec<Row> {
    vec![
        Row::options("a blank before the colon", SUBJECT, "Subject : x", Code(200)),
        Row::options("a tab before the colon", SUBJECT, "Subject\t: x", Code(200)),
        Row::options("blanks and tabs before the colon of a length", "Length:", "Length \t \t:", Code(200)),
        Row::options("a blank inside the name", SUBJECT, "Sub ject: x", Code(400)),
        Row::options("a control character before the colon", SUBJECT, "Subject\u{1}: x", Code(400)),
        Row::options("NUL before the colon", SUBJECT, "Subject\0: x", Code(400)),
        Row::options("DEL before the colon", SUBJECT, "Subject\u{7f}: x", Code(400)),
        Row::options("a name beyond ASCII", SUBJECT, "S\u{fc}bject: x", Code(400)),
        Row::options("no name", SUBJECT, ": x", Code(400)),
        Row::options("no colon", SUBJECT, "Subject x", Code(400)),
        Row::options("a name of one character", SUBJECT, "q: x", Code(200)),
        Row::options("a name of 60,000 bytes", SUBJECT, format!("{}: x", "n".repeat(60_000)), Code(200)),
    ]
}

fn values() -> Vec<Row> {
    vec![
        Row::options("CR alone inside a value", SUBJECT, "Subject: a\rb", Code(400)),
        Row::options("LF alone inside a value", SUBJECT, "Subject: a\nb: c", Code(400)),
        Row::options("NUL inside a value that nobody reads", SUBJECT, "Subject: a\0b", Code(200)),
        Row::options("NUL inside the Call-ID", "Call-ID: ", "Call-ID: \0", Silence),
        Row::options("NUL inside the tag", "tag=f", "tag=\0f", Code(400)),
        Row::options("NUL inside the branch", "z9hG4bK", "z9hG4bK\0", Silence),
        Row::invite("NUL inside a display name", CALLER, format!("\"a\0b\" {CALLER}"), Rings),
        Row::invite("controls inside a display name", CALLER, format!("\"a\u{1}\u{7f}\tb\" {CALLER}"), Rings),
        Row::invite("CR inside a display name", CALLER, format!("\"a\rb\" {CALLER}"), Code(400)),
        Row::invite("a quote at the end of a display name", CALLER, format!("\"a\\\\\\\"\" {CALLER}"), Rings),
        Row::invite("a display name of 10 kB", CALLER, format!("\"{}\" {CALLER}", "a".repeat(10_000)), Rings),
        Row::options("an empty From", FROM, ";tag", Code(400)),
        Row::options("an empty To", "<sip:y@127.0.0.1>", "", Code(400)),
        Row::options("an empty Via", "SIP/2.0/«t» «at»;branch=z9hG4bK«id»;rport", "", Silence),
        Row::options("an empty Call-ID", "Call-ID: «id»", "Call-ID:", Silence),
        Row::options("a From of one character", FROM, "x;tag", Code(400)),
        Row::options("a To of one character", "<sip:y@127.0.0.1>", "x", Code(400)),
        Row::options("a Via of one character", "SIP/2.0/«t» «at»;branch=z9hG4bK«id»;rport", "x", Silence),
        Row::options("a CSeq of one character", "1 OPTIONS", "1", Code(400)),
        Row::options(
            "a value of 60,000 bytes",
            SUBJECT,
            format!("Subject: {}", "x".repeat(60_000)),
            Code(200),
        ),
        Row::options(
            "a value folded a thousand times",
            SUBJECT,
            format!("Subject: x{}", "\r\n x".repeat(1_000)),
            Code(200),
        ),
        Row::options("no Call-ID", "Call-ID", "X-Call-ID", Silence),
        Row::options("two Call-IDs", SUBJECT, "Call-ID: other", Code(400)),
        Row::options("two From", SUBJECT, "From: <sip:z@127.0.0.1>;tag=z", Code(400)),
        Row::options("two CSeq", SUBJECT, "CSeq: 2 OPTIONS", Code(400)),
    ]
}

fn quotes() -> Vec<Row> {
    vec![
        Row::options("a display name whose quote does not end", FROM, "\"x <sip:x@«at»>;tag", Code(400)),
        Row::options("a parameter whose quote does not end", "=f«id»", "=f«id»;q=\"x", Code(200)),
        Row::options("an angle bracket that does not end", FROM, "<sip:x@«at»;tag", Code(400)),
        Row::options("a quote that ends with its escape", FROM, "\"x\\\" <sip:x@«at»>;tag", Code(400)),
        Row::options("a Contact whose quote does not end", SUBJECT, "Contact: \"x <sip:x@y>", Code(400)),
        Row::options(
            "a value whose quote does not end, that nobody reads",
            SUBJECT,
            "Subject: \"x",
            Code(200),
        ),
        Row::options("a Via parameter whose quote does not end", ";rport", ";rport;q=\"x", Code(200)),
        Row::invite(
            "a Reason whose quote does not end",
            "Subject: x",
            "Reason: Q.850;cause=16;text=\"x",
            Rings,
        ),
        Row::invite(
            "an asserted identity whose quote does not end",
            "Subject: x",
            "P-Asserted-Identity: \"x <sip:+49@y>",
            Rings,
        ),
        Row::invite(
            "a Diversion whose quote does not end",
            "Subject: x",
            "Diversion: \"x <sip:+49@y>;reason=\"",
            Rings,
        ),
    ]
}

fn credentials() -> Vec<Row> {
    let many = |n: usize| vec!["a=\"b\""; n].join(",");
    vec![
        Row::options("credentials of nothing", SUBJECT, "Authorization:", Code(200)),
        Row::options("credentials of a scheme alone", SUBJECT, "Authorization: Digest", Code(200)),
        Row::options(
            "credentials whose quote does not end",
            SUBJECT,
            "Authorization: Digest nonce=\"x",
            Code(200),
        ),
        Row::options("credentials without equal signs", SUBJECT, "Authorization: Digest a b c", Code(200)),
        Row::options("credentials of commas", SUBJECT, "Proxy-Authorization: Digest ,,,,=,,", Code(200)),
        Row::options("credentials with NUL", SUBJECT, "Authorization: Digest realm=\"\0\"", Code(200)),
        Row::options(
            "credentials of ten thousand parameters",
            SUBJECT,
            format!("Authorization: Digest {}", many(10_000)),
            Code(200),
        ),
        Row::invite(
            "a call with credentials whose quote does not end",
            "Subject: x",
            "Authorization: Digest response=\"",
            Rings,
        ),
    ]
}

fn strays() -> Vec<Row> {
    let request = "OPTIONS sip:+4930@127.0.0.1 SIP/2.0";
    vec![
        Row::options("a response nobody asked for", request, "SIP/2.0 200 OK", Silence),
        Row::options("a response of code 99", request, "SIP/2.0 099 X", Silence),
        Row::options("a response of code 700", request, "SIP/2.0 700 X", Silence),
        Row::options("a response of code 4294967496", request, "SIP/2.0 4294967496 X", Silence),
        Row::options("an ACK of nothing", "OPTIONS sip", "ACK sip", Silence),
        Row::options("a CANCEL of nothing", "1 OPTIONS", "1 CANCEL", Code(400)),
        Row::new(
            "a request line and no more",
            b"OPTIONS sip:x@y SIP/2.0\r\n\r\n".to_vec(),
            Vec::new(),
            Silence,
        )
        .over_tcp(Closed),
        Row::new("bytes of all kinds", (0..=255).collect(), b"\r\n\r\n".to_vec(), Silence).over_tcp(Closed),
        Row::new("NULs", vec![0; 1_000], b"\r\n\r\n".to_vec(), Silence).over_tcp(Closed),
        Row::new("a web browser", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), Vec::new(), Silence)
            .over_tcp(Closed),
    ]
}
