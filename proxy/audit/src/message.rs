//! A reader of SIP that is as plain as can be: lines, names, values. It looks for what the rules need, and borrows all of it.

use crate::limits::MAX_HEADERS;
use crate::values::{Via, address, commas, cut, find, inside, parts};
use memchr::memmem::Finder;
use std::fmt;
use std::sync::LazyLock;

/// A header that some rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Via,
    From,
    To,
    CallId,
    CSeq,
    Contact,
    ContentLength,
    ContentType,
    MaxForwards,
    Require,
    Supported,
    RSeq,
    RAck,
    Route,
    RecordRoute,
    Other,
}

/// How many there are.
const NAMES: usize = Name::Other as usize + 1;

/// A header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'m> {
    pub(crate) name: Name,
    pub(crate) text: &'m str,
    pub(crate) value: &'m str,
}

/// A message.
#[derive(Debug, Clone)]
pub(crate) struct Message<'m> {
    /// The request's method, or that of the request that a response answers, from CSeq.
    pub(crate) method: &'m str,
    /// `None`: a request.
    pub(crate) code: Option<u16>,
    /// The Request-URI; empty in a response.
    pub(crate) uri: &'m str,
    pub(crate) cseq: u32,
    pub(crate) call_id: &'m str,
    /// From, without its tag.
    pub(crate) from: &'m str,
    /// Its tag; empty: none.
    pub(crate) from_tag: &'m str,
    /// The To tag; empty: none.
    pub(crate) to_tag: &'m str,
    /// The topmost Via, and its branch; empty: none.
    pub(crate) via: Via<'m>,
    pub(crate) branch: &'m str,
    /// The URI in the first Contact; empty: none.
    pub(crate) contact: &'m str,
    pub(crate) rseq: Option<u32>,
    pub(crate) headers: Vec<Header<'m>>,
    /// The session description, if the body is one.
    pub(crate) sdp: Option<&'m str>,
    /// Length of the body in bytes.
    pub(crate) body: usize,
    /// All of it.
    pub(crate) bytes: &'m [u8],
}

/// Why something is not a SIP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A header goes on in the next line: read it [`unfolded`].
    Folded,
    /// What is missing.
    Lacks(&'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folded => "a folded line",
            Self::Lacks(what) => what,
        })
    }
}

/// The message with every header on a line of its own: one that begins with a blank goes on with the one before (§7.3.1).
pub(crate) fn unfolded(bytes: &[u8]) -> Vec<u8> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n").unwrap_or(bytes.len());
    let (head, rest) = bytes.split_at(end);
    let mut flat = Vec::with_capacity(bytes.len());
    let mut left = head;
    while let Some((first, after)) = left.split_first() {
        left = match left {
            [b'\r', b'\n', b' ' | b'\t', more @ ..] => {
                flat.push(b' ');
                more
            }
            _ => {
                flat.push(*first);
                after
            }
        };
    }
    flat.extend_from_slice(rest);
    flat
}

