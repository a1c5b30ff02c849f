//! Drains and drills: their lines are the body of the answer, and they end with the connection.

use super::answer::Refusal;
use super::ask::body_of;
use super::flow::body;
use super::wishes::{DrainWish, DrillWish, UndrainWish};
use super::{Api, Who};
use crate::control::{Answer, Drain, Drill, Line, Request as Wish, carry};
use crate::overrides;
use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

type Here = State<Arc<Api>>;
type By = Extension<Who>;

pub(super) async fn drain_region(
    State(api): Here,
    Extension(who): By,
    Path(place): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let wish: DrainWish = body_of(request).await?;
    region(&api, &place)?;
    carried(api, who, drain(place, wish)).await
}

pub(super) async fn drain_edge(
    State(api): Here,
    Extension(who): By,
    Path(place): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let wish: DrainWish = body_of(request).await?;
    edge(&api, &place)?;
    carried(api, who, drain(place, wish)).await
}

pub(super) async fn undrain_region(
    State(api): Here,
    Extension(who): By,
    Path(place): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let wish: UndrainWish = body_of(request).await?;
    region(&api, &place)?;
    carried(api, who, undrain(place, wish)).await
}

pub(super) async fn undrain_edge(
    State(api): Here,
    Extension(who): By,
    Path(place): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let wish: UndrainWish = body_of(request).await?;
    edge(&api, &place)?;
    carried(api, who, undrain(place, wish)).await
}

pub(super) async fn drill(
    State(api): Here,
    Extension(who): By,
    Path(place): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let DrillWish { share, cut, for_ms, abort_if } = body_of(request).await?;
    region(&api, &place)?;
    let drill = Drill { region: place, share, cut, for_ms, abort_if };
    carried(api, who, Wish::Drill(drill)).await
}

fn drain(place: String, wish: DrainWish) -> Wish {
    let DrainWish { share, number, calls, deadline_ms } = wish;
    Wish::Drain(Drain { place, share, number, calls, deadline_ms, back: false, stay: false })
}

fn undrain(place: String, wish: UndrainWish) -> Wish {
    let UndrainWish { move_back, deadline_ms } = wish;
    Wish::Drain(Drain {
        place,
        share: 100,
        number: None,
        calls: None,
        deadline_ms,
        back: true,
        stay: !move_back,
    })
}

fn region(api: &Api, name: &str) -> Result<(), Refusal> {
    let config = &api.desk.snapshot().config;
    let known = overrides::region(config, name).is_some();
    known.then_some(()).ok_or_else(|| unknown("region", name, "/v1/regions"))
}

fn edge(api: &Api, name: &str) -> Result<(), Refusal> {
    let config = &api.desk.snapshot().config;
    // A region of the same name would be taken for it.
    let known = overrides::edge(config, name).is_some() && overrides::region(config, name).is_none();
    known.then_some(()).ok_or_else(|| unknown("edge", name, "/v1/edges"))
}

fn unknown(what: &str, name: &str, see: &str) -> Refusal {
    let name: String = name.chars().take(64).collect();
    Refusal::not_found(format!("no {what} `{name}`"), format!("see {see}"))
}

/// What the admin socket's protocol does, with its lines as the body. A client that goes away ends a drain or a drill here
/// as there.
async fn carried(api: Arc<Api>, who: Who, wish: Wish) -> Result<Response, Refusal> {
    let broken = |error: std::io::Error| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), "the system is short of something")
    };
    let (ours, theirs) = UnixStream::pair().map_err(broken)?;
    tokio::spawn(async move { carry(&api.desk, &who, theirs).await });
    let (read, mut write) = ours.into_split();
    let mut text = serde_json::to_vec(&wish).map_err(|error| broken(error.into()))?;
    text.push(b'\n');
    write.write_all(&text).await.map_err(broken)?;
    let mut lines = BufReader::new(read).lines();
    let first = lines.next_line().await.map_err(broken)?.unwrap_or_default();
    if let Ok(Line { answer: Answer::Error(words), .. }) = serde_json::from_str(&first) {
        return Err(Refusal::of(StatusCode::CONFLICT, words));
    }
    let (tx, body) = body();
    tokio::spawn(async move {
        let mut next = Some(first);
        while let Some(line) = next {
            let last = line.ends_with("\"done\":true}");
            if tx.send(Bytes::from(line + "\n")).await.is_err() || last {
                break;
            }
            next = tokio::select! {
                () = tx.closed() => None,
                line = lines.next_line() => line.ok().flatten(),
            };
        }
        // Its client has gone, or it is over: the protocol is told by the end of the connection.
        drop(write);
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}
