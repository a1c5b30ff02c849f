//! Session timers of the far ends (RFC 4028), small and by the book.

use super::{Agent, Role, Stage, Wake};
use relay_values::{Duration, Time};
use sip_wire::{Builder, HeaderName, Message, Method};

/// What somebody has of session timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Session {
    /// He knows them. Otherwise he never says a word of it, and the rest means nothing.
    pub supported: bool,
    /// The interval that he asks for, and the longest that he takes, in seconds; 0: he leaves it to others.
    pub interval: u32,
    /// The shortest that he takes, in seconds: below it he answers 422.
    pub min_se: u32,
    /// Whom he names as the refresher where it is his to say.
    pub refresher: Option<Refresher>,
    /// UPDATE is answered 405, and he refreshes by re-INVITE.
    pub no_update: bool,
    /// He never refreshes, even where he is to.
    pub forgets: bool,
}

/// Who refreshes, by who has sent the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    /// Whoever sent it.
    Uac,
    /// Whoever answers it.
    Uas,
}

/// What a leg has agreed on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timer {
    interval: u32,
    ours: bool,
    until: Time,
}

/// What a message says: interval, refresher, shortest interval, and whether its sender knows all this.
fn said(message: &Message) -> (Option<u32>, Option<Refresher>, u32, bool) {
    let number = |name| message.number32(name).ok().flatten();
    let value = message.header(HeaderName::SessionExpires).unwrap_or_default().to_ascii_lowercase();
    let has = |what: &[u8]| value.windows(what.len()).any(|window| window == what);
    let refresher = if has(b"refresher=uac") {
        Some(Refresher::Uac)
    } else {
        has(b"refresher=uas").then_some(Refresher::Uas)
    };
    let knows = message.values(HeaderName::Supported).any(|value| value.eq_ignore_ascii_case(b"timer"));
    (number(HeaderName::SessionExpires), refresher, number(HeaderName::MinSe).unwrap_or(0), knows)
}

fn write(out: &mut Builder, interval: u32, refresher: Option<Refresher>) {
    let refresher = match refresher {
        None => "",
        Some(Refresher::Uac) => ";refresher=uac",
        Some(Refresher::Uas) => ";refresher=uas",
    };
    out.header(HeaderName::SessionExpires, format!("{interval}{refresher}").as_bytes());
}

/// A request that has to wait for another one tries again after this.
const PATIENCE: Duration = Duration::from_millis(130);
/// A refresh that was refused for whatever reason comes again.
const AGAIN: Duration = Duration::from_secs(10);

impl Agent {
    fn habit(&self, leg: usize) -> Session {
        let leg = &self.legs[leg];
        match leg.role {
            Role::Caller => leg.caller.session,
            Role::Callee => leg.callee.session,
        }
    }

    fn habit_mut(&mut self, leg: usize) -> &mut Session {
        let leg = &mut self.legs[leg];
        match leg.role {
            Role::Caller => &mut leg.caller.session,
            Role::Callee => &mut leg.callee.session,
        }
    }

    /// What an INVITE or UPDATE of his says of it (§7.1, §7.4).
    pub(super) fn say_session(&self, leg: usize, out: &mut Builder) {
        let habit = self.habit(leg);
        if !habit.supported {
            return;
        }
        out.header(HeaderName::Supported, b"timer");
        self.say_allowed(habit, out);
        let running = self.legs[leg].timer;
        let refresher = match running {
            Some(timer) => Some(if timer.ours { Refresher::Uac } else { Refresher::Uas }),
            None => habit.refresher,
        };
        let interval = running.map_or(habit.interval, |timer| timer.interval);
        if interval != 0 {
            write(out, interval, refresher);
        }
        if habit.min_se > 90 {
            out.number(HeaderName::MinSe, u64::from(habit.min_se));
        }
    }

    fn say_allowed(&self, habit: Session, out: &mut Builder) {
        let update = if habit.no_update { "" } else { ", UPDATE" };
        out.header(HeaderName::Allow, format!("INVITE, ACK, BYE, CANCEL, OPTIONS, INFO{update}").as_bytes());
    }

    /// Whether UPDATE is refused.
    pub(super) fn takes_no_update(&self, leg: usize) -> bool {
        let habit = self.habit(leg);
        habit.supported && habit.no_update
    }

    /// Whether a request is refused for its interval (§9).
    pub(super) fn is_too_small(&self, leg: usize, request: &Message) -> bool {
        let (habit, (interval, _, _, knows)) = (self.habit(leg), said(request));
        habit.supported && knows && interval.is_some_and(|interval| interval < habit.min_se)
    }

    /// The refusal.
    pub(super) fn too_small(&mut self, now: Time, leg: usize, request: &Message, key: &str) {
        let mut out = self.response(request, 422, Some(&self.legs[leg].local_tag));
        out.number(HeaderName::MinSe, u64::from(self.habit(leg).min_se));
        self.answer(now, key, 422, out.finish());
    }

