//! Locate: from a configured host name to the addresses behind it (RFC 3263), and how long they are believed.
//!
//! Sans-IO like the rest: questions come out ([`Locate::poll_query`]), answers go in, and what they amount to comes out as
//! a list of addresses for each [`Place`]. [`round`] walks once from a name to its addresses (NAPTR, SRV, A or AAAA),
//! [`known`] holds what was found and says what one more answer makes of it, [`name`] decides when to ask. Nothing here is
//! asked for a call: [`Config::located`](crate::Config::located) puts the addresses where configured ones stand, and a
//! change is a new configuration like any other.
//!
//! What keeps calls going: an address is probed and judged like a configured one, whatever its TTL says; a server that
//! does not answer leaves what was found in force (RFC 8767); and a server that denies what it said before is believed
//! only after a while.

mod core;
mod known;
mod name;
mod place;
mod put;
mod question;
mod reason;
mod round;
mod view;

#[cfg(test)]
mod tests;

pub use self::core::{Locate, LocateChange, LocateInput, LocatePolicy};
pub use known::LocatedAddress;
pub use name::LocateCounters;
pub use place::{DnsName, Family, NotAHost, Place};
pub use put::{Dispute, Disputed, Resolution};
pub use question::{Absent, Answer, Data, Failure, Question, QuestionId, QuestionKind, Record};
pub use reason::LocateReason;
pub use view::{AddressView, PlaceState, PlaceView};
