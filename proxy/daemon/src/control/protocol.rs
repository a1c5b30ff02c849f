//! What is said on the admin socket: one JSON object a line, both ways.
//!
//! A client writes a [`Request`] and reads [`Line`]s until one has `"done":true`; then it may write the next. While a
//! drain or a drill runs it may write `{"do":"stop"}`. Closing the connection, or its writing half, means the same.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a client asks for: `{"do":"drain","place":"north"}`, …
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// No new calls to a place, and those that are up move away; or back.
    Drain(Drain),
    /// Cut a share of a region's calls off, watch, restore.
    Drill(Drill),
    /// End the drain or drill that this connection has begun.
    Stop,
}

/// A planned move, make-before-break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// Name of a region or an edge.
    pub place: String,
    /// Share of its answered calls, in percent, 1 to 100.
    #[serde(default = "whole")]
    pub share: u8,
    /// Only calls whose called number (inbound) or calling number (outbound) begins like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// What is not moved after so many milliseconds stays where it is.
    #[serde(default = "minute")]
    pub deadline_ms: u64,
    /// Lift the drain, and move the calls back that began there.
    #[serde(default)]
    pub back: bool,
    /// With `back`: calls stay where they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stay: bool,
}

/// A drill: for the calls that it chooses, the region is as good as dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// Name of a region.
    pub region: String,
    /// Share of its answered calls, in percent, 1 to 100.
    pub share: u8,
    /// What they lose.
    pub cut: Cut,
    /// For so many milliseconds.
    pub for_ms: u64,
    /// Any of these ends the drill.
    #[serde(default)]
    pub abort_if: Vec<Condition>,
}

/// What a drill cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// SIP of the tier legs
    Signalling,
    /// RTP and RTCP of the tier legs
    Media,
    /// Both
    Both,
}

/// What ends a drill before its time: `dropped>0`, `gap_conversation_ms>600`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    /// What is measured.
    pub measure: Measure,
    /// Above which it is too much.
    pub above: u32,
}

/// What a drill measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Calls that ended by it.
    Dropped,
    /// Moves that failed, whether the call ended or not.
    Failed,
    /// The longest time that a carrier heard nothing at all, in milliseconds.
    GapMedia,
    /// The longest time that a carrier heard nobody.
    GapConversation,
}

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What it says.
    #[serde(flatten)]
    pub answer: Answer,
    /// Nothing comes after it.
    pub done: bool,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Answer {
    /// Something that the operator should know before going on.
    Warning(Words),
    /// How it comes on.
    Progress(Progress),
    /// A call was moved, or was not.
    Receipt(Receipt),
    /// How it ended.
    Summary(Box<Summary>),
    /// It was not done.
    Error(Words),
}

/// Something for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// What is the matter.
    pub message: String,
    /// What to do.
    pub advice: String,
}

/// The service as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Of the running program.
    pub version: String,
    /// `running`, `draining` or `stopping`.
    pub phase: String,
    /// Seconds since its start.
    pub uptime_s: f64,
    /// Generation of the snapshot in force.
    pub generation: u64,
    /// Shards that have told of their calls, of those that there are.
    pub shards: (usize, usize),
    /// Their calls.
    pub calls: LiveCalls,
    /// Trunks that have us registered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registrations: Vec<Registered>,
    /// The relay; absent where media bypasses us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// Neighbours that are configured by name, and what is known of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<NameStatus>,
}

/// A name as it is known now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NameStatus {
    /// As it is configured: `sip.example.com`, `sip.example.com:5070`.
    pub name: String,
    /// Of the listener: `UDP`, `TCP`.
    pub transport: String,
    /// `fresh`, `stale` (no server answers), `denied` (a server says that there is nothing) or `nothing`.
    pub state: String,
    /// Why it is not fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Since when; for a fresh one when the last answer came.
    pub since: String,
    /// Until when addresses are kept that no server names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The least TTL of its records, in seconds, within our limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
    /// Best first.
    pub addresses: Vec<NameAddress>,
}

/// One address of a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NameAddress {
    /// Address and port.
    pub address: String,
    /// The host that the records name.
    pub host: String,
    /// 0 is tried first.
    pub rank: u16,
    /// Seconds since it was first seen.
    pub age_s: u64,
    /// Since when no answer names it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

