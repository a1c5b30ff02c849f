//! `GET /v1/calls/{call}/ladder`: what is kept of a call's signalling, as `bascule trace` shows it.

use super::Api;
use super::answer::Refusal;
use super::calls::busy;
use crate::control::{self, Trace, Traced};
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
    let traced = control::ladder(&api.desk, Trace { call_id }).await;
    traced.map(Json).map_err(|words| Refusal::of(StatusCode::NOT_FOUND, words))
}
