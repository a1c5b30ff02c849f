//! The receipt of a move, filled in as it goes on.

use super::moving::Cause;
use super::seat::names_of;
use super::{Call, Env};
use crate::identity::{Hosting, Identity};
use crate::limits::MAX_RECEIPTS;
use crate::record::Direction;
use crate::{Correlation, Event, MoveOutcome, Output, Receipt, TargetId};
use bytes::Bytes;
use relay_values::{Gap, RegionId};
use sip_wire::Message;
use std::borrow::Cow;
use std::sync::Arc;

impl Call {
    /// A move begins.
    pub(super) fn open_receipt(&mut self, env: &mut Env, cause: Cause) {
        let config = &env.newest.config;
        let region = config.regions.get(usize::from(self.region().0)).map(|region| region.name.clone());
        let from = match self.seat.edge.and_then(|edge| names_of(config, edge)) {
            Some((edge, region)) => (edge.to_owned(), region.to_owned()),
            None => (String::new(), region.unwrap_or_default()),
        };
        let carrier = self.leg(self.tier_leg().other()).dialog.as_ref();
        let carrier_call_id = carrier.map(|dialog| String::from_utf8_lossy(dialog.call_id()).into_owned());
        let identity = self.admitted.identity.digest();
        let receipt = Receipt {
            carrier_call_id: carrier_call_id.unwrap_or_default(),
            reason: cause.reason,
            from,
            to: (String::new(), String::new()),
            detected: cause.detected,
            decided: env.now,
            invited: None,
            answered: None,
            resumed: None,
            gap_media: None,
            gap_conversation: None,
            attempts: 0,
            identity_before: identity,
            identity_after: 0,
            outcome: MoveOutcome::Deadline,
        };
        let mobile = self.mobile();
        (mobile.open, mobile.asked_carrier) = (Some(receipt), false);
    }

    /// What the INVITE says of who calls whom, read back from the message that leaves.
    pub(super) fn note_identity(&mut self, env: &Env, target: TargetId, invite: &Bytes) {
        let after = self.identity_told(env, target, invite).unwrap_or(0);
        if let Some(receipt) = self.mobile().open.as_mut() {
            receipt.identity_after = after;
        }
    }

    /// The digest of the identity, if the INVITE says what the edge before was told, or would have been told.
    fn identity_told(&self, env: &Env, target: TargetId, invite: &Bytes) -> Option<u64> {
        let config = &env.newest.config;
        let to = config.target(target)?;
        let before = self.seat.edge.and_then(|edge| config.target(edge)).unwrap_or(to);
        let hosting = Hosting::new(env.face(to.peer.listener)?, env.faces.aim(target)?);
        let told = self.identity_for_tier().as_heard(&hosting, config.profile(before.owner))?;
        let heard = Identity::heard(&Message::parse(invite.clone()).ok()?)?;
        Some(self.admitted.identity.digest_if_heard(&told, &heard))
    }

    /// Who calls whom as the tier hears it: the other way round where it has called.
    pub(super) fn identity_for_tier(&self) -> Cow<'_, Identity> {
        match self.admitted.direction {
            Direction::Inbound => Cow::Borrowed(&self.admitted.identity),
            Direction::Outbound => Cow::Owned(self.admitted.identity.reversed()),
        }
    }

    /// Where the tier leg sits from now on.
    pub(super) fn change_seat(&mut self, env: &mut Env, edge: TargetId, region: RegionId) {
        self.seat.edge = Some(edge);
        self.admitted.region = region;
        if self.seat.cut.take().is_some() {
            self.place(env, region, false);
        }
    }

    /// 2xx of the new leg.
    pub(super) fn arrived(&mut self, env: &mut Env, target: TargetId) {
        let to =
            names_of(&env.newest.config, target).map(|(edge, region)| (edge.to_owned(), region.to_owned()));
        let now = env.now;
        let mobile = self.mobile();
        mobile.last = Some(now);
        let asked = mobile.asked_carrier;
        let outcome = if asked { MoveOutcome::Renegotiated } else { MoveOutcome::Moved };
        if let Some(receipt) = &mut mobile.open {
            (receipt.answered, receipt.outcome) = (Some(now), outcome);
            receipt.to = to.unwrap_or_default();
        }
    }

    /// How the last attempt ended, in case there is no better one.
    pub(super) fn note_outcome(&mut self, outcome: MoveOutcome) {
        if let Some(receipt) = self.mobile().open.as_mut() {
            receipt.outcome = outcome;
        }
    }

    /// What the carrier heard in between.
    pub(super) fn note_gap(&mut self, gap: Option<Gap>) {
        if let (Some(gap), Some(receipt)) = (gap, self.mobile().open.as_mut()) {
            receipt.resumed = Some(gap.resumed);
            (receipt.gap_media, receipt.gap_conversation) = (gap.media(), gap.conversation());
        }
    }

    /// The move is over. One that reached a new edge keeps the outcome that it had there; one that met only media that
    /// did not match says so.
    pub(super) fn close_receipt(&mut self, env: &mut Env, outcome: MoveOutcome) {
        let Some(mut receipt) = self.mobile().open.take() else { return };
        let unmatched = outcome == MoveOutcome::Deadline && receipt.outcome == MoveOutcome::Unmatched;
        if receipt.answered.is_none() && !unmatched {
            receipt.outcome = outcome;
        }
        env.counters.moved(receipt.outcome);
        let mobile = self.mobile();
        if mobile.receipts.len() < MAX_RECEIPTS {
            mobile.receipts.push(receipt.clone());
        }
        env.out.push_back(Output::Event(Event::Moved(Box::new(receipt))));
    }

    /// The receipts, for the record.
    pub(super) fn receipts(&mut self) -> Vec<Receipt> {
        self.mobile.as_mut().map(|mobile| std::mem::take(&mut mobile.receipts)).unwrap_or_default()
    }

    /// Those that are written so far.
    pub(super) fn moves_so_far(&self) -> &[Receipt] {
        self.mobile.as_ref().map_or(&[], |mobile| &mobile.receipts)
    }

    /// How this call's tier legs say what they continue: by the trunk's profile, else by the site's.
    pub(super) fn correlation(&self) -> Option<Arc<Correlation>> {
        let config = &self.pinned.config;
        let trunk = self.admitted.trunk.and_then(|trunk| config.trunks.get(trunk.index()));
        let site = self.admitted.site.and_then(|site| config.sites.get(site.index()));
        trunk.and_then(|trunk| trunk.correlation.clone()).or_else(|| site?.correlation.clone())
    }

    /// The call's UUID: the caller's, or one of our own (RFC 7989 §4.1: version 4), drawn from what makes the call itself unique, so that it need not be
    /// kept.
    pub(super) fn session_id(&self) -> [u8; 16] {
        if let Some(given) = &self.admitted.session_id {
            return **given;
        }
        let seed =
            (u64::from(self.key.slot) << 32 | u64::from(self.key.nonce)) ^ self.stamps.started.as_nanos();
        let mut rng = crate::rng::Rng::new(seed);
        let mut id = (u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())).to_be_bytes();
        // RFC 9562 §5.4: the version and the variant.
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        id
    }
}
