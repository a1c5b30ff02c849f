//! What stands before every request: who asks, whether they may, and how long it may take.

use super::Api;
use super::answer::{Refusal, dress};
use super::routes::{self, Needs};
use super::serve::Way;
use super::who::Who;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;

/// How long an answer may take to begin: a busy shard is waited for half a second, the health thread five, and a client may
/// take five for its body.
const DEADLINE: Duration = Duration::from_secs(15);

pub(super) async fn guard(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let response = match admit(&api, &mut request) {
        Ok(()) => match tokio::time::timeout(DEADLINE, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                let advice = "look at the log; a shard or the health thread may be stuck";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "no answer in time", advice).into_response()
            }
        },
        Err(refusal) => refusal.into_response(),
    };
    dress(response)
}

/// Lets a request pass that may, with [`Who`] beside it.
fn admit(api: &Api, request: &mut Request) -> Result<(), Refusal> {
    let known = request.extensions().get::<MatchedPath>();
    // What is no route of ours is answered so by the fallback.
    let Some(needs) = known.and_then(|path| routes::needs(request.method(), path.as_str())) else {
        return Ok(());
    };
    let Needs::Role(role) = needs else { return Ok(()) };
    // Another site's page has no business here, token or not (Fetch Metadata Request Headers, W3C).
    if request.headers().get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        let advice = "open it by its own address";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "asked for by another site's page", advice));
    }
    let way = request.extensions().get::<Way>().copied().unwrap_or(Way::Tcp { loopback: false });
    if matches!(way, Way::Tcp { loopback: false }) {
        let advice = "a token would be read on its way: use the admin socket, 127.0.0.1, or `ssh -L`";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "this listener has no TLS", advice));
    }
    let who = api.access.who(way, bearer(request.headers()));
    let Some(who) = who else {
        let advice = if api.access.is_kept() {
            "send `Authorization: Bearer TOKEN` with a token of the access file"
        } else {
            "name an access file in [admin], or use the admin socket"
        };
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "nobody that we know", advice));
    };
    if !who.roles.allow(role) {
        let advice = format!("it needs the role {role}");
        return Err(Refusal::new(StatusCode::FORBIDDEN, format!("`{}` may not do that", who.name), advice));
    }
    request.extensions_mut().insert::<Who>(who);
    Ok(())
}

/// RFC 6750 §2.1. The scheme's name is read in any case (RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?;
    let (scheme, token) = value.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
    // Something that is no token of ours is a wrong one.
    Some(if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" })
}
