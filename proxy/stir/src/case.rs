//! What the Identity header fields of one INVITE say of its call, and whether it is true (RFC 8224 §6.2).
//!
//! One PASSporT speaks of the caller: SHAKEN, or the plain one. Where it names another destination than the call has, others
//! have to lead from there to here, one diversion each (RFC 8946 §4.2).

use crate::claims::Kind;
use crate::limits::MAX_IDENTITIES;
use crate::passport::Implied;
use crate::{Attest, Claims, Credential, FRESH, Failure, Identity, Party, Passport, canonical};

/// What the INVITE itself says.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Numbers that the caller is named by, in canonical form: what is asserted of him, and From.
    pub calling: &'a [String],
    /// Numbers that he calls, in canonical form: the request URI's, and To's.
    pub called: &'a [String],
    /// The Date header field, in seconds since 1970.
    pub date: Option<u64>,
}

/// The PASSporTs that have to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// First who speaks of the caller, then the diversions, the last one first.
    all: Vec<Passport>,
}

/// All of it is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How sure the signer was; `None` of a plain PASSporT, which says nothing of that.
    pub attest: Option<Attest>,
    /// Where the call came from, in the signer's words.
    pub origid: Option<String>,
    /// The number that was signed for.
    pub calling: String,
    /// How often the call was diverted since.
    pub diversions: usize,
}

impl Case {
    /// Reads Identity values, as far as [`Facts`] can settle them.
    ///
    /// # Errors
    ///
    /// The [`Failure`] of whichever PASSporT came nearest.
    pub fn read<'a>(values: impl Iterator<Item = &'a [u8]>, facts: &Facts<'_>) -> Result<Self, Failure> {
        let implied = facts.date.zip(facts.calling.first()).zip(facts.called.first());
        let implied = implied.map(|((date, calling), called)| Implied { calling, called, date });
        let (mut bases, mut diverted, mut broken) = (Vec::new(), Vec::new(), None);
        let mut is_there = false;
        for value in values.take(MAX_IDENTITIES) {
            is_there = true;
            match Identity::parse(value).and_then(|identity| Passport::read(&identity, implied)) {
                Ok(Some(passport)) => match passport.claims.kind {
                    Kind::Plain | Kind::Shaken { .. } => bases.push(passport),
                    Kind::Div { .. } => diverted.push(passport),
                },
                Ok(None) => {}
                Err(failure) => broken = broken.or(Some(failure)),
            }
        }
        let nothing = if is_there { Failure::UnknownExtension } else { Failure::Missing };
        // SHAKEN says more than the plain one.
        bases.sort_by_key(|passport| matches!(passport.claims.kind, Kind::Plain));
        let none = broken.unwrap_or(nothing);
        let mut failure = None;
        for base in bases {
            match follow(base, &diverted, facts) {
                Ok(all) => return Ok(Self { all }),
                Err(why) => failure = failure.or(Some(why)),
            }
        }
        Err(failure.unwrap_or(none))
    }

    /// Where the certificates are, one for each PASSporT, in the order that [`Case::judge`] wants them.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|passport| passport.x5u.as_str())
    }

    /// Whether it was signed within [`FRESH`] seconds of `now`, as far as that can be known before any certificate is there.
    ///
    /// # Errors
    ///
    /// [`Failure::Stale`] or [`Failure::Future`].
    pub fn is_fresh(&self, now: u64) -> Result<(), Failure> {
        self.all.iter().try_for_each(|passport| match passport.claims.iat {
            iat if iat > now.saturating_add(FRESH) => Err(Failure::Future),
            iat if iat.saturating_add(FRESH) < now => Err(Failure::Stale),
            _ => Ok(()),
        })
    }

    /// Judges it. `credentials` are those behind [`Case::urls`].
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub fn judge<'c>(
        &self,
        credentials: impl IntoIterator<Item = &'c Credential>,
        now: u64,
    ) -> Result<Verdict, Failure> {
        self.is_fresh(now)?;
        let mut credentials = credentials.into_iter();
        for passport in &self.all {
            let credential = credentials.next().ok_or(Failure::BadCertificate)?;
            if !credential.is_valid(now) {
                return Err(Failure::Expired);
            }
            // Who diverts speaks for the number that the call was for (RFC 8946 §4.2).
            let spoken_for = match &passport.claims.kind {
                Kind::Plain | Kind::Shaken { .. } => &passport.claims.orig,
                Kind::Div { div } => div,
            };
            let Some(number) = number(spoken_for) else { return Err(Failure::NotEntitled) };
            if !credential.numbers.covers(&number) {
                return Err(Failure::NotEntitled);
            }
            if !passport.is_signed_by(&credential.key) {
                return Err(Failure::Signature);
            }
        }
        let base = &self.all.first().ok_or(Failure::Missing)?.claims;
        let (attest, origid) = match &base.kind {
            Kind::Shaken { attest, origid } => (Some(*attest), Some(origid.clone())),
            Kind::Plain | Kind::Div { .. } => (None, None),
        };
        let calling = number(&base.orig).unwrap_or_default();
        Ok(Verdict { attest, origid, calling, diversions: self.all.len() - 1 })
    }
}

/// From the caller's PASSporT to the call's destination.
fn follow(base: Passport, diverted: &[Passport], facts: &Facts<'_>) -> Result<Vec<Passport>, Failure> {
    let calling = number(&base.claims.orig).filter(|number| facts.calling.contains(number));
    if calling.is_none() {
        return Err(Failure::Calling);
    }
    let mut all = vec![base];
    let reaches = |claims: &Claims, wanted: &[String]| {
        claims.dest.iter().filter_map(number).any(|number| wanted.contains(&number))
    };
    let mut wanted: Vec<String> = facts.called.to_vec();
    loop {
        let is_there = all.first().is_some_and(|base| reaches(&base.claims, &wanted));
        if is_there {
            return Ok(all);
        }
        let same_caller = |passport: &&Passport| {
            all.first().is_some_and(|base| number(&passport.claims.orig) == number(&base.claims.orig))
        };
        let last = diverted.iter().filter(same_caller).find(|passport| reaches(&passport.claims, &wanted));
        let last = last.filter(|passport| !all.contains(passport)).ok_or(Failure::Called)?;
        if let Kind::Div { div } = &last.claims.kind {
            wanted = number(div).into_iter().collect();
        }
        all.push(last.clone());
    }
}

/// The number that a party stands for, whether it is said as one or as a URI.
fn number(party: &Party) -> Option<String> {
    match party {
        Party::Number(text) => canonical(text.as_bytes()),
        Party::Uri(uri) => {
            let rest = uri.split_once(':').map(|(_, rest)| rest)?;
            canonical(rest.split('@').next()?.as_bytes())
        }
    }
}
