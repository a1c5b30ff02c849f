//! The numbers that have passed a call on, in either of the two headers that tell of them.
//!
//! Diversion (RFC 5806) names whoever diverted last first; History-Info (RFC 7044) tells the way in order, and gives the
//! reason with the place that the call went to. RFC 7544 says how one becomes the other.

use super::words::is_safe;
use super::writing::Hosting;
use super::{DIVERSION, Diversions, HISTORY, HostPart, Identity, NumberPlan, Profile};
use crate::limits::MAX_DIVERSIONS;
use sip_wire::{Builder, HeaderName, NameAddr, Params, Uri};
use smallvec::SmallVec;

/// Whoever has passed a call on, latest first.
type Chain<'a> = SmallVec<[Diverter<'a>; 4]>;

/// Why a call was passed on, and the cause that RFC 4458 §2 has for it (RFC 7544 §4, §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Unknown,
    Unconditional,
    Busy,
    NoAnswer,
    Deflection,
    Unavailable,
}

const WHYS: [(Why, &[u8], u16); 6] = [
    (Why::Unknown, b"unknown", 404),
    (Why::Unconditional, b"unconditional", 302),
    (Why::Busy, b"user-busy", 486),
    (Why::NoAnswer, b"no-answer", 408),
    (Why::Deflection, b"deflection", 480),
    (Why::Unavailable, b"unavailable", 503),
];

impl Why {
    fn by_word(word: &[u8]) -> Self {
        let named = WHYS.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(word));
        named.map_or(Self::Unknown, |(why, ..)| *why)
    }

    fn by_cause(cause: &[u8]) -> Self {
        match cause {
            b"487" => Self::Deflection,
            _ => {
                let number = core::str::from_utf8(cause).ok().and_then(|text| text.parse::<u16>().ok());
                let known = WHYS.iter().find(|(.., code)| Some(*code) == number);
                known.map_or(Self::Unknown, |(why, ..)| *why)
            }
        }
    }

    fn word(self) -> &'static [u8] {
        WHYS.iter().find(|(why, ..)| *why == self).map_or(b"unknown", |(_, word, _)| word)
    }

    fn cause(self) -> u16 {
        WHYS.iter().find(|(why, ..)| *why == self).map_or(404, |(.., code)| *code)
    }
}

/// Whoever has passed the call on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Diverter<'a> {
    /// User part, as the call has it.
    user: &'a [u8],
    /// Host part as it was said; empty for `tel`.
    host: &'a [u8],
    why: Why,
    /// How often, 1 at least (RFC 5806 §4).
    count: u16,
    /// Does not want to be named (RFC 5806 `privacy`, RFC 7044 §10.1).
    private: bool,
}

impl Identity {
    /// Writes Diversion or History-Info as a neighbour wants them.
    pub(super) fn write_diversions(&self, out: &mut Builder, hosting: &Hosting<'_>, to: &Profile) {
        let as_said = to.diversion == Diversions::AsSaid;
        let plain = to.numbers.diverting.is_plain() && to.hosts.diverting.is_none();
        let withheld = !to.trusted && self.privacy().hides_history();
        match to.diversion {
            Diversions::Withheld => {}
            _ if withheld => {}
            Diversions::AsSaid if plain => {
                for (place, name) in [(DIVERSION, HeaderName::Diversion), (HISTORY, HeaderName::HistoryInfo)]
                {
                    self.write_lines(out, place, name);
                }
            }
            Diversions::AsSaid | Diversions::Diversion | Diversions::HistoryInfo => {
                let said = self.0.get(DIVERSION);
                let chain =
                    if said.is_empty() { by_history(self.0.get(HISTORY)) } else { by_diversion(said) };
                let as_history = to.diversion == Diversions::HistoryInfo || (as_said && said.is_empty());
                if as_history {
                    self.write_history(out, &chain, hosting, to);
                } else {
                    write_diversion(out, &chain, hosting, to);
                }
            }
        }
    }

    /// Whoever has passed the call on last: its user part.
    pub(super) fn last_diverter(&self) -> Option<Box<[u8]>> {
        let said = self.0.get(DIVERSION);
        let chain = if said.is_empty() { by_history(self.0.get(HISTORY)) } else { by_diversion(said) };
        chain.into_iter().next().map(|last| last.user.into())
    }

