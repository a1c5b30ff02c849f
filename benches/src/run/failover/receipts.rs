//! What the device says of the moves itself: the receipts in its call records.

use crate::judge::percentiles;
use serde_json::{Map, Value, json};
use std::fs;
use std::io;
use std::path::Path;

/// Receipts by outcome, and both gaps, from the records of one run.
pub(super) fn read(records: &Path) -> io::Result<Value> {
    Ok(summary(&fs::read_to_string(records)?))
}

fn summary(text: &str) -> Value {
    let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut outcomes = Map::new();
    let (mut media, mut conversation, mut invites) = (Vec::new(), Vec::new(), 0);
    for record in records {
        for receipt in record["moves"].as_array().into_iter().flatten() {
            let outcome = receipt["outcome"].as_str().unwrap_or("unnamed").to_owned();
            let n = outcomes.get(&outcome).and_then(Value::as_u64).unwrap_or(0);
            outcomes.insert(outcome, json!(n + 1));
            media.extend(receipt["gap_media_ms"].as_f64());
            conversation.extend(receipt["gap_conversation_ms"].as_f64());
            invites += receipt["attempts"].as_u64().unwrap_or(0);
        }
    }
    json!({
        "outcomes": outcomes,
        "invites": invites,
        "gap_media_ms": percentiles(media),
        "gap_conversation_ms": percentiles(conversation),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_of_all_calls_are_summed_up() {
        let text = "{\"moves\":[{\"outcome\":\"moved\",\"attempts\":2,\"gap_media_ms\":20,\"gap_conversation_ms\":120}]}\n\
            {\"moves\":[]}\n{\"moves\":[{\"outcome\":\"moved\",\"attempts\":1,\"gap_media_ms\":40.5}]}\n";
        let summary = summary(text);
        assert_eq!(summary["outcomes"], json!({"moved": 2}));
        assert_eq!((&summary["invites"], &summary["gap_media_ms"]["max"]), (&json!(3), &json!(40.5)));
        assert_eq!(summary["gap_conversation_ms"]["p50"], json!(120.0));
    }
}
