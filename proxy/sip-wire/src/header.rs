//! Header field names: an enum, and a lookup from bytes that allocates nothing.

/// One header line of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Which header it is; [`HeaderName::Other`] when we have no name for it.
    pub id: HeaderName,
    /// Its name as written.
    pub name: &'a [u8],
    /// Its value without blanks at the ends; folds inside are kept (see [`unfold`](crate::unfold)).
    pub value: &'a [u8],
}

macro_rules! header_names {
    ($($variant:ident $text:literal $compact:literal $list:literal,)*) => {
        /// A header field's name. Compact forms (RFC 3261 §7.3.3 and the later registrations) are the same name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// A name that is not in this list; see [`Message::named`](crate::Message::named).
            Other,
        }

        const KNOWN: &[HeaderName] = &[$(HeaderName::$variant,)*];
        const TEXT: &[&str] = &[$($text,)*];
        const LABELS: &[&str] = &[$(concat!($text, ": "),)*];
        const COMPACT: &[u8] = &[$($compact,)*];
        const LIST: &[bool] = &[$($list,)*];
    };
}

// Name, compact form (or a blank), and whether one line may carry several values separated by commas.
header_names! {
    Via "Via" b'v' true,
    From "From" b'f' false,
    To "To" b't' false,
    CallId "Call-ID" b'i' false,
    CSeq "CSeq" b' ' false,
    Contact "Contact" b'm' true,
    MaxForwards "Max-Forwards" b' ' false,
    Route "Route" b' ' true,
    RecordRoute "Record-Route" b' ' true,
    ContentType "Content-Type" b'c' false,
    ContentLength "Content-Length" b'l' false,
    ContentEncoding "Content-Encoding" b'e' true,
    ContentDisposition "Content-Disposition" b' ' false,
    ContentLanguage "Content-Language" b' ' true,
    MimeVersion "MIME-Version" b' ' false,
    Require "Require" b' ' true,
    ProxyRequire "Proxy-Require" b' ' true,
    Supported "Supported" b'k' true,
    Unsupported "Unsupported" b' ' true,
    Allow "Allow" b' ' true,
    AllowEvents "Allow-Events" b'u' true,
    Accept "Accept" b' ' true,
    AcceptEncoding "Accept-Encoding" b' ' true,
    AcceptLanguage "Accept-Language" b' ' true,
    RAck "RAck" b' ' false,
    RSeq "RSeq" b' ' false,
    Reason "Reason" b' ' true,
    RetryAfter "Retry-After" b' ' false,
    Expires "Expires" b' ' false,
    MinExpires "Min-Expires" b' ' false,
    SessionExpires "Session-Expires" b'x' false,
    MinSe "Min-SE" b' ' false,
    PAssertedIdentity "P-Asserted-Identity" b' ' true,
    PPreferredIdentity "P-Preferred-Identity" b' ' true,
    RemotePartyId "Remote-Party-ID" b' ' true,
    Privacy "Privacy" b' ' false,
    Diversion "Diversion" b' ' true,
    HistoryInfo "History-Info" b' ' true,
    Identity "Identity" b'y' true,
    ReferTo "Refer-To" b'r' false,
    ReferredBy "Referred-By" b'b' false,
    Replaces "Replaces" b' ' false,
    Join "Join" b' ' false,
    TargetDialog "Target-Dialog" b' ' false,
    Event "Event" b'o' false,
    SubscriptionState "Subscription-State" b' ' false,
    SipETag "SIP-ETag" b' ' false,
    SipIfMatch "SIP-If-Match" b' ' false,
    Subject "Subject" b's' false,
    Date "Date" b' ' false,
    Timestamp "Timestamp" b' ' false,
    UserAgent "User-Agent" b' ' false,
    Server "Server" b' ' false,
    Organization "Organization" b' ' false,
    Priority "Priority" b' ' false,
    ResourcePriority "Resource-Priority" b' ' true,
    AcceptResourcePriority "Accept-Resource-Priority" b' ' true,
    Warning "Warning" b' ' true,
    WwwAuthenticate "WWW-Authenticate" b' ' false,
    Authorization "Authorization" b' ' false,
    ProxyAuthenticate "Proxy-Authenticate" b' ' false,
    ProxyAuthorization "Proxy-Authorization" b' ' false,
    AuthenticationInfo "Authentication-Info" b' ' false,
    Path "Path" b' ' true,
    ServiceRoute "Service-Route" b' ' true,
    AlertInfo "Alert-Info" b' ' true,
    CallInfo "Call-Info" b' ' true,
    ErrorInfo "Error-Info" b' ' true,
    InReplyTo "In-Reply-To" b' ' true,
    ReplyTo "Reply-To" b' ' false,
    UserToUser "User-to-User" b' ' true,
    SessionId "Session-ID" b' ' false,
    AcceptContact "Accept-Contact" b'a' true,
    RejectContact "Reject-Contact" b'j' true,
    RequestDisposition "Request-Disposition" b'd' true,
    Geolocation "Geolocation" b' ' true,
    FeatureCaps "Feature-Caps" b' ' true,
    PEarlyMedia "P-Early-Media" b' ' true,
    PCalledPartyId "P-Called-Party-ID" b' ' false,
    PChargingVector "P-Charging-Vector" b' ' false,
    PAccessNetworkInfo "P-Access-Network-Info" b' ' true,
    PVisitedNetworkId "P-Visited-Network-ID" b' ' true,
    MaxBreadth "Max-Breadth" b' ' false,
    ReferSub "Refer-Sub" b' ' false,
    InfoPackage "Info-Package" b' ' false,
}