    /// His 2xx to an INVITE or UPDATE: what it says, and what holds from now on (§9).
    pub(super) fn accept_session(&mut self, now: Time, leg: usize, request: &Message, out: &mut Builder) {
        let habit = self.habit(leg);
        if !habit.supported {
            return;
        }
        self.say_allowed(habit, out);
        let (interval, refresher, min_se, knows) = said(request);
        let known = self.legs[leg].timer.map(|timer| timer.interval);
        let Some(mut interval) = interval.or(known).or((habit.interval != 0).then_some(habit.interval))
        else {
            return;
        };
        if habit.interval != 0 {
            interval = interval.min(habit.interval.max(min_se).max(habit.min_se));
        }
        let by_choice = habit.refresher.filter(|_| knows);
        let refresher =
            refresher.or(by_choice).unwrap_or(if knows { Refresher::Uac } else { Refresher::Uas });
        if knows {
            out.header(HeaderName::Require, b"timer");
        }
        write(out, interval, Some(refresher));
        self.begin_session(now, leg, interval, refresher == Refresher::Uas);
    }

    /// A 2xx to an INVITE or UPDATE of his (§7.2).
    pub(super) fn agree_session(&mut self, now: Time, leg: usize, response: &Message) {
        if !self.habit(leg).supported {
            return;
        }
        match said(response) {
            (Some(interval), refresher, ..) => {
                self.begin_session(now, leg, interval, refresher != Some(Refresher::Uas));
            }
            (None, ..) => {
                let leg = &mut self.legs[leg];
                (leg.timer, leg.timers) = (None, leg.timers + 1);
            }
        }
    }

    fn begin_session(&mut self, now: Time, index: usize, interval: u32, ours: bool) {
        let leg = &mut self.legs[index];
        leg.timers += 1;
        let until = now + Duration::from_secs(u64::from(interval - (interval / 3).min(32)));
        leg.timer = Some(Timer { interval, ours, until });
        let number = leg.timers;
        if ours {
            self.wake_at(
                now + Duration::from_millis(u64::from(interval) * 500),
                Wake::Session(index, number),
            );
        }
        self.wake_at(until, Wake::Session(index, number));
    }

    /// A refresh is due, or the session has run out.
    pub(super) fn session_due(&mut self, now: Time, leg: usize, number: u32) {
        let habit = self.legs.get(leg).map(|_| self.habit(leg));
        let Some((habit, state)) = habit.zip(self.legs.get_mut(leg)) else { return };
        let Some(timer) = state.timer.filter(|_| state.timers == number && state.stage == Stage::Up) else {
            return;
        };
        // Who forgets, forgets the end as well.
        if habit.forgets {
            return;
        }
        if now >= timer.until {
            state.expired = true;
            return self.bye(now, leg);
        }
        if state.refreshing.is_some() {
            return;
        }
        if state.inviting.is_some() || state.unacked.is_some() {
            return self.wake_at(now + PATIENCE, Wake::Session(leg, number));
        }
        if habit.no_update {
            let body = self.description(leg, true);
            self.reinvite(now, leg, Some(body));
        } else {
            self.inside(now, leg, Method::Update, Builder::finish);
        }
        self.legs[leg].refreshing = Some(self.legs[leg].cseq);
    }

    /// The final response to a request of his, if that was a refresh.
    pub(super) fn refresh_answered(&mut self, now: Time, leg: usize, cseq: u32, response: &Message) {
        let code = response.code().unwrap_or_default();
        let owner = self.legs[leg].role == Role::Caller;
        if self.legs[leg].refreshing.take_if(|number| *number == cseq).is_none() || code < 200 {
            return;
        }
        let wait = match code {
            200..=299 => return self.legs[leg].refreshed += 1,
            408 | 481 => return,
            422 => {
                let (_, _, min_se, _) = said(response);
                if let Some(timer) = &mut self.legs[leg].timer {
                    timer.interval = timer.interval.max(min_se);
                }
                Duration::ZERO
            }
            // RFC 3261 §14.1.
            491 if owner => Duration::from_millis(2100 + 10 * self.rng.below(191)),
            491 => Duration::from_millis(10 * self.rng.below(201)),
            405 | 501 if !self.habit(leg).no_update => {
                self.habit_mut(leg).no_update = true;
                Duration::ZERO
            }
            _ => AGAIN,
        };
        let number = self.legs[leg].timers;
        self.wake_at(now + wait, Wake::Session(leg, number));
    }

    /// 422 to the INVITE that began the leg: it is sent again for longer sessions, if that is any use (§7.3).
    pub(super) fn invite_for_longer(&mut self, now: Time, leg: usize, refusal: &Message) -> bool {
        let (_, _, min_se, _) = said(refusal);
        let state = &self.legs[leg];
        let habit = state.caller.session;
        if !habit.supported || min_se <= habit.interval || state.cancelled || state.stage != Stage::Early {
            return false;
        }
        (self.legs[leg].caller.session.interval, self.legs[leg].caller.session.min_se) = (min_se, min_se);
        self.legs[leg].cseq += 1;
        self.invite(now, leg);
        true
    }
}
