//! A datagram is judged where it arrives, before it is copied or parsed.
//!
//! When a shard is overloaded most of what comes is new calls that it must turn away, and the ACKs to that. What a refusal
//! costs is taken from the calls that are taken, so it has to be next to nothing: a glimpse of the header section, one look
//! into the table of transactions, one answer. And there are no more answers than messages that are handled: who gets none asks
//! again, and what is handled goes on, whatever comes. Whatever is out of the ordinary goes the long way, where the same rules hold
//! ([`shed`](super::shed)).

use crate::limits::RETRY_AFTER;
use crate::shard::Shard;
use crate::transaction::{refusal, reply_along};
use crate::{Output, OverloadPolicy, Peer, RejectReason};
use relay_values::{Duration, Time};
use sip_wire::{Glimpse, HeaderName, Method};

/// What comes now will have waited for so long when it is handled that it is turned away at once. Below the target, at which
/// it would be turned away then: the estimate need not be exact.
fn too_long(policy: &OverloadPolicy) -> Duration {
    policy.target / 4 * 3
}

impl Shard {
    /// Whether datagrams are to be shown to [`Shard::disposes_of`] at all.
    pub fn is_wary(&self, now: Time) -> bool {
        self.load.is_pressed() || self.load.expects_acks(now)
    }

    /// Deals with a datagram of somebody who may come in ([`Shard::lets_in`]), if that can be done at once: a new call that
    /// would wait for too long is answered 503 (RFC 3261 §21.5.4), or not at all if there are more of them than can be
    /// answered, and the ACK to that is taken. Whether it was; everything else is a [`Message`](crate::Input::Message). `ahead` is how long what waits already will take. Drain [`Shard::poll_output`]
    /// to `None` afterwards.
    pub fn disposes_of(&mut self, now: Time, ahead: Duration, from: Peer, bytes: &[u8]) -> bool {
        self.env.now = now;
        let is_done = match bytes.first() {
            Some(b'A') => self.is_stateless_ack(bytes),
            Some(b'I') => {
                // What is handled does wait: a wrong estimate alone turns nobody away.
                self.load.is_pressed()
                    && ahead > too_long(&self.env.newest.config.overload)
                    && self.refuses(from, bytes)
            }
            Some(_) | None => false,
        };
        self.env.counters.received += u64::from(is_done);
        is_done
    }

    fn refuses(&mut self, from: Peer, bytes: &[u8]) -> bool {
        let Some(request) = Glimpse::read(bytes).filter(|request| self.is_ordinary(from, request)) else {
            return false;
        };
        // Over a stream nobody repeats a request.
        if !self.load.turned_away() && !from.transport.is_reliable() {
            self.env.counters.reject(RejectReason::Unanswered);
            return true;
        }
        let said = self.load.said(self.env.now);
        let tag = self.load.tag(request.call_id, request.via.branch.unwrap_or_default());
        let mut out = refusal(&request, from.remote, 503, said, &tag);
        // Who is told how much less to send is not to stop altogether.
        if !request.via.oc {
            out.number(HeaderName::RetryAfter, RETRY_AFTER);
        }
        self.load.expect_acks(self.env.now);
        self.env.counters.reject(RejectReason::Overload);
        self.env.counters.sent += 1;
        let to = reply_along(&request.via, from);
        self.env.out.push_back(Output::Send { to, bytes: out.finish() });
        true
    }

    /// A new call as they all are, from a neighbour, for nobody who helps, and not one that was taken already.
    fn is_ordinary(&mut self, from: Peer, request: &Glimpse<'_>) -> bool {
        request.method == Method::Invite
            && request.callee.tag().is_none()
            && !request.is_urgent
            && self.is_neighbour(from)
            && !super::beginnings::is_for_help(request.uri, request.callee.uri, &self.env.newest)
            && self.env.txns.knows_branch(Method::Invite, &request.via) == Some(false)
    }
}
