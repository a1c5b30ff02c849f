//! Is a message sound enough to act on?

use crate::address::NameAddr;
use crate::fault::Defect;
use crate::header::HeaderName;
use crate::message::Message;
use crate::uri::Uri;

/// Headers that every message carries (RFC 3261 §8.1.1). Max-Forwards is mandatory too, but RFC 2543 did not know it,
/// and its absence is repaired (RFC 3261 §16.3 step 3).
const MANDATORY: [HeaderName; 5] =
    [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];

/// Headers that may stand once only.
const SINGLE: [HeaderName; 5] =
    [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq, HeaderName::MaxForwards];

impl Message {
    /// Everything that a user agent core needs before it acts: version 2.0; the mandatory headers present, and once
    /// where they are single; Via, From, To, Call-ID, CSeq, Max-Forwards and every Contact readable; for a request a URI
    /// that parses and carries no headers, and the CSeq of the same method.
    ///
    /// Left alone on purpose: headers that we neither use nor pass on (Date, Warning, Expires of a request) and the tags,
    /// which RFC 2543 did not demand.
    pub fn check(&self) -> Result<(), Defect> {
        if !self.version().eq_ignore_ascii_case(b"SIP/2.0") {
            return Err(Defect::Version);
        }
        self.presence()?;
        self.top_via()?;
        self.from()?;
        self.to()?;
        self.call_id()?;
        self.max_forwards()?;
        for contact in self.values(HeaderName::Contact) {
            NameAddr::parse(contact).map_err(|_| Defect::Malformed(HeaderName::Contact))?;
        }
        let cseq = self.cseq()?;
        if !self.is_request() {
            return Ok(());
        }
        if cseq.method != self.method() {
            return Err(Defect::CSeqMethod);
        }
        let uri = Uri::parse(self.uri()).map_err(|_| Defect::RequestUri)?;
        if uri.headers.is_some() { Err(Defect::RequestUriHeaders) } else { Ok(()) }
    }

    fn presence(&self) -> Result<(), Defect> {
        let names = &self.index().names;
        if let Some(name) = MANDATORY.into_iter().find(|name| !names.has(*name)) {
            return Err(Defect::Missing(name));
        }
        match SINGLE.into_iter().find(|name| names.repeats(*name)) {
            Some(name) => Err(Defect::Duplicate(name)),
            None => Ok(()),
        }
    }
}
