//! Typed views of a message, made when asked for.

use crate::address::NameAddr;
use crate::class::{self, TOKEN, VISIBLE};
use crate::fault::Defect;
use crate::header::HeaderName;
use crate::lex::{is_blank, number, number32, sub, trim};
use crate::message::Message;
use crate::method::Method;
use crate::peek::Keys;
use crate::via::Via;

/// CSeq (RFC 3261 §20.16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Its number. A sender stays below 2³¹ (RFC 3261 §8.1.1.5); a receiver loses nothing by reading all 32 bits.
    pub number: u32,
    /// Its method.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads the header's value.
    pub fn parse(value: &'a [u8]) -> Result<CSeq<'a>, Defect> {
        let (number, method) = CSeq::split(value)?;
        Ok(CSeq { number, method: Method::parse(method) })
    }

    pub(crate) fn split(value: &[u8]) -> Result<(u32, &[u8]), Defect> {
        numbered(value).ok_or(Defect::Malformed(HeaderName::CSeq))
    }
}

/// RAck (RFC 3262 §7.2): which reliable response a PRACK confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RAck<'a> {
    /// The response's RSeq.
    pub rseq: u32,
    /// The response's CSeq number.
    pub cseq: u32,
    /// The response's CSeq method.
    pub method: Method<'a>,
}

impl<'a> RAck<'a> {
    /// Reads the header's value.
    pub fn parse(value: &'a [u8]) -> Result<RAck<'a>, Defect> {
        const BAD: Defect = Defect::Malformed(HeaderName::RAck);
        let (first, rest) = word(value);
        let rseq = number32(first).ok_or(BAD)?;
        let (cseq, method) = numbered(rest).ok_or(BAD)?;
        Ok(RAck { rseq, cseq, method: Method::parse(method) })
    }
}

/// The first word and, trimmed, what follows it.
fn word(value: &[u8]) -> (&[u8], &[u8]) {
    let value = trim(value);
    let end = value.iter().position(|b| is_blank(*b)).unwrap_or(value.len());
    (sub(value, 0, end), trim(sub(value, end, value.len())))
}

/// `NUMBER METHOD`
fn numbered(value: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, method) = word(value);
    Some((number32(digits)?, Some(method).filter(|method| class::is_word(method, TOKEN))?))
}

impl Message {
    /// The top Via.
    pub fn top_via(&self) -> Result<Via<'_>, Defect> {
        self.vitals().via(self.bytes())
    }

    /// Whether there is one Via and no more: nobody forwarded a request, or a response is for whoever made the request
    /// (RFC 3261 §8.1.3.3).
    pub fn has_one_via(&self) -> bool {
        self.vitals().has_one_via
    }

    /// Call-ID.
    pub fn call_id(&self) -> Result<&[u8], Defect> {
        let value = self.one(HeaderName::CallId)?;
        if class::is_word(value, VISIBLE) { Ok(value) } else { Err(Defect::Malformed(HeaderName::CallId)) }
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<CSeq<'_>, Defect> {
        self.vitals().cseq(self.bytes())
    }

    /// From.
    pub fn from(&self) -> Result<NameAddr<'_>, Defect> {
        self.vitals().from(self.bytes())
    }

    /// To.
    pub fn to(&self) -> Result<NameAddr<'_>, Defect> {
        self.vitals().to(self.bytes())
    }

    /// The first Contact.
    pub fn contact(&self) -> Result<Option<NameAddr<'_>>, Defect> {
        let parse = |value| NameAddr::parse(value).map_err(|_| Defect::Malformed(HeaderName::Contact));
        self.values(HeaderName::Contact).next().map(parse).transpose()
    }

    /// Max-Forwards, 0 to 255 (RFC 3261 §20.22).
    pub fn max_forwards(&self) -> Result<Option<u8>, Defect> {
        const BAD: Defect = Defect::Malformed(HeaderName::MaxForwards);
        self.header(HeaderName::MaxForwards)
            .map(|value| number(value).and_then(|n| u8::try_from(n).ok()).ok_or(BAD))
            .transpose()
    }

    /// RSeq of a reliable provisional response (RFC 3262 §7.1).
    pub fn rseq(&self) -> Result<Option<u32>, Defect> {
        self.number32(HeaderName::RSeq)
    }

    /// RAck of a PRACK (RFC 3262 §7.2).
    pub fn rack(&self) -> Result<Option<RAck<'_>>, Defect> {
        self.header(HeaderName::RAck).map(RAck::parse).transpose()
    }

    /// Expires, in seconds.
    pub fn expires(&self) -> Result<Option<u32>, Defect> {
        self.number32(HeaderName::Expires)
    }

    /// Retry-After, in seconds, without its comment and parameters (RFC 3261 §20.33).
    pub fn retry_after(&self) -> Result<Option<u32>, Defect> {
        self.number32(HeaderName::RetryAfter)
    }

    /// A header that starts with a number, which may be followed by blanks, a comment or parameters (Expires,
    /// Retry-After, Session-Expires, Min-SE, RSeq).
    pub fn number32(&self, name: HeaderName) -> Result<Option<u32>, Defect> {
        let Some(value) = self.header(name) else { return Ok(None) };
        let digits = value.iter().position(|b| !b.is_ascii_digit()).unwrap_or(value.len());
        let follows = value.get(digits).copied().unwrap_or(b' ');
        let number =
            number32(sub(value, 0, digits)).filter(|_| is_blank(follows) || matches!(follows, b';' | b'('));
        number.map(Some).ok_or(Defect::Malformed(name))
    }

    /// What names this message's transaction and dialog.
    pub fn keys(&self) -> Option<Keys<'_>> {
        Some(Keys {
            is_request: self.is_request(),
            method: Some(self.method()).filter(|method| !method.as_bytes().is_empty()),
            code: self.code(),
            branch: self.top_via().ok().and_then(|via| via.branch).unwrap_or_default(),
            to_tag: self.to().ok().and_then(|to| to.tag()),
            call_id: self.call_id().ok()?,
        })
    }

    fn one(&self, name: HeaderName) -> Result<&[u8], Defect> {
        self.header(name).ok_or(Defect::Missing(name))
    }
}
