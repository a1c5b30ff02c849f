//! Strangers that are met with silence: looked at, forgotten.

use super::answer::Refusal;
use super::calls::busy;
use super::shapes::Scanners;
use super::{Api, Who};
use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn list(State(api): State<Arc<Api>>) -> Result<Json<Scanners>, Refusal> {
    api.desk.scanners(false).await.map(Json).map_err(busy)
}

/// Each begins anew. What the list was is the answer.
pub(super) async fn forget(
    State(api): State<Arc<Api>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Scanners>, Refusal> {
    let asked = api.desk.asked(&who.name, "forget_scanners", Value::Null, Value::Null);
    let change = asked.await.map_err(busy)?;
    match api.desk.scanners(true).await {
        Ok(scanners) => {
            change.done(json!({ "forgotten": scanners.scanners.len() })).await;
            Ok(Json(scanners))
        }
        Err(words) => {
            change.refused(&words.message).await;
            Err(busy(words))
        }
    }
}
