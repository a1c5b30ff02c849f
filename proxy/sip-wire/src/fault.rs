//! Why a message cannot be used. One value per reason: it feeds the log line, the metric label and the test.

use crate::header::HeaderName;
use crate::message::Message;
use std::fmt;

/// An enum of reasons with a stable label each.
macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $label:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every reason.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// Its label, in `snake_case`.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $label,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::error::Error for $name {}
    };
}
pub(crate) use reasons;

reasons! {
    /// Why [`Message::parse`](crate::Message::parse) found no message: its shape is broken.
    RejectReason {
        /// Nothing but line ends: a keep-alive.
        Empty = "empty",
        /// More than [`MAX_MESSAGE`](crate::limits::MAX_MESSAGE) bytes.
        TooLong = "too_long",
        /// Neither `METHOD URI SIP/x.y` nor `SIP/x.y CODE reason`.
        StartLine = "start_line",
        /// Blanks in the start line where exactly one space must stand (RFC 3261 §7.1).
        StartLineBlanks = "start_line_blanks",
        /// A status code that is not three digits from 100 to 699.
        StatusCode = "status_code",
        /// A header line without a colon.
        HeaderLine = "header_line",
        /// A header name that is not a token.
        HeaderName = "header_name",
        /// A CR or LF that stands alone: the line ends of SIP are CRLF (RFC 3261 §7).
        LineBreak = "line_break",
        /// More than [`MAX_HEADERS`](crate::limits::MAX_HEADERS) lines.
        TooManyHeaders = "too_many_headers",
        /// The header section does not end.
        HeadUnfinished = "head_unfinished",
        /// A Content-Length that is no number.
        ContentLength = "content_length",
        /// Two different Content-Lengths (RFC 4475 §3.3.9).
        ContentLengthConflict = "content_length_conflict",
        /// The body is shorter than its Content-Length (RFC 3261 §18.3).
        BodyShort = "body_short",
    }
}

/// A message that is none, and what of it could be read.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// What is wrong.
    pub reason: RejectReason,
    /// For a request from which Via, From, To, Call-ID and CSeq could be read: what is needed to answer 400. Its body
    /// is empty. `None` for a response, which is dropped (RFC 3261 §18.3), and for anything that cannot be answered.
    /// (An ACK is never answered; that is the caller's to know.)
    pub partial: Option<Message>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.as_str())
    }
}

impl std::error::Error for Rejected {}

/// What is wrong with a part of a message whose shape is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Defect {
    /// A version other than SIP/2.0: 505.
    Version,
    /// A mandatory header is missing (RFC 3261 §8.1.1).
    Missing(HeaderName),
    /// A header that may stand once stands more often (RFC 4475 §3.3.8).
    Duplicate(HeaderName),
    /// A header's value breaks its grammar.
    Malformed(HeaderName),
    /// The request URI cannot be parsed.
    RequestUri,
    /// The request URI carries a headers part (RFC 3261 §19.1.1: not allowed there).
    RequestUriHeaders,
    /// The CSeq's method is not the request's (RFC 3261 §8.1.1.5).
    CSeqMethod,
    /// An address: quotes or brackets that do not balance, blanks inside `<…>`, a bare URI with `?`.
    NameAddr,
    /// A URI's grammar.
    Uri,
    /// A host that is neither a name nor an address.
    Host,
    /// A port that is no number up to 65535.
    Port,
}

impl Defect {
    /// Its label, in `snake_case`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Defect::Version => "version",
            Defect::Missing(_) => "header_missing",
            Defect::Duplicate(_) => "header_duplicate",
            Defect::Malformed(_) => "header_malformed",
            Defect::RequestUri => "request_uri",
            Defect::RequestUriHeaders => "request_uri_headers",
            Defect::CSeqMethod => "cseq_method",
            Defect::NameAddr => "name_addr",
            Defect::Uri => "uri",
            Defect::Host => "host",
            Defect::Port => "port",
        }
    }

    /// The status code that answers it.
    pub const fn status(self) -> u16 {
        match self {
            Defect::Version => 505,
            _ => 400,
        }
    }

    /// The header that is at fault, where it is one.
    pub const fn header(self) -> Option<HeaderName> {
        match self {
            Defect::Missing(name) | Defect::Duplicate(name) | Defect::Malformed(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self.header() {
            Some(name) => write!(f, " ({})", name.as_str()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Defect {}
