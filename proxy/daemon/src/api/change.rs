//! What can be changed beside calls and places: the configuration, and how much is logged.

use super::answer::Refusal;
use super::ask::body_of;
use super::shapes::Words;
use super::trial::OnTrial;
use super::wishes::{Configured, LogLevel, Reload, Reloaded};
use super::{Api, Who};
use crate::appliance::ReloadError;
use crate::config::{self, LoadError};
use crate::log;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use proxy_core::Snapshot;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

type Here = State<Arc<Api>>;
type By = Extension<Who>;

/// Longest time to confirm a reload: an hour.
const MAX_CONFIRM_S: u64 = 3_600;

pub(super) async fn shown(State(api): Here) -> Json<Configured> {
    let loaded = api.desk.loaded();
    Json(Configured {
        file: loaded.path.as_ref().map(|path| path.display().to_string()),
        generation: api.desk.snapshot().config_generation,
        confirm_until: api.trial.until(&loaded),
    })
}

pub(super) async fn reload(
    State(api): Here,
    Extension(who): By,
    request: Request,
) -> Result<Json<Reloaded>, Refusal> {
    let asked: Reload = body_of(request).await?;
    if asked.confirm_s.is_some_and(|s| !(1..=MAX_CONFIRM_S).contains(&s)) {
        let advice = format!("write 1 to {MAX_CONFIRM_S}");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "`confirm` is not what it should be", advice));
    }
    // A client that goes must not leave a configuration behind that nobody undoes.
    let done = tokio::spawn(async move { taken(&api, &who, asked).await }).await;
    done.unwrap_or_else(|error| Err(stuck(error.to_string()))).map(Json)
}

async fn taken(api: &Arc<Api>, who: &Who, asked: Reload) -> Result<Reloaded, Refusal> {
    let (before, generation) = (api.desk.loaded(), api.desk.snapshot().generation);
    if api.trial.until(&before).is_some() {
        let advice = "confirm it or undo it first";
        return Err(Refusal::new(StatusCode::CONFLICT, "a configuration is on trial", advice));
    }
    let Some(path) = before.path.clone() else {
        let advice = "only what was started with `bascule run` has one";
        return Err(Refusal::new(StatusCode::CONFLICT, "there is no configuration file", advice));
    };
    let read = tokio::task::spawn_blocking(move || config::read(&path)).await;
    let loaded = match read {
        Ok(Ok(loaded)) => Arc::new(loaded),
        Ok(Err(error)) => return Err(bad(&error)),
        Err(error) => return Err(stuck(error.to_string())),
    };
    let warnings: Vec<String> = loaded.warnings.iter().map(|warning| warning.line(&loaded.source)).collect();
    if asked.dry_run {
        api.desk.would_take(&loaded).map_err(|error| not_taken(&error))?;
        return Ok(Reloaded { generation, taken: false, warnings, confirm_until: None });
    }
    let change =
        api.desk.asked(&who.name, "reload", &asked, at(&api.desk.snapshot())).await.map_err(refused)?;
    match api.desk.take_over(Arc::clone(&loaded), Some(Arc::clone(&before))).await {
        Ok(now) => {
            let confirm_until = asked.confirm_s.map(|seconds| try_out(api, before, loaded, seconds));
            tracing::info!(generation = now.generation, who = who.name, confirm_until, "reloaded");
            change.done(at(&now)).await;
            Ok(Reloaded { generation: now.generation, taken: true, warnings, confirm_until })
        }
        Err(error) => {
            change.refused(&error.to_string()).await;
            Err(not_taken(&error))
        }
    }
}

/// Undoes it by itself if nobody confirms; until when.
fn try_out(
    api: &Arc<Api>,
    before: Arc<config::Loaded>,
    applied: Arc<config::Loaded>,
    seconds: u64,
) -> String {
    let (wait, clock) = (Duration::from_secs(seconds), api.desk.clock());
    let until = clock.rfc3339(clock.now() + wait);
    let alarm = tokio::spawn({
        let (api, applied) = (Arc::clone(api), Arc::clone(&applied));
        async move {
            tokio::time::sleep(wait).await;
            // Taking the trial aborts this task: what undoes it is another one.
            tokio::spawn(async move {
                let unconfirmed = api.trial.until(&applied).is_some();
                if unconfirmed && let Err(refusal) = back(&api, "nobody (not confirmed in time)").await {
                    tracing::error!("the configuration could not be undone: {}", refusal.message());
                }
            });
        }
    });
    api.trial.begin(OnTrial { before, applied, until: until.clone(), alarm: alarm.abort_handle() });
    until
}

