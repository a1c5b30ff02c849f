//! Provisional responses of ours that have to be acknowledged (RFC 3262 §3).

use super::again::{Again, Growth};
use crate::key::{Key, hash};
use crate::message::{Message, Name};
use crate::{Log, Rule, Seen, Timing};
use std::time::Duration;

/// What a request allows, and where we are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reliable {
    supported: bool,
    required: bool,
    last: Option<Last>,
    /// The first has its PRACK.
    begun: bool,
}

/// The last reliable response.
#[derive(Debug, Clone, Copy)]
struct Last {
    rseq: u32,
    bytes: Key,
    code: u16,
    again: Again,
    acked: Option<Duration>,
    /// A PRACK was refused with 500: it came behind a later request (RFC 3261 §12.2.2), and so may not have counted.
    doubtful: bool,
}

impl Reliable {
    pub(crate) fn asked(request: &Message<'_>) -> Self {
        let is_invite = request.method == "INVITE";
        Self {
            supported: is_invite && request.lists(Name::Supported, "100rel"),
            required: is_invite && request.lists(Name::Require, "100rel"),
            last: None,
            begun: false,
        }
    }

    /// A response of ours, while there is no final one. Whether its request came again since the one before.
    pub(crate) fn sent(&mut self, seen: &Seen<'_>, asked_again: bool, timing: &Timing, log: &mut Log) {
        let message = seen.message;
        let Some(code) = message.code.filter(|_| message.is_progress()) else { return };
        let requires = message.lists(Name::Require, "100rel");
        let Some(rseq) = message.rseq else {
            if requires || self.required {
                log.broken(Rule::Reliable, format!("{} has to be reliable and has no RSeq", message.line()));
            }
            return;
        };
        if !self.supported && !self.required {
            log.broken(Rule::Reliable, format!("{} is reliable and nobody supports it", message.line()));
        }
        if !requires {
            log.broken(Rule::Reliable, format!("RSeq without Require: 100rel in {}", message.line()));
        }
        let bytes = hash(message.bytes);
        match &mut self.last {
            Some(last) if last.rseq == rseq => return last.sent_again(seen, bytes, asked_again, timing, log),
            Some(last) if rseq != last.rseq.wrapping_add(1) => {
                log.broken(Rule::Reliable, format!("RSeq {rseq} after {} in {}", last.rseq, message.line()));
            }
            Some(last) if !self.begun => {
                let text = format!("{} although RSeq {} has no PRACK", message.line(), last.rseq);
                log.broken(Rule::Reliable, text);
            }
            Some(_) | None => {}
        }
        self.last = Some(Last {
            rseq,
            bytes,
            code,
            again: Again::new(seen.at, timing),
            acked: None,
            doubtful: false,
        });
    }

    /// A PRACK came for this number.
    pub(crate) fn acked(&mut self, at: Duration, rseq: u32) {
        if let Some(last) = self.last.as_mut().filter(|last| last.rseq == rseq) {
            last.acked.get_or_insert(at);
            self.begun = true;
        }
    }

    /// A PRACK was refused with 500.
    pub(crate) fn refused(&mut self) {
        if let Some(last) = &mut self.last {
            last.doubtful = true;
        }
    }

    /// The response that should have been sent again before `now`: its code.
    pub(crate) fn missed(&self, now: Duration, timing: &Timing) -> Option<u16> {
        let last = self.last.as_ref().filter(|last| last.acked.is_none())?;
        last.again.is_missed(now, timing).then_some(last.code)
    }
}

impl Last {
    fn sent_again(&mut self, seen: &Seen<'_>, bytes: Key, asked_again: bool, timing: &Timing, log: &mut Log) {
        let line = || seen.message.line();
        if bytes != self.bytes {
            log.broken(Rule::Reliable, format!("{} is another with RSeq {}", line(), self.rseq));
        }
        // A request that came again is answered with the last provisional response once more (RFC 3261 §17.2.1), whatever timer and
        // PRACK say.
        if self.acked.is_some_and(|at| at + timing.unread < seen.at) {
            if !asked_again && !self.doubtful {
                log.broken(Rule::AfterAck, format!("{} again although it has its PRACK", line()));
            }
            return;
        }
        if self.again.is_due(seen.at, timing) || !asked_again {
            self.again.sent(seen.at, Growth::Doubled, timing, line, log);
        }
    }
}
