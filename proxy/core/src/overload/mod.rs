//! What is done when there is more to do than time to do it, and with those who have no business here.
//!
//! Two gates stand before a transaction. The door ([`door`]) looks at a stranger's bytes before they are parsed, or even
//! copied: who is on the list of [`scanners`] is met with silence. What is let in waits for its shard, and the shell says
//! for how long ([`Input::Waited`](crate::Input::Waited)): when everything has waited too long ([`delay`]) new requests are
//! turned away, calls where they arrive and unparsed ([`arrival`]), the rest before they cost a transaction ([`shed`]); so are
//! those above the rate of their source or trunk ([`bucket`]).
//!
//! Between neighbours that know RFC 7339 less is sent in the first place ([`control`]).
//!
//! Nothing that belongs to a call is ever turned away here: requests inside dialogs, responses, ACK, CANCEL, and
//! retransmissions of what was taken. Nor are emergency calls.

mod arrival;
mod beginnings;
mod bucket;
mod control;
mod delay;
mod door;
mod scanners;
mod shed;
mod sources;

pub use beginnings::{begins_something, calls_for_help};
pub(crate) use control::{Said, Throttles, is_about_load};
pub(crate) use door::Door;
pub use scanners::ScannerView;
pub(crate) use shed::Load;
