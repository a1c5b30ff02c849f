//! Prometheus text. Counters live where things happen, as plain numbers; they are asked for and summed when somebody
//! scrapes. Only durations and moves are kept here.

mod counted;
mod page;
mod sessions;

pub(crate) use page::{Page, render};
pub(crate) use sessions::SessionTally;

use metrics::{Counter, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use proxy_core::{CallRecord, MoveOutcome, MoveReason, Receipt};
use relay_values::Time;
use std::time::Duration;

/// Post-dial delay: from what a local network takes to what a caller puts up with.
const PDD: [f64; 12] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 10.0];

/// Length of a call: from a misdial to a conference.
const LENGTH: [f64; 9] = [1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1_800.0, 3_600.0, 14_400.0];

/// A gap in a call: from one packet to the deadline of a move. 200, 250 and 600 ms are what is promised of most.
const GAP: [f64; 12] = [0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.4, 0.6, 1.0, 2.0, 5.0, 10.0];

/// Delay of a session's request: from what a local network takes to the three minutes that a phone rings.
const SRD: [f64; 12] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 180.0];

/// Its name; there is one for sessions that were established and one for those that failed.
const SRD_NAME: &str = "bascule_srd_seconds";

/// Name, buckets and meaning.
const HISTOGRAMS: [(&str, &[f64], &str); 5] = [
    ("bascule_pdd_seconds", &PDD, "From INVITE to the first response above 100 towards the caller"),
    ("bascule_call_seconds", &LENGTH, "From answer to end"),
    ("bascule_gap_media_seconds", &GAP, "How long a carrier heard nothing at all while its call was moved"),
    ("bascule_gap_conversation_seconds", &GAP, "How long a carrier heard nobody while its call was moved"),
    ("bascule_rehome_seconds", &GAP, "From the first sign of trouble to the answer of a call's new tier leg"),
];

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// The histograms, and moves by reason and outcome.
pub(crate) struct Durations {
    pdd: Histogram,
    /// Of sessions that were established, and of those that failed.
    srd: [Histogram; 2],
    length: Histogram,
    gap_media: Histogram,
    gap_conversation: Histogram,
    rehome: Histogram,
    /// One for each pair of reason and outcome, from the start: a rate needs a zero to rise from.
    moves: Vec<(MoveReason, MoveOutcome, Counter)>,
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Durations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Durations")
    }
}

impl Durations {
    pub(crate) fn new() -> Self {
        let bucketed = |builder: PrometheusBuilder, (name, buckets, _): (&str, &[f64], &str)| {
            // Refuses only an empty list.
            builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets).unwrap_or_default()
        };
        let builder = bucketed(PrometheusBuilder::new(), (SRD_NAME, &SRD, ""));
        let recorder = HISTOGRAMS.into_iter().fold(builder, bucketed).build_recorder();
        recorder.describe_histogram(
            SRD_NAME.into(),
            None,
            "Session request delay (RFC 6076 §4.3): from INVITE to the first response above 100, or of a failed one to its end; without 3xx, 401, 402, 407 and \
             callers who gave up"
                .into(),
        );
        let srd = ["established", "failed"].map(|outcome| {
            let key = Key::from_parts(SRD_NAME, vec![Label::new("outcome", outcome)]);
            recorder.register_histogram(&key, &METADATA)
        });
        let [pdd, length, gap_media, gap_conversation, rehome] = HISTOGRAMS.map(|(name, _, help)| {
            recorder.describe_histogram(name.into(), None, help.into());
            recorder.register_histogram(&Key::from_static_name(name), &METADATA)
        });
        recorder.describe_counter(
            "bascule_moves_total".into(),
            None,
            "Moves of answered calls' tier legs, by reason and outcome".into(),
        );
        let pairs = MoveReason::ALL.iter().flat_map(|r| MoveOutcome::ALL.iter().map(move |o| (*r, *o)));
        let moves = pairs.map(|(reason, outcome)| {
            let labels = vec![Label::new("reason", reason.as_str()), Label::new("outcome", outcome.as_str())];
            let key = Key::from_parts("bascule_moves_total", labels);
            (reason, outcome, recorder.register_counter(&key, &METADATA))
        });
        let (moves, handle) = (moves.collect(), recorder.handle());
        Self { pdd, srd, length, gap_media, gap_conversation, rehome, moves, handle }
    }

    pub(crate) fn record(&self, record: &CallRecord) {
        if let Some(ringing) = record.ringing {
            self.pdd.record(ringing.since(record.started).as_secs_f64());
        }
        let [established, failed] = &self.srd;
        let since = |at: Time| at.since(record.started).as_secs_f64();
        match (record.answered, record.code) {
            (Some(answered), _) => established.record(since(record.ringing.unwrap_or(answered))),
            // Challenges are no failures (§4.3.2); 487 says how long a caller has patience.
            (None, 401 | 402 | 407 | 487) => {}
            (None, 400..=699) => failed.record(since(record.ended)),
            (None, _) => {}
        }
        if let Some(answered) = record.answered {
            self.length.record(record.ended.since(answered).as_secs_f64());
        }
    }

    pub(crate) fn moved(&self, receipt: &Receipt) {
        let note = |histogram: &Histogram, time: Option<Duration>| {
            if let Some(time) = time {
                histogram.record(time.as_secs_f64());
            }
        };
        note(&self.gap_media, receipt.gap_media);
        note(&self.gap_conversation, receipt.gap_conversation);
        note(&self.rehome, receipt.answered.map(|answered| answered.since(receipt.detected)));
        let what = (receipt.reason, receipt.outcome);
        if let Some((.., counter)) =
            self.moves.iter().find(|(reason, outcome, _)| (*reason, *outcome) == what)
        {
            counter.increment(1);
        }
    }

    /// As text.
    pub(crate) fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }
}
