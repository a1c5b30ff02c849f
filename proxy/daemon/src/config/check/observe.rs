//! Who watches the signalling.

use super::policy::ranged;
use super::records::{at_least, megabytes};
use crate::Redaction;
use crate::config::complaint::Complaints;
use crate::config::observing::{HepKey, HepSettings, HepTransport, ObserveSettings, TraceSettings};
use crate::config::raw::{RawConfig, RawHep, RawHepTransport, RawRedacted, RawTrace};
use serde_spanned::Spanned;
use std::time::Duration;

/// Ten minutes of 100 calls a second would be 800 MB; 64 MiB are one.
const KEEP: Duration = Duration::from_secs(600);
const BYTES: usize = 64 << 20;

pub(super) fn read(raw: &RawConfig, complaints: &mut Complaints) -> ObserveSettings {
    ObserveSettings {
        trace: raw.trace.as_ref().map(|trace| self::trace(trace.get_ref(), complaints)),
        hep: raw.hep.as_ref().and_then(|written| hep(written, complaints)),
    }
}

fn trace(raw: &RawTrace, complaints: &mut Complaints) -> TraceSettings {
    let bytes = raw.mb.as_ref().map(|n| megabytes(n, "`mb`", complaints));
    TraceSettings {
        keep: raw
            .keep
            .as_ref()
            .map_or(KEEP, |time| at_least(time, Duration::from_secs(1), "`keep`", complaints)),
        bytes: bytes.and_then(|n| usize::try_from(n).ok()).unwrap_or(BYTES),
        // Who is not asked shows no numbers.
        redact: redaction(raw.redact.as_deref().unwrap_or(&[RawRedacted::Numbers])),
    }
}

fn hep(written: &Spanned<RawHep>, complaints: &mut Complaints) -> Option<HepSettings> {
    let raw = written.get_ref();
    if raw.to.is_none() {
        complaints.missing(written.span(), "[hep]", "to", "\"192.0.2.10:9060\"");
    }
    let most = u32::MAX;
    Some(HepSettings {
        to: *raw.to.as_ref()?.get_ref(),
        transport: match raw.transport {
            Some(RawHepTransport::Tcp) => HepTransport::Tcp,
            None | Some(RawHepTransport::Udp) => HepTransport::Udp,
        },
        capture_id: raw.capture_id.as_ref().map_or(1, |n| ranged(n, 0, most, "`capture_id`", complaints)),
        key: raw.key.as_ref().map(|key| HepKey::new(&key.0)),
        redact: redaction(raw.redact.as_deref().unwrap_or_default()),
    })
}

fn redaction(written: &[RawRedacted]) -> Redaction {
    Redaction {
        numbers: written.contains(&RawRedacted::Numbers),
        bodies: written.contains(&RawRedacted::Bodies),
    }
}
