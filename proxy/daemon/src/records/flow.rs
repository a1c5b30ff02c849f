//! One direction of a call's RTP as a record says it: what an estimate of its quality is made from (ITU-T G.107, RFC 3611
//! §4.7).

use super::quality::Quality;
use relay_values::{Bursts, FlowStats, Reported};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Flow {
    packets: u64,
    bytes: u64,
    forwarded: u64,
    lost: u64,
    jitter_us: u32,
    duplicates: u64,
    reordered: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet_time_us: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bursts: Option<BurstsLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reported: Option<ReportedLine>,
    /// For codecs that G.113 knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    r_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mos: Option<f64>,
}

/// Left out where nothing was lost.
#[derive(Serialize)]
struct BurstsLine {
    bursts: u32,
    packets: u64,
    lost: u64,
    longest: u32,
    longest_loss: u32,
}

/// What the other leg's far end said of it; left out where it said nothing.
#[derive(Serialize)]
struct ReportedLine {
    reports: u32,
    loss_percent: f64,
    loss_percent_max: f64,
    jitter_us: u32,
    jitter_us_max: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_us: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_us_max: Option<u32>,
}

impl Flow {
    pub(super) fn new(flow: &FlowStats, quality: Option<Quality>) -> Self {
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
            bursts: BurstsLine::new(&bursts),
            reported: ReportedLine::new(&reported),
            r_factor: quality.map(|q| q.r),
            mos: quality.map(|q| q.mos),
        }
    }
}

impl BurstsLine {
    fn new(of: &Bursts) -> Option<Self> {
        let Bursts { bursts, packets, lost, longest, longest_loss } = *of;
        (longest_loss > 0).then_some(Self { bursts, packets, lost, longest, longest_loss })
    }
}

impl ReportedLine {
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
