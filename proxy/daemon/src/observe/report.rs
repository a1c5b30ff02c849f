//! What the relay has measured of a call, told to a collector when the call is over, in the shape of an RTCP report (HEP kind 5, JSON as
//! sipcapture's agents write it).

use super::encode::{Packet, RTCP_JSON};
use super::sender::Sender;
use crate::clock::Clock;
use proxy_core::CallRecord;
use relay_values::FlowStats;
use serde_json::json;
use std::net::SocketAddr;

/// One report for each direction, between the caller's signalling address and ours: media has several, and the record none of them.
pub(super) fn put(sender: &mut Sender, clock: &Clock, record: &CallRecord, us: SocketAddr) {
    let Some(media) = record.media.as_deref() else { return };
    let call = record.a_call_id.as_bytes();
    for (flow, (from, to)) in [(&media.from_a, (record.source, us)), (&media.from_b, (us, record.source))] {
        if flow.packets == 0 {
            continue;
        }
        let payload = report(flow).to_string().into_bytes();
        let packet = Packet { from, to, is_tcp: false, kind: RTCP_JSON, payload: &payload, call };
        sender.put(&packet, clock.wall(record.ended));
    }
}

/// A sender report (RFC 3550 §6.4.1) of the whole call: what was sent, and what the receiver has said of it at last.
fn report(flow: &FlowStats) -> serde_json::Value {
    let expected = flow.packets + flow.lost;
    let fraction = flow.lost.saturating_mul(256).checked_div(expected).unwrap_or_default().min(255);
    json!({
        "type": 200,
        "ssrc": flow.ssrc,
        "report_count": 1,
        "sender_information": {
            "packets": flow.packets,
            "octets": flow.bytes,
        },
        "report_blocks": [{
            "source_ssrc": flow.ssrc,
            "fraction_lost": fraction,
            "packets_lost": flow.lost,
            "ia_jitter": flow.jitter_ts,
        }],
    })
}
