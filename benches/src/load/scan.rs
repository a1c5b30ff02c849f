//! A reader of SIP messages for the generator: independent of `sip-wire`, so that one does not hide the other's errors.
//! It reads what well-formed devices write on loopback, and nothing more.

use std::net::{IpAddr, SocketAddr};

/// Most Via lines, and most Record-Route lines, that are carried back.
const LINES: usize = 6;

/// What the generator needs of a message.
#[derive(Debug, Default)]
pub struct Scan<'a> {
    /// Status code; 0 for a request.
    pub code: u16,
    /// The request's method, or the one in CSeq for a response.
    pub method: &'a [u8],
    /// Value of Call-ID.
    pub call_id: &'a [u8],
    /// Value of From.
    pub from: &'a [u8],
    /// Value of To.
    pub to: &'a [u8],
    /// Value of CSeq.
    pub cseq: &'a [u8],
    /// The URI in Contact.
    pub contact: &'a [u8],
    /// The body.
    pub body: &'a [u8],
    vias: [&'a [u8]; LINES],
    routes: [&'a [u8]; LINES],
}

impl<'a> Scan<'a> {
    /// Read a message; `None` if it is not SIP as we expect it.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut scan = Self::default();
        let end = memchr::memchr(b'\r', bytes)?;
        let start = &bytes[..end];
        if let Some(rest) = start.strip_prefix(b"SIP/2.0 ") {
            let digits = rest.get(..3)?;
            scan.code = digits.iter().fold(0, |n, d| n * 10 + u16::from(d.wrapping_sub(b'0')));
        } else {
            scan.method = &start[..memchr::memchr(b' ', start)?];
        }
        let mut rest = bytes.get(end + 2..)?;
        let (mut vias, mut routes) = (0, 0);
        loop {
            let end = memchr::memchr(b'\r', rest)?;
            let line = &rest[..end];
            rest = rest.get(end + 2..)?;
            if line.is_empty() {
                scan.body = rest;
                break;
            }
            let colon = memchr::memchr(b':', line)?;
            let value = line[colon + 1..].trim_ascii();
            match &line[..colon] {
                b"Via" | b"v" => {
                    *scan.vias.get_mut(vias)? = value;
                    vias += 1;
                }
                b"Record-Route" => {
                    *scan.routes.get_mut(routes)? = value;
                    routes += 1;
                }
                b"Call-ID" | b"i" => scan.call_id = value,
                b"From" | b"f" => scan.from = value,
                b"To" | b"t" => scan.to = value,
                b"CSeq" => scan.cseq = value,
                b"Contact" | b"m" => scan.contact = uri(value),
                _ => {}
            }
        }
        if scan.code != 0 {
            scan.method = scan.cseq.rsplit(|b| *b == b' ').next()?;
        }
        (!scan.call_id.is_empty() && vias > 0).then_some(scan)
    }

    /// Via values, topmost first.
    pub fn vias(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.vias.iter().copied().take_while(|v| !v.is_empty())
    }

    /// Record-Route values, topmost first.
    pub fn routes(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + '_ {
        let n = self.routes.iter().take_while(|v| !v.is_empty()).count();
        self.routes[..n].iter().copied()
    }

    /// The tag in To.
    pub fn to_tag(&self) -> Option<&'a [u8]> {
        let at = memchr::memmem::find(self.to, b";tag=")?;
        let rest = &self.to[at + 5..];
        Some(&rest[..memchr::memchr(b';', rest).unwrap_or(rest.len())])
    }

    /// Whether the message's SDP wants media to flow.
    pub fn talks(&self) -> bool {
        memchr::memmem::find(self.body, b"a=inactive").is_none()
    }

    /// What an answer to the message's SDP is to name: the first of our two laws that it offers, and telephone events
    /// if it offers them.
    pub fn formats(&self) -> impl Iterator<Item = u8> + '_ {
        let line = memchr::memmem::find(self.body, b"m=audio ").map_or(&b""[..], |at| &self.body[at..]);
        let line = line.split(|b| *b == b'\r').next().unwrap_or_default();
        let mut law = false;
        line.split(|b| *b == b' ')
            .skip(3)
            .filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok())
            .filter(move |format| match format {
                0 | 8 => !std::mem::replace(&mut law, true),
                101 => true,
                _ => false,
            })
    }

    /// Where the message's SDP wants audio.
    pub fn media(&self) -> Option<SocketAddr> {
        audio(self.body)
    }
}

/// Where an SDP wants audio: the address of the first `c=` and the port of the first `m=`.
pub fn audio(sdp: &[u8]) -> Option<SocketAddr> {
    let word = |name: &[u8]| {
        let at = memchr::memmem::find(sdp, name)? + name.len();
        std::str::from_utf8(sdp.get(at..)?.split(|b| *b == b'\r' || *b == b' ').next()?).ok()
    };
    let ip: IpAddr = word(b"c=IN IP4 ").or_else(|| word(b"c=IN IP6 "))?.parse().ok()?;
    let port: u16 = word(b"m=audio ")?.parse().ok()?;
    Some((ip, port).into())
}

/// What stands between angle brackets, or the whole value without parameters.
fn uri(value: &[u8]) -> &[u8] {
    match (memchr::memchr(b'<', value), memchr::memchr(b'>', value)) {
        (Some(a), Some(b)) if a < b => &value[a + 1..b],
        _ => value.split(|b| *b == b';').next().unwrap_or(value),
    }
}

/// Two numbers of eight hexadecimal digits each: how calls name themselves in Call-IDs and tags.
pub fn numbers(text: &[u8]) -> Option<(u32, u32)> {
    let hex = |digits: &[u8]| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    Some((hex(text.get(..8)?)?, hex(text.get(8..16)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_with_its_route_and_media() {
        let text = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP b\r\n\
            Record-Route: <sip:p;lr>\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:z@y>;tag=0000000a0000000b;x=1\r\n\
            Call-ID: abc\r\nCSeq: 1 INVITE\r\nContact: <sip:c@127.0.0.1:5>;q=1\r\n\r\n\
            v=0\r\nc=IN IP4 127.0.0.9\r\nm=audio 4002 RTP/AVP 0\r\n";
        let s = Scan::read(text).expect("it is SIP");
        assert_eq!((s.code, s.method, s.vias().count(), s.routes().count()), (200, &b"INVITE"[..], 2, 1));
        assert_eq!(s.contact, b"sip:c@127.0.0.1:5");
        assert_eq!(numbers(s.to_tag().expect("a tag")), Some((10, 11)));
        assert_eq!(s.media(), Some("127.0.0.9:4002".parse().expect("an address")));
    }

    #[test]
    fn an_answer_names_one_law_of_those_offered() {
        let formats = |m: &[u8]| {
            let text =
                [b"INVITE sip:a SIP/2.0\r\nVia: x\r\nCall-ID: 1\r\n\r\nm=audio 4 RTP/AVP ", m, b"\r\n"]
                    .concat();
            Scan::read(&text).expect("it is SIP").formats().collect::<Vec<_>>()
        };
        assert_eq!(formats(b"0 8 101"), [0, 101]);
        assert_eq!(formats(b"18 8 0"), [8]);
    }

    #[test]
    fn a_message_that_breaks_off_is_refused() {
        assert!(Scan::read(b"INVITE sip:a SIP/2.0\r\nVia: x\r\nCall-ID: 1").is_none());
    }
}
