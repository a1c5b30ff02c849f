//! STIR: who calls, signed by somebody who may say so (RFC 8224, RFC 8225, RFC 8588, RFC 8946).
//!
//! A [`Signer`] writes Identity header fields, a [`Case`] is what those of an INVITE claim of its call, [`Trust`] says which
//! certificates may speak for which numbers. Sans-IO: keys, certificates and the time come in as values, nothing is fetched,
//! nothing waits. The one thing drawn from the system is the nonce of a signature, inside the library that makes it.
//!
//! ```text
//!  numbers, attestation ──Signer──▶ Identity: header.claims.signature;info=<…>
//!  Identity values ──Case::read──▶ certificates wanted ──Trust::check──▶ Credential ──Case::judge──▶ Verdict | Failure
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

mod case;
mod chain;
mod claims;
mod date;
mod failure;
mod identity;
mod limits;
mod number;
mod passport;
mod pem;
mod sign;
mod tn_auth;

pub use case::{Case, Facts, Verdict};
pub use chain::{Credential, Trust};
pub use claims::{Attest, Claims, Kind, Party};
pub use date::{date, seconds};
pub use failure::Failure;
pub use identity::Identity;
pub use limits::{FRESH, MAX_BUNDLE};
pub use number::canonical;
pub use passport::Passport;
pub use sign::{BadKey, Signer};
pub use tn_auth::TnAuthList;
