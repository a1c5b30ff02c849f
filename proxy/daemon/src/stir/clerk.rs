//! The one thread that signs and verifies, and fetches what it needs for that.

use super::cache::{Cache, Key, Known, Open};
use super::place::{Host, Place};
use super::table::{Table, Verifier};
use super::{Desk, Job, seconds_now, sign, words};
use crate::limits::STIR_FETCHES;
use crate::shared::{Mail, Shared, count};
use proxy_core::{
    StirAnswer, StirSaid, StirTask, StirTicket, StirWork, ToVerify, UnsignedReason, Verification,
    VerifyReason,
};
use std::io;
use std::sync::Arc;
use std::time::Instant;
use stir::{Case, Credential, Facts, canonical};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What the thread is given.
pub(crate) struct Kit {
    pub(crate) shared: Arc<Shared>,
    pub(crate) jobs: mpsc::Receiver<Job>,
}

/// A bundle that was asked for, under the table that asked for it.
type Fetched = (Arc<Table>, Key, Result<Vec<u8>, VerifyReason>);

/// Works until the appliance stops.
pub(crate) async fn run(kit: Kit) -> io::Result<()> {
    let Kit { shared, mut jobs } = kit;
    let mut stop = shared.stop.subscribe();
    let Some(desk) = shared.stir.as_ref() else { return Ok(()) };
    let mut clerk = Clerk {
        shared: &shared,
        desk,
        table: desk.table.load_full(),
        cache: Cache::default(),
        fetches: JoinSet::new(),
    };
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            job = jobs.recv() => match job {
                Some(job) => clerk.take(job),
                None => return Ok(()),
            },
            Some(fetched) = clerk.fetches.join_next(), if !clerk.fetches.is_empty() => {
                // A fetch that panicked has already said so; those who wait for it give up by themselves.
                if let Ok(fetched) = fetched {
                    clerk.fetched(fetched);
                }
            }
        }
    }
}

struct Clerk<'a> {
    shared: &'a Shared,
    desk: &'a Desk,
    table: Arc<Table>,
    cache: Cache,
    fetches: JoinSet<Fetched>,
}

