//! What others than the call's ends are not to read: numbers, descriptions, and keys never.
//!
//! Everything keeps its length and its lines, so that what is left is still a SIP message.

use std::borrow::Cow;

/// What is hidden. Keys of SRTP and answers to challenges always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Redaction {
    /// Digits of numbers, up to the last two.
    pub numbers: bool,
    /// Bodies, but for their ends of lines.
    pub bodies: bool,
}

/// A run of so many digits is a number of somebody.
const NUMBER: usize = 5;

/// Header fields that say who calls, is called, has diverted or is meant; beside the request line. With their compact forms (RFC 3261 §20).
const PEOPLE: [&[u8]; 14] = [
    b"from",
    b"f",
    b"to",
    b"t",
    b"contact",
    b"m",
    b"p-asserted-identity",
    b"p-preferred-identity",
    b"remote-party-id",
    b"diversion",
    b"history-info",
    b"refer-to",
    b"r",
    b"referred-by",
];

/// Header fields of which nothing is shown but the scheme.
const SECRETS: [&[u8]; 2] = [b"authorization", b"proxy-authorization"];

impl Redaction {
    /// The message as others may read it.
    pub(crate) fn apply<'a>(&self, message: &'a [u8]) -> Cow<'a, [u8]> {
        let head = memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 4);
        let body = message.get(head..).unwrap_or_default();
        let secret_body =
            memchr::memmem::find(body, b"a=crypto:").is_some() || memchr::memmem::find(body, b"k=").is_some();
        let secret_head = has_secret(message.get(..head).unwrap_or_default());
        if !self.numbers && !self.bodies && !secret_body && !secret_head {
            return Cow::Borrowed(message);
        }
        let mut text = message.to_vec();
        let (head, body) = text.split_at_mut(head);
        let mut in_secret = false;
        let mut in_people = true;
        for line in head.split_inclusive_mut(|b| *b == b'\n') {
            // A line that begins with a space goes on with the one before (RFC 3261 §7.3.1).
            if !line.first().is_some_and(|b| matches!(b, b' ' | b'\t')) {
                let name =
                    line.split(|b| *b == b':').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
                in_secret = SECRETS.contains(&name.as_slice());
                in_people = PEOPLE.contains(&name.as_slice()) || !line.contains(&b':') || is_start(line);
            }
            if in_secret {
                let from = memchr::memmem::find(line, b" ").map_or(0, |at| at + 1);
                let from = from + line.get(from..).and_then(|l| memchr::memchr(b' ', l)).unwrap_or_default();
                hide(line.get_mut(from..).unwrap_or_default());
            } else if in_people && self.numbers {
                numbers(line);
            }
        }
        for line in body.split_inclusive_mut(|b| *b == b'\n') {
            if self.bodies {
                hide(line);
            } else if line.starts_with(b"a=crypto:") || line.starts_with(b"k=") {
                let from = memchr::memmem::find(line, b"inline:").map_or(2, |at| at + 7);
                hide(line.get_mut(from..).unwrap_or_default());
            }
        }
        Cow::Owned(text)
    }
}

/// Whether a header field of the head is one of [`SECRETS`], in whichever case.
fn has_secret(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|end| {
        let line = head.get(end + 1..).unwrap_or_default();
        line.first().is_some_and(|b| matches!(b.to_ascii_lowercase(), b'a' | b'p'))
            && line
                .get(..line.len().min(64))
                .and_then(|line| line.split(|b| *b == b':').next())
                .is_some_and(|name| SECRETS.iter().any(|s| name.trim_ascii().eq_ignore_ascii_case(s)))
    })
}

/// A request line has a URI, and so a colon, but no name before it.
fn is_start(line: &[u8]) -> bool {
    line.trim_ascii_end().ends_with(b"SIP/2.0")
}

fn hide(line: &mut [u8]) {
    line.iter_mut().filter(|b| !matches!(b, b'\r' | b'\n' | b' ')).for_each(|b| *b = b'x');
}