pub(super) async fn confirm(State(api): Here, Extension(who): By) -> Result<Json<Configured>, Refusal> {
    let loaded = api.desk.loaded();
    if api.trial.until(&loaded).is_none() {
        return Err(none());
    }
    let now = at(&api.desk.snapshot());
    let change = api.desk.asked(&who.name, "confirm", Value::Null, now.clone()).await.map_err(refused)?;
    if api.trial.take(&loaded).is_none() {
        change.refused("too late").await;
        return Err(none());
    }
    change.done(now).await;
    Ok(shown(State(api)).await)
}

pub(super) async fn undo(State(api): Here, Extension(who): By) -> Result<Json<Configured>, Refusal> {
    let undone = tokio::spawn({
        let api = Arc::clone(&api);
        async move { back(&api, &who.name).await }
    });
    undone.await.unwrap_or_else(|error| Err(stuck(error.to_string())))?;
    Ok(shown(State(api)).await)
}

/// The configuration that was there before the trial.
async fn back(api: &Arc<Api>, who: &str) -> Result<(), Refusal> {
    let trial = api.trial.take(&api.desk.loaded()).ok_or_else(none)?;
    // It is undone even if that cannot be written down: that nobody confirmed may mean that nobody can.
    let change = api.desk.asked(who, "undo", Value::Null, at(&api.desk.snapshot())).await.ok();
    let undone = api.desk.take_over(trial.before, Some(trial.applied)).await;
    match (undone, change) {
        (Ok(now), change) => {
            tracing::warn!(who, generation = now.generation, "the configuration before is in force again");
            if let Some(change) = change {
                change.done(at(&now)).await;
            }
            Ok(())
        }
        (Err(error), change) => {
            if let Some(change) = change {
                change.refused(&error.to_string()).await;
            }
            Err(not_taken(&error))
        }
    }
}

pub(super) async fn log_level() -> Result<Json<LogLevel>, Refusal> {
    log::level().map(|level| Json(LogLevel { level })).ok_or_else(no_log)
}

pub(super) async fn set_log_level(
    State(api): Here,
    Extension(who): By,
    request: Request,
) -> Result<Json<LogLevel>, Refusal> {
    let asked: LogLevel = body_of(request).await?;
    let before = log::level().ok_or_else(no_log)?;
    let filter = log::filter(&asked.level).ok_or_else(|| {
        let advice = "write error, warn, info, debug or trace, or a filter such as \"bascule=debug,warn\"";
        Refusal::new(StatusCode::BAD_REQUEST, "`level` is not a log level", advice)
    })?;
    let before = json!({ "level": before });
    let change = api.desk.asked(&who.name, "log_level", Value::Null, before).await.map_err(refused)?;
    if !log::set(filter) {
        change.refused("the log does not take it").await;
        return Err(no_log());
    }
    change.done(json!(asked)).await;
    Ok(Json(asked))
}

fn at(snapshot: &Snapshot) -> Value {
    json!({ "generation": snapshot.generation, "configured_in": snapshot.config_generation })
}

fn not_taken(error: &ReloadError) -> Refusal {
    let (status, advice) = match error {
        ReloadError::NeedsRestart(_) => {
            (StatusCode::CONFLICT, "restart the service to take it over, or take that change back")
        }
        ReloadError::Overtaken => (StatusCode::CONFLICT, "look at /v1/reload and try again"),
        ReloadError::Stuck => return stuck(error.to_string()),
    };
    Refusal::new(status, error.to_string(), advice)
}

fn refused(words: Words) -> Refusal {
    Refusal::of(StatusCode::SERVICE_UNAVAILABLE, words)
}

fn none() -> Refusal {
    Refusal::new(StatusCode::CONFLICT, "no configuration is on trial", "reload with `confirm` first")
}

fn no_log() -> Refusal {
    Refusal::new(
        StatusCode::CONFLICT,
        "logging was set up by somebody else",
        "only `bascule run` has its own",
    )
}

fn stuck(message: String) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message, "look at the log; a restart may be what is left")
}

fn bad(error: &LoadError) -> Refusal {
    let complaints = match error {
        LoadError::Bad { source_text, complaints } => {
            complaints.iter().map(|complaint| complaint.line(source_text)).collect()
        }
        LoadError::Unreadable { .. } => Vec::new(),
    };
    let advice = "the running configuration stays as it is";
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string(), advice).with(complaints)
}