impl Clerk<'_> {
    fn take(&mut self, job: Job) {
        let newest = self.desk.table.load();
        if !Arc::ptr_eq(&newest, &self.table) {
            self.table = Arc::clone(&newest);
            for open in self.cache.clear() {
                self.verified(&open, Verification::only(VerifyReason::Busy));
            }
        }
        let Job { shard, task } = job;
        let StirTask { ticket, policy, work } = *task;
        let (table, office) = (Arc::clone(&self.table), self.table.find(&policy));
        match work {
            StirWork::Sign(what) => {
                let signer = office.and_then(|office| table.get(office)?.signer.as_ref());
                let signed = signer.ok_or(UnsignedReason::Failed);
                let said = match signed.and_then(|signer| sign::sign(signer, &what, seconds_now())) {
                    Ok(signature) => StirSaid::Signed(signature),
                    Err(reason) => StirSaid::Unsigned(reason),
                };
                self.answer(shard, ticket, said);
            }
            StirWork::Verify(what) => self.verify(shard, ticket, office.unwrap_or(usize::MAX), &what),
        }
    }

    fn verify(&mut self, shard: u8, ticket: StirTicket, office: usize, what: &ToVerify) {
        let numbers = |users: &[Box<[u8]>]| -> Vec<String> {
            users.iter().filter_map(|user| canonical(user)).collect()
        };
        let (calling, called) = (numbers(&what.calling), numbers(&what.called));
        let facts = Facts { calling: &calling, called: &called, date: stir::seconds(&what.date) };
        let values = what.identities.split(|b| *b == b'\n').filter(|value| !value.is_empty());
        let case = Case::read(values, &facts);
        // What is too old needs no certificate.
        match case.and_then(|case| case.is_fresh(seconds_now()).map(|()| case)) {
            Ok(case) => self.go_on(Open { shard, ticket, office, case }),
            Err(failure) => {
                self.answer(shard, ticket, StirSaid::Verified(Verification::only(words::reason(failure))));
            }
        }
    }

    /// Judges it, if every certificate is here.
    fn go_on(&mut self, open: Open) {
        let mut credentials: Vec<Arc<Credential>> = Vec::new();
        let urls: Vec<String> = open.case.urls().map(str::to_owned).collect();
        for url in urls {
            let key = (open.office, url);
            match self.certificate(&key) {
                Known::Here(credential) => credentials.push(credential),
                Known::Not(reason) => return self.verified(&open, Verification::only(reason)),
                Known::Coming | Known::Nothing => {
                    if let Err(open) = self.cache.wait(&key, open) {
                        self.verified(&open, Verification::only(VerifyReason::Busy));
                    }
                    return;
                }
            }
        }
        let judged = open.case.judge(credentials.iter().map(|credential| &**credential), seconds_now());
        self.verified(&open, words::verification(judged));
    }

    /// What is known of a certificate; if nothing is, it is asked for.
    fn certificate(&mut self, key: &Key) -> Known {
        let now = Instant::now();
        let known = self.cache.look(key, now, seconds_now());
        if !matches!(known, Known::Nothing) {
            return known;
        }
        let (table, (office, url)) = (Arc::clone(&self.table), key);
        let Some(verifier) = table.get(*office).and_then(|office| office.verifier.as_ref()) else {
            return Known::Not(VerifyReason::Busy);
        };
        if let Some(bundle) = verifier.known.get(url) {
            let outcome = check(verifier, bundle);
            self.cache.came(key.clone(), now, outcome.clone());
            return outcome.map_or_else(Known::Not, Known::Here);
        }
        let Some(place) = Place::parse(url) else { return Known::Not(VerifyReason::BadInfo) };
        let host = verifier.hosts.iter().find(|host| host.is(&place));
        let (Some(host), Some(web)) = (host, verifier.web.clone()) else {
            return Known::Not(VerifyReason::HostNotAllowed);
        };
        if self.fetches.len() >= STIR_FETCHES {
            return Known::Not(VerifyReason::Busy);
        }
        let internal = Host::is_internal(host);
        let (key, asked) = (key.clone(), Arc::clone(&self.table));
        self.cache.is_coming(key.clone(), now);
        self.fetches.spawn(async move { (asked, key, web.fetch(place, internal).await) });
        Known::Coming
    }

    fn fetched(&mut self, (asked, key, bundle): Fetched) {
        let tally = &self.desk.tally;
        count(if bundle.is_ok() { &tally.fetched } else { &tally.fetch_failed });
        if !Arc::ptr_eq(&asked, &self.table) {
            // Asked under an older configuration: whoever has waited was told.
            return;
        }
        let verifier = asked.get(key.0).and_then(|office| office.verifier.as_ref());
        let outcome = match verifier {
            Some(verifier) => bundle.and_then(|bundle| check(verifier, &bundle)),
            None => Err(VerifyReason::Busy),
        };
        if let Err(reason) = &outcome {
            tracing::warn!(url = key.1, reason = reason.as_str(), "a caller's certificate cannot be used");
        }
        for open in self.cache.came(key, Instant::now(), outcome) {
            self.go_on(open);
        }
    }

    fn verified(&self, open: &Open, found: Verification) {
        self.answer(open.shard, open.ticket, StirSaid::Verified(found));
    }

    fn answer(&self, shard: u8, ticket: StirTicket, said: StirSaid) {
        let answer = Box::new(StirAnswer { ticket, said });
        let sent =
            self.shared.posts.get(usize::from(shard)).map(|post| post.mail.try_send(Mail::Stir(answer)));
        if sent.is_some_and(|sent| sent.is_err()) {
            // The call does not wait for ever.
            count(&self.shared.tally.mail_full);
        }
    }
}

fn check(verifier: &Verifier, bundle: &[u8]) -> Result<Arc<Credential>, VerifyReason> {
    verifier.trust.check(bundle, seconds_now()).map(Arc::new).map_err(words::reason)
}