impl<'m> Message<'m> {
    pub(crate) fn read(bytes: &'m [u8]) -> Result<Self, Unreadable> {
        use Unreadable::Lacks;
        let end = end_of_headers(bytes).ok_or(Lacks("no end of headers"))?;
        let head = std::str::from_utf8(bytes.get(..end).unwrap_or_default())
            .map_err(|_| Lacks("headers that are not UTF-8"))?;
        let body = bytes.get(end + 4..).unwrap_or_default();
        let (start, mut left) = line(head);
        let (method, uri, code) = first(start)?;
        let mut headers = Vec::with_capacity(24);
        // The first line of each.
        let mut firsts = [None; NAMES];
        while let Some(rest) = left {
            let text;
            (text, left) = line(rest);
            if text.starts_with([' ', '\t']) {
                return Err(Unreadable::Folded);
            }
            let (name, value) = cut(text, b':').ok_or(Lacks("a header without a colon"))?;
            let name = name.trim_ascii_end();
            if headers.len() == MAX_HEADERS {
                return Err(Lacks("an end of its headers"));
            }
            let header = Header { name: named(name), text: name, value: value.trim_ascii() };
            if let Some(first) = firsts.get_mut(header.name as usize) {
                first.get_or_insert(header.value);
            }
            headers.push(header);
        }
        let one = |name: Name| firsts.get(name as usize).copied().flatten();
        let cseq = one(Name::CSeq).ok_or(Lacks("no CSeq"))?;
        let (number, of) = cseq.split_once([' ', '\t']).ok_or(Lacks("a CSeq without a method"))?;
        let (cseq, of) = (number.parse().map_err(|_| Lacks("a CSeq without a number"))?, of.trim_ascii());
        if code.is_none() && method != of {
            return Err(Lacks("another method in CSeq"));
        }
        let (from, from_tag) = address(one(Name::From).ok_or(Lacks("no From"))?);
        let (_, to_tag) = address(one(Name::To).ok_or(Lacks("no To"))?);
        let call_id = one(Name::CallId).ok_or(Lacks("no Call-ID"))?;
        let via = one(Name::Via).and_then(|v| commas(v).next()).map(Via::read).unwrap_or_default();
        let contact = one(Name::Contact).and_then(|v| commas(v).next()).map(inside).unwrap_or_default();
        let is_sdp = one(Name::ContentType)
            .and_then(|t| t.get(.."application/sdp".len()))
            .is_some_and(|t| t.eq_ignore_ascii_case("application/sdp"));
        let sdp = std::str::from_utf8(body).ok().filter(|body| is_sdp && !body.is_empty());
        let rseq = one(Name::RSeq).and_then(|v| v.parse().ok());
        let branch = via.parameter("branch").unwrap_or_default();
        let (method, body) = (of, body.len());
        Ok(Self {
            method,
            code,
            uri,
            cseq,
            call_id,
            from,
            from_tag,
            to_tag,
            via,
            branch,
            contact,
            rseq,
            headers,
            sdp,
            body,
            bytes,
        })
    }

    /// Values of a header, one for each line.
    pub(crate) fn lines(&self, name: Name) -> impl Iterator<Item = &'m str> {
        self.headers.iter().filter(move |h| h.name == name).map(|h| h.value)
    }

    /// Values of a header that is a list, one by one.
    pub(crate) fn values(&self, name: Name) -> impl Iterator<Item = &'m str> {
        self.lines(name).flat_map(commas)
    }

    /// The URIs of a header of addresses: Route, Record-Route.
    pub(crate) fn uris(&self, name: Name) -> impl Iterator<Item = &'m str> {
        self.values(name).map(inside)
    }

    /// The value of a header of this long name that no rule but one looks at.
    pub(crate) fn header(&self, name: &str) -> Option<&'m str> {
        self.headers.iter().find(|h| h.text.eq_ignore_ascii_case(name)).map(|h| h.value)
    }

    /// Whether a header of this long name is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.header(name).is_some()
    }

    /// Whether a header lists this option tag.
    pub(crate) fn lists(&self, name: Name, tag: &str) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case(tag))
    }

    /// RAck: number of the response, CSeq number and method.
    pub(crate) fn rack(&self) -> Option<(u32, u32, &'m str)> {
        let mut words = self.lines(Name::RAck).next()?.split_whitespace();
        let (response, request) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some((response, request, words.next()?))
    }

    pub(crate) fn is_request(&self) -> bool {
        self.code.is_none()
    }

    /// A response of 200 and above.
    pub(crate) fn is_final(&self) -> bool {
        self.code.is_some_and(|c| c >= 200)
    }

    /// A 2xx.
    pub(crate) fn is_success(&self) -> bool {
        self.code.is_some_and(|c| (200..300).contains(&c))
    }

    /// A response between 101 and 199.
    pub(crate) fn is_progress(&self) -> bool {
        self.code.is_some_and(|c| (101..200).contains(&c))
    }

    /// A response between 101 and 199 that has to be acknowledged.
    pub(crate) fn is_reliable(&self) -> bool {
        self.is_progress() && self.rseq.is_some()
    }

    /// In a line.
    pub(crate) fn line(&self) -> String {
        let (method, cseq) = (self.method, self.cseq);
        match self.code {
            Some(code) => format!("{code} to {method} {cseq}"),
            None => format!("{method} {cseq}"),
        }
    }
}

