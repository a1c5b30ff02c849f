//! `bascule trace`: what is kept of a call's signalling.

use super::desk::Desk;
use super::protocol::{Answer, Trace, Words};
use crate::observe::Traced;

pub(super) async fn run(desk: &Desk, request: Trace) -> Answer {
    match ladder(desk, request).await {
        Ok(traced) => Answer::Traced(traced),
        Err(words) => Answer::Error(words),
    }
}

/// At least one message.
pub(crate) async fn ladder(desk: &Desk, request: Trace) -> Result<Traced, Words> {
    let call_id = request.call_id.clone();
    match desk.trace(request).await {
        Some(traced) if !traced.messages.is_empty() => Ok(traced),
        Some(_) => Err(Words {
            message: format!("nothing is known of a call with the Call-ID `{call_id}`"),
            advice: "write the Call-ID of either leg, as the log and the record have it; what is older than `keep` of [trace], or did not fit \
                     into its `mb`, is gone"
                .to_owned(),
        }),
        None => Err(Words {
            message: "no signalling is kept".to_owned(),
            advice: "write `[trace]` into the configuration and restart the service".to_owned(),
        }),
    }
}
