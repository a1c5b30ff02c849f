//! What is signed of a call: its caller, unless somebody has done so before, and where it was diverted (RFC 8946).

use super::words;
use proxy_core::{Signature, ToSign, UnsignedReason};
use stir::{Identity, Party, Passport, Signer, canonical};

/// Signs it, as of `now`.
pub(super) fn sign(signer: &Signer, what: &ToSign, now: u64) -> Result<Signature, UnsignedReason> {
    let called = party(&what.called).ok_or(UnsignedReason::NoNumber)?;
    let was_for = what.was_for.as_deref().and_then(party);
    let mut values = Vec::new();
    if what.passed.is_empty() {
        let orig = caller(&what.calling).ok_or(UnsignedReason::NoNumber)?;
        let first = was_for.as_ref().unwrap_or(&called);
        values.push(signer.shaken(&orig, first, words::attest(what.attest), now));
        if let Some(was_for) = was_for.filter(|was_for| *was_for != called) {
            values.push(signer.div(&orig, &called, &was_for, now));
        }
    } else if let Some((orig, was_for)) = diverted(&what.passed, was_for, &called) {
        values.push(signer.div(&orig, &called, &was_for, now));
    }
    let signed: Option<Vec<Box<[u8]>>> =
        values.into_iter().map(|value| Some(value?.into_bytes().into_boxed_slice())).collect();
    let identities = signed.ok_or(UnsignedReason::Failed)?;
    Ok(Signature { identities, date: stir::date(now).into_bytes().into_boxed_slice() })
}

/// The caller whom somebody has signed for, and whom the call was for, where its PASSporTs lead there and not here.
fn diverted(passed: &[u8], was_for: Option<Party>, called: &Party) -> Option<(Party, Party)> {
    let was_for = was_for.filter(|was_for| was_for != called)?;
    let values = passed.split(|b| *b == b'\n').filter(|value| !value.is_empty());
    let all: Vec<Passport> = values
        .filter_map(|value| Passport::read(&Identity::parse(value).ok()?, None).ok().flatten())
        .collect();
    let leads_to = |party: &Party| all.iter().find(|passport| passport.claims.dest.contains(party));
    let there = leads_to(&was_for).filter(|_| leads_to(called).is_none())?;
    Some((there.claims.orig.clone(), was_for))
}

/// A caller's number: a global one, since a national one would be another's elsewhere.
fn caller(user: &[u8]) -> Option<Party> {
    user.starts_with(b"+").then(|| canonical(user).map(Party::Number)).flatten()
}

/// Where a call goes: a number, a short code, or a service by its name (RFC 5031).
fn party(user: &[u8]) -> Option<Party> {
    if user.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"urn:")) {
        return std::str::from_utf8(user).ok().map(|urn| Party::Uri(urn.to_owned()));
    }
    canonical(user).map(Party::Number)
}