    /// `chain` latest first.
    fn write_history(&self, out: &mut Builder, chain: &[Diverter<'_>], hosting: &Hosting<'_>, to: &Profile) {
        if chain.is_empty() {
            return;
        }
        let mut index = b"1".to_vec();
        let mut before: Option<&Diverter<'_>> = None;
        let called = (self.called(), hosting.theirs);
        let oldest_first = chain.iter().rev().map(Some).chain([None]);
        for step in oldest_first {
            let (user, host) = match step {
                Some(diverter) => (diverter.user, hosting.diverting(to, diverter.host)),
                None => called,
            };
            let style = if step.is_some() { &to.numbers.diverting } else { &to.numbers.called };
            let user = to.plan.written(style, user);
            let mut value = b"<sip:".to_vec();
            value.extend_from_slice(&user);
            value.push(b'@');
            value.extend_from_slice(host);
            let parent = index.clone();
            if let Some(before) = before {
                value.extend_from_slice(format!(";cause={}", before.why.cause()).as_bytes());
                // Diversions that nobody has described leave their places in the index (RFC 7544 §5).
                for _ in 0..before.count {
                    index.extend_from_slice(b".1");
                }
            }
            if step.is_some_and(|diverter| diverter.private) {
                value.extend_from_slice(b"?Privacy=history");
            }
            value.extend_from_slice(b">;index=");
            value.extend_from_slice(&index);
            if before.is_some() {
                value.extend_from_slice(b";mp=");
                value.extend_from_slice(&parent);
            }
            out.header(HeaderName::HistoryInfo, &value);
            before = step;
        }
    }
}

fn write_diversion(out: &mut Builder, chain: &[Diverter<'_>], hosting: &Hosting<'_>, to: &Profile) {
    for diverter in chain {
        let user = to.plan.written(&to.numbers.diverting, diverter.user);
        let count = diverter.count.to_string();
        let privacy: &[u8] = if diverter.private { b"full" } else { b"off" };
        out.parts(
            HeaderName::Diversion,
            &[
                b"<sip:",
                &user,
                b"@",
                hosting.diverting(to, diverter.host),
                b">;reason=",
                diverter.why.word(),
                b";counter=",
                count.as_bytes(),
                b";privacy=",
                privacy,
            ],
        );
    }
}

impl<'a> Hosting<'a> {
    /// The host part of whoever has diverted.
    fn diverting(&self, to: &'a Profile, said: &'a [u8]) -> &'a [u8] {
        match &to.hosts.diverting {
            Some(HostPart::Named(name)) => name.as_bytes(),
            Some(HostPart::Theirs) => self.theirs,
            None if !said.is_empty() => said,
            Some(HostPart::Ours) | None => self.ours,
        }
    }
}

/// The lines of either header with their numbers as a call keeps them.
pub(super) fn canonical(said: Vec<u8>, plan: &NumberPlan) -> Vec<u8> {
    if plan.is_blank() {
        return said;
    }
    let mut out = Vec::with_capacity(said.len());
    for line in said.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        let named = NameAddr::parse(line).ok().and_then(|value| Uri::parse(value.uri).ok()?.user);
        // The user part is a part of the line.
        let start = named.map_or(0, |user| user.as_ptr() as usize - line.as_ptr() as usize);
        let user = named.unwrap_or_default();
        out.extend_from_slice(line.get(..start).unwrap_or_default());
        out.extend_from_slice(&plan.canonical(user));
        out.extend_from_slice(line.get(start + user.len()..).unwrap_or_default());
        out.push(b'\n');
    }
    out
}

/// The values of a place of the identity.
fn lines(said: &[u8]) -> impl Iterator<Item = &[u8]> {
    said.split(|b| *b == b'\n').filter(|line| !line.is_empty()).take(MAX_DIVERSIONS)
}

/// Latest first, as Diversion has them.
fn by_diversion(said: &[u8]) -> Chain<'_> {
    fn read(line: &[u8]) -> Option<Diverter<'_>> {
        let value = NameAddr::parse(line).ok()?;
        let text = |name: &[u8]| value.params.find(name).and_then(|param| param.unquoted());
        let (user, host) = place(value.uri)?;
        let why = Why::by_word(&text(b"reason").unwrap_or_default());
        let count = text(b"counter").and_then(|text| core::str::from_utf8(&text).ok()?.parse().ok());
        let private = text(b"privacy").is_some_and(|word| !word.eq_ignore_ascii_case(b"off"));
        let count = count.unwrap_or(1).clamp(1, MAX_DIVERSIONS as u16);
        Some(Diverter { user, host, why, count, private })
    }
    lines(said).filter_map(read).collect()
}

/// Latest first, from History-Info: each entry with a cause names why the call left the one that it was mapped from.
fn by_history(said: &[u8]) -> Chain<'_> {
    struct Entry<'a> {
        uri: &'a [u8],
        index: &'a [u8],
        from: Option<&'a [u8]>,
    }
    let read = |line| {
        let value = NameAddr::parse(line).ok()?;
        let params: Params<'_> = value.params;
        let from = [&b"mp"[..], b"rc", b"np"].into_iter().find_map(|name| params.value(name));
        Some(Entry { uri: value.uri, index: params.value(b"index").unwrap_or_default(), from })
    };
    let entries: Vec<Entry<'_>> = lines(said).filter_map(read).collect();
    let mut chain = Chain::new();
    for (at, entry) in entries.iter().enumerate().skip(1) {
        let cause = Uri::parse(entry.uri).ok().and_then(|uri| uri.param(b"cause"));
        let from = match entry.from {
            Some(index) => entries.iter().find(|other| other.index == index),
            None => entries.get(at - 1),
        };
        if let (Some(cause), Some(from)) = (cause, from)
            && let Some((user, host)) = place(from.uri)
        {
            let headers = Uri::parse(from.uri).ok().and_then(|uri| uri.headers).unwrap_or_default();
            let private = headers.split(|b| *b == b'&').any(|header| {
                let (name, value) = header.split_at(header.iter().position(|b| *b == b'=').unwrap_or(0));
                let value = sip_wire::unescape(value.get(1..).unwrap_or_default()).into_owned();
                name.eq_ignore_ascii_case(b"privacy") && !value.eq_ignore_ascii_case(b"none")
            });
            chain.push(Diverter { user, host, why: Why::by_cause(cause), count: 1, private });
        }
    }
    chain.reverse();
    chain
}

/// User and host of a URI that can be written again.
fn place(uri: &[u8]) -> Option<(&[u8], &[u8])> {
    let uri = Uri::parse(uri).ok()?;
    let user = uri.user.filter(|user| !user.is_empty() && is_safe(user))?;
    let user = user.split(|b| *b == b';').next().unwrap_or_default();
    Some((user, uri.host))
}
