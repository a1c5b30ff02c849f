//! The carrier hears of no move: every request inside its dialog was asked for by the tier, method by method, or keeps its
//! session alive and says nothing new (RFC 4028). Another re-INVITE of our own is allowed only where a receipt says that
//! the new leg's media did not match.

use super::Complaints;
use super::seen::Seen;
use super::topology::side_of;
use crate::agent::Side;
use crate::maps::Set;
use proxy_core::{MoveOutcome, Receipt};
use relay_values::Time;
use sip_wire::{HeaderName, Method, sdp};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Quiet {
    branches: Set<String>,
    /// What the tier has asked for that the carrier was not told yet, by call and method.
    asked: BTreeMap<(usize, String), u32>,
    /// Requests that nobody asked for.
    ours: Vec<(Time, usize, String)>,
    renegotiated: Set<usize>,
    /// The descriptions that the carrier was sent, by call, without their versions: an offer that was refused has used up a
    /// version, and the session goes on as it was before.
    told: Set<(usize, Vec<u8>)>,
}

impl Quiet {
    pub(super) fn received(&mut self, seen: &Seen<'_>) {
        let said = sdp::find(seen.message).filter(|_| side_of(seen.peer) == Some(Side::Carrier));
        if let Some((said, call)) = said.zip(seen.call) {
            self.refused(call, said);
        }
        if let Some(key) = self.inside(seen, Side::Tier) {
            *self.asked.entry(key).or_default() += 1;
        }
        // The carrier asks for PRACK itself, where the tier knows no reliable provisionals (RFC 3262 §4).
        let provisional = seen.code.is_some_and(|code| (101..200).contains(&code));
        let reliable = provisional && side_of(seen.peer) == Some(Side::Carrier);
        if let Some(call) = seen.call.filter(|_| reliable && seen.message.rseq().is_ok_and(|r| r.is_some())) {
            *self.asked.entry((call, "PRACK".into())).or_default() += 1;
        }
        // A request that was asked for, once more for a longer session (RFC 4028 §7.4).
        if let Some(call) = seen.call.filter(|_| seen.code == Some(422)) {
            let method = String::from_utf8_lossy(seen.method.as_bytes()).into_owned();
            *self.asked.entry((call, method)).or_default() += 1;
        }
    }

    pub(super) fn sent(&mut self, seen: &Seen<'_>) {
        let said = sdp::find(seen.message).filter(|_| side_of(seen.peer) == Some(Side::Carrier));
        let said = said.map(unversioned).zip(seen.call);
        let new = said.as_ref().is_some_and(|(said, call)| self.told.insert((*call, said.clone())));
        let Some(key) = self.inside(seen, Side::Carrier) else { return };
        let call = key.0;
        let refreshes = match seen.method {
            Method::Options => true,
            Method::Update => said.is_none(),
            Method::Invite => {
                seen.message.header(HeaderName::SessionExpires).is_some() && said.is_some() && !new
            }
            _ => false,
        };
        match self.asked.get_mut(&key).filter(|left| **left > 0) {
            Some(left) => *left -= 1,
            None if refreshes => {}
            None => self.ours.push((seen.at, call, seen.line())),
        }
    }

    /// What the carrier has refused of what it was told is not said to it again (RFC 3264 §8.2): that is nothing new.
    fn refused(&mut self, call: usize, said: &[u8]) {
        let refused: Vec<bool> = lines(said).iter().map(|line| port(line) == Some("0")).collect();
        if !refused.contains(&true) {
            return;
        }
        let told = self.told.iter().filter(|(of, _)| *of == call).map(|(_, told)| lines(told));
        let without = told.filter(|told| told.len() == refused.len()).map(|told| {
            let each = told.iter().zip(&refused);
            each.map(|(line, refused)| if *refused { closed(line) } else { (*line).to_owned() })
                .collect::<String>()
        });
        let without: Vec<String> = without.collect();
        self.told.extend(without.into_iter().map(|text| (call, text.into_bytes())));
    }

    /// A request inside a dialog with this side, for the first time.
    fn inside(&mut self, seen: &Seen<'_>, side: Side) -> Option<(usize, String)> {
        let ends = [Method::Ack, Method::Bye, Method::Cancel].contains(&seen.method);
        let request = seen.code.is_none() && !seen.to_tag.is_empty() && !ends;
        let call = seen.call.filter(|_| request && side_of(seen.peer) == Some(side))?;
        let new = self.branches.insert(seen.branch.clone());
        new.then(|| (call, String::from_utf8_lossy(seen.method.as_bytes()).into_owned()))
    }

    pub(super) fn receipt(&mut self, call: Option<usize>, receipt: &Receipt) {
        let tried = match receipt.outcome {
            MoveOutcome::Renegotiated | MoveOutcome::Unmatched => true,
            // It was cut short: a new leg's answer may have asked for it.
            MoveOutcome::HungUp | MoveOutcome::Deadline | MoveOutcome::Stayed => receipt.attempts > 0,
            // So may the answer of an edge that was asked before the one that declined.
            MoveOutcome::Declined => receipt.attempts > 1,
            MoveOutcome::Moved => false,
        };
        self.renegotiated.extend(call.filter(|_| tried));
    }

    pub(super) fn at_end(&self, complaints: &mut Complaints) {
        for (at, call, line) in &self.ours {
            if !(line.starts_with("INVITE") && self.renegotiated.contains(call)) {
                let text = format!("{line} to the carrier, which the tier did not ask for");
                complaints.add(*at, Some(*call), "quiet", text);
            }
        }
    }
}

/// A description, cut before each m= line.
fn lines(said: &[u8]) -> Vec<&str> {
    let text = std::str::from_utf8(said).unwrap_or_default();
    let ends = text.match_indices("m=").map(|(at, _)| at).filter(|at| text[..*at].ends_with(['\r', '\n']));
    let cuts: Vec<usize> = std::iter::once(0).chain(ends).chain([text.len()]).collect();
    cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect()
}

/// The port of an m= line.
fn port(line: &str) -> Option<&str> {
    line.strip_prefix("m=")?.split(' ').nth(1)
}

/// A line as it is said when it is refused: without attributes.
fn closed(line: &str) -> String {
    let first = line.split_inclusive('\r').next().unwrap_or(line);
    match port(first) {
        Some(port) => first.replacen(&format!(" {port} "), " 0 ", 1),
        None => line.to_owned(),
    }
}

/// A description without its o= line.
fn unversioned(said: &[u8]) -> Vec<u8> {
    said.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"o=")).flatten().copied().collect()
}
