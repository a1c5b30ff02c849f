//! What can be seen to be broken on the wire.

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident => $source:literal,)+) => {
        /// A rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule {
            $($(#[doc = $doc])+ $rule,)+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$rule),+];

            /// Where it stands.
            pub const fn source(self) -> &'static str {
                match self {
                    $(Self::$rule => $source,)+
                }
            }

            /// What it is called.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => stringify!($rule),)+
                }
            }
        }
    };
}

rules! {
    /// What we send can be read as a SIP message.
    Unreadable => "RFC 3261 §7",
    /// Every message has the headers that it must have, each once.
    Headers => "RFC 3261 §8.1.1, §8.2.6.2, §20",
    /// Content-Length is the body's length.
    ContentLength => "RFC 3261 §20.14",
    /// INVITE and UPDATE, their 2xx, and responses that make a dialog name one Contact.
    Contact => "RFC 3261 §8.1.1.8, §12.1.1; RFC 3311 §5.1",
    /// A request has Max-Forwards.
    MaxForwards => "RFC 3261 §8.1.1.6",
    /// A branch of ours begins with the magic cookie.
    Cookie => "RFC 3261 §8.1.1.7",
    /// A branch names one transaction only.
    Branch => "RFC 3261 §8.1.1.7",
    /// The Via names the transport over which a request goes.
    Transport => "RFC 3261 §18.1.1",
    /// A refusal says what would have been right: 405 with Allow, 420 with Unsupported, and so on.
    Explained => "RFC 3261 §21.4, RFC 4028 §6",
    /// A response answers a request that came.
    StrayResponse => "RFC 3261 §17.2",
    /// It has the request's Via, From, Call-ID and CSeq.
    EchoedHeaders => "RFC 3261 §8.2.6.2",
    /// Its topmost Via says where the request came from, where that is not what it said itself.
    Received => "RFC 3261 §18.2.1, RFC 3581 §4",
    /// Over a datagram, it goes to where the request came from.
    ResponseTo => "RFC 3261 §18.2.2, RFC 3581 §4",
    /// ACK is not answered.
    AckAnswered => "RFC 3261 §17",
    /// A request has one final response; repeated, it is the same.
    OneFinal => "RFC 3261 §17.2.1, §17.2.2",
    /// Nothing provisional after the final response.
    LateProvisional => "RFC 3261 §17.2.1",
    /// Responses above 100 have a To tag, the same for all responses to one request.
    ToTag => "RFC 3261 §8.2.6.2",
    /// A request that has had a provisional response has a final one in the end.
    Unanswered => "RFC 3261 §8.2",
    /// An INVITE has its first response within 200 ms.
    Trying => "RFC 3261 §17.2.1",
    /// A request other than INVITE has no 408, nothing provisional but 100, and that not before timer E is at T2.
    NonInvite => "RFC 4320 §4.1, §4.2",
    /// An INVITE is not accepted after its CANCEL was.
    Cancelled => "RFC 3261 §9.2",
    /// What is sent again is the same.
    Retransmission => "RFC 3261 §17.1, §13.2.2.4",
    /// Nothing is sent again sooner than its timer says, and not at all where a stream delivers it.
    TooSoon => "RFC 3261 §17.1.1.2, §17.1.2.2, §17.2.1, §13.3.1.4; RFC 3262 §3",
    /// What has to be sent again is sent when its timer says.
    TooLate => "RFC 3261 §17.1.1.2, §17.1.2.2, §17.2.1, §13.3.1.4; RFC 3262 §3",
    /// Nothing is sent again after 64*T1.
    TooLong => "RFC 3261 §17.1.1.2, §17.1.2.2, §17.2.1, §13.3.1.4; RFC 3262 §3",
    /// An INVITE is not sent again once it has a response; no request is once it has a final one.
    AfterResponse => "RFC 3261 §17.1.1.2, §17.1.2.2",
    /// A final response is not sent again once it has its ACK, nor a reliable provisional one once it has its PRACK.
    AfterAck => "RFC 3261 §17.2.1, §13.3.1.4; RFC 3262 §3",
    /// Every final response to our INVITE has its ACK.
    NoAck => "RFC 3261 §13.2.2.4, §17.1.1.3",
    /// ACK belongs to a final response, CANCEL to an INVITE, and each is like the INVITE.
    AckOrCancel => "RFC 3261 §9.1, §13.2.2.4, §17.1.1.3",
    /// CANCEL waits for a provisional response and is pointless after the final one.
    Cancel => "RFC 3261 §9.1",
    /// The CSeq of our requests in a dialog grows by one; that of a BYE may leave numbers out, for requests that were never sent.
    CSeq => "RFC 3261 §12.2.1.1",
    /// A request in a dialog has the dialog's tags.
    UnknownDialog => "RFC 3261 §12.2.1.1",
    /// It goes to the remote target, by the route set.
    Target => "RFC 3261 §12.2.1.1",
    /// Nothing but ACK goes out in a dialog after its BYE, except another BYE while none was answered.
    AfterBye => "RFC 3261 §15",
    /// Who was called does not hang up before its 2xx has its ACK, or 64*T1 are over; a leg that the call has left may be told.
    ByeBeforeAck => "RFC 3261 §15",
    /// A request out of order is refused.
    OutOfOrder => "RFC 3261 §12.2.2",
    /// One offer at a time, and one INVITE.
    SecondOffer => "RFC 3264 §4, RFC 3311 §5.1, RFC 3261 §14.1",
    /// An offer is answered, line by line, in the message that has to carry the answer.
    Answer => "RFC 3261 §13.2.1, RFC 3264 §6",
    /// The version in `o=` grows by one with every change, and not by more without one.
    Version => "RFC 3264 §8",
    /// A provisional response is reliable only where it was allowed to be, RSeq grows by one, and nothing follows the first
    /// before it has its PRACK.
    Reliable => "RFC 3262 §3",
}
