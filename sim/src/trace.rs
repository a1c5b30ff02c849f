//! What happened, for a hash that two runs must share and for a ladder that a person can read.

use relay_values::Time;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;

/// Everything that crossed the wire.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    lines: Vec<Line>,
    names: BTreeMap<SocketAddr, String>,
}

/// One message on the wire.
#[derive(Debug, Clone)]
struct Line {
    at: Time,
    call: Option<usize>,
    from: String,
    to: String,
    text: String,
}

/// FNV-1a, 64 bits.
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Trace {
    /// What an address is called in a ladder.
    pub fn name(&mut self, at: SocketAddr, name: &str) {
        self.names.insert(at, name.to_owned());
    }

    /// Takes anything into the hash.
    pub fn mix(&mut self, at: Time, bytes: &[u8]) {
        for byte in at.as_nanos().to_le_bytes().iter().chain(bytes) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }

    /// A SIP message. `what` says what became of it, when that is not plain delivery.
    pub fn sip(
        &mut self,
        at: Time,
        call: Option<usize>,
        way: (SocketAddr, SocketAddr),
        bytes: &[u8],
        what: &str,
    ) {
        self.mix(at, bytes);
        self.mix(at, what.as_bytes());
        // Probes fill pages and belong to no call.
        if call.is_some() {
            let name = |at| self.names.get(&at).cloned().unwrap_or_else(|| at.to_string());
            let (from, to) = (name(way.0), name(way.1));
            self.lines.push(Line { at, call, from, to, text: format!("{}{what}", summary(bytes)) });
        }
    }

    /// Something worth a line that is no message. Without a call it stands in every ladder.
    pub fn note(&mut self, at: Time, call: Option<usize>, text: String) {
        self.mix(at, text.as_bytes());
        self.lines.push(Line { at, call, from: String::new(), to: String::new(), text });
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The messages of one call, in order.
    pub fn ladder(&self, call: Option<usize>) -> String {
        let mut out = String::new();
        for line in self.lines.iter().filter(|line| line.call.is_none() || line.call == call) {
            let Line { at, from, to, text, .. } = line;
            let ms = at.as_nanos() as f64 / 1e6;
            let way = if from.is_empty() { "*".to_owned() } else { format!("{from} -> {to}") };
            let _ = writeln!(out, "{ms:>12.3} ms  {way:<24} {text}");
        }
        out
    }
}

/// A message in a line: its start, its CSeq, its tags, and whether it has a body.
fn summary(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or_default();
    let start = start.trim_end_matches(" SIP/2.0").trim_start_matches("SIP/2.0 ");
    let (mut cseq, mut to, mut via, mut body) = ("", "", "", false);
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(": ") else { continue };
        match name {
            "CSeq" => cseq = value,
            "To" => to = value.split_once(";tag=").map_or("", |(_, tag)| tag),
            "Via" if via.is_empty() => via = value.split_once("branch=").map_or("", |(_, branch)| branch),
            "Content-Length" => body = value != "0",
            _ => {}
        }
    }
    let branch = via.split(';').next().unwrap_or_default();
    let branch = branch.get(branch.len().saturating_sub(8)..).unwrap_or(branch);
    let body = if body { " +body" } else { "" };
    format!("{start:<34} [{cseq}] to-tag={to:<20} ..{branch}{body}")
}
