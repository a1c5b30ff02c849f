//! Live calls: found, looked at, ended.

use super::answer::Refusal;
use super::ask::{body_of, query_of};
use super::flow::{Events, Shown};
use super::follow;
use super::shapes::Words;
use super::shapes::{Call, CallDetail, Calls, EndCall, Ended, Move, Step};
use super::{Api, Who, measured};
use crate::clock::Clock;
use crate::records::receipt::millis;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use proxy_core::{CallName, CallPhase, CallQuery, CallView, Direction, Receipt, StepOutcome};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

type Here = State<Arc<Api>>;

/// Calls of an answer, where nothing is said of it, and at most.
const PAGE: usize = 100;
const MOST: usize = 256;

/// The query string of `GET /v1/calls`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    number: Option<String>,
    trunk: Option<String>,
    site: Option<String>,
    region: Option<String>,
    state: Option<String>,
    call_id: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
    follow: bool,
}

pub(super) async fn list(
    State(api): Here,
    Extension(shown): Extension<Shown>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let Wanted { number, trunk, site, region, state, call_id, limit, cursor, follow } = query_of(&uri)?;
    let phase = state.map(|state| phase(&state)).transpose()?;
    let from = match cursor {
        None => (0, 0),
        Some(text) => read(&text).ok_or_else(|| wrong("cursor", "write what the last answer had"))?,
    };
    let most = limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&most) {
        return Err(wrong("limit", &format!("write 1 to {MOST}")));
    }
    let query = CallQuery { number, trunk, site, region, phase, call_id };
    if follow {
        let (events, body) = Events::new(&api, shown)?;
        // However it ends, nobody is there to be told.
        tokio::spawn(async move { drop(follow::follow(api, query, events).await) });
        return Ok(([(header::CONTENT_TYPE, "text/event-stream")], body).into_response());
    }
    let (calls, next) = api.desk.calls(query, from, most).await.map_err(busy)?;
    let clock = api.desk.clock();
    let cursor = next.map(|(shard, place)| format!("{shard:x}.{place:x}"));
    let calls = calls.iter().map(|view| call(&clock, view)).collect();
    Ok(Json(Calls { calls, cursor }).into_response())
}

/// By its name, or by the Call-ID of either leg.
pub(super) async fn one(State(api): Here, Path(id): Path<String>) -> Result<Json<CallDetail>, Refusal> {
    let detail = api.desk.call_of(&id).await.map_err(busy)?.ok_or_else(|| gone(&id))?;
    let media = measured::told(api.desk.measure(&detail.media).await);
    let clock = api.desk.clock();
    Ok(Json(CallDetail {
        call: call(&clock, &detail.call),
        steps: detail.steps.iter().map(|taken| step(&clock, taken)).collect(),
        moves: detail.moves.iter().map(|receipt| moved(&clock, receipt)).collect(),
        media,
    }))
}

pub(super) async fn end(
    State(api): Here,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Ended>, Refusal> {
    let EndCall { why } = body_of(request).await?;
    let name = named(&id)?;
    let detail = api.desk.call(name).await.map_err(busy)?.ok_or_else(|| gone(&id))?;
    let view = &detail.call;
    // Whose call it was is in its record; numbers have no place in the log of what operators did.
    let before = json!({ "state": view.phase.as_str(), "trunk": view.trunk, "region": view.region });
    let on = json!({ "call": id, "a_call_id": view.a_call_id, "why": why });
    let change = api.desk.asked(&who.name, "end_call", on, before).await.map_err(busy)?;
    match api.desk.end_call(name).await {
        Ok(true) => {
            change.done(json!({ "state": "closing" })).await;
            Ok(Json(Ended { call: id }))
        }
        Ok(false) => {
            change.refused("it was over").await;
            Err(gone(&id))
        }
        Err(words) => {
            change.refused(&words.message).await;
            Err(busy(words))
        }
    }
}

fn phase(text: &str) -> Result<CallPhase, Refusal> {
    let known = CallPhase::ALL.map(CallPhase::as_str).join(", ");
    let found = CallPhase::ALL.into_iter().find(|phase| phase.as_str() == text);
    found.ok_or_else(|| wrong("state", &format!("write one of {known}")))
}

fn read(cursor: &str) -> Option<(u8, u32)> {
    let (shard, place) = cursor.split_once('.')?;
    Some((u8::from_str_radix(shard, 16).ok()?, u32::from_str_radix(place, 16).ok()?))
}

fn wrong(what: &str, advice: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, format!("`{what}` is not what it should be"), advice)
}

pub(super) fn busy(words: Words) -> Refusal {
    Refusal::of(StatusCode::SERVICE_UNAVAILABLE, words)
}

fn named(id: &str) -> Result<CallName, Refusal> {
    id.parse().map_err(|()| gone(id))
}

fn gone(id: &str) -> Refusal {
    let id: String = id.chars().take(32).collect();
    Refusal::not_found(format!("no live call `{id}`"), "see /v1/calls; what is over is in the records")
}

pub(super) fn call(clock: &Clock, view: &CallView) -> Call {
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    Call {
        call: view.name.to_string(),
        state: view.phase.as_str().to_owned(),
        direction: match view.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        }
        .to_owned(),
        calling: view.calling.clone(),
        called: view.called.clone(),
        source: view.source.to_string(),
        trunk: some(&view.trunk),
        site: some(&view.site),
        region: some(&view.region),
        target: some(&view.target),
        a_call_id: view.a_call_id.clone(),
        b_call_id: some(&view.b_call_id),
        started: clock.rfc3339(view.started),
        ringing: view.ringing.map(|at| clock.rfc3339(at)),
        answered: view.answered.map(|at| clock.rfc3339(at)),
        generation: view.generation,
        moves: view.moves,
    }
}

fn step(clock: &Clock, step: &proxy_core::Step) -> Step {
    let (outcome, reason, code) = match step.outcome {
        StepOutcome::Pending => ("pending", None, None),
        StepOutcome::Answered => ("answered", None, None),
        StepOutcome::Advanced { reason, code } => {
            ("advanced", Some(reason.as_str()), (code > 0).then_some(code))
        }
        StepOutcome::Refused { code } => ("refused", None, Some(code)),
        StepOutcome::Cancelled => ("cancelled", None, None),
    };
    Step {
        target: step.target.clone(),
        region: (!step.region.is_empty()).then(|| step.region.clone()),
        at: clock.rfc3339(step.at),
        generation: step.generation,
        outcome: outcome.to_owned(),
        reason: reason.map(str::to_owned),
        code,
    }
}

pub(super) fn moved(clock: &Clock, receipt: &Receipt) -> Move {
    Move {
        reason: receipt.reason.as_str().to_owned(),
        outcome: receipt.outcome.as_str().to_owned(),
        from: receipt.from.0.clone(),
        to: (!receipt.to.0.is_empty()).then(|| receipt.to.0.clone()),
        detected: clock.rfc3339(receipt.detected),
        answered_ms: receipt.answered.map(|at| millis(at.since(receipt.detected))),
        gap_media_ms: receipt.gap_media.map(millis),
        gap_conversation_ms: receipt.gap_conversation.map(millis),
    }
}
