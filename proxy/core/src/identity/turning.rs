//! The identity of a call's other legs: seen from the other end, or handed on.

use super::words::{unmarked, unverified};
use super::{ASSERTED, CALLED, CALLING, DISPLAY, Hosting, Identity, PLACES, PRIORITY, PRIVACY, Profile, UUI};
use crate::packed::Packed;
use core::hash::{BuildHasher, Hash, Hasher};
use sip_wire::{Builder, Message, Method};

impl Identity {
    /// Who calls whom as seen from the other end, for a new leg to the side that called: the called party calls the
    /// calling one. Display name, Privacy, what was asserted, diversions and signatures spoke of the other direction and are
    /// left out, as is the called party's trunk marking (RFC 4904), which no caller has; Resource-Priority speaks of the
    /// call.
    ///
    /// A caller who is anonymous (RFC 3323 §4.1), or has no user part, is called by the asserted number.
    pub(crate) fn reversed(&self) -> Self {
        let (calling, asserted) = (self.calling(), self.0.get(ASSERTED));
        let hidden = calling.is_empty() || calling.eq_ignore_ascii_case(b"anonymous");
        let to = if hidden && !asserted.is_empty() { asserted } else { calling };
        let from = unmarked(self.called());
        Self::of(&[(CALLING, &from), (CALLED, &unverified(to)), (PRIORITY, self.0.get(PRIORITY))])
    }

    /// Who calls whom where a call is transferred: whoever stays, the callee if the caller (`by_caller`) has asked for it,
    /// calls `to`. A signature of the first call does not hold for that, nor do its diversions.
    pub(crate) fn transferred(&self, by_caller: bool, to: &[u8]) -> Self {
        let stays = if by_caller { self.reversed() } else { self.clone() };
        let same = [CALLING, DISPLAY, ASSERTED, PRIVACY, PRIORITY].map(|place| (place, stays.0.get(place)));
        let [a, b, c, d, e] = same;
        Self::of(&[a, b, c, d, e, (CALLED, to)])
    }

    /// These parts and no others.
    fn of(parts: &[(usize, &[u8])]) -> Self {
        let said: [&[u8]; PLACES] = std::array::from_fn(|at| {
            parts.iter().find(|(place, _)| *place == at).map_or(&b""[..], |(_, part)| *part)
        });
        Self(Packed::of(said))
    }

    /// A hash of all of it, the same for the same words: calling and called user with their trunk marking (RFC 4904's
    /// `tgrp` is part of the user), display name, asserted number, Privacy, diversions, signatures and all the rest but User-to-User.
    /// [`Identity::take`] of an INVITE that [`Identity::write`] wrote by the default profile has the same digest.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = foldhash::quality::FixedState::with_seed(1).build_hasher();
        // User-to-User may be our own word for which call it is ([`crate::Correlation`]).
        for part in (0..PLACES).filter(|part| *part != UUI) {
            self.0.get(part).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The digest of a leg whose INVITE was read as `heard`: the one of this identity exactly where that is what a leg with
    /// the words `told` should have heard.
    pub(crate) fn digest_if_heard(&self, told: &Self, heard: &Self) -> u64 {
        self.digest() ^ told.digest() ^ heard.digest()
    }

    /// What somebody with this profile hears of it: its own words, but for the hosts.
    pub(crate) fn as_heard(&self, hosting: &Hosting<'_>, profile: &Profile) -> Option<Self> {
        let mut out = Builder::request(Method::Invite, &self.request_uri(b"h.invalid", profile));
        self.write(&mut out, b"t", hosting, profile);
        Self::heard(&Message::parse(out.finish()).ok()?)
    }

    /// The words of an INVITE of ours.
    pub(crate) fn heard(invite: &Message) -> Option<Self> {
        Self::take(invite, &Profile::default()).ok()
    }
}
