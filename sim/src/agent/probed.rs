//! OPTIONS outside of a dialog. Most messages of a run are probes, so they are answered line by line, without a parse.

use super::{Agent, Out};
use crate::maps::Set;
use bytes::Bytes;
use memchr::{memchr_iter, memmem};
use relay_values::{Duration, Time};

/// How long a probe that comes again is known at least (RFC 3261 §17.2.2, timer J with T1 of 500 ms).
const KNOWN: Duration = Duration::from_secs(32);

/// Branches of probes that were answered, of two stretches of time: each is forgotten after one to two of them.
#[derive(Debug, Default)]
pub(super) struct Probes {
    since: Time,
    young: Set<Bytes>,
    old: Set<Bytes>,
}

impl Probes {
    /// Whether this one has not come before.
    fn is_new(&mut self, now: Time, branch: Bytes) -> bool {
        if now.since(self.since) > KNOWN {
            self.old = std::mem::take(&mut self.young);
            self.since = now;
        }
        !self.old.contains(&branch) && self.young.insert(branch)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Agent {
    /// Answers a probe with 200. False: it is none, or needs a closer look.
    pub(super) fn probed_with(&mut self, now: Time, bytes: &Bytes) -> bool {
        let Some(probe) = Probe::read(bytes) else { return false };
        if !self.probes.is_new(now, bytes.slice_ref(probe.branch)) {
            return true;
        }
        self.probed += 1;
        let tag = self.token("tag");
        let mut out = Vec::with_capacity(bytes.len());
        out.extend(b"SIP/2.0 200 OK");
        for line in [probe.via, probe.from, probe.call_id, probe.cseq, probe.to] {
            out.extend(b"\r\n");
            out.extend(line);
        }
        for rest in [b";tag=", tag.as_bytes(), b"\r\nContent-Length: 0\r\n\r\n"] {
            out.extend(rest);
        }
        self.out.push_back(Out::Answer(out.into()));
        true
    }
}

/// The lines that come back in a response (RFC 3261 §8.2.6.2).
#[derive(Default)]
struct Probe<'a> {
    via: &'a [u8],
    from: &'a [u8],
    to: &'a [u8],
    call_id: &'a [u8],
    cseq: &'a [u8],
    branch: &'a [u8],
}

impl<'a> Probe<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut probe = Self::default();
        let mut ends = memchr_iter(b'\n', bytes);
        let mut begin = ends.next()? + 1;
        for end in ends {
            let line = bytes[begin..end].strip_suffix(b"\r")?;
            begin = end + 1;
            let place = match line {
                [b'V', b'i', b'a', b':', ..] => &mut probe.via,
                [b'F', b'r', b'o', b'm', b':', ..] => &mut probe.from,
                [b'T', b'o', b':', ..] => &mut probe.to,
                [b'C', b'a', b'l', b'l', b'-', b'I', b'D', b':', ..] => &mut probe.call_id,
                [b'C', b'S', b'e', b'q', b':', ..] => &mut probe.cseq,
                [] => break,
                _ => continue,
            };
            // Two of a kind, as after a proxy, are for the parser.
            if !std::mem::replace(place, line).is_empty() {
                return None;
            }
        }
        let mut params = probe.via.split(|byte| *byte == b';');
        probe.branch = params.find_map(|param| param.strip_prefix(b"branch="))?;
        let begins = !probe.to.contains(&b'=') || memmem::find(probe.to, b"tag=").is_none();
        let whole = [probe.from, probe.to, probe.call_id, probe.cseq].iter().all(|line| !line.is_empty());
        (begins && whole).then_some(probe)
    }
}