/// One trunk's registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The trunk.
    pub trunk: String,
    /// `registered`, `registering`, `failed` or `leaving`.
    pub state: String,
    /// The target that has bound us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrar: Option<String>,
    /// Seconds until it has to be asked again at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_s: Option<u64>,
    /// What the last registrar said that did not bind us; 0 if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_code: Option<u16>,
}

/// Calls by how far they have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LiveCalls {
    /// Being set up.
    pub hunting: usize,
    /// Answered.
    pub answered: usize,
    /// Ending.
    pub closing: usize,
}

/// The relay as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Local addresses.
    pub addresses: Vec<String>,
    /// First and last port.
    pub ports: (u16, u16),
    /// How many calls it can hold, and by what it is bounded, for people.
    pub capacity: String,
    /// Calls that it can hold.
    pub room: usize,
    /// Where the kernel carries media, by which way, and why by no faster one.
    pub kernel: Vec<String>,
    /// What the sockets carry alone, and why.
    pub sockets: Vec<String>,
    /// What becomes of the kernel's flows when the service is killed, and what it found of an earlier run.
    #[serde(default)]
    pub survival: Option<String>,
    /// RTP that is carried now.
    pub carried: Carried,
    /// What was dropped since the start, by reason; those that never occurred are absent.
    pub drops: Vec<(String, u64)>,
    /// What the kernel's program left to the sockets although its port has a flow, by reason, likewise.
    pub passed_up: Vec<(String, u64)>,
}

/// Who carries how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Carried {
    /// Sessions of the relay.
    pub sessions: u64,
    /// Flows (one direction of the RTP of a session) that the kernel carries; the sockets carry the others.
    pub kernel_flows: u64,
}

/// A stranger that is met with silence. Instants are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanner {
    /// Its address; for IPv6 its network of 64 bits, with `/64`.
    pub address: String,
    /// `tool`: by its User-Agent; `tries`: by what it has tried.
    pub known_by: String,
    /// Messages of its since `first`, as far as they count.
    pub messages: u64,
    /// When it was seen first.
    pub first: String,
    /// When it was seen last.
    pub last: String,
    /// Seconds after which it is forgotten, if it is not seen again.
    pub forgotten_in_s: u64,
}

/// A region as it is now. Instants are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Its name.
    pub region: String,
    /// `up`, `suspect` or `down`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Why its state changed last; absent if it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the present or last trouble was first suspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspected: Option<String>,
    /// The last packet before its flows fell silent together for the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<String>,
    /// Live calls that are being set up in it.
    pub hunting: u32,
    /// Answered calls in it.
    pub answered: u32,
    /// Of these, how many are being moved.
    pub moving: u32,
    /// Operators keep new calls away from all of it.
    pub drained: bool,
    /// Share of its calls that a drill has cut off, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<u8>,
    /// Its edges.
    pub edges: Vec<Edge>,
}

/// An edge as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// Its name.
    pub edge: String,
    /// `up`, `backoff` or `down`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Why its state changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Share among its group's edges; 0 takes no new calls.
    pub weight: u16,
    /// Operators keep new calls away from it.
    pub drained: bool,
    /// Probes sent.
    pub probes: u64,
    /// Probes without an answer since the last one with.
    pub missed: u32,
    /// Weight of the failures since the last answer; it is down at `fall`.
    pub failures: u8,
    /// See `failures`.
    pub fall: u8,
    /// Smoothed time to an answer, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// Penalty for falling again and again.
    pub penalty: f64,
    /// It stays down until then, whatever it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<String>,
}

/// How a drain or a drill comes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Calls that are to move.
    pub chosen: u32,
    /// Moved.
    pub moved: u32,
    /// Not moved: still up where they were, or ended by the attempt.
    pub failed: u32,
    /// Ended by a leg in the meantime.
    pub gone: u32,
    /// Milliseconds since the beginning.
    pub elapsed_ms: u64,
}

/// What became of one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The carrier leg's Call-ID.
    pub carrier_call_id: String,
    /// Why it was moved.
    pub reason: String,
    /// What became of it.
    pub outcome: String,
    /// The edge that it left.
    pub from: String,
    /// The edge that took it; empty if none did.
    pub to: String,
    /// From the first sign of trouble to the decision, in milliseconds.
    pub decided_ms: f64,
    /// To the new leg's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_ms: Option<f64>,
    /// How long the carrier heard nothing at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_media_ms: Option<f64>,
    /// How long it heard nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_conversation_ms: Option<f64>,
    /// The new leg's identity headers are those of the old one.
    pub identity_kept: bool,
}

