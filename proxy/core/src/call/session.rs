//! The session timer of one leg (RFC 4028): who keeps its session alive, until when it lives without that, and how a peer
//! that knows no such timer is watched instead. Each leg has its own, and neither hears of the other's.
//!
//! ```text
//!              2xx with Session-Expires              half the interval
//!  Idle ──┬──────────── we refresh ──────────▶ Ours ──────────────────▶ Refreshing
//!         │                                     ▲ ◀──── 2xx, or again later ──┘
//!         │                                     │ by the next refresh, of either side
//!         ├──────────── the peer does ────────▶ Theirs ── not in time ──▶ the call ends
//!         │   2xx without it                               interval
//!         └───────────────────────────────────▶ Watched ─────────────────▶ Asking
//!                                                  ▲ ◀──── any answer, or a miss ──┘
//! ```

use crate::config::{Refresher, SessionPolicy};
use crate::limits::{MAX_SESSION, MAX_WATCH_MISSES, MIN_SESSION, WATCH_AGAIN};
use crate::transaction::ClientKey;
use relay_values::{Duration, Time};
use sip_wire::{Builder, HeaderName, Message};

/// Who keeps a leg alive, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionTimer {
    /// The leg is not up, or there are to be no timers. The largest Min-SE that its peer has asked for, in seconds.
    Idle { min_se: u32 },
    /// We refresh the session at `at`; so many tries have failed.
    Ours { terms: Terms, at: Time, tries: u8 },
    /// Our refresh is out: a re-INVITE of this CSeq number, or else UPDATE.
    Refreshing { terms: Terms, client: ClientKey, reinvite: Option<u32>, tries: u8 },
    /// The peer refreshes it.
    Theirs { terms: Terms },
    /// The peer knows no session timer. It is asked at `at` whether it is there; so many questions were in vain.
    Watched { at: Time, misses: u8 },
    /// OPTIONS is out.
    Asking { client: ClientKey, misses: u8 },
}

/// What the two ends of a leg have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The session interval, in seconds.
    interval: u32,
    /// The largest Min-SE of the dialog, in seconds (§7.4).
    min_se: u32,
    /// The peer has said that it takes UPDATE.
    update: bool,
    /// Without a refresh by then the call ends.
    until: Time,
}

/// What is to be done for a leg now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// The session is refreshed, by UPDATE if the peer takes that.
    Refresh { update: bool },
    /// The peer is asked whether it is there.
    Ask,
    /// Nobody has refreshed the session.
    End,
}

/// The refresher as one message names it: by who sent the request (§4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Uac,
    Uas,
}

/// What a session refresh request, or its 2xx, says of the timer.
#[derive(Debug, Clone, Copy)]
struct Said {
    supported: bool,
    interval: Option<u32>,
    refresher: Option<Role>,
    min_se: u32,
}

/// RFC 4028 §5: what a message without Min-SE means.
const LEAST: u32 = 90;

impl Said {
    fn read(message: &Message) -> Self {
        let is_timer = |value: &[u8]| value.eq_ignore_ascii_case(b"timer");
        let supported = message.values(HeaderName::Supported).any(is_timer)
            || message.values(HeaderName::Require).any(is_timer);
        // A field that cannot be read is as good as none (RFC 3261 §8.2): the call does not need it.
        let interval = message.number32(HeaderName::SessionExpires).ok().flatten();
        let min_se = message.number32(HeaderName::MinSe).ok().flatten().unwrap_or(0);
        let refresher = message.header(HeaderName::SessionExpires).filter(|_| interval.is_some());
        Self { supported, interval, refresher: refresher.and_then(role), min_se }
    }
}

