//! The registrations of all trunks that have one.

use super::machine::{Around, Machine};
use super::request::number_of;
use crate::digest::Account;
use crate::rng::Rng;
use crate::{Config, Owner, Peer, Registration, TargetId, TransportFailure};
use bytes::Bytes;
use relay_values::Time;
use sip_wire::Message;
use std::collections::VecDeque;
use std::sync::Arc;

/// All of them.
#[derive(Debug)]
pub(crate) struct Registrations {
    machines: Vec<Machine>,
    /// Of trunks that are not configured any more, or otherwise: they leave.
    leaving: Vec<Machine>,
    bindings: Vec<Option<TargetId>>,
    rng: Rng,
}

/// What is known of one trunk's registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationView {
    /// The trunk.
    pub trunk: String,
    /// `registered`, `registering`, `failed` or `leaving`.
    pub state: &'static str,
    /// The registrar that has bound us.
    pub registrar: Option<String>,
    /// Until when.
    pub until: Option<Time>,
    /// What the last registrar said that did not bind us; 0 if it said nothing.
    pub last: Option<u16>,
}

impl Registrations {
    pub(crate) fn new(config: &Config, now: Time, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let machines =
            config.registrations.iter().map(|own| Machine::new(own.clone(), now, &mut rng)).collect();
        let bindings = vec![None; config.registrations.len()];
        Self { machines, leaving: Vec::new(), bindings, rng }
    }

    /// Who is bound where, by the places of the configuration's registrations. Whether that has changed since it was asked last.
    pub(crate) fn bindings(&mut self) -> (&[Option<TargetId>], bool) {
        let now: Vec<_> = self.machines.iter().map(Machine::bound_at).collect();
        let changed = now != self.bindings;
        self.bindings = now;
        (&self.bindings, changed)
    }

    /// When [`Registrations::timeout`] is wanted.
    pub(crate) fn deadline(&self) -> Time {
        self.each().map(Machine::deadline).min().unwrap_or(Time::NEVER)
    }

    fn each(&self) -> impl Iterator<Item = &Machine> {
        self.machines.iter().chain(&self.leaving)
    }

    /// Lets `f` work on each machine.
    fn with_each(
        &mut self,
        now: Time,
        config: &Config,
        sends: &mut VecDeque<(Peer, Bytes)>,
        mut f: impl FnMut(&mut Machine, &mut Around<'_>),
    ) {
        let rng = &mut self.rng;
        for machine in self.machines.iter_mut().chain(&mut self.leaving) {
            f(machine, &mut Around { now, config, rng, sends });
        }
        self.leaving.retain(|machine| !machine.is_gone());
    }

    pub(crate) fn timeout(&mut self, now: Time, config: &Config, sends: &mut VecDeque<(Peer, Bytes)>) {
        self.with_each(now, config, sends, |machine, around| {
            if machine.deadline() <= now {
                machine.timeout(around);
            }
        });
    }

    /// A response. False if nobody waits for it.
    pub(crate) fn message(
        &mut self,
        now: Time,
        config: &Config,
        sends: &mut VecDeque<(Peer, Bytes)>,
        bytes: Bytes,
    ) -> bool {
        let Ok(response) = Message::parse(bytes) else { return false };
        let branch = response.top_via().ok().and_then(|via| via.branch);
        let Some(number) = branch.and_then(number_of).filter(|_| !response.is_request()) else {
            return false;
        };
        let mut taken = false;
        self.with_each(now, config, sends, |machine, around| {
            if machine.waits_for(number) {
                taken = true;
                let accounts: Option<Arc<[Account]>> =
                    config.accounts(Owner::Trunk(machine.registration.trunk)).cloned();
                machine.answered(around, &response, accounts.as_deref().unwrap_or_default());
            }
        });
        taken
    }

    pub(crate) fn transport_error(
        &mut self,
        now: Time,
        config: &Config,
        sends: &mut VecDeque<(Peer, Bytes)>,
        (to, failure): (Peer, TransportFailure),
    ) {
        self.with_each(now, config, sends, |machine, around| machine.transport_error(around, to, failure));
    }

    /// We stop.
    pub(crate) fn leave(&mut self, now: Time, config: &Config, sends: &mut VecDeque<(Peer, Bytes)>) {
        self.with_each(now, config, sends, Machine::leave);
    }

    /// Whether nothing is bound any more, after [`Registrations::leave`].
    pub(crate) fn has_left(&self) -> bool {
        self.each().all(Machine::is_gone)
    }

    /// A new configuration: what is the same goes on, what is not leaves as it was and begins anew.
    pub(crate) fn reload(
        &mut self,
        now: Time,
        (old, new): (&Config, &Config),
        sends: &mut VecDeque<(Peer, Bytes)>,
    ) {
        let mut before: Vec<Option<Machine>> =
            std::mem::take(&mut self.machines).into_iter().map(Some).collect();
        for registration in &new.registrations {
            let same = before.iter_mut().find(|machine| {
                machine.as_ref().is_some_and(|m| is_same((old, &m.registration), (new, registration)))
            });
            let machine = match same.and_then(Option::take) {
                Some(mut machine) => {
                    machine.renumber(registration.clone());
                    machine
                }
                None => Machine::new(registration.clone(), now, &mut self.rng),
            };
            self.machines.push(machine);
        }
        let rng = &mut self.rng;
        for mut machine in before.into_iter().flatten() {
            // By the old numbers, once: nobody is left who could answer a challenge to it.
            machine.leave(&mut Around { now, config: old, rng, sends });
        }
    }

    /// What is known of each.
    pub(crate) fn views(&self, config: &Config) -> Vec<RegistrationView> {
        let name = |id: TargetId| config.target(id).map(|target| target.name.clone());
        let of = |machine: &Machine| RegistrationView {
            trunk: config
                .trunks
                .get(machine.registration.trunk.index())
                .map(|trunk| trunk.name.clone())
                .unwrap_or_default(),
            state: machine.word(),
            registrar: machine.bound_at().and_then(name),
            until: machine.bound_until(),
            last: machine.last(),
        };
        self.machines.iter().map(of).collect()
    }
}

/// Whether two configurations say the same of a trunk's registration, but for numbers.
fn is_same((old, a): (&Config, &Registration), (new, b): (&Config, &Registration)) -> bool {
    let trunk = |config: &Config, of: &Registration| {
        config.trunks.get(of.trunk.index()).map(|trunk| trunk.name.clone())
    };
    let peers = |config: &Config, of: &Registration| -> Vec<Option<Peer>> {
        of.registrars.iter().map(|id| config.target(*id).map(|target| target.peer)).collect()
    };
    (trunk(old, a), &a.aor, &a.contact, a.expires, peers(old, a))
        == (trunk(new, b), &b.aor, &b.contact, b.expires, peers(new, b))
        && old.accounts(Owner::Trunk(a.trunk)) == new.accounts(Owner::Trunk(b.trunk))
}
