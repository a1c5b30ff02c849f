//! SIP messages over bytes.
//!
//! One scan of a message's bytes makes an index of spans ([`Message`]); typed views ([`Via`], [`NameAddr`], [`Uri`],
//! [`CSeq`]) are made when asked for and borrow from it; a hop's rewriting is a [`Splice`] between spans; what is ours
//! from the first byte is written by a [`Builder`]. [`peek`] finds what routes a message without a parse,
//! [`Glimpse`] what turns it away, [`Framer`] cuts streams into messages, [`sdp`] reads session descriptions and puts our address into them.
//!
//! What it never does: read a socket or a clock; copy a message to look at it; turn bytes into text (bodies and display
//! names are bytes, UTF-8 or not); panic on input; grow without bound (see [`limits`]); reject a message for a header,
//! method or scheme that it does not know.
//!
//! Shape and meaning are judged apart. [`Message::parse`] rejects what is no message ([`RejectReason`]);
//! [`Message::check`] tells what a user agent must not act on ([`Defect`]). Both are strict where guessing would let two
//! elements read one message in two ways (line ends, Content-Length, blanks in the start line) and forgiving elsewhere.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

mod address;
mod builder;
mod check;
mod class;
mod eight;
mod fault;
mod framer;
mod glimpse;
mod header;
pub mod host;
mod lex;
pub mod limits;
mod lines;
mod message;
mod method;
mod peek;
mod reason;
mod scan;
pub mod sdp;
mod splice;
mod start;
mod uri;
mod values;
mod via;
mod views;
mod vitals;

pub use address::NameAddr;
pub use builder::Builder;
pub use fault::{Defect, RejectReason, Rejected};
pub use framer::{Frame, FrameError, Framer};
pub use glimpse::Glimpse;
pub use header::{Header, HeaderName};
pub use lex::{unescape, unfold, unquote};
pub use message::Message;
pub use method::Method;
pub use peek::{Keys, peek, peek_answer, peek_call_id};
pub use reason::reason_phrase;
pub use splice::Splice;
pub use uri::{Scheme, Uri};
pub use values::{Param, Params};
pub use via::Via;
pub use views::{CSeq, RAck};