/// Where the empty line stands.
fn end_of_headers(bytes: &[u8]) -> Option<usize> {
    static EMPTY_LINE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));
    EMPTY_LINE.find(bytes)
}

/// The first line, and what follows it.
fn line(text: &str) -> (&str, Option<&str>) {
    let mut from = 0;
    while let Some(at) = find(text.as_bytes().get(from..).unwrap_or_default(), b'\r') {
        let at = from + at;
        if text.as_bytes().get(at + 1) == Some(&b'\n') {
            return (text.get(..at).unwrap_or_default(), text.get(at + 2..));
        }
        from = at + 1;
    }
    (text, None)
}

fn first(line: &str) -> Result<(&str, &str, Option<u16>), Unreadable> {
    if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
        let code = rest.get(..3).and_then(|c| c.parse().ok());
        return Ok(("", "", Some(code.ok_or(Unreadable::Lacks("no status code"))?)));
    }
    let mut words = parts(line, b' ');
    let method = words.next().unwrap_or_default();
    let uri = words.next().ok_or(Unreadable::Lacks("no Request-URI"))?;
    if words.next() != Some("SIP/2.0") || words.next().is_some() {
        return Err(Unreadable::Lacks("no SIP/2.0 at the end of the first line"));
    }
    Ok((method, uri, None))
}

/// Long and short names (RFC 3261 §7.3.3), as nearly everybody writes them.
fn named(name: &str) -> Name {
    let (usual, is) = match (name.len(), name.as_bytes().first()) {
        (3, Some(b'V')) => ("Via", Name::Via),
        (4, Some(b'F')) => ("From", Name::From),
        (2, Some(b'T')) => ("To", Name::To),
        (7, Some(b'C')) if name.ends_with('D') => ("Call-ID", Name::CallId),
        (4, Some(b'C')) => ("CSeq", Name::CSeq),
        (7, Some(b'C')) => ("Contact", Name::Contact),
        (14, Some(b'C')) => ("Content-Length", Name::ContentLength),
        (12, Some(b'M')) => ("Max-Forwards", Name::MaxForwards),
        _ => return named_in_any_case(name),
    };
    if name == usual { is } else { named_in_any_case(name) }
}

/// The same however they are written, by their length.
fn named_in_any_case(name: &str) -> Name {
    let known: &[(&str, Name)] = match name.len() {
        1 => &[
            ("v", Name::Via),
            ("f", Name::From),
            ("t", Name::To),
            ("i", Name::CallId),
            ("m", Name::Contact),
            ("l", Name::ContentLength),
            ("c", Name::ContentType),
            ("k", Name::Supported),
        ],
        2 => &[("to", Name::To)],
        3 => &[("via", Name::Via)],
        4 => &[("from", Name::From), ("cseq", Name::CSeq), ("rseq", Name::RSeq), ("rack", Name::RAck)],
        5 => &[("route", Name::Route)],
        7 => &[("call-id", Name::CallId), ("contact", Name::Contact), ("require", Name::Require)],
        9 => &[("supported", Name::Supported)],
        12 => &[
            ("max-forwards", Name::MaxForwards),
            ("content-type", Name::ContentType),
            ("record-route", Name::RecordRoute),
        ],
        14 => &[("content-length", Name::ContentLength)],
        _ => &[],
    };
    let found = known.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
    found.map_or(Name::Other, |(_, name)| *name)
}