/// Every long run of digits but its last two, unless it stands behind `@` or in a parameter, where hosts and tags stand, or is a port.
fn numbers(line: &mut [u8]) {
    let mut at = 0;
    let (mut in_host, mut in_place) = (false, true);
    while let Some(byte) = line.get(at) {
        match byte {
            b'@' => (in_host, in_place) = (true, false),
            b';' => in_place = false,
            b':' if !in_host => in_place = true,
            b'<' | b'"' | b',' => (in_host, in_place) = (false, true),
            _ => {}
        }
        let (before, rest) = line.split_at(at);
        let run = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        let is_port = run == NUMBER
            && before.ends_with(b":")
            && !before.ends_with(b"tel:")
            && rest.get(run).is_none_or(|next| *next != b'@');
        if in_place && run >= NUMBER && !is_port {
            let hidden = line.get_mut(at..at + run - 2).unwrap_or_default();
            hidden.fill(b'x');
        }
        at += run.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:+4930123456@192.0.2.1:5060;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1234567\r\n\
        From: \"4917099999\" <sip:+4917099999@192.0.2.2>;tag=1234567\r\nTo: <tel:+4930123456>\r\nCall-ID: 12345678\r\n\
        Proxy-Authorization: Digest username=\"me\",\r\n response=\"abc\"\r\nContent-Length: 99999\r\n\r\n\
        v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secretsecret\r\nm=audio 40000 RTP/SAVP 0\r\n";

    fn applied(redaction: Redaction) -> String {
        let redacted = redaction.apply(INVITE.as_bytes());
        assert_eq!(redacted.len(), INVITE.len());
        String::from_utf8(redacted.into_owned()).unwrap()
    }

    #[test]
    fn keys_and_credentials_are_never_shown() {
        let text = applied(Redaction::default());
        assert!(!text.contains("secret") && !text.contains("abc") && !text.contains("\"me\""), "{text}");
        assert!(text.contains("Digest ") && text.contains("AES_CM_128_HMAC_SHA1_80 inline:xxx"), "{text}");
        assert!(text.contains("+4930123456@") && text.contains("m=audio 40000"), "{text}");
    }

    #[test]
    fn credentials_are_found_however_their_name_is_written() {
        for name in ["AUTHORIZATION", "proxy-authorization", "aUthorizatioN ", "Proxy-AuthorizatioN\t"] {
            let message = format!("BYE sip:a@b SIP/2.0\r\n{name}: Digest response=\"abc\"\r\n\r\n");
            let shown = Redaction::default().apply(message.as_bytes()).into_owned();
            assert!(!String::from_utf8(shown).unwrap().contains("abc"), "{name}");
        }
    }

    #[test]
    fn numbers_keep_their_end_and_what_only_looks_like_one_stays() {
        let text = applied(Redaction { numbers: true, bodies: false });
        for hidden in ["30123456", "17099999"] {
            assert!(!text.contains(hidden), "{text}");
        }
        for kept in [
            "xx56@192.0.2.1:5060",
            "z9hG4bK1234567",
            "tag=1234567",
            "Call-ID: 12345678",
            "xx99\" <sip:",
            "99999\r\n\r\n",
        ] {
            assert!(text.contains(kept), "{kept}\n{text}");
        }
    }

    #[test]
    fn bodies_keep_their_lines_alone() {
        let text = applied(Redaction { numbers: false, bodies: true });
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.lines().count(), 3);
        assert!(body.chars().all(|c| matches!(c, 'x' | '\r' | '\n' | ' ')), "{body}");
    }

    #[test]
    fn what_has_nothing_to_hide_is_not_copied() {
        let message = b"SIP/2.0 200 OK\r\nCall-ID: 1\r\n\r\n";
        assert!(matches!(Redaction::default().apply(message), Cow::Borrowed(_)));
    }
}
