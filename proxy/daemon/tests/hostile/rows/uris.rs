//! URIs: escapes in every part, one character, and what is no URI.

use super::Outcome::{Code, Rings};
use super::Row;

const URI: &str = "sip:+4930@127.0.0.1 SIP";
const FROM: &str = "<sip:x@«at»>";
const CALLER: &str = "<sip:+4917@«at»>";
const CALLED: &str = "INVITE sip:+4930@";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = escapes();
    rows.extend(shapes());
    rows
}

fn escapes() -> Vec<Row> {
    let options = |name: &str, uri: &str, code| Row::options(name, URI, format!("{uri} SIP"), Code(code));
    vec![
        options("escapes in the user", "sip:%61%2B%00@127.0.0.1", 200),
        options("escapes in the password", "sip:a:%00%70@127.0.0.1", 200),
        options("escapes in the host", "sip:a@%31%32", 400),
        options("escapes in the port", "sip:a@127.0.0.1:%35", 400),
        options("escapes in a parameter's name", "sip:a@127.0.0.1;%6cr", 200),
        options("escapes in a parameter's value", "sip:a@127.0.0.1;x=%0d%0a", 200),
        options("headers in a request URI", "sip:a@127.0.0.1?%53=%0d", 400),
        options("an escape that is cut off", "sip:a%4@127.0.0.1", 200),
        options("an escape of no digits", "sip:a%zz@127.0.0.1", 200),
        options("an escape at the end", "sip:a@127.0.0.1;x=%", 200),
        options("an escaped scheme", "%73ip:a@127.0.0.1", 400),
        Row::options("escapes in all of From", FROM, "<sip:%00:%00@127.0.0.1;%00=%00?%00=%00>", Code(200)),
        Row::options("an escape that is cut off in From", FROM, "<sip:%@127.0.0.1>", Code(200)),
        Row::invite("a caller with escaped controls", CALLER, "<sip:%00%0d%0a@127.0.0.1>", Rings),
        Row::invite("a called number with escaped controls", CALLED, "INVITE sip:+4930%0d%0aX:%20y@", Rings),
        Row::invite("a called number with escaped quotes", CALLED, "INVITE sip:+4930%22%3e@", Rings),
        Row::invite(
            "a Contact with escapes in every part",
            "<sip:c@«at»>",
            "<sip:%00:%00@«at»;%00=%00>",
            Rings,
        ),
    ]
}

fn shapes() -> Vec<Row> {
    let options = |name: &str, uri: &str, code| Row::options(name, URI, format!("{uri} SIP"), Code(code));
    let long = "a".repeat(60_000);
    vec![
        options("a URI of one character", "x", 400),
        options("a scheme and no more", "sip:", 400),
        options("a host of one character", "sip:x", 200),
        options("an empty user", "sip:@127.0.0.1", 200),
        options("an empty host", "sip:a@", 400),
        options("two signs between user and host", "sip:a@b@127.0.0.1", 400),
        options("a port beyond 16 bits", "sip:a@127.0.0.1:65536", 400),
        options("an IPv6 address that does not end", "sip:a@[::1", 400),
        options("an IPv6 address of no address", "sip:a@[:::::]", 400),
        options("an IPv4 address beyond 8 bits", "sip:a@256.256.256.256", 200),
        options("a user of 60,000 bytes", &format!("sip:{long}@127.0.0.1"), 200),
        options("a host of 60,000 bytes", &format!("sip:a@{long}"), 200),
        options("a scheme of 60,000 bytes", &format!("{long}:a@127.0.0.1"), 200),
        options("a scheme that nobody has", "nobodyKnowsThisScheme:totallyopaquecontent", 200),
        options("angle brackets in a request URI", "<sip:a@127.0.0.1>", 400),
        Row::invite(
            "a call to a scheme that nobody has",
            "sip:+4930@127.0.0.1 SIP",
            "soap.beep://192.0.2.1 SIP",
            Code(416),
        ),
        Row::invite(
            "a call to a number of 50,000 digits",
            CALLED,
            format!("INVITE sip:+49{}@", "3".repeat(50_000)),
            Code(414),
        ),
        Row::invite("a called number whose escape is cut off", CALLED, "INVITE sip:+4930%4@", Code(400)),
        Row::invite("a caller whose escape is cut off", CALLER, "<sip:+4917%zz@127.0.0.1>", Rings),
        Row::invite("a call with an empty user", CALLED, "INVITE sip:@", Code(404)),
        Row::invite("a Contact of a scheme that nobody has", "<sip:c@«at»>", "<x:y>", Rings),
        Row::invite("a Contact of one character", "<sip:c@«at»>", "x", Code(400)),
        Row::invite("a Contact of a star", "<sip:c@«at»>", "*", Code(400)),
        Row::invite("no Contact", "Contact: <sip:c@«at»>\r\n", "", Code(400)),
    ]
}
