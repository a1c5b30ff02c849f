//! What a request asks of whoever takes it, and what a refusal has to say about it: extensions, bodies, encodings, and
//! what may come back (RFC 3261 §8.2.2.3, §8.2.3, §20.1).

use crate::call::{refused_for, understands};
use crate::{RejectReason, SessionPolicy};
use sip_wire::{Builder, HeaderName, Message, Method, sdp};

/// The one kind of body that we read and write.
const SDP: &[u8] = b"application/sdp";

/// A request that is not taken: the code that answers it, and why.
pub(crate) type Refusal = (u16, RejectReason);

/// Whether everything that a request demands can be done. Its method and its place are judged elsewhere.
///
/// A BYE demands nothing: it ends the call, whatever else it would like (docs/deviations.md).
pub(crate) fn check(request: &Message, policy: &SessionPolicy) -> Result<(), Refusal> {
    let method = request.method();
    if !matches!(method, Method::Bye | Method::Ack | Method::Cancel)
        && request.values(HeaderName::Require).any(|option| !understands(option, policy))
    {
        return Err((420, RejectReason::BadExtension));
    }
    if matches!(method, Method::Invite | Method::Update) && refused_for(policy, request).is_some() {
        return Err((422, RejectReason::IntervalTooSmall));
    }
    // Bodies of other methods are carried as they are, or nobody reads them.
    if !matches!(method, Method::Invite | Method::Update | Method::Prack) {
        return Ok(());
    }
    if has_body(request) && (is_encoded(request) || sdp::find(request).is_none()) {
        return Err((415, RejectReason::UnsupportedMedia));
    }
    if !matches!(method, Method::Prack) && !accepts_sdp(request) {
        return Err((406, RejectReason::NothingAcceptable));
    }
    Ok(())
}

/// Whether there is a body that may not be passed over (RFC 3261 §20.11).
fn has_body(request: &Message) -> bool {
    !request.body_bytes().is_empty() && !is_optional(request)
}

fn is_optional(request: &Message) -> bool {
    let disposition = request.header(HeaderName::ContentDisposition);
    disposition.is_some_and(|value| {
        let mut params = value.split(|b| *b == b';').skip(1);
        params.any(|param| {
            let mut words = param.split(|b| *b == b'=').map(<[u8]>::trim_ascii);
            let (name, value) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            name.eq_ignore_ascii_case(b"handling") && value.eq_ignore_ascii_case(b"optional")
        })
    })
}

/// Whether the body is written in a way that we cannot read (RFC 3261 §20.12).
fn is_encoded(request: &Message) -> bool {
    request.values(HeaderName::ContentEncoding).any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

/// Whether a session description may stand in the answer: without Accept it may (RFC 3261 §20.1), with an empty one
/// nothing may.
fn accepts_sdp(request: &Message) -> bool {
    let mut lines = request.lines(HeaderName::Accept).peekable();
    if lines.peek().is_none() {
        return true;
    }
    request.values(HeaderName::Accept).any(|range| {
        let mut parts = range.split(|b| *b == b';').map(<[u8]>::trim_ascii);
        let kind = parts.next().unwrap_or_default();
        let named = [SDP, b"application/*", b"*/*"].iter().any(|known| kind.eq_ignore_ascii_case(known));
        named && !parts.any(is_nought)
    })
}

/// `q=0`, `q=0.0` and so on: not wanted at all.
fn is_nought(param: &[u8]) -> bool {
    let weight = param.strip_prefix(b"q=").or_else(|| param.strip_prefix(b"Q="));
    weight.is_some_and(|weight| weight.iter().all(|b| matches!(b, b'0' | b'.')))
}

/// What a refusal of this code says beside what every response does.
pub(crate) fn explain(
    out: &mut Builder,
    code: u16,
    request: &Message,
    policy: &SessionPolicy,
    allow: impl FnOnce() -> &'static [u8],
) {
    match code {
        405 | 501 => {
            out.header(HeaderName::Allow, allow());
        }
        415 if is_encoded(request) => {
            out.header(HeaderName::AcceptEncoding, b"identity");
        }
        415 => {
            out.header(HeaderName::Accept, SDP);
        }
        420 => {
            let wanted: Vec<&[u8]> =
                request.values(HeaderName::Require).filter(|option| !understands(option, policy)).collect();
            if !wanted.is_empty() {
                out.header(HeaderName::Unsupported, &wanted.join(&b", "[..]));
            }
        }
        422 => {
            out.number(HeaderName::MinSe, policy.min_se.as_secs());
        }
        _ => {}
    }
}

/// Our extensions (RFC 3261 §20.37).
pub(crate) fn supported(policy: &SessionPolicy) -> &'static [u8] {
    if policy.enabled { b"100rel, timer" } else { b"100rel" }
}

