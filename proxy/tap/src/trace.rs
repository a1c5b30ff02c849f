//! Packets in, findings out.

use crate::frame::Packet;
use crate::history::History;
use crate::limits::MAX_SHOWN;
use crate::ours::Ours;
use crate::stream::{Streams, datagrams};
use sip_audit::{Auditor, Ending, Finding, Timing, Wire};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// A trace that is read packet by packet.
#[derive(Debug)]
pub struct Trace {
    ours: Ours,
    auditor: Auditor,
    streams: Streams,
    history: History,
    /// The packet with which each finding came.
    frames: Vec<u64>,
}

/// A finding, with the packet with which it came to light and what was said in its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The finding.
    pub finding: Finding,
    /// Number of the packet; `None`: it is something that never came.
    pub frame: Option<u64>,
    /// The call, a line for each message.
    pub ladder: String,
}

/// What came of a trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What was broken, in order.
    pub found: Vec<Found>,
    /// How many messages were read.
    pub messages: u64,
    /// Frames that the kernel had no room for: what was found may be wrong.
    pub frames_lost: u64,
    /// Directions of connections that could not be read to their end.
    pub streams_lost: u64,
}

impl Trace {
    /// Nothing yet.
    pub fn new(ours: Ours, timing: Timing) -> Self {
        let who = ours.clone();
        Self {
            ours,
            auditor: Auditor::new(timing, move |at| who.is(at)),
            streams: Streams::default(),
            history: History::default(),
            frames: Vec::new(),
        }
    }

    /// A packet, `at` this time since the trace's beginning. `frame` is its number in the trace.
    pub fn packet(&mut self, at: Duration, frame: u64, packet: Packet) {
        match packet {
            Packet::Udp { from, to, payload } => {
                // Whoever is judged may say it in one piece, to one peer.
                let said = if self.ours.is(from) { datagrams(payload) } else { vec![payload] };
                for message in said {
                    self.message((at, frame), (from, to), Wire::Datagram, message);
                }
            }
            Packet::Tcp(segment) => {
                if segment.syn && !segment.ack {
                    self.ours.connects(segment.from, segment.to);
                }
                let ends = (segment.from, segment.to);
                if self.ours.is(ends.0) || self.ours.is(ends.1) {
                    for message in self.streams.segment(segment) {
                        self.message((at, frame), ends, Wire::Stream, message);
                    }
                }
            }
            Packet::Unreachable { from, to } if self.ours.is(from) => self.auditor.unreachable(at, to),
            Packet::Unreachable { .. } => {}
        }
    }

    fn message(
        &mut self,
        when: (Duration, u64),
        (from, to): (SocketAddr, SocketAddr),
        wire: Wire,
        bytes: Vec<u8>,
    ) {
        let ours = self.ours.is(from);
        let skipped = self.ours.among_others && !begins_like_sip(&bytes);
        if skipped || !ours && !self.ours.is(to) {
            return;
        }
        self.auditor.saw(when.0, from, to, wire, &bytes);
        self.frames.resize(self.auditor.findings().len(), when.1);
        self.history.note(when, (from, to), ours, bytes);
    }

    /// What has this Call-ID is not judged: its peer breaks rules on purpose, and what would be right is for the test to say.
    pub fn excuse(&mut self, call_id: &str) {
        self.auditor.excuse(call_id);
    }

    /// Whether an ACK is owed that has to be said before then.
    pub(crate) fn owes_an_ack(&self, by: Duration) -> bool {
        self.auditor.owes_an_ack(by)
    }

    /// The trace is over.
    pub fn finish(self, ending: Ending) -> Verdict {
        let Self { ours: _, auditor, streams, history, frames } = self;
        let messages = auditor.messages();
        let findings = auditor.finish(ending);
        let found = findings.into_iter().enumerate().map(|(n, finding)| {
            let ladder =
                if n < MAX_SHOWN { history.ladder(&finding.call, finding.at) } else { String::new() };
            Found { finding, frame: frames.get(n).copied(), ladder }
        });
        Verdict { found: found.collect(), messages, frames_lost: 0, streams_lost: streams.lost }
    }
}

impl Verdict {
    /// Nothing is broken, and nothing was overlooked.
    pub fn is_clean(&self) -> bool {
        self.found.is_empty() && self.frames_lost == 0 && self.streams_lost == 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, messages, frames_lost, streams_lost } = self;
        writeln!(f, "{} findings in {messages} messages", found.len())?;
        if *frames_lost > 0 || *streams_lost > 0 {
            writeln!(
                f,
                "the trace is incomplete: {frames_lost} frames and {streams_lost} streams were lost"
            )?;
        }
        for found in found.iter().take(MAX_SHOWN) {
            writeln!(f, "  {}\n{}", found.finding, found.ladder)?;
        }
        match found.len().checked_sub(MAX_SHOWN) {
            Some(more) if more > 0 => writeln!(f, "  and {more} more"),
            Some(_) | None => Ok(()),
        }
    }
}

/// `METHOD uri SIP/2.0` or `SIP/2.0 code`.
fn begins_like_sip(bytes: &[u8]) -> bool {
    let line = bytes.split(|b| *b == b'\r').next().unwrap_or_default();
    line.starts_with(b"SIP/2.0 ") || line.ends_with(b" SIP/2.0")
}
