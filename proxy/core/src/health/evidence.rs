//! What shards and sockets have seen of targets.

use super::core::{Health, Wake};
use super::machine::Signal;
use super::policy::{EVIDENCE_DELAY, Policy, WEIGHT_SILENCE, WEIGHT_TIMEOUT};
use crate::{Evidence, EvidenceKind, Peer, SwitchReason, TargetId, TransportFailure};
use relay_values::Time;
use std::sync::Arc;

impl Health {
    pub(super) fn evidence(&mut self, now: Time, evidence: Evidence) {
        let current = evidence.generation >= self.snapshot().config_generation;
        let suspect = self.is_suspect(evidence.target);
        let Some(watch) = self.watches.get(evidence.target.index()).filter(|_| current) else {
            self.counters.outdated += 1;
            return;
        };
        self.counters.evidence += 1;
        let (policy, reason) = (watch.policy, SwitchReason::InviteTimeout);
        // In a region whose media has just fallen silent, an edge that lets an INVITE wait needs no second chance.
        let unanswered =
            |weight| Signal::Failed { weight: if suspect { policy.fall } else { weight }, reason };
        let signal = match evidence.kind {
            EvidenceKind::NoResponse => {
                // The hunt timer has just run out, so that is how long ago the INVITE was sent.
                let sent = self.config.hunt.no_response + EVIDENCE_DELAY;
                if watch.answered_within(now, sent) {
                    // It lived after that. But is it still alive?
                    self.ask(now, evidence.target);
                    return;
                }
                unanswered(WEIGHT_SILENCE)
            }
            EvidenceKind::Timeout => unanswered(WEIGHT_TIMEOUT),
            EvidenceKind::Unreachable => unreachable_now(&policy),
            EvidenceKind::Unavailable(retry_after) => Signal::Refused(Policy::backoff(retry_after)),
        };
        self.signal(now, evidence.target, signal);
        self.reschedule(Wake::Target(evidence.target));
    }

    pub(super) fn transport_error(&mut self, now: Time, to: Peer, failure: TransportFailure) {
        let proves = match failure {
            TransportFailure::Unreachable | TransportFailure::Reset => true,
            // Peers close what they do not need. Whether they live, the next connection shows: that of a probe, at once.
            TransportFailure::Ended => false,
            // Our own trouble: it says nothing about the target.
            TransportFailure::Local => return,
        };
        let config = Arc::clone(&self.config);
        for (id, _) in (0..).map(TargetId).zip(&config.targets).filter(|(_, target)| target.peer == to) {
            if !proves {
                self.ask(now, id);
                continue;
            }
            let Some(watch) = self.watches.get(id.index()) else { continue };
            let signal = unreachable_now(&watch.policy);
            self.signal(now, id, signal);
            self.reschedule(Wake::Target(id));
        }
    }
}

/// ICMP or a refused connection is proof, not suspicion: as much as it takes.
fn unreachable_now(policy: &Policy) -> Signal {
    Signal::Failed { weight: policy.fall, reason: SwitchReason::Unreachable }
}