/// The branch of the first Via in what may be no message at all.
pub(crate) fn branch_in(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.windows(7).position(|w| w.eq_ignore_ascii_case(b"branch="))?;
    let rest = bytes.get(at + 7..)?;
    let end = rest.iter().position(|b| b";, \t\r\n".contains(b)).unwrap_or(rest.len());
    rest.get(..end).filter(|branch| !branch.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_everything_odd_is_read() {
        let text = "INVITE sip:b@example.com SIP/2.0\r\nv: SIP / 2.0 / UDP  Host.example:5060 ;branch=z9hG4bKx;rport, SIP/2.0/TCP h2;branch=z9hG4bKy\r\n\
            f: \"a, <b>;tag=no\" <sip:a@x>;tag=yes\r\nt: sip:b@example.com;tag=z\r\ni: c1\r\nCSeq: 7\tINVITE\r\nm: <sip:a@x;transport=tcp>;q=1\r\n\
            Require: 100rel,\r\n timer\r\nROUTE: <sip:p1;lr>, <sip:p2;lr>\r\nc: application/sdp\r\nl: 5\r\n\r\nv=0\r\n";
        assert_eq!(Message::read(text.as_bytes()).unwrap_err(), Unreadable::Folded);
        let flat = unfolded(text.as_bytes());
        let m = Message::read(&flat).unwrap();
        assert_eq!((m.branch, m.via.transport, m.via.sent_by), ("z9hG4bKx", "UDP", "Host.example:5060"));
        assert_eq!((m.via.port(), m.via.parameter("rport")), (Some(5060), Some("")));
        assert_eq!(m.via.unmarked().collect::<Vec<_>>(), ["branch=z9hG4bKx"]);
        assert_eq!((m.from_tag, m.to_tag, m.from), ("yes", "z", "sip:a@x"));
        assert_eq!((m.contact, m.values(Name::Via).count(), m.cseq), ("sip:a@x;transport=tcp", 2, 7));
        assert_eq!(m.values(Name::Require).collect::<Vec<_>>(), ["100rel", "timer"]);
        assert_eq!(m.uris(Name::Route).collect::<Vec<_>>(), ["sip:p1;lr", "sip:p2;lr"]);
        assert_eq!((m.sdp, m.body), (Some("v=0\r\n"), 5));
    }

    #[test]
    fn what_is_no_message_says_why() {
        for (text, why) in [
            ("INVITE sip:b SIP/2.0\r\n", "no end of headers"),
            ("INVITE sip:b SIP/3.0\r\nCSeq: 1 INVITE\r\n\r\n", "no SIP/2.0 at the end of the first line"),
            ("SIP/2.0 2x0 OK\r\n\r\n", "no status code"),
            ("BYE sip:b SIP/2.0\r\nCSeq: 1 INVITE\r\nFrom: <sip:a>\r\n\r\n", "another method in CSeq"),
        ] {
            assert_eq!(Message::read(text.as_bytes()).unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn every_name_is_known_long_and_short() {
        for (long, short, name) in [
            ("Via", "v", Name::Via),
            ("From", "f", Name::From),
            ("To", "t", Name::To),
            ("Call-ID", "i", Name::CallId),
            ("CSeq", "CSEQ", Name::CSeq),
            ("Contact", "m", Name::Contact),
            ("Content-Length", "l", Name::ContentLength),
            ("Content-Type", "c", Name::ContentType),
            ("Max-Forwards", "max-forwards", Name::MaxForwards),
            ("Supported", "k", Name::Supported),
            ("Require", "REQUIRE", Name::Require),
            ("RSeq", "rseq", Name::RSeq),
            ("RAck", "rack", Name::RAck),
            ("Record-Route", "record-route", Name::RecordRoute),
            ("Route", "ROUTE", Name::Route),
            ("Allow", "x", Name::Other),
        ] {
            assert_eq!((named(long), named(short)), (name, name), "{long}");
        }
    }
}
