//! All names together.

use super::known::LocatedAddress;
use super::name::{LocateCounters, Name, Tools, Work};
use super::place::Place;
use super::question::{Answer, Question, QuestionId};
use crate::limits::{MAX_PLACES, MAX_QUESTIONS};
use crate::rng::Rng;
use relay_values::{Duration, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

/// How long what was said is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocatePolicy {
    /// Addresses whose TTL is over are kept for so long while no server answers (RFC 8767 §5 recommends 1 to 3 days).
    pub stale: Duration,
    /// Addresses that a server no longer names are kept for so long while they are healthy.
    pub hold: Duration,
}

impl Default for LocatePolicy {
    fn default() -> Self {
        Self { stale: Duration::from_secs(3 * 86_400), hold: Duration::from_secs(600) }
    }
}

/// One input.
#[derive(Debug, Clone)]
pub enum LocateInput {
    /// What became of a question.
    Answer {
        /// Which.
        id: QuestionId,
        /// What became of it.
        answer: Answer,
    },
    /// The addresses that are down by health, all of them.
    Down(BTreeSet<SocketAddr>),
    /// The names that are wanted from now on, all of them. What is known of the others is forgotten.
    Places(BTreeSet<Place>),
    /// How long what was said is believed from now on.
    Policy(LocatePolicy),
    /// The servers may be others by now: everything that waits is asked for at once.
    Anew,
    /// The time of [`Locate::poll_timeout`] has come.
    Timeout,
}

/// What calls may use of a name has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocateChange {
    /// The name.
    pub place: Place,
    /// Its addresses, best first; none if there are none.
    pub addresses: Vec<LocatedAddress>,
}

/// The core that locates. After every [`Locate::handle`], drain [`Locate::poll_query`] and [`Locate::poll_change`].
#[derive(Debug, Clone)]
pub struct Locate {
    pub(super) names: BTreeMap<Place, Name>,
    policy: LocatePolicy,
    down: BTreeSet<SocketAddr>,
    /// Whose question it is.
    out: BTreeMap<QuestionId, Place>,
    next: u64,
    changes: VecDeque<LocateChange>,
    counters: LocateCounters,
    rng: Rng,
}

impl Locate {
    /// Without a name. Another seed gives other times.
    pub const fn new(seed: u64, policy: LocatePolicy) -> Self {
        Self {
            names: BTreeMap::new(),
            policy,
            down: BTreeSet::new(),
            out: BTreeMap::new(),
            next: 0,
            changes: VecDeque::new(),
            counters: LocateCounters {
                questions: [0; 4],
                found: 0,
                denied: 0,
                failed: 0,
                early: 0,
                changes: 0,
            },
            rng: Rng::new(seed),
        }
    }

    /// Takes one input in.
    pub fn handle(&mut self, now: Time, input: LocateInput) {
        match input {
            LocateInput::Answer { id, answer } => {
                if let Some(place) = self.out.remove(&id) {
                    self.with(&place, |name, tools| {
                        name.answer(now, id, answer, tools);
                    });
                }
            }
            LocateInput::Down(down) => {
                let before = std::mem::replace(&mut self.down, down);
                let new: Vec<SocketAddr> = self.down.difference(&before).copied().collect();
                self.each(|_, name, tools| new.iter().for_each(|at| name.failed(now, *at, tools)));
            }
            LocateInput::Places(places) => {
                self.names.retain(|place, _| places.contains(place));
                self.out.retain(|_, place| places.contains(place));
                for place in places.into_iter().take(MAX_PLACES) {
                    self.names.entry(place).or_insert_with(|| Name::new(now));
                }
            }
            LocateInput::Policy(policy) => self.policy = policy,
            LocateInput::Anew => self.each(|_, name, _| match &mut name.work {
                Work::Waiting { until } => *until = now,
                Work::Asking { .. } => {}
            }),
            LocateInput::Timeout => {}
        }
        self.elapse(now);
    }

    /// Does what is due, and finds out what has changed.
    fn elapse(&mut self, now: Time) {
        let (mut changes, mut given_up) = (VecDeque::new(), BTreeSet::new());
        self.each(|place, name, tools| {
            if name.elapse(now, place, tools) {
                given_up.insert(place.clone());
            }
            if let Some(addresses) = name.news() {
                tools.counters.changes += 1;
                changes.push_back(LocateChange { place: place.clone(), addresses });
            }
        });
        self.changes.append(&mut changes);
        self.out.retain(|_, place| !given_up.contains(place));
    }

    /// The next question to send.
    pub fn poll_query(&mut self) -> Option<Question> {
        if self.out.len() >= MAX_QUESTIONS {
            return None;
        }
        let next = &mut self.next;
        let (place, question) =
            self.names.iter_mut().find_map(|(place, name)| Some((place, name.ask(next)?)))?;
        if let Some(count) = self.counters.questions.get_mut(question.kind as usize) {
            *count += 1;
        }
        self.out.insert(question.id, place.clone());
        Some(question)
    }

    /// The next change of what calls may use.
    pub fn poll_change(&mut self) -> Option<LocateChange> {
        self.changes.pop_front()
    }

    /// When to come back with [`LocateInput::Timeout`]; [`Time::NEVER`] without a name.
    pub fn poll_timeout(&self) -> Time {
        self.names.values().map(|name| name.deadline(&self.policy)).fold(Time::NEVER, Time::min)
    }

    /// Whether every name has had an answer, be it that nobody answers.
    pub fn is_settled(&self) -> bool {
        !self.names.values().any(Name::is_unasked)
    }

    /// Totals since the start.
    pub const fn counters(&self) -> &LocateCounters {
        &self.counters
    }

    fn with<T>(&mut self, place: &Place, act: impl FnOnce(&mut Name, &mut Tools<'_>) -> T) -> Option<T> {
        let Self { names, policy, down, counters, rng, .. } = self;
        names.get_mut(place).map(|name| act(name, &mut Tools { policy, down, counters, rng }))
    }

    fn each(&mut self, mut act: impl FnMut(&Place, &mut Name, &mut Tools<'_>)) {
        let Self { names, policy, down, counters, rng, .. } = self;
        let mut tools = Tools { policy, down, counters, rng };
        names.iter_mut().for_each(|(place, name)| act(place, name, &mut tools));
    }
}
