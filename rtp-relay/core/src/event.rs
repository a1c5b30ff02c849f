//! Telephone events of one leg (RFC 4733): which one is under way, so that it ends once.
//!
//! ```text
//!          report          report with E
//!  None ──────────▶ Open ─────────────────▶ Ended ──── late reports of the same: passed on
//!                   │ ▲                       │
//!   its peer is lost│ ├───────────────────────┤
//!                   ▼ │ report of another     │ its peer is lost
//!                  CutShort ◀─────────────────┘
//!                     └─ reports of the same: dropped
//! ```
//!
//! An event is known by its timestamp: all its packets bear that of its begin (§2.3). When the peer is lost in the middle
//! of one, the other leg would wait for the end of a digit that never ends. So it is ended here, by three packets with the
//! E bit and the last duration that was told (`ending.rs`), and what may come of it later is not passed on.

use crate::limits::{MAX_EVENT_STEP, MIN_EVENT_STEP, USUAL_EVENT_STEP};
use crate::packet::RtpHeader;
use relay_values::Duration;

/// Of the report's second byte: "end", beside a reserved bit and six of volume (RFC 4733 §2.3).
const END: u8 = 0x80;

/// The event that comes from a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Event {
    /// None has come.
    #[default]
    None,
    /// Begun and not yet ended by its sender.
    Open {
        /// Its timestamp as the sender has it.
        timestamp: u32,
        /// The same as the other leg has it.
        heard_as: u32,
        payload_type: u8,
        /// The last report.
        report: [u8; 4],
        /// The least by which the duration grew from one report to a later one, in timestamp units.
        step: u16,
    },
    /// Ended by its sender.
    Ended {
        /// Its timestamp as the sender has it.
        timestamp: u32,
    },
    /// Ended by us.
    CutShort {
        /// Its timestamp as the sender has it.
        timestamp: u32,
    },
}

/// How an event is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// As the other leg has it.
    pub(crate) timestamp: u32,
    pub(crate) payload_type: u8,
    pub(crate) report: [u8; 4],
    /// Time between its reports.
    pub(crate) step: Duration,
}

impl Event {
    /// Whether a packet belongs to an event that we have ended.
    pub(crate) fn is_over(&self, header: &RtpHeader) -> bool {
        matches!(self, Self::CutShort { timestamp } if *timestamp == header.timestamp)
    }

    /// A report was passed on, under the timestamp `heard_as`.
    pub(crate) fn reported(&mut self, header: &RtpHeader, bytes: &[u8], heard_as: u32) {
        let Some(report) = header.payload_begin::<4>(bytes) else { return };
        // The last packets of an event may come in the wrong order, and after the begin of the next.
        let late = match self {
            Self::None => false,
            Self::Open { timestamp, .. } => is_before(header.timestamp, *timestamp),
            Self::Ended { timestamp } | Self::CutShort { timestamp } => {
                header.timestamp == *timestamp || is_before(header.timestamp, *timestamp)
            }
        };
        if late {
            return;
        }
        let [_, flags, d0, d1] = report;
        let (timestamp, payload_type) = (header.timestamp, header.payload_type);
        let duration = u16::from_be_bytes([d0, d1]);
        let step = match *self {
            Self::Open { timestamp: same, report: [.., d0, d1], step, .. } if same == timestamp => {
                match duration.saturating_sub(u16::from_be_bytes([d0, d1])) {
                    0 => step,
                    grown => step.min(grown),
                }
            }
            Self::None | Self::Open { .. } | Self::Ended { .. } | Self::CutShort { .. } => duration,
        };
        *self = if flags & END == 0 {
            Self::Open { timestamp, heard_as, payload_type, report, step }
        } else {
            Self::Ended { timestamp }
        };
    }

    /// The timestamp of the event under way, as its sender has it.
    pub(crate) fn under_way(&self) -> Option<u32> {
        match self {
            Self::Open { timestamp, .. } => Some(*timestamp),
            Self::None | Self::Ended { .. } | Self::CutShort { .. } => None,
        }
    }

    /// Another source speaks from now on: end what is under way. Of what has ended already, a repeated last packet would
    /// bear another timestamp now and be heard as a second digit, so it is not passed on either.
    pub(crate) fn end(&mut self, clock_rate: u32) -> Option<End> {
        if let Self::Ended { timestamp } = *self {
            *self = Self::CutShort { timestamp };
        }
        let Self::Open { timestamp, heard_as, payload_type, report: [event, flags, d0, d1], step } = *self
        else {
            return None;
        };
        *self = Self::CutShort { timestamp };
        let step = Duration::from_secs(1) * u32::from(step) / clock_rate.max(1);
        let usual = (MIN_EVENT_STEP..=MAX_EVENT_STEP).contains(&step);
        let step = if usual { step } else { USUAL_EVENT_STEP };
        Some(End { timestamp: heard_as, payload_type, report: [event, flags | END, d0, d1], step })
    }
}

/// Whether a timestamp is older than another, by no more than a sender of late packets could make it: half a minute at
/// 8,000 Hz. What is further away is of another source.
fn is_before(timestamp: u32, than: u32) -> bool {
    (1..=240_000).contains(&than.wrapping_sub(timestamp))
}
