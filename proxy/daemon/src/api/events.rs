//! `GET /v1/events`: what happens in the service, from now on.

use super::answer::Refusal;
use super::calls::moved;
use super::flow::{Cut, Events, Shown};
use super::look::generation;
use super::{Api, Area, Role, Who};
use crate::clock::Clock;
use crate::limits::GENERATIONS;
use crate::notice::Notice;
use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use proxy_core::{CallRecord, Direction};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

/// How often what has happened is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Looks between two readings of regions and trunks.
const READ_EVERY: u32 = 5;

/// Notices that are told of at once: some 64 KiB.
const AT_ONCE: usize = 128;

/// What somebody may see of it.
struct Sees {
    calls: bool,
    trunks: bool,
}

pub(super) async fn events(
    State(api): State<Arc<Api>>,
    Extension(who): Extension<Who>,
    Extension(shown): Extension<Shown>,
) -> Result<Response, Refusal> {
    let (events, body) = Events::new(&api, shown)?;
    let sees = |area| who.roles.allow(Role::View(area));
    let sees = Sees { calls: sees(Area::Calls), trunks: sees(Area::Trunk) };
    tokio::spawn(async move {
        // However it ends, nobody is there to be told.
        let _ = follow(&api, &sees, events).await;
    });
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], body).into_response())
}

/// Until the client goes, does not read, or may not see it any more.
async fn follow(api: &Api, sees: &Sees, mut events: Events) -> Result<(), Cut> {
    let (notices, clock) = (api.desk.notices(), api.desk.clock());
    let mut known = api.desk.snapshot().generation;
    let (mut service, mut trunks) = (String::new(), String::new());
    for turn in 0_u32.. {
        if turn.is_multiple_of(READ_EVERY) {
            let seen = api.board.now(&api.desk).await;
            tell("service", &seen.service, &mut service, &mut events);
            if sees.trunks {
                tell("trunks", &seen.trunks, &mut trunks, &mut events);
            }
        }
        let newest = api.desk.history().last(GENERATIONS);
        for new in newest.iter().rev().filter(|one| one.generation > known) {
            events.add("generation", &serde_json::to_string(&generation(&clock, new)).unwrap_or_default());
        }
        known = newest.first().map_or(known, |one| one.generation.max(known));
        loop {
            let some = come(&notices)?;
            let told = some.iter().filter(|_| sees.calls).filter_map(|notice| event(&clock, notice));
            told.for_each(|(name, data)| events.add(name, &data.to_string()));
            events.send().await?;
            if some.len() < AT_ONCE {
                break;
            }
        }
        events.pause(LOOK).await?;
    }
    Ok(())
}

/// Only what is new.
fn tell(event: &str, seen: &str, told: &mut String, events: &mut Events) {
    if seen != told {
        seen.clone_into(told);
        events.add(event, seen);
    }
}

/// What has come since the last look, up to a bound.
fn come(notices: &Receiver<Notice>) -> Result<Vec<Notice>, Cut> {
    let mut some = Vec::new();
    while some.len() < AT_ONCE {
        match notices.try_recv() {
            Ok(notice) => some.push(notice),
            Err(TryRecvError::Empty) => break,
            Err(TryRecvError::Disconnected) => return Err(Cut),
        }
    }
    Ok(some)
}

fn event(clock: &Clock, notice: &Notice) -> Option<(&'static str, Value)> {
    match notice {
        Notice::Finished(record) => Some(("finished", finished(clock, record))),
        Notice::Moved(receipt) => {
            let mut said = serde_json::to_value(moved(clock, receipt)).unwrap_or_default();
            said["carrier_call_id"] = json!(receipt.carrier_call_id);
            Some(("moved", said))
        }
        // Generations and drains tell of these.
        Notice::Health { .. } | Notice::Moves { .. } => None,
    }
}

fn finished(clock: &Clock, record: &CallRecord) -> Value {
    let direction = match record.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    };
    json!({
        "a_call_id": record.a_call_id, "direction": direction,
        "calling": record.calling, "called": record.called, "trunk": record.trunk, "site": record.site,
        "started": clock.rfc3339(record.started), "ended": clock.rfc3339(record.ended),
        "code": record.code, "close": record.close.as_str(), "moves": record.moves.len(),
    })
}
