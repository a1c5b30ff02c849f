//! What begins outside of every dialog: new calls, and the questions that are answered at once.

use crate::call::{Admitted, Call, Pending};
use crate::correlation::session_id;
use crate::demands::{self, Refusal};
use crate::dialog::{MAX_FORWARDS, has_long_path};
use crate::identity::{Identity, NoIdentity, is_disbelieved, is_sos};
use crate::record::{CallRecord, Direction};
use crate::route::{Plan, Source, in_order, plan_inbound, plan_outbound};
use crate::shard::{Origin, Shard};
use crate::transaction::{ServerKey, response};
use crate::{
    CloseReason, Output, Peer, RegionId, RejectReason, SiteId, Snapshot, StirRecord, TrunkId, VerifyReason,
};
use core::hash::BuildHasher;
use relay_values::Latching;
use sip_wire::{HeaderName, Message, Method, NameAddr};
use smallvec::SmallVec;
use std::sync::Arc;

/// Where a call comes from and may go.
struct Routed {
    direction: Direction,
    trunk: Option<TrunkId>,
    site: Option<SiteId>,
    region: RegionId,
    latching: Latching,
    plan: Plan,
}

impl Shard {
    /// A request without a To tag.
    pub(crate) fn outside_dialog(&mut self, from: Peer, server: ServerKey, request: Message) {
        match request.method() {
            Method::Invite => self.invite(from, server, request),
            Method::Options => self.options(from, server, &request),
            Method::Bye | Method::Update | Method::Prack | Method::Info | Method::Notify => {
                self.refuse(from, server, &request, 481, RejectReason::NoDialog);
            }
            Method::Register
            | Method::Subscribe
            | Method::Refer
            | Method::Message
            | Method::Publish
            | Method::Ack
            | Method::Cancel => self.refuse(from, server, &request, 405, RejectReason::MethodNotAllowed),
            Method::Other(_) => self.refuse(from, server, &request, 501, RejectReason::UnknownMethod),
        }
    }

    /// OPTIONS says what an INVITE could expect (RFC 3261 §11.2).
    fn options(&mut self, from: Peer, server: ServerKey, request: &Message) {
        if let Err((code, reason)) = demands::check(request, &self.env.newest.config.session) {
            return self.refuse(from, server, request, code, reason);
        }
        if self.draining {
            return self.refuse(from, server, request, 503, RejectReason::Draining);
        }
        let tag = self.fresh_tag();
        let mut out = response(request, from.remote, 200, self.env.load_said, Some(tag.as_bytes()));
        let allow = self.env.allow(from.remote);
        demands::describe_us(&mut out, &self.env.newest.config.session, allow);
        self.env.txns.respond(self.env.now, server, 200, out.finish());
    }

    fn invite(&mut self, from: Peer, server: ServerKey, request: Message) {
        let trying = response(&request, from.remote, 100, self.env.load_said, None).finish();
        self.env.txns.respond(self.env.now, server, 100, trying);
        let origin = self.origin_of(&request);
        match self.admit(from, &request, origin) {
            Ok((admitted, plan)) => self.start(server, request, origin, admitted, plan),
            Err((code, reason)) => {
                self.record_rejection(from, &request, code, reason);
                self.refuse(from, server, &request, code, reason);
            }
        }
    }

    fn start(
        &mut self,
        server: ServerKey,
        request: Message,
        origin: Origin,
        admitted: Admitted,
        mut plan: Plan,
    ) {
        let from = admitted.source;
        let snapshot = Arc::clone(&self.env.newest);
        let mut reason = RejectReason::NoTarget;
        let first = loop {
            let Some(target) = plan.next(&snapshot, None) else {
                self.record_rejection(from, &request, 503, reason);
                return self.refuse(from, server, &request, 503, reason);
            };
            if admitted.emergency || self.env.may_try(target) {
                break target;
            }
            reason = RejectReason::PeerOverload;
        };
        let counted = admitted.trunk.and_then(|trunk| snapshot.config.trunks.get(trunk.index()));
        let counted = counted.map(|trunk| self.trunk_key(&trunk.name));
        let pending = Pending::new(server, request, self.env.now);
        // Nothing is refused here any more: the INVITE was checked, and the call answers for itself from now on.
        self.begin(counted, origin, |env, key| {
            Call::begin(env, key, snapshot, admitted, pending, plan, first)
        });
    }

