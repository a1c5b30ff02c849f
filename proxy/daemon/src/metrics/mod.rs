//! Prometheus text. Counters live where things happen, as plain numbers; they are asked for and summed when somebody
//! scrapes. Only durations are kept here.

mod page;

pub(crate) use page::{Page, render};

use metrics::{Histogram, Key, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use proxy_core::CallRecord;

/// Post-dial delay: from what a local network takes to what a caller puts up with.
const PDD: [f64; 12] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 10.0];

/// Length of a call: from a misdial to a conference.
const LENGTH: [f64; 9] = [1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1_800.0, 3_600.0, 14_400.0];

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// The histograms.
pub(crate) struct Durations {
    pdd: Histogram,
    length: Histogram,
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Durations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Durations")
    }
}

impl Durations {
    pub(crate) fn new() -> Self {
        let bucketed = |builder: PrometheusBuilder, name: &str, buckets: &[f64]| {
            // Refuses only an empty list.
            builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets).unwrap_or_default()
        };
        let builder = bucketed(PrometheusBuilder::new(), "bascule_pdd_seconds", &PDD);
        let recorder = bucketed(builder, "bascule_call_seconds", &LENGTH).build_recorder();
        let pdd = recorder.register_histogram(&Key::from_static_name("bascule_pdd_seconds"), &METADATA);
        let length = recorder.register_histogram(&Key::from_static_name("bascule_call_seconds"), &METADATA);
        recorder.describe_histogram(
            "bascule_pdd_seconds".into(),
            None,
            "From INVITE to the first response above 100 towards the caller".into(),
        );
        recorder.describe_histogram("bascule_call_seconds".into(), None, "From answer to end".into());
        Self { pdd, length, handle: recorder.handle() }
    }

    pub(crate) fn record(&self, record: &CallRecord) {
        if let Some(ringing) = record.ringing {
            self.pdd.record(ringing.since(record.started).as_secs_f64());
        }
        if let Some(answered) = record.answered {
            self.length.record(record.ended.since(answered).as_secs_f64());
        }
    }

    /// As text.
    pub(crate) fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }
}
