//! `bascule calls` and `bascule call`.

use super::args::{CallArgs, CallsArgs};
use super::http::{ask, escaped, read, watched};
use super::report::{clear, print, table};
use super::{Ended, Failure, media};
use bascule::api::shapes::{Call, CallDetail, Calls, Ended as Over};
use hyper::Method;
use serde_json::json;
use std::fmt::Write;

/// Calls of one answer.
const PAGE: usize = 256;

pub(super) async fn list(args: &CallsArgs) -> Result<Ended, Failure> {
    watched(args.watch, async || {
        let found = find(args).await?;
        if args.watch {
            clear();
        }
        if args.at.json {
            found.iter().for_each(|call| print(&json!(call).to_string()));
        } else {
            show(&found, args.most);
        }
        Ok(Ended::Done)
    })
    .await
}

async fn find(args: &CallsArgs) -> Result<Vec<Call>, Failure> {
    let CallsArgs { number, trunk, site, region, state, call_id, most, .. } = args;
    let mut query = format!("limit={}", PAGE.min(*most));
    let said = [
        ("number", number),
        ("trunk", trunk),
        ("site", site),
        ("region", region),
        ("state", state),
        ("call_id", call_id),
    ];
    for (name, value) in said {
        if let Some(value) = value {
            let _ = write!(query, "&{name}={}", escaped(value));
        }
    }
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let body = ask(&args.at, Method::GET, &format!("/v1/calls?{query}{cursor}")).await?;
        let Calls { calls, cursor: next } = read(&body)?;
        all.extend(calls);
        match next {
            Some(next) if all.len() < *most => cursor = format!("&cursor={}", escaped(&next)),
            _ => break,
        }
    }
    all.truncate(*most);
    Ok(all)
}

fn show(calls: &[Call], most: usize) {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let rows = calls.iter().map(|call| {
        [
            call.call.clone(),
            call.state.clone(),
            call.calling.clone(),
            call.called.clone(),
            or_none(&call.trunk),
            or_none(&call.region),
            or_none(&call.target),
            call.answered.as_ref().unwrap_or(&call.started).clone(),
            call.moves.to_string(),
        ]
    });
    table(&["call", "state", "from", "to", "trunk", "region", "target", "since", "moves"], rows);
    let more = if calls.len() >= most { "; --most shows more" } else { "" };
    print(&format!("{} calls{more}", calls.len()));
}

pub(super) async fn one(args: &CallArgs) -> Result<Ended, Failure> {
    let target = format!("/v1/calls/{}", escaped(&args.call));
    if args.end {
        let body = ask(&args.at, Method::DELETE, &target).await?;
        let over: Over = read(&body)?;
        print(&if args.at.json { json!(over).to_string() } else { format!("{} is being ended", over.call) });
        return Ok(Ended::Done);
    }
    watched(args.watch, async || {
        let body = ask(&args.at, Method::GET, &target).await?;
        let detail: CallDetail = read(&body)?;
        if args.at.json {
            print(&json!(detail).to_string());
            return Ok(Ended::Done);
        }
        if args.watch {
            clear();
        }
        tell(&detail);
        Ok(Ended::Done)
    })
    .await
}

fn tell(detail: &CallDetail) {
    let CallDetail { call, steps, moves, media } = detail;
    let Call {
        call: name,
        state,
        direction,
        calling,
        called,
        source,
        trunk,
        site,
        region,
        target,
        a_call_id,
        b_call_id,
        started,
        ringing,
        answered,
        generation,
        moves: _,
    } = call;
    let lines = [
        ("call", Some(name)),
        ("state", Some(state)),
        ("direction", Some(direction)),
        ("from", Some(calling)),
        ("to", Some(called)),
        ("source", Some(source)),
        ("trunk", trunk.as_ref()),
        ("site", site.as_ref()),
        ("region", region.as_ref()),
        ("target", target.as_ref()),
        ("A-leg", Some(a_call_id)),
        ("B-leg", b_call_id.as_ref()),
        ("began", Some(started)),
        ("rang", ringing.as_ref()),
        ("answered", answered.as_ref()),
        ("generation", Some(&generation.to_string())),
    ]
    .map(|(name, value)| (name, value.cloned()));
    for (name, value) in lines.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        print(&format!("{name:<10}  {value}"));
    }
    media::tell(media);
    print("");
    table(
        &["tried at", "target", "region", "outcome", "reason", "code"],
        steps.iter().map(|step| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let code = step.code.map(|code| code.to_string()).unwrap_or_default();
            [
                step.at.clone(),
                step.target.clone(),
                text(&step.region),
                step.outcome.clone(),
                text(&step.reason),
                code,
            ]
        }),
    );
    if moves.is_empty() {
        return;
    }
    print("");
    let ms = |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| format!("{ms} ms"));
    table(
        &["moved at", "reason", "outcome", "from", "to", "answered", "silence", "nobody"],
        moves.iter().map(|m| {
            [
                m.detected.clone(),
                m.reason.clone(),
                m.outcome.clone(),
                m.from.clone(),
                m.to.clone().unwrap_or_default(),
                ms(m.answered_ms),
                ms(m.gap_media_ms),
                ms(m.gap_conversation_ms),
            ]
        }),
    );
}
