//! Neighbours that tell each other how busy they are (RFC 7339, RFC 7415), in parameters of Via.
//!
//! Who sends requests asks with `oc` in its Via; who is asked answers in the same Via of its responses, for so many
//! milliseconds (`oc-validity`), by how much less there should be: a share (`loss`) or requests a second (`rate`).

use super::bucket::Bucket;
use crate::Peer;
use crate::limits::{MAX_THROTTLES, MAX_VALIDITY, OC_VALIDITY};
use crate::rng::Rng;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use relay_values::{Duration, Time};
use sip_wire::Via;

/// What a rate lets through at once: a tenth of a second's worth, since who asks for a rate has no room for bursts.
const AT_ONCE: Duration = Duration::from_millis(100);

/// What those who ask are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// By how many percent less they should send.
    percent: u8,
    /// When that was found: later answers have a higher number (RFC 7339 §4.4).
    at: Time,
}

/// How much less would do. What still comes although some of it is held back already is what is counted, so what is shed of it
/// comes on top; when nothing is shed any more, it is let grow again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Share {
    since: Time,
    offered: u32,
    shed: u32,
    per_mille: u32,
}

/// Peers that ask for less.
#[derive(Debug)]
pub(crate) struct Throttles(HashMap<Peer, Throttle, FixedState>);

#[derive(Debug, Clone, Copy)]
struct Throttle {
    kind: Kind,
    until: Time,
    /// Of the answer that said so.
    number: (u64, u64),
    bucket: Bucket,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Percent less.
    Loss(u8),
    /// Requests a second.
    Rate(u32),
}

impl Said {
    pub(super) fn new(share: &Share, now: Time) -> Self {
        Self { percent: share.percent(), at: now }
    }

    /// As parameters of Via (RFC 7339 §4). Every client can do `loss`.
    pub(crate) fn as_params(self) -> String {
        let (percent, ms) = (self.percent, self.at.as_millis());
        let (validity, seconds, rest) = (OC_VALIDITY.as_millis(), ms / 1_000, ms % 1_000);
        format!(";oc={percent};oc-algo=\"loss\";oc-validity={validity};oc-seq={seconds}.{rest:03}")
    }
}

