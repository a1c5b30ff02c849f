//! `GET /v1/calls?follow=true`: the calls that fit, and from then on what changes among them.

use super::Api;
use super::calls::call;
use super::flow::{Cut, Events};
use super::now::CallsNow;
use super::shapes::Words;
use crate::limits::{FOLLOW_CALLS, FOLLOW_PAGE};
use proxy_core::{CallName, CallQuery, CallView};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// Between two walks over all calls: what is shown is about that old at most.
const WALK_EVERY: Duration = Duration::from_millis(700);

/// Calls that the client knows: what it knows of each, and the walk that has met it last.
type Known = HashMap<CallName, (u64, u32)>;

pub(super) async fn follow(api: Arc<Api>, query: CallQuery, mut events: Events) -> Result<(), Cut> {
    let mut known = Known::new();
    for walk in 0_u32.. {
        let all = walk_once(&api, &query, walk, &mut known, &mut events).await?;
        // What was not met is gone, unless a shard did not answer.
        let mut gone = Vec::new();
        if all.is_ok() {
            known.retain(|name, (_, met)| {
                let here = *met == walk;
                if !here {
                    gone.push(name.to_string());
                }
                here
            });
        }
        let first = walk == 0;
        if first || !gone.is_empty() {
            tell(&mut events, &CallsNow { calls: Vec::new(), gone, whole: first && all.is_ok() });
        }
        events.send().await?;
        events.pause(WALK_EVERY).await?;
    }
    Ok(())
}

async fn walk_once(
    api: &Api,
    query: &CallQuery,
    walk: u32,
    known: &mut Known,
    events: &mut Events,
) -> Result<Result<(), Words>, Cut> {
    let clock = api.desk.clock();
    let mut from = (0, 0);
    loop {
        let (page, next) = match api.desk.calls(query.clone(), from, FOLLOW_PAGE).await {
            Ok(found) => found,
            Err(words) => return Ok(Err(words)),
        };
        let mut news = Vec::new();
        for view in page {
            let now = print(&view);
            // Beyond the bound calls are not shown; they are as soon as others end.
            let room = known.len() < FOLLOW_CALLS;
            match known.get_mut(&view.name) {
                Some((before, met)) => {
                    *met = walk;
                    if *before != now {
                        *before = now;
                        news.push(call(&clock, &view));
                    }
                }
                None if room => {
                    known.insert(view.name, (now, walk));
                    news.push(call(&clock, &view));
                }
                None => {}
            }
        }
        if !news.is_empty() {
            tell(events, &CallsNow { calls: news, gone: Vec::new(), whole: false });
            events.send().await?;
        }
        match next {
            Some(next) => from = next,
            None => return Ok(Ok(())),
        }
    }
}

fn tell(events: &mut Events, now: &CallsNow) {
    events.add("calls", &serde_json::to_string(now).unwrap_or_default());
}

/// Two looks at a call in which nothing has changed that is shown have the same.
fn print(view: &CallView) -> u64 {
    let mut hasher = DefaultHasher::new();
    (view.phase, &view.region, &view.target, &view.b_call_id, view.moves).hash(&mut hasher);
    hasher.finish()
}
