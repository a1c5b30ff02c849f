//! One direction of a call's RTP as a record says it: what an estimate of its quality is made from (ITU-T G.107, RFC 3611
//! §4.7).

use super::quality::{self, Quality};
use relay_values::{Bursts, FlowStats, Reported};
use serde::{Deserialize, Serialize};

/// One direction of a call's RTP. Times are in microseconds; what nobody knows is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Packets taken from its sender.
    pub packets: u64,
    /// Their payload of UDP, in bytes.
    pub bytes: u64,
    /// Packets passed on.
    pub forwarded: u64,
    /// Packets lost on the way to us (RFC 3550 appendix A.3).
    pub lost: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter_us: u32,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that came after one with a later number.
    pub reordered: u64,
    /// Of its sound, as last seen by the sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_type: Option<u8>,
    /// Time in a packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packet_time_us: Option<u32>,
    /// Losses that lie close together; left out where nothing was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bursts: Option<FlowBursts>,
    /// What its receiver said of it; left out where it said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<FlowReported>,
    /// Transmission rating R (ITU-T G.107), for codecs that G.113 knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r_factor: Option<f64>,
    /// Mean opinion score that follows from it, 1 to 4.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos: Option<f64>,
}

/// Losses of a flow that lie close together (RFC 3611 §4.7.2 with Gmin 16).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowBursts {
    /// How many bursts.
    pub bursts: u32,
    /// Packets in them, lost ones included.
    pub packets: u64,
    /// Of those, lost ones.
    pub lost: u64,
    /// Packets of the longest one.
    pub longest: u32,
    /// Most packets lost in a row.
    pub longest_loss: u32,
}

/// What the receiver of a flow has reported of it (RFC 3550 §6.4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowReported {
    /// Report blocks.
    pub reports: u32,
    /// Packets lost between the last two reports.
    pub loss_percent: f64,
    /// The most of that.
    pub loss_percent_max: f64,
    /// Interarrival jitter in the last report.
    pub jitter_us: u32,
    /// The most of that.
    pub jitter_us_max: u32,
    /// Round trip from us to the receiver and back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u32>,
    /// The most of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_us_max: Option<u32>,
}

impl Flow {
    /// What `heard` was like, and how it will have sounded; `back` is what its receiver says himself.
    pub(crate) fn of(heard: &FlowStats, back: &FlowStats) -> Self {
        Self::new(heard, quality::estimate(heard, back))
    }

    fn new(flow: &FlowStats, quality: Option<Quality>) -> Self {
        let FlowStats {
            packets,
            bytes,
            forwarded,
            lost,
            jitter_ts: _,
            jitter_us,
            ssrc: _,
            payload_type,
            packet_time_us,
            duplicates,
            reordered,
            bursts,
            reported,
        } = *flow;
        Self {
            packets,
            bytes,
            forwarded,
            lost,
            jitter_us,
            duplicates,
            reordered,
            payload_type,
            packet_time_us: known(packet_time_us),
            bursts: FlowBursts::new(&bursts),
            reported: FlowReported::new(&reported),
            r_factor: quality.map(|q| q.r),
            mos: quality.map(|q| q.mos),
        }
    }
}

impl FlowBursts {
    fn new(of: &Bursts) -> Option<Self> {
        let Bursts { bursts, packets, lost, longest, longest_loss } = *of;
        (longest_loss > 0).then_some(Self { bursts, packets, lost, longest, longest_loss })
    }
}

impl FlowReported {
    fn new(of: &Reported) -> Option<Self> {
        let Reported {
            reports,
            fraction_lost,
            fraction_lost_max,
            jitter_us,
            jitter_us_max,
            rtt_us,
            rtt_us_max,
        } = *of;
        (reports > 0).then(|| Self {
            reports,
            loss_percent: percent(fraction_lost),
            loss_percent_max: percent(fraction_lost_max),
            jitter_us,
            jitter_us_max,
            rtt_us: known(rtt_us),
            rtt_us_max: known(rtt_us_max),
        })
    }
}

fn known(number: u32) -> Option<u32> {
    (number > 0).then_some(number)
}

/// Of 256, to a tenth: a 256th is 0.4 %.
fn percent(fraction: u8) -> f64 {
    (f64::from(fraction) * 1000.0 / 256.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_knows_is_left_out() {
        let line =
            serde_json::to_value(Flow::new(&FlowStats { packets: 3, ..FlowStats::default() }, None)).unwrap();
        let fields: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
        let always = ["bytes", "duplicates", "forwarded", "jitter_us", "lost", "packets", "reordered"];
        assert_eq!(fields.len(), always.len(), "{line}");
        assert!(always.iter().all(|name| fields.iter().any(|f| f == name)), "{line}");
    }

    #[test]
    fn what_was_measured_and_reported_is_said_in_units_of_people() {
        let bursts = Bursts { bursts: 1, packets: 17, lost: 2, longest: 17, longest_loss: 1 };
        let reported = Reported {
            reports: 2,
            fraction_lost: 8,
            fraction_lost_max: 128,
            jitter_us: 875,
            jitter_us_max: 900,
            rtt_us: 0,
            rtt_us_max: 0,
        };
        let flow = FlowStats {
            payload_type: Some(0),
            packet_time_us: 20_000,
            bursts,
            reported,
            ..FlowStats::default()
        };
        let line = serde_json::to_value(Flow::new(&flow, Some(Quality { r: 93.2, mos: 4.41 }))).unwrap();
        assert_eq!(line["mos"], 4.41);
        assert_eq!((&line["payload_type"], &line["packet_time_us"]), (&0.into(), &20_000.into()));
        assert_eq!((&line["bursts"]["lost"], &line["bursts"]["longest"]), (&2.into(), &17.into()));
        let said = &line["reported"];
        assert_eq!((&said["loss_percent"], &said["loss_percent_max"]), (&3.1.into(), &50.0.into()));
        assert!(said.get("rtt_us").is_none(), "nobody answered a sender report: {line}");
    }
}
