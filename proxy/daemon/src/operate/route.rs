//! `bascule route`: where a call would go and what would leave, without sending it.

use super::args::RouteArgs;
use super::report::{print, table};
use crate::complain;
use bascule::dns::look_up;
use bascule::preview::{Attempt, Forecast, Question, forecast};
use proxy_core::{Config, Direction, GroupId, RegionId, Source, TrunkId};
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;

/// Exit status: 0 it has somewhere to go, 1 it would be refused, 2 the question cannot be asked.
pub(crate) fn route(args: &RouteArgs) -> ExitCode {
    let loaded = match bascule::config::read(&args.config) {
        Ok(loaded) => loaded,
        Err(error) => {
            complain::failure(&error);
            return ExitCode::from(2);
        }
    };
    let config = match look_up(&loaded) {
        Ok(found) => found.config,
        Err(error) => {
            complain::say(&format!("bascule: names cannot be looked up: {error}"));
            return ExitCode::from(2);
        }
    };
    match ask(&config, args) {
        Ok(forecast) => {
            if args.json {
                print(&as_json(&forecast).to_string());
            } else if args.diff {
                differences(&forecast);
            } else {
                show(&forecast, args.all);
            }
            if forecast.attempts.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS }
        }
        Err(text) => {
            complain::say(&format!("bascule: {text}"));
            ExitCode::from(2)
        }
    }
}

fn ask(config: &Arc<Config>, args: &RouteArgs) -> Result<Forecast, String> {
    let place = |name: &str, names: Vec<&str>, kind: &str| {
        let at = names.iter().position(|known| *known == name).and_then(|at| u16::try_from(at).ok());
        at.ok_or_else(|| format!("no {kind} is named `{name}`\n  help: known: {}", names.join(", ")))
    };
    let trunks = || config.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
    let groups = || config.groups.iter().map(|group| group.name.as_str()).collect();
    let source = match (&args.trunk, &args.group) {
        (Some(trunk), _) => Source::Trunk(TrunkId(place(trunk, trunks(), "trunk")?)),
        (None, Some(group)) => Source::Group(GroupId(place(group, groups(), "edge group")?)),
        (None, None) => Source::Trunk(TrunkId(0)),
    };
    let regions = || config.regions.iter().map(|region| region.name.as_str()).collect();
    let down: Result<Vec<_>, _> =
        args.region_down.iter().map(|name| place(name, regions(), "region").map(RegionId)).collect();
    let down = down?;
    let question = Question { source, from: &args.from, to: &args.to, headers: &args.header, down: &down };
    forecast(config, &question).ok_or_else(|| {
        "no INVITE can be made of this\n  help: numbers have no blanks, a header is `Name: value`, and the trunk or group needs an address"
            .to_owned()
    })
}

fn show(forecast: &Forecast, all: bool) {
    if forecast.attempts.is_empty() {
        let why = forecast.refused.map_or("", |reason| reason.as_str());
        return print(&format!("refused: {} {why}", forecast.code));
    }
    let rows = forecast.attempts.iter().enumerate().map(|(at, attempt)| {
        let region = attempt.region.clone().unwrap_or_else(|| "-".to_owned());
        let address = format!("{} {}", attempt.peer.transport.as_str(), attempt.peer.remote);
        [(at + 1).to_string(), attempt.target.clone(), attempt.of.clone(), region, address]
    });
    table(&["", "target", "of", "region", "address"], rows);
    print(&format!("after the last one the caller hears {}", forecast.code));
    for attempt in forecast.attempts.iter().take(if all { usize::MAX } else { 1 }) {
        print(&format!("\n{}:\n{}", attempt.target, text(attempt).trim_end()));
    }
}

fn text(attempt: &Attempt) -> String {
    String::from_utf8_lossy(&attempt.message).replace("\r\n", "\n")
}

/// Header fields that are drawn by lot, or name nothing but the way.
const BY_LOT: [&str; 4] = ["Via", "Call-ID", "Content-Length", "Max-Forwards"];

/// The request line and headers of an attempt by name, without tags.
fn lines(attempt: &Attempt) -> Vec<(String, String)> {
    let message = text(attempt);
    let head = message.split("\n\n").next().unwrap_or_default();
    let mut all = vec![];
    for (at, line) in head.lines().enumerate() {
        let (name, value) =
            if at == 0 { ("Request", line) } else { line.split_once(": ").unwrap_or((line, "")) };
        let value = value.split(";tag=").next().unwrap_or_default();
        if !BY_LOT.contains(&name) {
            all.push((name.to_owned(), value.to_owned()));
        }
    }
    all
}

/// The first attempt of each trunk or edge group, side by side, where they differ.
fn differences(forecast: &Forecast) {
    let mut firsts: Vec<&Attempt> = Vec::new();
    for attempt in &forecast.attempts {
        if firsts.iter().all(|first| first.of != attempt.of) {
            firsts.push(attempt);
        }
    }
    let Some((first, others)) = firsts.split_first() else { return show(forecast, false) };
    if others.is_empty() {
        return print(&format!("every attempt is to `{}`: there is nothing to compare", first.of));
    }
    let base = lines(first);
    for other in others {
        let theirs = lines(other);
        let mut names: Vec<&String> = base.iter().chain(&theirs).map(|(name, _)| name).collect();
        names.dedup();
        let mut seen: Vec<&String> = Vec::new();
        let mut rows = Vec::new();
        for name in names {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            let of = |all: &[(String, String)]| {
                let values: Vec<&str> =
                    all.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
                values.join(", ")
            };
            let (ours, theirs) = (of(&base), of(&theirs));
            if ours != theirs {
                rows.push([name.clone(), ours, theirs]);
            }
        }
        if rows.is_empty() {
            print(&format!("`{}` and `{}` are told the same", first.of, other.of));
        } else {
            table(&["", &first.of, &other.of], rows.into_iter());
        }
    }
}

fn as_json(forecast: &Forecast) -> serde_json::Value {
    let attempts: Vec<_> = forecast
        .attempts
        .iter()
        .map(|attempt| {
            json!({
                "target": attempt.target,
                "of": attempt.of,
                "region": attempt.region,
                "transport": attempt.peer.transport.as_str(),
                "address": attempt.peer.remote.to_string(),
                "message": String::from_utf8_lossy(&attempt.message),
            })
        })
        .collect();
    json!({
        "direction": if forecast.direction == Direction::Inbound { "inbound" } else { "outbound" },
        "attempts": attempts,
        "code": forecast.code,
        "refused": forecast.refused.map(|reason| reason.as_str()),
    })
}