    fn admit(&mut self, from: Peer, request: &Message, origin: Origin) -> Result<(Admitted, Plan), Refusal> {
        let snapshot = Arc::clone(&self.env.newest);
        if self.draining {
            return Err((503, RejectReason::Draining));
        }
        let hops = request.max_forwards().ok().flatten().unwrap_or(MAX_FORWARDS);
        let Some(max_forwards) = hops.checked_sub(1) else {
            return Err((483, RejectReason::TooManyHops));
        };
        let max_breadth = request.number32(HeaderName::MaxBreadth).unwrap_or(None);
        if max_breadth == Some(0) {
            return Err((440, RejectReason::NoBreadth));
        }
        if self.is_own(request) {
            return Err((482, RejectReason::Loop));
        }
        if self.is_merged(origin) {
            return Err((482, RejectReason::Merged));
        }
        demands::check(request, &snapshot.config.session)?;
        // Where nobody can be found again no dialog begins (RFC 3261 §8.1.1.8).
        if matches!(request.values(HeaderName::Contact).next(), None | Some(b"*")) {
            return Err((400, RejectReason::Malformed));
        }
        if has_long_path(request) {
            return Err((513, RejectReason::TooLong));
        }
        let source =
            self.env.proven.source(&snapshot.router, from).ok_or((403, RejectReason::UnknownSource))?;
        let source = snapshot.narrowed(source, from.remote, request);
        let profile = snapshot.config.profile(source.owner());
        let identity =
            Identity::take_for(request, called_uri(&snapshot, from, request), profile).map_err(|why| {
                match why {
                    NoIdentity::Scheme => (416, RejectReason::UnsupportedScheme),
                    NoIdentity::Malformed => (400, RejectReason::Malformed),
                    NoIdentity::TooLong => (414, RejectReason::TooLong),
                }
            })?;
        self.env.counters.disbelieved += u64::from(is_disbelieved(request, profile));
        if self.live() >= usize::try_from(snapshot.config.limits.max_calls).unwrap_or(usize::MAX) {
            return Err((503, RejectReason::CallLimit));
        }
        let routed = self.route(source, identity.number())?;
        let emergency = identity.is_priority()
            || is_emergency(&snapshot.config.rehome.emergency, identity.number())
            || is_for_help(request);
        let unsigned = identity.signed().is_empty() && !emergency;
        let verify = if unsigned { snapshot.config.verifying(source.owner()) } else { None };
        if let Some(refusal) = verify.and_then(|(_, policy)| policy.refusal(VerifyReason::NoIdentity)) {
            self.env.counters.verified(VerifyReason::NoIdentity);
            return Err(refusal);
        }
        let admitted = Admitted {
            emergency,
            session_id: request
                .header(HeaderName::SessionId)
                .and_then(session_id::parse)
                .map(|(own, _)| Box::new(own)),
            direction: routed.direction,
            source: from,
            identity,
            trunk: routed.trunk,
            site: routed.site,
            region: routed.region,
            latching: routed.latching,
            max_forwards,
            max_breadth: max_breadth.map(|most| u8::try_from(most).unwrap_or(u8::MAX)),
        };
        Ok((admitted, routed.plan))
    }