/// How a drain or a drill ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The region or edge.
    pub place: String,
    /// How.
    pub end: End,
    /// Why, where that is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The counts.
    #[serde(flatten)]
    pub progress: Progress,
    /// Calls that ended by it.
    pub dropped: u32,
    /// Milliseconds from the cut until the detector had found it, in a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_ms: Option<f64>,
    /// New calls are kept away from the place from now on.
    pub drained: bool,
    /// How long carriers heard nothing at all.
    pub gap_media_ms: Gaps,
    /// How long they heard nobody.
    pub gap_conversation_ms: Gaps,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// As it was meant.
    Finished,
    /// The client said so.
    Stopped,
    /// A condition of the drill came true.
    Aborted,
    /// The deadline passed, and not every shard has told of its calls.
    Incomplete,
}

/// Gaps in milliseconds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Gaps {
    /// Receipts that have one.
    pub calls: u64,
    /// Half of them are no longer.
    pub p50: u64,
    /// 99 of 100 are no longer.
    pub p99: u64,
    /// None is longer.
    pub max: u64,
    /// How many were up to so many milliseconds and above the bucket before; the last has no bound.
    pub buckets: Vec<(Option<u64>, u64)>,
}

impl Answer {
    /// Whether nothing comes after it.
    pub fn is_last(&self) -> bool {
        match self {
            Self::Summary(_) | Self::Error(_) => true,
            Self::Warning(_) | Self::Progress(_) | Self::Receipt(_) => false,
        }
    }
}

impl Measure {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Dropped, "dropped"),
        (Self::Failed, "failed"),
        (Self::GapMedia, "gap_media_ms"),
        (Self::GapConversation, "gap_conversation_ms"),
    ];
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let known: Vec<_> = Measure::ALL.iter().map(|(_, name)| *name).collect();
            format!("`{text}` is no condition: write one such as dropped>0, with {}", known.join(", "))
        };
        let (name, above) = text.split_once('>').ok_or_else(wrong)?;
        let known = Measure::ALL.iter().find(|(_, known)| *known == name.trim());
        let (measure, _) = known.ok_or_else(wrong)?;
        Ok(Self { measure: *measure, above: above.trim().parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Measure::ALL.iter().find(|(measure, _)| *measure == self.measure).map_or("", |(_, n)| n);
        write!(f, "{name}>{}", self.above)
    }
}

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.to_string()
    }
}

fn whole() -> u8 {
    100
}

fn minute() -> u64 {
    60_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_of_a_drain_has_its_default_and_a_slip_is_refused() {
        let read = serde_json::from_str::<Request>(r#"{"do":"drain","place":"north"}"#).unwrap();
        let Request::Drain(drain) = read else { panic!("{read:?}") };
        assert_eq!((drain.share, drain.deadline_ms, drain.back, drain.calls), (100, 60_000, false, None));
        let slip = serde_json::from_str::<Request>(r#"{"do":"drain","place":"north","shar":1}"#);
        assert!(slip.unwrap_err().to_string().contains("`shar`"));
    }

    #[test]
    fn conditions_are_written_as_they_are_read() {
        for text in ["dropped>0", "failed>3", "gap_media_ms>200", "gap_conversation_ms>600"] {
            assert_eq!(text.parse::<Condition>().unwrap().to_string(), text);
        }
        for wrong in ["dropped", "dropped>", "dropped>-1", "droped>0", ">0", "dropped<1"] {
            assert!(wrong.parse::<Condition>().unwrap_err().contains("dropped>0"), "{wrong}");
        }
    }

    #[test]
    fn a_line_is_one_flat_object() {
        let answer = Answer::Progress(Progress { chosen: 3, ..Progress::default() });
        let text = serde_json::to_string(&Line { done: answer.is_last(), answer }).unwrap();
        assert!(
            text.starts_with(r#"{"is":"progress","chosen":3,"#) && text.ends_with(r#""done":false}"#),
            "{text}"
        );
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Line>(&text).unwrap()).unwrap(), text);
    }
}