/// A power of two, about six times the names, so that few meet.
const SLOTS: usize = 512;

const fn slot(first: u8, last: u8, len: usize) -> usize {
    let (first, last) = (first as usize & 31, last as usize & 31);
    (first * 37 + last * 5 + len * 17) % SLOTS
}

/// Names by a hash of length, first and last letter; a collision moves to the next slot. Empty text ends a search.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
static BY_HASH: [(&str, HeaderName); SLOTS] = {
    let mut table = [("", HeaderName::Other); SLOTS];
    let mut i = 0;
    while i < TEXT.len() {
        let name = TEXT[i].as_bytes();
        let mut at = slot(name[0], name[name.len() - 1], name.len());
        while !table[at].0.is_empty() {
            at = (at + 1) % SLOTS;
        }
        table[at] = (TEXT[i], KNOWN[i]);
        i += 1;
    }
    table
};

const EMPTY: u8 = u8::MAX;

/// Position in `KNOWN` by compact letter.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const BY_LETTER: [u8; 26] = {
    let mut table = [EMPTY; 26];
    let mut i = 0;
    while i < COMPACT.len() {
        if COMPACT[i] != b' ' {
            table[(COMPACT[i] - b'a') as usize] = i as u8;
        }
        i += 1;
    }
    table
};

/// Whether both are the same bytes: for most names a look at both ends, which is quicker than a call.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && match (a.first_chunk::<8>(), b.first_chunk::<8>()) {
            (Some(first), Some(head)) if a.len() <= 16 => {
                first == head && a.last_chunk::<8>() == b.last_chunk::<8>()
            }
            _ => a == b,
        }
}

impl HeaderName {
    /// The name that these bytes spell, in any case, in full or compact form.
    pub fn lookup(name: &[u8]) -> HeaderName {
        let ([first, .., last], len) = (name, name.len()) else { return HeaderName::compact(name) };
        let mut at = slot(*first, *last, len);
        while let Some((text, known)) = BY_HASH.get(at)
            && !text.is_empty()
        {
            if same(text.as_bytes(), name) || text.as_bytes().eq_ignore_ascii_case(name) {
                return *known;
            }
            at = (at + 1) % SLOTS;
        }
        HeaderName::Other
    }

    fn compact(name: &[u8]) -> HeaderName {
        let letter = name.first().filter(|b| b.is_ascii_alphabetic()).map(|b| usize::from((b | 0x20) - b'a'));
        let known = letter.and_then(|letter| BY_LETTER.get(letter)).map(|at| usize::from(*at));
        known.and_then(|at| KNOWN.get(at)).copied().unwrap_or(HeaderName::Other)
    }

    /// Its name in full, as RFCs write it; empty for [`HeaderName::Other`].
    pub fn as_bytes(self) -> &'static [u8] {
        self.as_str().as_bytes()
    }

    /// Its name as a line begins with it, colon and blank included.
    pub(crate) fn label(self) -> &'static [u8] {
        LABELS.get(self as usize).copied().unwrap_or_default().as_bytes()
    }

    /// The same as text.
    pub fn as_str(self) -> &'static str {
        TEXT.get(self as usize).copied().unwrap_or_default()
    }

    /// Whether one line may carry several values separated by commas (RFC 3261 §7.3.1).
    pub fn is_list(self) -> bool {
        LIST.get(self as usize).copied().unwrap_or(false)
    }

    /// Every name that we know.
    pub fn all() -> &'static [HeaderName] {
        KNOWN
    }
}
