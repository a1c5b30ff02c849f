//! A request of ours was refused until we show who we are: we say it again, and show it (RFC 3261 §22.2, §22.3).
//!
//! The new request is another one of the same Call-ID, From tag and body: the next number, a branch of its own, credentials.
//! Whoever had the first one made has the second one in its place, and hears nothing of it.

use super::account::Account;
use super::algorithm::Asked;
use super::challenge::choose;
use super::pass::Passes;
use crate::call::{Env, User};
use crate::dialog::put_cseq;
use crate::ids::hex;
use crate::limits::MAX_SHOWN;
use crate::shard::Shard;
use crate::transaction::{Challenged, ClientKey, ClientKind, Shown};
use crate::{ChallengeOutcome, Config, Owner, Source};
use bytes::Bytes;
use sip_wire::{Builder, HeaderName, Message, Method};
use std::sync::Arc;

/// What the next try of a request needs to know of its leg.
#[derive(Debug)]
pub(crate) struct Next {
    /// Its number.
    pub(crate) cseq: u32,
    /// What the dialog has shown so far.
    pub(crate) passes: Option<Box<Passes>>,
}

/// Another try of a request, in the place of one that was challenged.
#[derive(Debug)]
pub(crate) struct Retry {
    pub(crate) before: ClientKey,
    pub(crate) client: ClientKey,
    pub(crate) cseq: u32,
    pub(crate) passes: Passes,
}

impl Config {
    /// What a trunk or a group knows us by.
    pub(crate) fn accounts(&self, owner: Owner) -> Option<&Arc<[Account]>> {
        let id = self.manners(owner).accounts?;
        self.authentication.accounts.get(usize::from(id.0))
    }
}

impl Shard {
    /// Answers a challenge. False where that cannot be done: then it is a refusal like others.
    pub(crate) fn answers(&mut self, challenged: &Challenged<User>) -> bool {
        let outcome = match self.try_to_answer(challenged) {
            Ok(()) => ChallengeOutcome::Answered,
            Err(why) => why,
        };
        self.env.counters.challenged(outcome);
        outcome == ChallengeOutcome::Answered
    }

    fn try_to_answer(&mut self, challenged: &Challenged<User>) -> Result<(), ChallengeOutcome> {
        let Challenged { client: before, user, to, ref request, ref shown, ref msg } = *challenged;
        let shown = shown.as_deref();
        if shown.is_some_and(|shown| shown.times >= MAX_SHOWN) {
            return Err(ChallengeOutcome::TooOften);
        }
        let times = shown.map_or(1, |shown| shown.times + 1);
        let in_transaction = shown.map(|shown| Box::new(shown.passes.clone()));
        let accounts = self.accounts_for(challenged).ok_or(ChallengeOutcome::NoAccount)?;
        let request = Message::parse(request.clone()).map_err(|_| ChallengeOutcome::Broken)?;
        let next = match user.call() {
            Some(key) => self.with(key, |call, _| call.next_try(user, before, &request)).flatten(),
            None => {
                request.cseq().ok().map(|cseq| Next { cseq: cseq.number.saturating_add(1), passes: None })
            }
        };
        let next = next.ok_or(ChallengeOutcome::Unwanted)?;
        let cnonce = self.env.fresh_cnonce();
        let new = choose(msg, &request, &accounts, cnonce)?;
        let mut passes = next.passes.or(in_transaction).map_or_else(Passes::default, |passes| *passes);
        passes.renew(new);
        let Some(face) = self.env.faces.get(to.listener) else { return Err(ChallengeOutcome::Unwanted) };
        let client = self.env.txns.reserve(user);
        let branch = self.env.txns.branch(client);
        let bytes = say_again(&request, &[&face.via, branch.as_bytes()], next.cseq, &mut passes);
        let invite = matches!(request.method(), Method::Invite);
        let kind = if invite { ClientKind::Invite } else { ClientKind::NonInvite };
        self.env.txns.start(self.env.now, client, to, kind, bytes);
        self.env.txns.has_shown(client, Shown { passes: passes.clone(), times });
        let retry = Retry { before, client, cseq: next.cseq, passes };
        match (user, user.call()) {
            (_, Some(key)) => {
                self.with(key, |call, env| call.tries_again(env, user, retry));
            }
            (User::Ghost(id), None) => self.env.ghosts.counted(id, retry.cseq),
            _ => {}
        }
        Ok(())
    }

    /// What we are known by where the request went: to the leg's own neighbour, else to whoever is at that address.
    fn accounts_for(&mut self, challenged: &Challenged<User>) -> Option<Arc<[Account]>> {
        let user = challenged.user;
        let of_leg =
            user.call().and_then(|key| self.with(key, |call, env| call.accounts(env, user)).flatten());
        of_leg.or_else(|| {
            let owner = match self.env.source(challenged.to)? {
                Source::Trunk(trunk) => Owner::Trunk(trunk),
                Source::Group(group) => Owner::Edge(group),
            };
            self.env.newest.config.accounts(owner).cloned()
        })
    }
}

impl Env {
    /// What a neighbour cannot have chosen: 64 random bits.
    fn fresh_cnonce(&mut self) -> [u8; 16] {
        let mut cnonce = [0; 16];
        hex(self.rng.next_u64(), &mut cnonce);
        cnonce
    }

    /// An INVITE that is built anew, after the one of `before`, shows what that one has shown.
    pub(crate) fn show_again(&mut self, before: ClientKey, client: ClientKey, invite: Bytes) -> Bytes {
        let Some(shown) = self.txns.shown(before) else { return invite };
        let (mut passes, times) = (shown.passes.clone(), shown.times);
        let Ok(message) = Message::parse(invite.clone()) else { return invite };
        let (Some(via), Ok(cseq)) = (message.header(HeaderName::Via), message.cseq()) else { return invite };
        let bytes = say_again(&message, &[via], cseq.number, &mut passes);
        self.txns.has_shown(client, Shown { passes, times });
        bytes
    }
}

/// The same request with another Via and number, and credentials.
fn say_again(request: &Message, via: &[&[u8]], cseq: u32, passes: &mut Passes) -> Bytes {
    let (method, body) = (request.method(), request.body_bytes());
    let mut out = Builder::request(method, request.uri());
    out.parts(HeaderName::Via, via);
    for header in request.all() {
        match header.id {
            HeaderName::Via
            | HeaderName::ContentLength
            | HeaderName::ContentType
            | HeaderName::Authorization
            | HeaderName::ProxyAuthorization => {}
            HeaderName::CSeq => put_cseq(&mut out, cseq, method),
            HeaderName::Other => {
                out.other(header.name, header.value);
            }
            name => {
                out.header(name, header.value);
            }
        }
    }
    let asked = Asked { method: method.as_bytes(), uri: request.uri(), body };
    for (field, value) in passes.show(&asked) {
        out.header(field, &value);
    }
    match request.header(HeaderName::ContentType) {
        Some(kind) => out.body(kind, body),
        None => out.finish(),
    }
}
