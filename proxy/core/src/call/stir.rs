//! Signatures: a call waits for what is found of its caller before it goes on, and an INVITE for its signature before it
//! leaves. Both are asked for while the relay looks for ports, and neither is waited for longer than the policy says.

use super::{Call, Env, State};
use crate::ids::CallKey;
use crate::limits::SIGNATURE_LIFE;
use crate::stir::{
    Attestation, Signature, StirAnswer, StirRecord, StirSaid, StirTask, StirTicket, StirWork, ToSign,
    Verification,
};
use crate::{
    CloseReason, Direction, GroupId, Output, Owner, RejectReason, Source, TargetId, UnsignedReason,
    VerifyReason,
};
use relay_values::Time;
use sip_wire::{Builder, HeaderName};
use std::sync::Arc;

/// What is asked, awaited and known of a call's signatures.
#[derive(Debug, Default)]
pub(super) struct Stir {
    /// Of the last task.
    serial: u32,
    /// The caller is being verified: the task, and until when that is waited for.
    verifying: Option<(u32, Time)>,
    /// What is being signed.
    signing: Option<(u32, Wish, Time)>,
    /// What came of the last wish, and when.
    outcome: Option<(Wish, Time, Result<Signature, UnsignedReason>)>,
    /// The INVITE under way carries that signature.
    attached: bool,
    record: StirRecord,
}

/// What an INVITE is to claim. Equal wishes have equal signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wish {
    policy: Arc<str>,
    what: ToSign,
}

/// What comes before an INVITE.
enum Before {
    Nothing,
    Wait,
    /// It has to be signed, and is not.
    NotSigned,
}

impl Stir {
    fn ask(&mut self, env: &mut Env, call: CallKey, policy: &Arc<str>, work: StirWork) -> u32 {
        self.serial += 1;
        let ticket = StirTicket { call, serial: self.serial };
        env.out.push_back(Output::Stir(Box::new(StirTask { ticket, policy: Arc::clone(policy), work })));
        self.serial
    }

    fn signing_ends(&mut self, now: Time, serial: u32, outcome: Result<Signature, UnsignedReason>) {
        if let Some((_, wish, _)) = self.signing.take_if(|(asked, ..)| *asked == serial) {
            self.outcome = Some((wish, now, outcome));
        }
    }
}

impl Call {
    /// Asks who the caller is, where his trunk's calls are verified.
    pub(super) fn verify_caller(&mut self, env: &mut Env) {
        let (Direction::Inbound, Some(trunk)) = (self.admitted.direction, self.admitted.trunk) else {
            return;
        };
        if self.pinned.config.stir.is_empty() {
            return;
        }
        let (pinned, owner) = (Arc::clone(&self.pinned), Owner::Trunk(trunk));
        let Some((policy, verify)) = pinned.config.verifying(owner) else { return };
        if self.admitted.identity.signed().is_empty() {
            // Admission has refused it already where that is refused.
            self.found(env, &Verification::only(VerifyReason::NoIdentity));
            return;
        }
        let Some(pending) = self.invite.as_deref() else { return };
        let what = self.admitted.identity.to_verify(&pending.request, pinned.config.profile(owner));
        let key = self.key;
        let stir = self.stir.get_or_insert_default();
        let serial = stir.ask(env, key, &policy.name, StirWork::Verify(what));
        stir.verifying = Some((serial, env.now + verify.wait));
    }

    /// Sends the INVITE once nothing is to be waited for any more.
    pub(super) fn set_out(&mut self, env: &mut Env, target: TargetId) -> State {
        if self.stir.is_none() && env.newest.config.stir.is_empty() {
            return self.attempt(env, target);
        }
        match self.before(env, target) {
            Before::Nothing => {
                if let Some(stir) = &self.stir {
                    match (stir.attached, stir.record.attested, stir.record.unsigned) {
                        (true, Some(attested), _) => env.counters.signed(attested),
                        (_, _, Some(reason)) => env.counters.unsigned(reason),
                        _ => {}
                    }
                }
                self.attempt(env, target)
            }
            Before::Wait => State::Opening { target, until: Time::NEVER },
            Before::NotSigned => self.reject(env, 503, CloseReason::Rejected, Some(RejectReason::NotSigned)),
        }
    }

    /// Asks for what the INVITE to this target will have to wait for.
    pub(super) fn prepare(&mut self, env: &mut Env, target: TargetId) {
        if self.stir.is_some() || !env.newest.config.stir.is_empty() {
            let _ = self.before(env, target);
        }
    }

    fn before(&mut self, env: &mut Env, target: TargetId) -> Before {
        let newest = Arc::clone(&env.newest);
        let wanted = newest.config.signing(target);
        if self.stir.is_none() && wanted.is_none() {
            return Before::Nothing;
        }
        let wish = wanted.and_then(|(policy, sign)| {
            let what = self.to_sign(env, target, |number, from| sign.attests(number, from));
            what.map(|what| (Wish { policy: Arc::clone(&policy.name), what }, sign))
        });
        let key = self.key;
        let stir = self.stir.get_or_insert_default();
        if stir.verifying.is_some() {
            return Before::Wait;
        }
        stir.attached = false;
        (stir.record.attested, stir.record.unsigned) = (None, None);
        let Some((wish, sign)) = wish else { return Before::Nothing };
        if let Some((_, _, outcome)) =
            stir.outcome.as_ref().filter(|(known, at, _)| *known == wish && env.now <= *at + SIGNATURE_LIFE)
        {
            return match outcome {
                Ok(signature) => {
                    stir.attached = true;
                    // What was diverted only has its diversion signed.
                    let is_ours = wish.what.passed.is_empty() && !signature.identities.is_empty();
                    stir.record.attested = is_ours.then_some(wish.what.attest);
                    Before::Nothing
                }
                Err(reason) => {
                    stir.record.unsigned = Some(*reason);
                    if sign.required { Before::NotSigned } else { Before::Nothing }
                }
            };
        }
        if stir.signing.as_ref().is_none_or(|(_, known, _)| *known != wish) {
            let serial = stir.ask(env, key, &wish.policy, StirWork::Sign(wish.what.clone()));
            stir.signing = Some((serial, wish, env.now + sign.wait));
        }
        Before::Wait
    }

