//! 3xx: what becomes of it is up to the neighbour's manners. Where it is followed, it is followed to addresses of the same
//! neighbour and of nobody else: a redirection may not make us call whom the configuration does not name.

use super::{Attempt, Call, Env, State};
use crate::dialog::port_of;
use crate::identity::is_safe;
use crate::limits::{MAX_CONTACTS, MAX_REDIRECTIONS};
use crate::{CloseReason, HuntReason, Manners, Redirects, StepOutcome, TargetId};
use sip_wire::{HeaderName, Message, NameAddr, Scheme, Uri};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Where the redirections of one call lead.
#[derive(Debug, Default)]
pub(super) struct Redirections {
    /// Not tried yet, best first.
    left: VecDeque<Place>,
    /// Tried. No place is tried twice (RFC 3261 §8.1.3.4).
    tried: Vec<Place>,
    /// The attempt under way is one of these: the last that was tried.
    under_way: bool,
    /// The configuration that numbers the targets.
    generation: u64,
}

/// A target, and whom to ask for there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    target: TargetId,
    called: Box<[u8]>,
}

impl Redirections {
    /// Whom the attempt under way asks for, if a redirection has said so.
    pub(super) fn called(&self) -> Option<&[u8]> {
        self.tried.last().filter(|_| self.under_way).map(|place| &*place.called)
    }

    /// The configuration that numbers the target of the attempt under way, if a redirection has named it.
    pub(super) fn under_way(&self) -> Option<u64> {
        Some(self.generation).filter(|_| self.under_way)
    }
}

impl Redirections {
    /// None of the places that are left is tried.
    pub(super) fn forget(&mut self) {
        self.left.clear();
    }
}

impl Call {
    /// What the neighbour may ask of us that the attempt under way is at.
    pub(super) fn manners_of_target(&self) -> Manners {
        let owner = self.steps.last().and_then(|step| {
            let config = &step.under.config;
            Some(config.manners(config.target(step.target)?.owner))
        });
        owner.unwrap_or_default()
    }

    /// Keeps where a 3xx points to, as far as we may go there: at one of the neighbour's own addresses. A host name is
    /// the neighbour's word for itself, since nothing is resolved here.
    pub(super) fn note_redirection(&mut self, env: &Env, response: &Message) {
        let Some(step) = self.steps.last() else { return };
        // After a reload the numbers are others, and the next redirection starts anew.
        let generation = env.newest.config_generation;
        if step.under.config_generation != generation {
            return;
        }
        let (config, from) = (&env.newest.config, step.target);
        let Some(owner) = config.target(from).map(|target| target.owner) else { return };
        let at = |uri: &Uri<'_>| {
            let Some(ip) = uri.ip() else { return Some(from) };
            let address = SocketAddr::new(ip, port_of(uri));
            let mut ours = (0..).map(TargetId).zip(&config.targets).filter(|(_, to)| to.owner == owner);
            ours.find(|(_, to)| to.peer.remote == address).map(|(id, _)| id)
        };
        // As whoever redirects dials.
        let profile = config.profile(owner);
        let mut places: Vec<(u16, Place)> = response
            .values(HeaderName::Contact)
            .take(MAX_CONTACTS)
            .filter_map(|contact| {
                let contact = NameAddr::parse(contact).ok()?;
                let uri = Uri::parse(contact.uri).ok()?;
                let known = matches!(uri.scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel);
                let called = uri.user.filter(|user| known && is_safe(user))?;
                let called = profile.plan.canonical(called).into();
                let place = Place { target: at(&uri)?, called };
                Some((preference(contact.params.value(b"q")), place))
            })
            .collect();
        places.sort_by_key(|(preference, _)| core::cmp::Reverse(*preference));
        let called = self.admitted.identity.called();
        let Some(pending) = self.invite.as_deref_mut() else { return };
        let redirects = pending.redirects.get_or_insert_default();
        if redirects.generation != generation {
            **redirects = Redirections { generation, ..Redirections::default() };
        }
        for (_, place) in places {
            let same = place.target == from && *place.called == *called;
            let known = redirects.tried.contains(&place) || redirects.left.contains(&place);
            if !same && !known && redirects.left.len() < MAX_CONTACTS {
                redirects.left.push_back(place);
            }
        }
    }

    /// The next place that a redirection has named. Without one the hunt goes on by its plan, for whom the caller has
    /// called.
    pub(super) fn next_redirection(&mut self, env: &Env) -> Option<TargetId> {
        let redirects = self.invite.as_deref_mut()?.redirects.as_deref_mut()?;
        redirects.under_way = false;
        let usable =
            redirects.generation == env.newest.config_generation && redirects.tried.len() < MAX_REDIRECTIONS;
        let place = redirects.left.pop_front().filter(|_| usable)?;
        let target = place.target;
        redirects.tried.push(place);
        redirects.under_way = true;
        Some(target)
    }

    /// A 3xx has come.
    pub(super) fn redirected(&mut self, env: &mut Env, attempt: Attempt, code: u16) -> State {
        let redirects = self.invite.as_deref().and_then(|pending| pending.redirects.as_deref());
        match self.manners_of_target().redirect {
            Redirects::Follow if redirects.is_some_and(|redirects| !redirects.left.is_empty()) => {
                self.advance(env, attempt, HuntReason::Redirected, code)
            }
            Redirects::Pass => {
                self.step_ends(StepOutcome::Refused { code });
                self.reject(env, code, CloseReason::Refused, None)
            }
            // The target's advice is to us, not to the caller, who would learn an address of another network.
            Redirects::Refuse | Redirects::Follow => {
                self.step_ends(StepOutcome::Refused { code });
                self.reject(env, 480, CloseReason::Refused, None)
            }
        }
    }
}

/// `q` in thousandths (RFC 3261 §25.1); 1 where there is none, 0 where it cannot be read.
fn preference(q: Option<&[u8]>) -> u16 {
    let Some(text) = q.map(<[u8]>::trim_ascii) else { return 1_000 };
    let (whole, part) = match text.iter().position(|b| *b == b'.') {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
        None => (text, &b""[..]),
    };
    let digits = || whole.iter().chain(part.iter());
    if part.len() > 3 || whole.len() != 1 || !digits().all(u8::is_ascii_digit) {
        return 0;
    }
    let thousandths = digits().chain(b"000").take(4).fold(0, |sum, b| sum * 10 + u16::from(b - b'0'));
    thousandths.min(1_000)
}

#[cfg(test)]
mod tests {
    use super::preference;

    #[test]
    fn a_preference_is_read_in_thousandths() {
        let of = |text: &str| preference(Some(text.as_bytes()));
        assert_eq!(
            [of("1"), of("1.0"), of("0.5"), of("0.25"), of("0.125"), of("0")],
            [1000, 1000, 500, 250, 125, 0]
        );
        assert_eq!([of("x"), of("0.1234"), of("12"), of(""), of("9")], [0, 0, 0, 0, 1000]);
        assert_eq!(preference(None), 1000);
    }
}
