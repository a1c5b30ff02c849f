//! Provisional responses of ours that have to be acknowledged (RFC 3262 §3).

use crate::message::{Message, Name};
use crate::{Log, Rule};

/// What a request allows, and where we are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reliable {
    supported: bool,
    required: bool,
    last: Option<u32>,
}

impl Reliable {
    pub(crate) fn asked(request: &Message<'_>) -> Self {
        let is_invite = request.method == "INVITE";
        Self {
            supported: is_invite && request.lists(Name::Supported, "100rel"),
            required: is_invite && request.lists(Name::Require, "100rel"),
            last: None,
        }
    }

    pub(crate) fn sent(&mut self, message: &Message<'_>, log: &mut Log) {
        if !message.is_progress() {
            return;
        }
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
        if let Some(last) = self.last
            && rseq != last
            && rseq != last.wrapping_add(1)
        {
            log.broken(Rule::Reliable, format!("RSeq {rseq} after {last} in {}", message.line()));
        }
        self.last = Some(rseq);
    }
}
