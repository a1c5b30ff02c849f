//! What a request brings: a query string, a body. Bounded, and nothing that is not asked for.

use super::answer::Refusal;
use crate::limits::{HTTP_BODY, HTTP_TIMEOUT};
use axum::body::{HttpBody, to_bytes};
use axum::extract::{Query, Request};
use axum::http::{StatusCode, Uri};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

pub(super) fn query_of<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    let read = Query::<T>::try_from_uri(uri).map(|Query(value)| value);
    read.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.body_text(), "see /v1/openapi.json"))
}

/// A JSON object; no body at all means one without fields.
pub(super) async fn body_of<T: DeserializeOwned>(request: Request) -> Result<T, Refusal> {
    let large = || {
        let message = format!("a body of more than {HTTP_BODY} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message, "see /v1/openapi.json")
    };
    let body = request.into_body();
    // What is said to be too large is not even read.
    if body.size_hint().lower() > HTTP_BODY as u64 {
        return Err(large());
    }
    let bytes = match timeout(HTTP_TIMEOUT, to_bytes(body, HTTP_BODY)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(large()),
        Err(_) => {
            let message = "the body has not come in time";
            return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message, "send it at once"));
        }
    };
    let text = if bytes.trim_ascii().is_empty() { b"{}" } else { &bytes[..] };
    serde_json::from_slice(text).map_err(|error| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            format!("not what is asked for: {error}"),
            "see /v1/openapi.json",
        )
    })
}
