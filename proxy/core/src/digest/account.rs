//! Who somebody is, and how that is shown: from the configuration.

use super::algorithm::{DigestHash, Hex};
use relay_values::Duration;
use std::sync::Arc;

/// A name and its secret in one realm: ours at a neighbour's, or a neighbour's with us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The realm that it is good for. Without quotes, backslashes and control characters.
    pub realm: Box<str>,
    /// The user's name. Likewise.
    pub username: Box<str>,
    /// What nobody else knows.
    pub secret: Secret,
}

/// A password, or what is left of it. Is never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password itself: good for every hash.
    Password(Box<[u8]>),
    /// The hash of `username:realm:password`, in hexadecimal digits: good for that hash alone (RFC 7616 §5.13).
    Ha1(DigestHash, Box<[u8]>),
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Password(_) => f.write_str("Password(..)"),
            Self::Ha1(hash, _) => f.debug_tuple("Ha1").field(hash).finish_non_exhaustive(),
        }
    }
}

impl Account {
    /// The hash of user, realm and password; `None` where only another one is known.
    pub(super) fn ha1(&self, hash: DigestHash) -> Option<Hex> {
        match &self.secret {
            Secret::Password(password) => {
                Some(hash.of(&[self.username.as_bytes(), self.realm.as_bytes(), password]))
            }
            Secret::Ha1(of, digits) => (*of == hash).then(|| Hex::copy(digits)),
        }
    }
}

/// Who a neighbour has to show that it is, before anything of it is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The realm that it is asked for; its accounts are of that one.
    pub realm: Box<str>,
    /// Who may come in.
    pub users: Vec<Account>,
    /// The hashes that are offered, the one that we like best first (RFC 8760 §2.3).
    pub hashes: Vec<DigestHash>,
    /// `auth-int` is offered beside `auth`.
    pub integrity: bool,
    /// How long a nonce is good for, in whole seconds.
    pub nonce_life: Duration,
}

/// Digest authentication (RFC 3261 §22), both ways. What a trunk or a group has of it, its [`Manners`](crate::Manners) say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authentication {
    /// What we are known by, one list for each neighbour that knows us.
    pub accounts: Vec<Arc<[Account]>>,
    /// Who is to show that it is.
    pub demands: Vec<Arc<Demand>>,
}

/// A list of [`Authentication::accounts`], by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccountsId(pub u16);

/// One of [`Authentication::demands`], by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DemandId(pub u16);
