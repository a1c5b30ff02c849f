//! What is counted of the watching, for /metrics.

use metrics::{counter, describe_counter};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(crate) struct ObserveTally {
    /// Messages for which a queue had no room.
    missed: AtomicU64,
    /// HEP packets on their way.
    sent: AtomicU64,
    /// Packets that the collector was too slow for, or that could not be sent.
    dropped: AtomicU64,
}

impl ObserveTally {
    pub(super) fn missed(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, packets: u64) {
        self.sent.fetch_add(packets, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self, packets: u64) {
        self.dropped.fetch_add(packets, Ordering::Relaxed);
    }

    /// Into the page that is being made.
    pub(crate) fn show(&self) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        describe_counter!(
            "bascule_observe_missed_total",
            "SIP messages that went by unseen because the watcher was behind"
        );
        counter!("bascule_observe_missed_total").absolute(read(&self.missed));
        describe_counter!("bascule_hep_packets_total", "HEP packets, by what became of them");
        counter!("bascule_hep_packets_total", "outcome" => "sent").absolute(read(&self.sent));
        counter!("bascule_hep_packets_total", "outcome" => "dropped").absolute(read(&self.dropped));
    }
}