    /// What is to be signed in an INVITE to this target; `None` where there is nothing to say.
    fn to_sign(
        &self,
        env: &Env,
        target: TargetId,
        attests: impl FnOnce(&[u8], Option<GroupId>) -> Attestation,
    ) -> Option<ToSign> {
        let config = &env.newest.config;
        let profile = config.profile(config.target(target)?.owner);
        let identity = &self.admitted.identity;
        let redirects = self.invite.as_deref().and_then(|pending| pending.redirects.as_ref());
        let redirected = redirects.and_then(|redirects| redirects.called());
        let passed = if profile.passports { identity.signed() } else { b"" };
        let was_for = match redirected {
            Some(_) => Some(Box::from(identity.called())),
            None if passed.is_empty() => None,
            None => identity.diverted_from(),
        };
        if !passed.is_empty() && was_for.is_none() {
            // Somebody has signed already, and nothing has changed since.
            return None;
        }
        let calling: Box<[u8]> = identity.caller_to_sign(profile).unwrap_or_default().into();
        let from = match env.newest.router.source_at(self.admitted.source.remote) {
            Some(Source::Group(group)) => Some(group),
            Some(Source::Trunk(_)) | None => None,
        };
        Some(ToSign {
            attest: attests(&calling, from),
            calling,
            called: redirected.unwrap_or(identity.called()).into(),
            was_for,
            passed: passed.into(),
        })
    }

    /// Writes the signature of the INVITE under way, with its Date unless the caller's own stands there.
    pub(super) fn write_signature(&self, out: &mut Builder, is_dated: impl FnOnce() -> bool) {
        let Some(stir) = self.stir.as_deref().filter(|stir| stir.attached) else { return };
        let Some((_, _, Ok(signature))) = &stir.outcome else { return };
        for value in &signature.identities {
            out.header(HeaderName::Identity, value);
        }
        if !signature.identities.is_empty() && !is_dated() {
            out.header(HeaderName::Date, &signature.date);
        }
    }

    /// An answer to a task of this call. One that comes too late changes nothing.
    pub(crate) fn stir_said(&mut self, env: &mut Env, answer: StirAnswer) {
        let serial = answer.ticket.serial;
        let Some(stir) = self.stir.as_deref_mut() else { return };
        let refusal = match answer.said {
            StirSaid::Verified(found) => {
                if stir.verifying.take_if(|(asked, _)| *asked == serial).is_none() {
                    return;
                }
                self.found(env, &found)
            }
            StirSaid::Signed(signature) => {
                stir.signing_ends(env.now, serial, Ok(signature));
                None
            }
            StirSaid::Unsigned(reason) => {
                stir.signing_ends(env.now, serial, Err(reason));
                None
            }
        };
        if let State::Opening { target, until } = self.state {
            self.state = self.resume(env, target, until, refusal);
        }
    }

    /// What has not been answered in time never will be, as far as the call is concerned.
    pub(super) fn stir_gives_up(&mut self, env: &mut Env, target: TargetId, until: Time) -> State {
        let now = env.now;
        let Some(stir) = self.stir.as_deref_mut() else { return State::Opening { target, until } };
        if let Some((serial, ..)) = stir.signing.as_ref().filter(|(.., until)| *until <= now) {
            let serial = *serial;
            stir.signing_ends(now, serial, Err(UnsignedReason::Timeout));
        }
        let refusal = match stir.verifying.take_if(|(_, until)| *until <= now) {
            Some(_) => self.found(env, &Verification::only(VerifyReason::Timeout)),
            None => None,
        };
        self.resume(env, target, until, refusal)
    }

    fn resume(
        &mut self,
        env: &mut Env,
        target: TargetId,
        until: Time,
        refusal: Option<(u16, RejectReason)>,
    ) -> State {
        match refusal.filter(|_| !self.admitted.emergency) {
            Some((code, reason)) => self.reject(env, code, CloseReason::Rejected, Some(reason)),
            None => self.proceed(env, target, until),
        }
    }

    /// What was found of the caller goes with the call; the refusal that it deserves, if any.
    fn found(&mut self, env: &mut Env, found: &Verification) -> Option<(u16, RejectReason)> {
        let stir = self.stir.get_or_insert_default();
        stir.record.verified = Some(found.reason);
        stir.record.vouched = found.attest;
        env.counters.verified(found.reason);
        self.admitted.identity = self.admitted.identity.found(found.reason.verstat(), &found.number);
        let (_, verify) = self.pinned.config.verifying(Owner::Trunk(self.admitted.trunk?))?;
        verify.refusal(found.reason)
    }

    /// Until when an answer is waited for.
    pub(super) fn stir_deadline(&self) -> Time {
        let Some(stir) = self.stir.as_deref() else { return Time::NEVER };
        let verifying = stir.verifying.map_or(Time::NEVER, |(_, until)| until);
        verifying.min(stir.signing.as_ref().map_or(Time::NEVER, |(.., until)| *until))
    }

    /// For the record.
    pub(super) fn stir_record(&self) -> StirRecord {
        self.stir.as_ref().map(|stir| stir.record).unwrap_or_default()
    }
}
