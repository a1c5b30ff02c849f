//! Drains and drills: what they tell is the body of the answer, line by line, and they end with the connection; or before
//! their time, when somebody says so.

use super::answer::Refusal;
use super::ask::body_of;
use super::calls::busy;
use super::flow::body;
use super::shapes::Stopped;
use super::wishes::{DrainWish, DrillWish, UndrainWish};
use super::{Api, Who};
use crate::control::{Client, Drain, Drill, Order, carry};
use crate::overrides::{self, Place};
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use proxy_core::Config;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What a place of the path is.
pub(super) trait Kind {
    fn named(config: &Config, name: &str) -> Result<Place, Refusal>;
}

pub(super) struct Region;
pub(super) struct Edge;

impl Kind for Region {
    fn named(config: &Config, name: &str) -> Result<Place, Refusal> {
        let known = || config.regions.iter().map(|region| region.name.clone()).collect();
        let found = overrides::region(config, name).map(|_| Place::Region(name.to_owned()));
        found.ok_or_else(|| unknown("region", name, known()))
    }
}

impl Kind for Edge {
    fn named(config: &Config, name: &str) -> Result<Place, Refusal> {
        // A region of the same name would be taken for it.
        let is_edge = overrides::edge(config, name).is_some() && overrides::region(config, name).is_none();
        is_edge.then(|| Place::Edge(name.to_owned())).ok_or_else(|| unknown("edge", name, Vec::new()))
    }
}

fn unknown(what: &str, name: &str, known: Vec<String>) -> Refusal {
    let name: String = name.chars().take(64).collect();
    let see =
        if known.is_empty() { format!("see /v1/{what}s") } else { format!("known: {}", known.join(", ")) };
    Refusal::not_found(format!("no {what} is named `{name}`"), see)
}

/// What is wanted of a place.
pub(super) trait Wish: DeserializeOwned {
    fn order(self, place: &Place) -> Order;
}

impl Wish for DrainWish {
    fn order(self, place: &Place) -> Order {
        let Self { share, number, calls, deadline_ms } = self;
        let place = place.name().to_owned();
        Order::Drain(Drain { place, share, number, calls, deadline_ms, back: false, stay: false })
    }
}

impl Wish for UndrainWish {
    fn order(self, place: &Place) -> Order {
        let Self { move_back, share, number, calls, deadline_ms } = self;
        let place = place.name().to_owned();
        Order::Drain(Drain { place, share, number, calls, deadline_ms, back: true, stay: !move_back })
    }
}

impl Wish for DrillWish {
    fn order(self, place: &Place) -> Order {
        Order::Drill(Drill { region: place.name().to_owned(), wish: self })
    }
}

/// A drain, an undrain or a drill.
pub(super) async fn order<K: Kind, W: Wish>(
    State(api): State<Arc<Api>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let wish: W = body_of(request).await?;
    let order = wish.order(&K::named(&api.desk.snapshot().config, &name)?);
    let (tx, body) = body();
    let (tell, taken) = oneshot::channel();
    // Its own task: a client that goes while it is begun must not leave half of it behind.
    tokio::spawn(async move { carry(&api.desk, &who, order, Client::new(tx), tell).await });
    match taken.await {
        Ok(Ok(())) => Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()),
        Ok(Err(words)) => Err(Refusal::of(StatusCode::CONFLICT, words)),
        Err(_) => {
            let advice = "look at the log; a restart may be what is left";
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "it was not begun", advice))
        }
    }
}

/// Ends what is under way at a place, whoever has begun it. Its client hears how it ended.
pub(super) async fn stop<K: Kind>(
    State(api): State<Arc<Api>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Result<Json<Stopped>, Refusal> {
    let place = K::named(&api.desk.snapshot().config, &name)?;
    let stopped = Stopped { place: place.name().to_owned() };
    let change = api.desk.asked(&who.name, "stop", &stopped, Value::Null).await.map_err(busy)?;
    if api.desk.stop(&place) {
        change.done(json!({ "stopped": true })).await;
        return Ok(Json(stopped));
    }
    change.refused("nothing was under way").await;
    let message = format!("nothing is under way at `{}`", place.name());
    Err(Refusal::new(StatusCode::CONFLICT, message, "see /v1/regions: it may be over already"))
}
