//! How a neighbour behaves towards us, and we towards it.

use super::{CodesId, ProfileId};
use crate::StirId;
use crate::digest::{AccountsId, DemandId};
use std::ops::RangeInclusive;
/// What a neighbour may ask of us beside a call, and what we ask of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manners {
    /// When it answers an INVITE of ours with 3xx.
    pub redirect: Redirects,
    /// When it sends REFER.
    pub refer: Refers,
    /// It is told that we take reliable provisionals (RFC 3262) in every INVITE that brings an offer, and not only where the
    /// caller takes them too: its early media arrives for certain, for two messages more a call.
    pub offer_100rel: bool,
    /// What it is believed and told of who calls whom; `None`: the default profile.
    pub profile: Option<ProfileId>,
    /// What its final responses mean to the hunt; `None`: what they mean of everybody.
    pub codes: Option<CodesId>,
    /// What it knows us by, where it asks; `None`: it does not, or is not answered.
    pub accounts: Option<AccountsId>,
    /// What it has to show before anything new of its is begun; `None`: its address is enough.
    pub demand: Option<DemandId>,
    /// What is signed of calls to it and verified of calls from it; `None`: nothing.
    pub stir: Option<StirId>,
}

/// What some final responses of one neighbour mean to the hunt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodePolicy {
    /// Codes, and what follows them. The first that fits counts: single codes stand before classes.
    pub rules: Vec<(RangeInclusive<u16>, AfterRefusal)>,
}

impl CodePolicy {
    /// What follows this code, if there is a word on it.
    pub fn after(&self, code: u16) -> Option<AfterRefusal> {
        self.rules.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, after)| *after)
    }
}

/// What follows a final response to an INVITE of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AfterRefusal {
    /// The next target: another address of the same neighbour, if there is one.
    Next,
    /// The next neighbour: this one has spoken for all its addresses.
    Leave,
    /// The caller hears it.
    Stop,
}

/// What becomes of a redirection (RFC 3261 §8.1.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Redirects {
    /// The hunt ends; the caller hears 480, since the Contact names the inside of another network.
    #[default]
    Refuse,
    /// It reaches the caller with its Contacts.
    Pass,
    /// We follow it, to addresses of the same neighbour.
    Follow,
}

/// What becomes of REFER (RFC 3515).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Refers {
    /// 603.
    #[default]
    Refuse,
    /// It is carried to the other leg, whose user agent does it.
    Pass,
    /// We do it: the call goes on between the other leg and a new one.
    Transfer,
}

/// How an INVITE that re-homes a call says which call it continues.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Correlation {
    /// Session-ID (RFC 7989) in every INVITE to the tier: the local UUID stays the call's own over every move.
    pub session_id: bool,
    /// `User-to-User` (RFC 7433) with this text, hex-encoded. A template like those of `headers`.
    pub uui: Option<String>,
    /// `Replaces` (RFC 3891) naming the lost leg's dialog, with `Supported: replaces`.
    pub replaces: bool,
    /// Header fields by name and template. `{call_id}` is the tier leg's first Call-ID, `{lost_call_id}` the lost leg's,
    /// `{carrier_call_id}` the carrier leg's, `{session_id}` the call's UUID, `{from_region}` and `{to_region}` names,
    /// `{reason}` the move's reason. Names and templates hold no line end and no control character.
    pub headers: Vec<(String, String)>,
}