/// Whether a parameter of Via is about load: not to be repeated, but answered.
pub(crate) fn is_about_load(name: &[u8]) -> bool {
    [&b"oc"[..], b"oc-algo", b"oc-validity", b"oc-seq"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

impl Share {
    /// Something new has come, and was shed or not.
    pub(super) fn offered(&mut self, shed: bool) {
        self.offered = self.offered.saturating_add(1);
        self.shed = self.shed.saturating_add(u32::from(shed));
    }

    /// Time has passed; at the end of each interval the share is found anew.
    pub(super) fn pass(&mut self, now: Time, interval: Duration) {
        if now.since(self.since) < interval {
            return;
        }
        let shed = u64::from(self.shed) * 1_000 / u64::from(self.offered.max(1));
        let shed = u32::try_from(shed).unwrap_or(1_000);
        self.per_mille = if shed > 0 {
            self.per_mille + (1_000 - self.per_mille) * shed / 1_000
        } else {
            // A tenth less each time: from everything to a tenth in two seconds.
            self.per_mille.saturating_sub(self.per_mille / 10 + 1)
        };
        (self.since, self.offered, self.shed) = (now, 0, 0);
    }

    /// Whether nothing is asked for.
    pub(super) const fn is_zero(&self) -> bool {
        self.per_mille == 0 && self.shed == 0
    }

    fn percent(&self) -> u8 {
        u8::try_from(self.per_mille.div_ceil(10)).unwrap_or(100).min(100)
    }
}

impl Default for Throttles {
    fn default() -> Self {
        Self(HashMap::with_hasher(FixedState::with_seed(4)))
    }
}

impl Throttles {
    /// Nobody asks for less.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a response of this peer says in our Via.
    pub(crate) fn heard(&mut self, now: Time, peer: Peer, via: &Via<'_>) {
        let Some(amount) = via.params.value(b"oc").and_then(number) else { return };
        let text = |name: &[u8]| via.params.find(name).and_then(|param| param.unquoted());
        let algorithm = text(b"oc-algo");
        let kind = match algorithm.as_deref().map_or(&b"loss"[..], |name| name.trim_ascii()) {
            name if name.eq_ignore_ascii_case(b"loss") => {
                Kind::Loss(u8::try_from(amount).unwrap_or(100).min(100))
            }
            name if name.eq_ignore_ascii_case(b"rate") => {
                Kind::Rate(u32::try_from(amount).unwrap_or(u32::MAX))
            }
            // We have asked for these two.
            _ => return,
        };
        let validity = via.params.value(b"oc-validity").and_then(number);
        let validity = validity.map_or(OC_VALIDITY, Duration::from_millis).min(MAX_VALIDITY);
        let said = text(b"oc-seq").and_then(|text| sequence(&text)).unwrap_or_default();
        let old = self.0.get(&peer).copied().filter(|old| now < old.until);
        if old.is_some_and(|old| said < old.number) {
            // An older answer that has come later.
            return;
        }
        if validity.is_zero() || kind == Kind::Loss(0) {
            self.0.remove(&peer);
            return;
        }
        if self.0.len() >= MAX_THROTTLES {
            self.0.retain(|_, throttle| now < throttle.until);
        }
        if self.0.len() < MAX_THROTTLES || old.is_some() {
            let bucket = old.map(|old| old.bucket).unwrap_or_default();
            self.0.insert(peer, Throttle { kind, until: now + validity, number: said, bucket });
        }
    }

    /// Whether one more request may go there. A rate is shared by our shards.
    pub(crate) fn lets_through(&mut self, now: Time, peer: Peer, shards: u8, rng: &mut Rng) -> bool {
        let Some(throttle) = self.0.get_mut(&peer) else { return true };
        if throttle.until <= now {
            self.0.remove(&peer);
            return true;
        }
        match throttle.kind {
            Kind::Loss(percent) => rng.below(100) >= u64::from(percent),
            Kind::Rate(all) => throttle.bucket.take_within(now, all / u32::from(shards.max(1)), AT_ONCE),
        }
    }
}

fn number(text: &[u8]) -> Option<u64> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// `1282321615.782`: seconds and what is behind the point.
fn sequence(text: &[u8]) -> Option<(u64, u64)> {
    let mut parts = text.splitn(2, |b| *b == b'.');
    let whole = number(parts.next()?)?;
    Some((whole, parts.next().and_then(number).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ListenerId, Transport};

    fn peer() -> Peer {
        Peer { transport: Transport::Udp, listener: ListenerId(0), remote: "192.0.2.1:5060".parse().unwrap() }
    }

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    fn hear(throttles: &mut Throttles, now: u64, params: &str) {
        let text = format!("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKb{params}");
        throttles.heard(at(now), peer(), &Via::parse(text.as_bytes()).unwrap());
    }

    /// How many of a thousand, one a millisecond.
    fn through(throttles: &mut Throttles, from: u64, shards: u8) -> usize {
        let mut rng = Rng::new(1);
        (0..1_000).filter(|n| throttles.lets_through(at(from + n), peer(), shards, &mut rng)).count()
    }

    #[test]
    fn a_share_is_held_back_for_as_long_as_it_holds() {
        let mut throttles = Throttles::default();
        hear(&mut throttles, 0, ";oc=20;oc-algo=\"loss\";oc-validity=5000;oc-seq=1282321615.782");
        assert!((750..850).contains(&through(&mut throttles, 0, 1)));
        assert_eq!(through(&mut throttles, 5_000, 1), 1_000);
        assert!(throttles.is_empty());
        hear(&mut throttles, 0, ";oc=100");
        let passed = through(&mut throttles, 0, 1);
        assert_eq!(passed, 500, "it holds for 500 ms unless something else is said");
    }

    #[test]
    fn a_rate_is_shared_by_the_shards() {
        let mut throttles = Throttles::default();
        hear(&mut throttles, 0, ";oc=100;oc-algo=rate;oc-validity=2000");
        let alone = through(&mut throttles, 0, 1);
        assert!((100..=110).contains(&alone), "{alone}");
        let shared = through(&mut throttles, 1_000, 4);
        assert!((22..=30).contains(&shared), "{shared}");
    }

    #[test]
    fn an_older_answer_and_one_without_a_number_change_nothing_and_a_zero_ends_it() {
        let mut throttles = Throttles::default();
        hear(&mut throttles, 0, ";oc=100;oc-validity=60000;oc-seq=7.5");
        hear(&mut throttles, 1, ";oc=0;oc-seq=7.4");
        hear(&mut throttles, 2, ";oc;oc-algo=\"loss\"");
        hear(&mut throttles, 3, ";oc=0;oc-algo=\"window\";oc-seq=9");
        assert_eq!(through(&mut throttles, 4, 1), 0);
        hear(&mut throttles, 5, ";oc=50;oc-validity=0;oc-seq=7.6");
        assert!(throttles.is_empty());
    }

    #[test]
    fn what_is_asked_for_grows_with_what_is_shed_and_is_let_go_when_nothing_is() {
        let mut share = Share::default();
        let interval = Duration::from_millis(100);
        // Three times what can be done, by peers that do as they are asked.
        let mut now = 1_000;
        for _ in 0..20 {
            let comes = 3_000 * (1_000 - share.per_mille) / 1_000;
            for n in 0..comes {
                share.offered(n >= 1_000);
            }
            now += 100;
            share.pass(at(now), interval);
        }
        assert!((55..70).contains(&share.percent()), "{share:?}");
        for _ in 0..60 {
            now += 100;
            share.pass(at(now), interval);
        }
        assert!(share.is_zero() && share.percent() == 0, "{share:?}");
    }
}
