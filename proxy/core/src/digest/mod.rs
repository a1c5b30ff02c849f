//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760), both ways.
//!
//! Asked by a neighbour, we answer: [`challenge`] reads what is wanted and chooses, [`pass`] is what is shown, and
//! [`answering`] says the request again. Asking a neighbour, we keep nothing until somebody has shown who he is:
//! [`nonce`] makes nonces that prove themselves, [`claim`] judges what is shown, [`demanding`] stands at the door.
//! [`algorithm`] is the arithmetic of both, [`fields`] the grammar.

mod account;
mod algorithm;
mod answering;
mod challenge;
mod claim;
mod demanding;
mod fields;
mod nonce;
mod pass;

pub use account::{Account, AccountsId, Authentication, Demand, DemandId, Secret};
pub use algorithm::DigestHash;
pub(crate) use answering::{Next, Retry};
pub(crate) use challenge::choose;
pub(crate) use nonce::Nonces;
pub(crate) use pass::Passes;
