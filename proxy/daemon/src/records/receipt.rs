//! A receipt as it is written. Instants after the first are milliseconds since `detected`.

use crate::clock::Clock;
use proxy_core::Receipt;
use relay_values::{Duration, Time};
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct MoveLine<'a> {
    reason: &'static str,
    outcome: &'static str,
    from: &'a str,
    from_region: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    to: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    to_region: &'a str,
    detected: String,
    decided_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    invited_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap_media_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap_conversation_ms: Option<f64>,
    attempts: u8,
    identity_before: String,
    identity_after: String,
}

impl<'a> MoveLine<'a> {
    pub(crate) fn new(clock: &Clock, receipt: &'a Receipt) -> Self {
        let offset = |at: Time| millis(at.since(receipt.detected));
        Self {
            reason: receipt.reason.as_str(),
            outcome: receipt.outcome.as_str(),
            from: &receipt.from.0,
            from_region: &receipt.from.1,
            to: &receipt.to.0,
            to_region: &receipt.to.1,
            detected: clock.rfc3339(receipt.detected),
            decided_ms: offset(receipt.decided),
            invited_ms: receipt.invited.map(offset),
            answered_ms: receipt.answered.map(offset),
            resumed_ms: receipt.resumed.map(offset),
            gap_media_ms: receipt.gap_media.map(millis),
            gap_conversation_ms: receipt.gap_conversation.map(millis),
            attempts: receipt.attempts,
            identity_before: format!("{:016x}", receipt.identity_before),
            identity_after: format!("{:016x}", receipt.identity_after),
        }
    }
}

/// Milliseconds, to a tenth.
pub(crate) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_core::{MoveOutcome, MoveReason};

    #[test]
    fn instants_are_told_from_the_first_sign_of_trouble_and_what_did_not_happen_is_left_out() {
        let names = |target: &str, region: &str| (target.to_owned(), region.to_owned());
        let receipt = Receipt {
            carrier_call_id: "x".to_owned(),
            reason: MoveReason::RegionDown,
            from: names("fra-1", "fra"),
            to: names("ams-1", "ams"),
            detected: Time::from_millis(1_000),
            decided: Time::from_millis(1_100),
            invited: Some(Time::from_nanos(1_101_250_000)),
            answered: Some(Time::from_millis(1_120)),
            resumed: None,
            gap_media: Some(Duration::from_millis(110)),
            gap_conversation: None,
            attempts: 1,
            identity_before: 0xff,
            identity_after: 0xff,
            outcome: MoveOutcome::Moved,
        };
        let line = serde_json::to_value(MoveLine::new(&Clock::start(), &receipt)).unwrap();
        assert_eq!((&line["decided_ms"], &line["invited_ms"]), (&100.0.into(), &101.3.into()));
        assert_eq!(
            (&line["gap_media_ms"], &line["identity_after"]),
            (&110.0.into(), &"00000000000000ff".into())
        );
        assert!(line.get("resumed_ms").is_none() && line.get("gap_conversation_ms").is_none());
    }
}
