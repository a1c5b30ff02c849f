//! What was said, for the ladder beside a finding.

use crate::limits::{MAX_HISTORY, MAX_LADDER};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

/// The last messages.
#[derive(Debug, Default)]
pub(crate) struct History {
    said: VecDeque<Said>,
    bytes: usize,
}

#[derive(Debug)]
struct Said {
    at: Duration,
    frame: u64,
    from: SocketAddr,
    to: SocketAddr,
    ours: bool,
    bytes: Vec<u8>,
}

impl History {
    pub(crate) fn note(
        &mut self,
        (at, frame): (Duration, u64),
        (from, to): (SocketAddr, SocketAddr),
        ours: bool,
        bytes: Vec<u8>,
    ) {
        self.bytes += bytes.len();
        self.said.push_back(Said { at, frame, from, to, ours, bytes });
        while self.bytes > MAX_HISTORY
            && let Some(first) = self.said.pop_front()
        {
            self.bytes -= first.bytes.len();
        }
    }

    /// What was said in a call, up to a while after this moment; one line each.
    pub(crate) fn ladder(&self, call_id: &str, at: Duration) -> String {
        let of_call = |said: &&Said| field(&said.bytes, &["call-id", "i"]).is_some_and(|id| id == call_id);
        let said: Vec<&Said> = self.said.iter().filter(of_call).collect();
        let until = said.partition_point(|said| said.at <= at) + MAX_LADDER / 6;
        let shown = said.get(..until.min(said.len())).unwrap_or_default();
        let left_out = shown.len().saturating_sub(MAX_LADDER);
        let mut text = String::new();
        if left_out > 0 {
            let _ = writeln!(text, "      … {left_out} before");
        }
        for said in shown.iter().skip(left_out) {
            let _ = writeln!(text, "{}", said.line());
        }
        text
    }
}

impl Said {
    fn line(&self) -> String {
        let Self { at, frame, from, to, ours, bytes } = self;
        let first = bytes.split(|b| *b == b'\r').next().unwrap_or_default();
        let first: String = String::from_utf8_lossy(first).chars().take(80).collect();
        let cseq = field(bytes, &["cseq"]).unwrap_or_default();
        let mut more = String::new();
        for name in ["rseq", "rack"] {
            if let Some(value) = field(bytes, &[name]) {
                let _ = write!(more, ", {name} {value}");
            }
        }
        if memchr::memmem::find(bytes, b"\r\n\r\nv=0").is_some() {
            more += ", description";
        }
        let (one, other) = if *ours { ("", "") } else { (" ", "") };
        format!(
            "    {:>9.3} s #{frame:<6}{one} {from} → {to}{other}  {first}  ({cseq}{more})",
            at.as_secs_f64()
        )
    }
}

/// The first value of a header by any of its names, which are in small letters.
fn field(bytes: &[u8], names: &[&str]) -> Option<String> {
    let head = bytes.split(|b| *b == b'\n').take_while(|line| line.len() > 1);
    head.filter_map(|line| std::str::from_utf8(line).ok()?.split_once(':')).find_map(|(name, value)| {
        let name = name.trim_end().to_ascii_lowercase();
        names.contains(&&*name).then(|| value.trim().to_owned())
    })
}
