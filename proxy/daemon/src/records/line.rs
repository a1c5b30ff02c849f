//! A record as it is written. Times are RFC 3339 in UTC, durations in milliseconds; what did not happen is left out.

use super::flow::Flow;
use super::receipt::MoveLine;
use super::strangers::Strangers;
use crate::clock::Clock;
use proxy_core::{CallRecord, Direction, Step, StepOutcome};
use relay_values::{SessionStats, Time};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// One life of the process, in which numbers of calls are unique.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    pub(crate) clock: Clock,
    /// Drawn at random.
    pub(crate) number: u64,
}

impl Life {
    #[cfg(test)]
    pub(crate) fn start() -> Self {
        Self { clock: Clock::start(), number: 0xfeed }
    }

    /// The name of a record that no other has, of this life or another.
    pub(super) fn key(&self, id: u64) -> String {
        format!("{:016x}-{id:x}", self.number)
    }
}

#[derive(Serialize)]
pub(super) struct Line<'a> {
    key: String,
    id: u64,
    direction: &'static str,
    calling: &'a str,
    called: &'a str,
    source: SocketAddr,
    trunk: &'a str,
    site: &'a str,
    generation: u64,
    started: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ringing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answered: Option<String>,
    ended: String,
    /// From INVITE to the first response above 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pdd_ms: Option<u64>,
    /// From answer to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    code: u16,
    close: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject: Option<&'static str>,
    /// What our INVITE attested.
    #[serde(skip_serializing_if = "Option::is_none")]
    attested: Option<&'static str>,
    /// Why it was not signed, where it was to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsigned: Option<&'static str>,
    /// What verification of the caller found.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<&'static str>,
    /// What the caller's own signer attested.
    #[serde(skip_serializing_if = "Option::is_none")]
    vouched: Option<&'static str>,
    steps: Vec<StepLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<Media>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    moves: Vec<MoveLine<'a>>,
    a_call_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    b_call_id: &'a str,
}

#[derive(Serialize)]
struct StepLine<'a> {
    target: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    region: &'a str,
    generation: u64,
    at: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
}

#[derive(Serialize)]
struct Media {
    from_a: Flow,
    from_b: Flow,
    rtcp_from_a: u64,
    rtcp_from_b: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    drops: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strangers: Option<Strangers>,
}

impl<'a> Line<'a> {
    pub(super) fn new(life: &Life, record: &'a CallRecord) -> Self {
        let clock = &life.clock;
        let wall = |at: Time| clock.rfc3339(at);
        let ms = |from: Time, to: Time| u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX);
        Self {
            key: life.key(record.id),
            id: record.id,
            direction: match record.direction {
                Direction::Inbound => "inbound",
                Direction::Outbound => "outbound",
            },
            calling: &record.calling,
            called: &record.called,
            source: record.source,
            trunk: &record.trunk,
            site: &record.site,
            generation: record.generation,
            started: wall(record.started),
            ringing: record.ringing.map(wall),
            answered: record.answered.map(wall),
            ended: wall(record.ended),
            pdd_ms: record.ringing.map(|at| ms(record.started, at)),
            duration_ms: record.answered.map(|at| ms(at, record.ended)),
            code: record.code,
            close: record.close.as_str(),
            reject: record.reject.map(|r| r.as_str()),
            attested: record.stir.attested.map(|a| a.as_str()),
            unsigned: record.stir.unsigned.map(|r| r.as_str()),
            verified: record.stir.verified.map(|r| r.as_str()),
            vouched: record.stir.vouched.map(|a| a.as_str()),
            steps: record.steps.iter().map(|s| StepLine::new(clock, s)).collect(),
            media: record.media.as_deref().map(Media::new),
            moves: record.moves.iter().map(|receipt| MoveLine::new(clock, receipt)).collect(),
            a_call_id: &record.a_call_id,
            b_call_id: &record.b_call_id,
        }
    }
}

impl<'a> StepLine<'a> {
    fn new(clock: &Clock, step: &'a Step) -> Self {
        let (outcome, reason, code) = match step.outcome {
            StepOutcome::Pending => ("pending", None, None),
            StepOutcome::Answered => ("answered", None, None),
            StepOutcome::Advanced { reason, code } => {
                ("advanced", Some(reason.as_str()), (code != 0).then_some(code))
            }
            StepOutcome::Refused { code } => ("refused", None, Some(code)),
            StepOutcome::Cancelled => ("cancelled", None, None),
        };
        Self {
            target: &step.target,
            region: &step.region,
            generation: step.generation,
            at: clock.rfc3339(step.at),
            outcome,
            reason,
            code,
        }
    }
}

impl Media {
    fn new(stats: &SessionStats) -> Self {
        Self {
            from_a: Flow::of(&stats.from_a, &stats.from_b),
            from_b: Flow::of(&stats.from_b, &stats.from_a),
            rtcp_from_a: stats.rtcp_from_a,
            rtcp_from_b: stats.rtcp_from_b,
            drops: stats.drops.nonzero().map(|(reason, n)| (reason.as_str(), n)).collect(),
            strangers: Strangers::new(&stats.strangers),
        }
    }
}

/// A call that rang nowhere.
#[cfg(test)]
pub(super) fn sample() -> CallRecord {
    CallRecord {
        id: 7,
        direction: Direction::Inbound,
        a_call_id: "a@carrier".to_owned(),
        b_call_id: String::new(),
        calling: "+4917012345".to_owned(),
        called: "+4930123456".to_owned(),
        source: ([192, 0, 2, 1], 5060).into(),
        trunk: "acme".to_owned(),
        site: "main".to_owned(),
        generation: 1,
        started: Time::from_millis(1_000),
        ringing: None,
        answered: None,
        ended: Time::from_millis(1_250),
        code: 503,
        close: proxy_core::CloseReason::Rejected,
        reject: Some(proxy_core::RejectReason::NoTarget),
        steps: Vec::new(),
        moves: Vec::new(),
        media: None,
        stir: proxy_core::StirRecord::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_the_life_of_the_process_too() {
        let life = Life::start();
        let line = serde_json::to_value(Line::new(&life, &sample())).unwrap();
        assert_eq!((&line["key"], &line["id"]), (&"000000000000feed-7".into(), &7.into()));
        assert_eq!(line["started"].as_str().map(str::len), Some(24));
        let later = Life { number: 1, ..life };
        assert_ne!(later.key(7), life.key(7));
    }
}