/// What whoever asks with OPTIONS is told (RFC 3261 §11.2).
pub(crate) fn describe_us(out: &mut Builder, policy: &SessionPolicy, allow: &[u8]) {
    out.header(HeaderName::Allow, allow)
        .header(HeaderName::Accept, SDP)
        .header(HeaderName::AcceptEncoding, b"identity")
        .header(HeaderName::AcceptLanguage, b"en")
        .header(HeaderName::Supported, supported(policy));
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn invite(fields: &str, body: &str) -> Message {
        let text = format!(
            "INVITE sip:1@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:1@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn judge(invite: &Message) -> Result<(), Refusal> {
        check(invite, &SessionPolicy::default())
    }

    const SDP_TYPE: &str = "Content-Type: application/sdp\r\n";

    #[test]
    fn a_body_of_another_kind_is_refused_unless_it_is_optional() {
        assert_eq!(judge(&invite(SDP_TYPE, "v=0\r\n")), Ok(()));
        let isup = "Content-Type: application/isup\r\n";
        assert_eq!(judge(&invite(isup, "x")).unwrap_err().0, 415);
        let optional = format!("{isup}Content-Disposition: signal ; handling = Optional\r\n");
        assert_eq!(judge(&invite(&optional, "x")), Ok(()));
        let required = format!("{isup}Content-Disposition: signal;handling=required\r\n");
        assert_eq!(judge(&invite(&required, "x")).unwrap_err().0, 415);
    }

    #[test]
    fn what_may_come_back_has_to_be_a_session_description() {
        for (accept, taken) in [
            ("application/sdp", true),
            ("application/isup, application/sdp;level=1", true),
            ("*/*", true),
            ("application/*;q=0.4", true),
            ("text/plain", false),
            ("application/sdp;q=0", false),
            ("application/sdp;q=0.000", false),
            ("", false),
        ] {
            let judged = judge(&invite(&format!("Accept: {accept}\r\n"), ""));
            assert_eq!(judged.is_ok(), taken, "{accept}");
        }
        assert_eq!(judge(&invite("", "")), Ok(()), "no Accept means application/sdp");
    }

    #[test]
    fn a_refusal_for_an_encoding_names_encodings_and_one_for_a_kind_names_kinds() {
        for (fields, name) in [
            (format!("{SDP_TYPE}Content-Encoding: gzip\r\n"), "Accept-Encoding: identity"),
            ("Content-Type: text/plain\r\n".to_owned(), "Accept: application/sdp"),
        ] {
            let invite = invite(&fields, "v=0\r\n");
            assert_eq!(judge(&invite), Err((415, RejectReason::UnsupportedMedia)));
            let mut out = Builder::response(415, b"X");
            explain(&mut out, 415, &invite, &SessionPolicy::default(), || b"INVITE");
            let text = String::from_utf8(out.finish().to_vec()).unwrap();
            assert_eq!(text.matches("Accept").count(), 1, "{text}");
            assert!(text.contains(name), "{text}");
        }
    }
}