    /// A Via of ours in a request that claims to be new: it went out, and a proxy sent it back (RFC 3261 §8.2.2.2).
    fn is_own(&self, request: &Message) -> bool {
        let is_ours = |via: sip_wire::Via<'_>| {
            let marked = via.branch.is_some_and(|branch| branch.starts_with(b"z9hG4bKb"));
            let at = via.ip().filter(|_| marked).map(|ip| (ip, via.port.unwrap_or(5060)));
            let listeners = &self.env.newest.config.listeners;
            at.is_some_and(|(ip, port)| {
                listeners.iter().any(|l| l.advertised.ip() == ip && l.advertised.port() == port)
            })
        };
        if request.has_one_via() {
            return request.top_via().is_ok_and(is_ours);
        }
        request.values(HeaderName::Via).any(|via| sip_wire::Via::parse(via).is_ok_and(is_ours))
    }

    fn route(&mut self, source: Source, number: &str) -> Result<Routed, Refusal> {
        let snapshot = Arc::clone(&self.env.newest);
        let (config, router) = (&snapshot.config, &snapshot.router);
        let no_route = (404, RejectReason::NoRoute);
        match source {
            Source::Trunk(id) => {
                let trunk = config.trunks.get(id.index()).ok_or(no_route)?;
                self.check_trunk(&trunk.name, trunk.max_calls)?;
                let site = router.inbound(id, number).ok_or(no_route)?;
                let plan = plan_inbound(&snapshot, self.env.now, site, &mut self.env.rng);
                let (trunk, site, latching) = (Some(id), Some(site), trunk.latching);
                Ok(Routed { direction: Direction::Inbound, trunk, site, region: RegionId(0), latching, plan })
            }
            Source::Group(id) => {
                let group = config.groups.get(id.index()).ok_or(no_route)?;
                let site = router.site_of(id);
                let choices = router.outbound(site, number).ok_or(no_route)?;
                let trunks = in_order(choices, &mut self.env.rng);
                let (open, trunk) = self.open_trunks(&snapshot, &trunks)?;
                let trunk = Some(trunk);
                let plan = plan_outbound(&snapshot, self.env.now, &open, &mut self.env.rng);
                let (region, latching) = (group.region, group.latching);
                Ok(Routed { direction: Direction::Outbound, trunk, site, region, latching, plan })
            }
        }
    }

    /// Those of a route's trunks that have room for one more call, and the first of them, whose call it is for now. It is
    /// counted against that one's rate.
    fn open_trunks(
        &mut self,
        snapshot: &Snapshot,
        trunks: &[TrunkId],
    ) -> Result<(SmallVec<[TrunkId; 4]>, TrunkId), Refusal> {
        let now = self.env.now;
        let mut refusal = (503, RejectReason::TrunkLimit);
        let mut open = SmallVec::new();
        for id in trunks {
            let Some(trunk) = snapshot.config.trunks.get(id.index()) else { continue };
            if self.check_trunk(&trunk.name, trunk.max_calls).is_err() {
                continue;
            }
            if snapshot.is_unbound(*id) {
                refusal = (503, RejectReason::NotRegistered);
                continue;
            }
            if let Some(most) = trunk.calls_per_second {
                let key = self.trunk_key(&trunk.name);
                let bucket = self.load.trunk(key);
                // Of the others it is enough that they have one left.
                if !(if open.is_empty() { bucket.take(now, most) } else { bucket.has(now, most) }) {
                    refusal = (503, RejectReason::RateLimit);
                    continue;
                }
            }
            open.push(*id);
        }
        let first = open.first().copied().ok_or(refusal)?;
        Ok((open, first))
    }

    fn check_trunk(&self, name: &str, max_calls: Option<u32>) -> Result<(), Refusal> {
        let Some(most) = max_calls else { return Ok(()) };
        let now = self.by_trunk.get(&self.trunk_key(name)).copied().unwrap_or(0);
        if now >= most { Err((503, RejectReason::TrunkLimit)) } else { Ok(()) }
    }

    pub(crate) fn trunk_key(&self, name: &str) -> u64 {
        self.by_trunk.hasher().hash_one(name)
    }

    /// A call that was not taken has a record too: an operator looks for it there.
    fn record_rejection(&mut self, from: Peer, request: &Message, code: u16, reject: RejectReason) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let user = |uri: &[u8]| {
            sip_wire::Uri::parse(uri).ok().and_then(|uri| uri.user).map(text).unwrap_or_default()
        };
        let config = &self.env.newest.config;
        let source = self.env.source(from);
        let source = source.map(|source| self.env.newest.narrowed(source, from.remote, request));
        let (direction, trunk) = match source {
            Some(Source::Trunk(id)) => (Direction::Inbound, config.trunks.get(id.index())),
            Some(Source::Group(_)) | None => (Direction::Outbound, None),
        };
        self.serial += 1;
        let record = CallRecord {
            id: (u64::from(self.env.shard) << 48) | self.serial,
            direction,
            a_call_id: request.call_id().map(text).unwrap_or_default(),
            b_call_id: String::new(),
            calling: request.from().map(|from| user(from.uri)).unwrap_or_default(),
            called: user(request.uri()),
            source: from.remote,
            trunk: trunk.map(|trunk| trunk.name.clone()).unwrap_or_default(),
            site: String::new(),
            generation: self.env.newest.generation,
            started: self.env.now,
            ringing: None,
            answered: None,
            ended: self.env.now,
            code,
            close: CloseReason::Rejected,
            reject: Some(reject),
            steps: Vec::new(),
            moves: Vec::new(),
            stir: StirRecord {
                verified: (reject == RejectReason::NoIdentity).then_some(VerifyReason::NoIdentity),
                ..StirRecord::default()
            },
            media: None,
        };
        self.env.counters.close(CloseReason::Rejected);
        self.env.out.push_back(Output::Finished(Box::new(record)));
    }
}

/// What is called: the request URI, but where that is our own Contact, whoever the registrar says that it was before
/// (RFC 7315 §4.2), or To.
fn called_uri<'a>(snapshot: &Snapshot, from: Peer, request: &'a Message) -> &'a [u8] {
    if snapshot.config.registrations.is_empty() || snapshot.registered(from.remote, request).is_none() {
        return request.uri();
    }
    let party = request.header(HeaderName::PCalledPartyId).and_then(|value| NameAddr::parse(value).ok());
    party.or_else(|| request.to().ok()).map_or(request.uri(), |called| called.uri)
}

/// Whether a number begins like one of these, a leading `+` aside.
pub(crate) fn is_emergency(prefixes: &[String], number: &str) -> bool {
    let number = bare(number);
    prefixes.iter().any(|prefix| number.starts_with(bare(prefix)))
}

fn bare(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
}

/// Whether a request names an emergency service (RFC 5031), as its target, or in To where its target is the number that the
/// service has here.
pub(crate) fn is_for_help(request: &Message) -> bool {
    is_sos(request.uri()) || request.to().is_ok_and(|to| is_sos(to.uri))
}