/// The `refresher` parameter of a Session-Expires.
fn role(value: &[u8]) -> Option<Role> {
    let mut named = value.split(|b| *b == b';').skip(1).filter_map(|param| {
        let at = param.iter().position(|b| *b == b'=')?;
        let (name, value) = (param.get(..at)?, param.get(at + 1..)?);
        name.trim_ascii().eq_ignore_ascii_case(b"refresher").then_some(value.trim_ascii())
    });
    match named.next()? {
        uac if uac.eq_ignore_ascii_case(b"uac") => Some(Role::Uac),
        uas if uas.eq_ignore_ascii_case(b"uas") => Some(Role::Uas),
        _ => None,
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// The shortest interval that is kept although somebody should not have named it.
fn shortest(policy: &SessionPolicy) -> u32 {
    seconds(policy.min_se).clamp(1, MIN_SESSION)
}

/// The interval that a 422 asks for instead of what was said, where the peer could say another (§9): it is ours to refuse
/// only if it understands why.
pub(crate) fn refused_for(policy: &SessionPolicy, request: &Message) -> Option<u32> {
    if !policy.enabled || request.header(HeaderName::SessionExpires).is_none() {
        return None;
    }
    let (said, least) = (Said::read(request), seconds(policy.min_se));
    said.interval.filter(|interval| said.supported && *interval < least).map(|_| least)
}

/// Whether we know an option that a request requires.
pub(crate) fn understands(option: &[u8], policy: &SessionPolicy) -> bool {
    option.eq_ignore_ascii_case(b"100rel") || (policy.enabled && option.eq_ignore_ascii_case(b"timer"))
}

/// Writes what an INVITE that begins a dialog says (§7.1). `raised` is the Min-SE of a 422, 0 without one.
pub(super) fn write_first(policy: &SessionPolicy, raised: u32, out: &mut Builder) {
    if !policy.enabled {
        return;
    }
    out.header(HeaderName::Supported, b"timer");
    let role = match policy.refresher {
        Refresher::Either => None,
        Refresher::Us => Some(Role::Uac),
        Refresher::Peer => Some(Role::Uas),
    };
    write(out, seconds(policy.expires).max(raised), role);
    write_min_se(out, seconds(policy.min_se).max(raised), raised != 0);
}

fn write(out: &mut Builder, interval: u32, refresher: Option<Role>) {
    let mut digits = [0; 10];
    let refresher: &[u8] = match refresher {
        None => b"",
        Some(Role::Uac) => b";refresher=uac",
        Some(Role::Uas) => b";refresher=uas",
    };
    out.parts(HeaderName::SessionExpires, &[crate::dialog::decimal(interval, &mut digits), refresher]);
}

/// A Min-SE that says what its absence says is left out (§5), unless the peer has spoken of it (§7.3, §7.4).
fn write_min_se(out: &mut Builder, min_se: u32, asked: bool) {
    if asked || min_se > LEAST {
        out.number(HeaderName::MinSe, u64::from(min_se));
    }
}

impl Terms {
    fn new(now: Time, interval: u32, min_se: u32, update: bool) -> Self {
        // §10: the side that waits ends the session 32 s before it expires, or a third of the interval where that is less.
        let early = (interval / 3).min(32);
        let until = now + Duration::from_secs(u64::from(interval - early));
        Self { interval, min_se, update, until }
    }

    /// §7.2 recommends half of the interval.
    fn half(&self, now: Time) -> Time {
        now + Duration::from_millis(u64::from(self.interval) * 500)
    }
}

impl SessionTimer {
    /// Of a leg that is not up.
    pub(crate) const IDLE: Self = Self::Idle { min_se: 0 };

    /// When it wants to be asked what is [due](Self::due).
    pub(super) fn deadline(&self) -> Time {
        match self {
            Self::Idle { .. } | Self::Asking { .. } => Time::NEVER,
            Self::Ours { terms, at, .. } => terms.until.min(*at),
            Self::Refreshing { terms, .. } | Self::Theirs { terms } => terms.until,
            Self::Watched { at, .. } => *at,
        }
    }

    /// What is to be done.
    pub(super) fn due(&self, now: Time) -> Due {
        match self {
            Self::Ours { terms, .. } | Self::Refreshing { terms, .. } | Self::Theirs { terms }
                if terms.until <= now =>
            {
                Due::End
            }
            Self::Ours { terms, at, .. } if *at <= now => Due::Refresh { update: terms.update },
            Self::Watched { at, .. } if *at <= now => Due::Ask,
            Self::Idle { .. }
            | Self::Ours { .. }
            | Self::Refreshing { .. }
            | Self::Theirs { .. }
            | Self::Watched { .. }
            | Self::Asking { .. } => Due::Nothing,
        }
    }

    /// The request of ours that is out.
    pub(super) fn client(&self) -> Option<ClientKey> {
        match self {
            Self::Refreshing { client, .. } | Self::Asking { client, .. } => Some(*client),
            Self::Idle { .. } | Self::Ours { .. } | Self::Theirs { .. } | Self::Watched { .. } => None,
        }
    }

    /// Whether a re-INVITE of ours is out, beside which no other offer may go.
    pub(super) fn reinvites(&self) -> bool {
        matches!(self, Self::Refreshing { reinvite: Some(_), .. })
    }

    fn terms(&self) -> Option<&Terms> {
        match self {
            Self::Ours { terms, .. } | Self::Refreshing { terms, .. } | Self::Theirs { terms } => Some(terms),
            Self::Idle { .. } | Self::Watched { .. } | Self::Asking { .. } => None,
        }
    }

    /// What the peer has asked for with 422 before the leg was up; 0 if it has not.
    pub(super) fn asked(&self) -> u32 {
        self.min_se()
    }

    fn min_se(&self) -> u32 {
        match self {
            Self::Idle { min_se } => *min_se,
            _ => self.terms().map_or(0, |terms| terms.min_se),
        }
    }

    /// Writes what a re-INVITE or UPDATE of ours says (§7.4).
    pub(super) fn write_request(&self, policy: &SessionPolicy, out: &mut Builder) {
        if !policy.enabled {
            return;
        }
        out.header(HeaderName::Supported, b"timer");
        let Some(terms) = self.terms() else { return };
        let ours = !matches!(self, Self::Theirs { .. });
        write(out, terms.interval, Some(if ours { Role::Uac } else { Role::Uas }));
        write_min_se(out, terms.min_se.max(seconds(policy.min_se)), terms.min_se != 0);
    }

    /// 2xx to an INVITE or UPDATE of ours: the session begins, or goes on, as it says (§7.2).
    pub(super) fn answered(&mut self, now: Time, policy: &SessionPolicy, response: &Message) {
        if !policy.enabled {
            return;
        }
        let said = Said::read(response);
        let Some(interval) = said.interval else {
            // The peer knows no session timer, or wants none any more.
            *self = Self::watch(now, policy);
            return;
        };
        // Below what was asked for it may not be (§9); who says so all the same ends the session by his own clock.
        let interval = interval.clamp(shortest(policy), MAX_SESSION);
        let terms = Terms::new(now, interval, self.min_se(), self.takes_update(response));
        *self = match said.refresher {
            Some(Role::Uas) => Self::Theirs { terms },
            Some(Role::Uac) | None => Self::Ours { terms, at: terms.half(now), tries: 0 },
        };
    }

    /// Our 2xx to a peer's INVITE or UPDATE: writes what it says, and the session begins, or goes on, like that (§9).
    pub(super) fn accept(&mut self, now: Time, policy: &SessionPolicy, request: &Message, out: &mut Builder) {
        if !policy.enabled {
            return;
        }
        let said = Said::read(request);
        let before = self.terms().map(|terms| terms.interval);
        if !said.supported && said.interval.or(before).is_none() {
            *self = Self::watch(now, policy);
            return;
        }
        let wanted = before.unwrap_or(seconds(policy.expires));
        let min_se = said.min_se.max(self.min_se()).min(MAX_SESSION);
        let least = min_se.max(seconds(policy.min_se)).clamp(1, MAX_SESSION);
        let interval = match said.interval {
            // §9: it may be reduced as far as the peer's Min-SE allows, and never be raised.
            Some(interval) => interval.min(seconds(policy.expires).max(least)).max(shortest(policy)),
            None => wanted.max(least),
        };
        let role = match (said.supported, said.refresher, &*self) {
            // Whoever does not know of it cannot refresh.
            (false, ..) => Role::Uas,
            (true, Some(role), _) => role,
            (true, None, Self::Ours { .. } | Self::Refreshing { .. }) => Role::Uas,
            (true, None, Self::Theirs { .. }) => Role::Uac,
            (true, None, Self::Idle { .. } | Self::Watched { .. } | Self::Asking { .. }) => {
                match policy.refresher {
                    Refresher::Us => Role::Uas,
                    Refresher::Either | Refresher::Peer => Role::Uac,
                }
            }
        };
        if said.supported {
            // It has to look at the field, above all where it is the refresher (§9).
            out.header(HeaderName::Require, b"timer");
        }
        write(out, interval, Some(role));
        let terms = Terms::new(now, interval, min_se, self.takes_update(request));
        *self = match (role, *self) {
            // Two refreshes have crossed. Ours is still out, and what its answer says will hold.
            (_, Self::Refreshing { client, reinvite, tries, .. }) => {
                Self::Refreshing { terms, client, reinvite, tries }
            }
            (Role::Uac, _) => Self::Theirs { terms },
            (Role::Uas, _) => Self::Ours { terms, at: terms.half(now), tries: 0 },
        };
    }

    /// By its Allow in this message, or else in an earlier one (§7.4).
    fn takes_update(&self, message: &Message) -> bool {
        let mut allowed = message.values(HeaderName::Allow).peekable();
        match allowed.peek() {
            Some(_) => allowed.any(|method| method.eq_ignore_ascii_case(b"UPDATE")),
            None => self.terms().is_some_and(|terms| terms.update),
        }
    }

    /// The peer is asked from time to time, if that is wanted.
    fn watch(now: Time, policy: &SessionPolicy) -> Self {
        match policy.watch {
            Some(interval) => Self::Watched { at: now + interval, misses: 0 },
            None => Self::IDLE,
        }
    }

    /// Our refresh or question has left.
    pub(super) fn sent(&mut self, client: ClientKey, reinvite: Option<u32>) {
        *self = match *self {
            Self::Ours { terms, tries, .. } => Self::Refreshing { terms, client, reinvite, tries },
            Self::Watched { misses, .. } => Self::Asking { client, misses },
            other @ (Self::Idle { .. }
            | Self::Refreshing { .. }
            | Self::Theirs { .. }
            | Self::Asking { .. }) => other,
        };
    }

    /// It was said again.
    pub(super) fn said_again(&mut self, by: ClientKey, cseq: u32) {
        match self {
            Self::Refreshing { client, reinvite, .. } => {
                (*client, *reinvite) = (by, reinvite.map(|_| cseq));
            }
            Self::Asking { client, .. } => *client = by,
            Self::Idle { .. } | Self::Ours { .. } | Self::Theirs { .. } | Self::Watched { .. } => {}
        }
    }

    /// What is due waits until then.
    pub(super) fn put_off(&mut self, until: Time) {
        match self {
            Self::Ours { at, .. } | Self::Watched { at, .. } => *at = until,
            Self::Idle { .. } | Self::Refreshing { .. } | Self::Theirs { .. } | Self::Asking { .. } => {}
        }
    }

    /// A refresh of ours has failed, or nobody is to hear it: another one at `at`, after so many failures.
    pub(super) fn again(&mut self, at: Time, tries: u8) {
        *self = match *self {
            Self::Refreshing { terms, .. } | Self::Ours { terms, .. } => Self::Ours { terms, at, tries },
            Self::Asking { misses, .. } | Self::Watched { misses, .. } => Self::Watched { at, misses },
            other @ (Self::Idle { .. } | Self::Theirs { .. }) => other,
        };
    }

    /// The peer asks for a longer interval (422). False where that is no reason, or too long.
    pub(super) fn raise(&mut self, min_se: u32) -> bool {
        if min_se > MAX_SESSION {
            return false;
        }
        match self {
            Self::Idle { min_se: known } => {
                let higher = min_se > *known;
                *known = min_se.max(*known);
                higher
            }
            Self::Ours { terms, .. } | Self::Refreshing { terms, .. } | Self::Theirs { terms } => {
                let higher = min_se > terms.interval;
                terms.min_se = terms.min_se.max(min_se);
                // What is asked for; the session that is running expires when it did.
                terms.interval = terms.interval.max(min_se);
                higher
            }
            Self::Watched { .. } | Self::Asking { .. } => false,
        }
    }

    /// The peer does not take UPDATE after all. False where that is no news.
    pub(super) fn not_by_update(&mut self) -> bool {
        match self {
            Self::Ours { terms, .. } | Self::Refreshing { terms, .. } | Self::Theirs { terms } => {
                std::mem::take(&mut terms.update)
            }
            Self::Idle { .. } | Self::Watched { .. } | Self::Asking { .. } => false,
        }
    }

    /// There is no way to refresh: the peer ends the call when it wants to, and is watched until then.
    pub(super) fn give_up(&mut self, now: Time, policy: &SessionPolicy) {
        *self = Self::watch(now, policy);
    }

    /// The peer has said something to our OPTIONS.
    pub(super) fn is_there(&mut self, now: Time, policy: &SessionPolicy) {
        *self = Self::watch(now, policy);
    }

    /// It has not, or it does not know the dialog. False once that is enough.
    pub(super) fn missed(&mut self, now: Time) -> bool {
        let Self::Asking { misses, .. } = *self else { return true };
        *self = Self::Watched { at: now + WATCH_AGAIN, misses: misses + 1 };
        misses + 1 < MAX_WATCH_MISSES
    }
}
