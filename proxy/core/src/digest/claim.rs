//! Credentials that somebody shows us, and whether they are right (RFC 7616 §3.4, RFC 3261 §22.4).

use super::account::{Account, Demand};
use super::algorithm::{Algorithm, Asked, Qop, Salt, response};
use super::fields::{Broken, Fields, Value, once};
use crate::ids::unhex;
use crate::limits::MAX_CHALLENGES;
use sip_wire::{HeaderName, Message, unfold};
use std::borrow::Cow;

/// What somebody shows for a realm.
#[derive(Debug)]
struct Claim<'a> {
    realm: Value<'a>,
    username: Value<'a>,
    nonce: Value<'a>,
    uri: Value<'a>,
    response: Value<'a>,
    algorithm: Algorithm,
    cnonce: Option<Value<'a>>,
    counted: Option<(Value<'a>, u32, Qop)>,
}

impl<'a> Claim<'a> {
    /// `None` for another scheme.
    fn read(value: &'a [u8]) -> Option<Result<Self, Broken>> {
        Some(Self::of_fields(Fields::of_digest(value)?))
    }

    fn of_fields(fields: Fields<'a>) -> Result<Self, Broken> {
        let mut of = Places::default();
        for field in fields {
            let (name, value) = field?;
            let place = match name.to_ascii_lowercase().as_slice() {
                b"realm" => &mut of.realm,
                b"username" => &mut of.username,
                b"nonce" => &mut of.nonce,
                b"uri" => &mut of.uri,
                b"response" => &mut of.response,
                b"algorithm" => &mut of.algorithm,
                b"cnonce" => &mut of.cnonce,
                b"qop" => &mut of.qop,
                b"nc" => &mut of.nc,
                _ => continue,
            };
            once(place, value)?;
        }
        let counted = match (of.qop, of.nc) {
            (None, None) => None,
            (Some(qop), Some(nc)) if nc.raw.len() == 8 => {
                let digits = nc.raw.to_ascii_lowercase();
                let count = unhex(&digits).and_then(|count| u32::try_from(count).ok()).ok_or(Broken)?;
                Some((nc, count, Qop::parse(qop.raw).ok_or(Broken)?))
            }
            (Some(_), _) | (None, Some(_)) => return Err(Broken),
        };
        let algorithm = of.algorithm.map(|word| Algorithm::parse(word.raw).ok_or(Broken)).transpose()?;
        let algorithm = algorithm.unwrap_or(Algorithm::DEFAULT);
        if of.cnonce.is_none() && (counted.is_some() || algorithm.session) {
            return Err(Broken);
        }
        Ok(Self {
            realm: of.realm.ok_or(Broken)?,
            username: of.username.ok_or(Broken)?,
            nonce: of.nonce.ok_or(Broken)?,
            uri: of.uri.ok_or(Broken)?,
            response: of.response.ok_or(Broken)?,
            algorithm,
            cnonce: of.cnonce,
            counted,
        })
    }

    /// Whether it is the right response for this user. The URI is the one that was hashed, which need not be the request's: it may
    /// have been changed on its way (RFC 3261 §22.4).
    fn is_of(&self, user: &Account, request: &Message) -> bool {
        let Some(ha1) = user.ha1(self.algorithm.hash) else { return false };
        let asked =
            Asked { method: request.method().as_bytes(), uri: self.uri.raw, body: request.body_bytes() };
        let salt = Salt {
            nonce: self.nonce.raw,
            cnonce: self.cnonce.map(|cnonce| cnonce.raw).unwrap_or_default(),
            qop: self.counted.map(|(digits, _, qop)| (digits.raw, qop)),
        };
        let right = response(self.algorithm, ha1.as_bytes(), &asked, &salt);
        let shown = self.response.raw.to_ascii_lowercase();
        bool::from(subtle::ConstantTimeEq::ct_eq(right.as_bytes(), &shown[..]))
    }
}

/// Where fields are put while they are read.
#[derive(Debug, Default)]
struct Places<'a> {
    realm: Option<Value<'a>>,
    username: Option<Value<'a>>,
    nonce: Option<Value<'a>>,
    uri: Option<Value<'a>>,
    response: Option<Value<'a>>,
    algorithm: Option<Value<'a>>,
    cnonce: Option<Value<'a>>,
    qop: Option<Value<'a>>,
    nc: Option<Value<'a>>,
}

/// What a request shows for the realm of a demand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Showing {
    /// Nothing.
    Nothing,
    /// Something that cannot be read, or is not right.
    Wrong,
    /// A user's response to this nonce, the so many'th. One that was not counted is the first and the last.
    Right { nonce: Vec<u8>, count: u32 },
}

/// Judges what a request shows; its nonce is not looked at.
pub(super) fn judge(request: &Message, demand: &Demand) -> Showing {
    let mut seen = Showing::Nothing;
    for line in request.lines(HeaderName::Authorization).take(MAX_CHALLENGES) {
        let line: Cow<'_, [u8]> = unfold(line);
        let claim = match Claim::read(&line) {
            Some(Ok(claim)) => claim,
            Some(Err(Broken)) => {
                seen = Showing::Wrong;
                continue;
            }
            None => continue,
        };
        if *claim.realm.meant() != *demand.realm.as_bytes() {
            continue;
        }
        let offered = demand.hashes.contains(&claim.algorithm.hash)
            && claim.counted.is_none_or(|(_, _, qop)| qop == Qop::Auth || demand.integrity);
        let name = claim.username.meant();
        let known = demand.users.iter().find(|user| *user.username.as_bytes() == *name);
        // Who is not known takes as long as who is.
        let right = known.or(demand.users.first()).is_some_and(|user| claim.is_of(user, request));
        if right && offered && known.is_some() {
            let count = claim.counted.map_or(1, |(_, count, _)| count);
            return Showing::Right { nonce: claim.nonce.raw.to_vec(), count };
        }
        seen = Showing::Wrong;
    }
    seen
}
