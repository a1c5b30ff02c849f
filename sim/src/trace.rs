//! What happened, for a hash that two runs must share and for a ladder that a person can read.

use bytes::Bytes;
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

/// One message on the wire, or a note. It becomes text when somebody wants to read it: most runs go well.
#[derive(Debug, Clone)]
struct Line {
    at: Time,
    call: Option<usize>,
    said: Said,
}

#[derive(Debug, Clone)]
enum Said {
    Message { from: SocketAddr, to: SocketAddr, bytes: Bytes, what: &'static str },
    Note(String),
}

/// FNV-1a's, 64 bits; taken by words, since every packet passes here.
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Trace {
    /// What an address is called in a ladder.
    pub fn name(&mut self, at: SocketAddr, name: &str) {
        self.names.insert(at, name.to_owned());
    }

    /// Takes anything into the hash.
    pub fn mix(&mut self, at: Time, bytes: &[u8]) {
        let mut hash = self.hash;
        let mut word = |word: u64| hash = (hash ^ word).wrapping_mul(PRIME).rotate_left(29);
        word(at.as_nanos());
        word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|bytes| word(u64::from_le_bytes(*bytes)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        word(u64::from_le_bytes(last));
        self.hash = hash;
    }

    /// A SIP message. `what` says what became of it, when that is not plain delivery.
    pub fn sip(
        &mut self,
        at: Time,
        call: Option<usize>,
        (from, to): (SocketAddr, SocketAddr),
        bytes: &Bytes,
        what: &'static str,
    ) {
        self.mix(at, bytes);
        self.mix(at, what.as_bytes());
        // Probes fill pages and belong to no call.
        if call.is_some() {
            let said = Said::Message { from, to, bytes: bytes.clone(), what };
            self.lines.push(Line { at, call, said });
        }
    }

    /// Something worth a line that is no message. Without a call it stands in every ladder.
    pub fn note(&mut self, at: Time, call: Option<usize>, text: String) {
        self.mix(at, text.as_bytes());
        self.lines.push(Line { at, call, said: Said::Note(text) });
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The messages of one call, in order.
    pub fn ladder(&self, call: Option<usize>) -> String {
        let mut out = String::new();
        for line in self.lines.iter().filter(|line| line.call.is_none() || line.call == call) {
            let (way, text) = match &line.said {
                Said::Message { from, to, bytes, what } => {
                    let name = |at| self.names.get(at).cloned().unwrap_or_else(|| at.to_string());
                    (format!("{} -> {}", name(from), name(to)), format!("{}{what}", summary(bytes)))
                }
                Said::Note(text) => ("*".to_owned(), text.clone()),
            };
            let ms = line.at.as_nanos() as f64 / 1e6;
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
