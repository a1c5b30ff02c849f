//! What a drain or a drill tells of itself, line by line.

use super::Words;
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What it says.
    #[serde(flatten)]
    pub news: News,
    /// Nothing comes after it.
    pub done: bool,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum News {
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
    /// An operator said so.
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

impl News {
    /// Whether nothing comes after it.
    pub fn is_last(&self) -> bool {
        match self {
            Self::Summary(_) | Self::Error(_) => true,
            Self::Warning(_) | Self::Progress(_) | Self::Receipt(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_flat_object() {
        let news = News::Progress(Progress { chosen: 3, ..Progress::default() });
        let text = serde_json::to_string(&Line { done: news.is_last(), news }).unwrap();
        assert!(
            text.starts_with(r#"{"is":"progress","chosen":3,"#) && text.ends_with(r#""done":false}"#),
            "{text}"
        );
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Line>(&text).unwrap()).unwrap(), text);
    }
}
