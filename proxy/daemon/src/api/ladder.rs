//! `GET /v1/calls/{call}/ladder`: what is kept of a call's signalling, as `bascule trace` shows it.

use super::Api;
use super::answer::Refusal;
use super::calls::busy;
use super::shapes::Words;
use crate::observe::Traced;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use proxy_core::CallName;
use std::sync::Arc;

/// By the name of a live call; by the Call-ID of either leg what is over is found as well.
pub(super) async fn ladder(
    State(api): State<Arc<Api>>,
    Path(call): Path<String>,
) -> Result<Json<Traced>, Refusal> {
    let live = match call.parse::<CallName>() {
        Ok(name) => api.desk.call(name).await.map_err(busy)?,
        Err(()) => None,
    };
    let call_id = live.map_or(call, |detail| detail.call.a_call_id);
    let words = match api.desk.trace(call_id.clone()).await {
        Some(traced) if !traced.messages.is_empty() => return Ok(Json(traced)),
        Some(_) => Words {
            message: format!("nothing is known of a call with the Call-ID `{call_id}`"),
            advice: "write the Call-ID of either leg, as the log and the record have it; what is older than `keep` of [trace], or did not fit \
                     into its `mb`, is gone"
                .to_owned(),
        },
        None => Words {
            message: "no signalling is kept".to_owned(),
            advice: "write `[trace]` into the configuration and restart the service".to_owned(),
        },
    };
    Err(Refusal::of(StatusCode::NOT_FOUND, words))
}
