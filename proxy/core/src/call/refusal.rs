//! Why: what one leg says of a refusal or an end, so far as the other may hear it (RFC 3326, RFC 6432, RFC 3261 §20.43).

use super::{Call, CallEvent, Env, State};
use crate::Redirects;
use crate::limits::MAX_SAID;
use relay_values::Time;
use sip_wire::{Builder, HeaderName, Message, unfold};

/// What a final response of the target's has said beside its code, for the caller.
#[derive(Debug)]
pub(super) struct Parting {
    /// The code that it belongs to.
    pub(super) code: u16,
    said: Vec<(HeaderName, Box<[u8]>)>,
}

/// Header fields that explain a refusal and name nobody.
const EXPLANATIONS: [HeaderName; 8] = [
    HeaderName::Reason,
    HeaderName::Warning,
    HeaderName::Accept,
    HeaderName::AcceptEncoding,
    HeaderName::AcceptLanguage,
    HeaderName::Unsupported,
    HeaderName::Require,
    HeaderName::RetryAfter,
];

impl Parting {
    fn take(code: u16, response: &Message, with_contacts: bool) -> Option<Self> {
        let is_wanted = |name: HeaderName| match name {
            // What holds of one target holds of no other: a 503 of ours has its own.
            HeaderName::RetryAfter => code != 503,
            HeaderName::Contact => with_contacts,
            HeaderName::Accept | HeaderName::AcceptEncoding | HeaderName::AcceptLanguage => {
                matches!(code, 406 | 415)
            }
            HeaderName::Unsupported => code == 420,
            // What of ours the caller could offer himself (RFC 3261 §21.4.15).
            HeaderName::Require => code == 421,
            _ => true,
        };
        let mut said = Vec::new();
        let mut room = MAX_SAID;
        for name in EXPLANATIONS.into_iter().chain([HeaderName::Contact]).filter(|name| is_wanted(*name)) {
            for line in response.lines(name) {
                let line = unfold(line);
                if let Some(left) = room.checked_sub(line.len()).filter(|_| is_one_line(&line)) {
                    room = left;
                    said.push((name, line.into_owned().into_boxed_slice()));
                }
            }
        }
        (!said.is_empty()).then_some(Self { code, said })
    }

    /// Writes it into the refusal that the caller gets.
    pub(super) fn write(&self, out: &mut Builder) {
        for (name, value) in &self.said {
            out.header(*name, value);
        }
    }
}

impl Call {
    /// CANCEL or BYE, with the reason that it gives: the other leg hears that too (RFC 3326 §2).
    pub(crate) fn hears(&mut self, env: &mut Env, request: &Message, event: CallEvent) {
        self.said = reason_of(request);
        self.handle(env, event);
        if !matches!(self.state, State::Closing(_)) {
            // It has not ended the call, or there is nobody left who could hear of it.
            self.said = None;
        }
    }

    /// Keeps what a final response that is no answer says beside its code.
    pub(super) fn note_refusal(&mut self, env: &Env, code: u16, response: &Message) {
        let redirects = (300..400).contains(&code).then(|| self.manners_of_target().redirect);
        if redirects == Some(Redirects::Follow) {
            self.note_redirection(env, response);
        }
        if let Some(pending) = self.invite.as_deref_mut() {
            pending.parting = Parting::take(code, response, redirects == Some(Redirects::Pass));
        }
    }

    /// When the caller's INVITE is no longer valid (RFC 3261 §13.3.1).
    pub(super) fn expires(&self) -> Time {
        self.invite.as_ref().map_or(Time::NEVER, |pending| pending.expires)
    }
}

/// The reasons that a request gives, as one value.
fn reason_of(request: &Message) -> Option<Box<[u8]>> {
    let mut all = Vec::new();
    for value in request.lines(HeaderName::Reason) {
        let value = unfold(value);
        if !is_one_line(&value) || all.len() + value.len() > MAX_SAID {
            continue;
        }
        if !all.is_empty() {
            all.extend_from_slice(b", ");
        }
        all.extend_from_slice(&value);
    }
    (!all.is_empty()).then(|| all.into_boxed_slice())
}

fn is_one_line(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|b| *b == b'\t' || !b.is_ascii_control())
}
