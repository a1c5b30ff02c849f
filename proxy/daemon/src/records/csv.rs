//! A record as a row of comma-separated values (RFC 4180): what a spreadsheet or a rating engine takes. Times, units and names are those
//! of the JSON line; what did not happen is empty; steps and moves are counted.

use super::line::Life;
use super::quality;
use proxy_core::{CallRecord, Direction};
use relay_values::{FlowStats, Time};
use std::fmt::{Display, Write};

/// The names, in the order of the fields. New ones are added at the end.
const NAMES: [&str; 36] = [
    "key",
    "id",
    "direction",
    "calling",
    "called",
    "source",
    "trunk",
    "site",
    "generation",
    "started",
    "ringing",
    "answered",
    "ended",
    "pdd_ms",
    "duration_ms",
    "code",
    "close",
    "reject",
    "steps",
    "last_target",
    "last_region",
    "moves",
    "a_call_id",
    "b_call_id",
    "from_a_packets",
    "from_a_lost",
    "from_a_jitter_us",
    "from_a_rtt_us",
    "from_a_r_factor",
    "from_a_mos",
    "from_b_packets",
    "from_b_lost",
    "from_b_jitter_us",
    "from_b_rtt_us",
    "from_b_r_factor",
    "from_b_mos",
];

/// The line of names.
pub(super) fn head() -> Vec<u8> {
    let mut line = NAMES.join(",").into_bytes();
    line.extend_from_slice(b"\r\n");
    line
}

pub(super) fn row(life: &Life, record: &CallRecord) -> Vec<u8> {
    let mut row = Row(String::with_capacity(512));
    let wall = |at: Time| life.clock.rfc3339(at);
    let ms = |from: Time, to: Time| to.since(from).as_millis();
    row.plain(life.key(record.id)).plain(record.id);
    row.plain(match record.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    });
    row.text(&record.calling)
        .text(&record.called)
        .plain(record.source)
        .text(&record.trunk)
        .text(&record.site);
    row.plain(record.generation).plain(wall(record.started));
    row.maybe(record.ringing.map(wall)).maybe(record.answered.map(wall)).plain(wall(record.ended));
    row.maybe(record.ringing.map(|at| ms(record.started, at)));
    row.maybe(record.answered.map(|at| ms(at, record.ended)));
    row.plain(record.code).plain(record.close.as_str()).maybe(record.reject.map(|r| r.as_str()));
    let last = record.steps.last();
    row.plain(record.steps.len());
    row.text(last.map_or("", |step| &step.target)).text(last.map_or("", |step| &step.region));
    row.plain(record.moves.len()).text(&record.a_call_id).text(&record.b_call_id);
    let media = record.media.as_deref();
    row.flow(media.map(|m| (&m.from_a, &m.from_b))).flow(media.map(|m| (&m.from_b, &m.from_a)));
    // The last comma makes place for the end of the line.
    row.0.pop();
    row.0.push_str("\r\n");
    row.0.into_bytes()
}

/// A row that is being written: a comma after every field.
struct Row(String);

impl Row {
    /// Something that cannot hold a comma, a quote or an end of line.
    fn plain(&mut self, field: impl Display) -> &mut Self {
        // Writing into a string cannot fail.
        let _ = write!(self.0, "{field},");
        self
    }

    fn maybe(&mut self, field: Option<impl Display>) -> &mut Self {
        if let Some(field) = field {
            let _ = write!(self.0, "{field}");
        }
        self.0.push(',');
        self
    }

    /// What a peer has said: in quotes where it needs them (RFC 4180 §2).
    fn text(&mut self, field: &str) -> &mut Self {
        if field.contains([',', '"', '\r', '\n']) {
            self.0.push('"');
            self.0.push_str(&field.replace('"', "\"\""));
            self.0.push('"');
        } else {
            self.0.push_str(field);
        }
        self.0.push(',');
        self
    }

    /// One direction of the media, and the other.
    fn flow(&mut self, flows: Option<(&FlowStats, &FlowStats)>) -> &mut Self {
        let Some((flow, back)) = flows else {
            self.0.push_str(",,,,,,");
            return self;
        };
        let rtt = flow.reported.rtt_us;
        let quality = quality::estimate(flow, back);
        self.plain(flow.packets).plain(flow.lost).plain(flow.jitter_us).maybe((rtt > 0).then_some(rtt));
        self.maybe(quality.map(|q| q.r)).maybe(quality.map(|q| q.mos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::line::sample;

    #[test]
    fn a_row_has_a_field_for_every_name_and_what_peers_said_cannot_break_it() {
        let life = Life::start();
        let mut record = sample();
        let count = |line: &[u8]| String::from_utf8_lossy(line).matches(',').count() + 1;
        assert_eq!(count(&head()), NAMES.len());
        assert_eq!(count(&row(&life, &record)), NAMES.len());
        record.media = Some(Box::default());
        assert_eq!(count(&row(&life, &record)), NAMES.len());

        record.calling = "=cmd,\"x\"\r\n".to_owned();
        let row = String::from_utf8(row(&life, &record)).unwrap();
        assert!(row.contains(r#","=cmd,""x"""#), "{row}");
        assert!(row.ends_with("\r\n"));
    }
}
