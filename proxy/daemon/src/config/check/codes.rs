//! `codes = { "404" = "leave", "5xx" = "next" }`: what final responses of one neighbour mean to the hunt.

use super::names::number;
use crate::config::complaint::Complaints;
use crate::config::raw::{RawAfter, RawCodes};
use proxy_core::{AfterRefusal, CodePolicy, CodesId};
use serde_spanned::Spanned;
use std::ops::RangeInclusive;

/// The policy of one trunk or edge group. Equal ones are kept once.
pub(super) fn read(
    written: &RawCodes,
    kept: &mut Vec<CodePolicy>,
    complaints: &mut Complaints,
) -> Option<CodesId> {
    if written.is_empty() {
        return None;
    }
    let mut rules: Vec<(RangeInclusive<u16>, AfterRefusal)> = written
        .iter()
        .filter_map(|(code, after)| {
            Some((codes(code, *after.get_ref(), complaints)?, said(*after.get_ref())))
        })
        .collect();
    // A single code goes before its class.
    rules.sort_by_key(|(codes, _)| (codes.end() - codes.start(), *codes.start()));
    let policy = CodePolicy { rules };
    let place = kept.iter().position(|known| *known == policy).unwrap_or_else(|| {
        kept.push(policy);
        kept.len() - 1
    });
    Some(CodesId(number(place)))
}

const fn said(after: RawAfter) -> AfterRefusal {
    match after {
        RawAfter::Next => AfterRefusal::Next,
        RawAfter::Leave => AfterRefusal::Leave,
        RawAfter::Stop => AfterRefusal::Stop,
    }
}

/// `"503"`, or `"5xx"` for all of a class.
fn codes(
    written: &Spanned<String>,
    after: RawAfter,
    complaints: &mut Complaints,
) -> Option<RangeInclusive<u16>> {
    let text = written.get_ref().as_str();
    let found = match text.strip_suffix("xx").map(str::parse::<u16>) {
        Some(Ok(class @ 4..=6)) => Some(class * 100..=class * 100 + 99),
        Some(_) => None,
        None => text.parse().ok().filter(|code| (400..=699).contains(code)).map(|code| code..=code),
    };
    let Some(found) = found else {
        let note =
            complaints.error(written.span(), format!("`{}` is no code to act on", text.escape_debug()));
        if text.starts_with('3') {
            note.advise("`redirect` says what becomes of 3xx");
        } else {
            note.advise("write a code from 400 to 699, or a class: \"4xx\", \"5xx\", \"6xx\"");
        }
        return None;
    };
    let meant = [486, 487, 600, 603].iter().any(|code| found.contains(code));
    let goes_on = matches!(after, RawAfter::Next | RawAfter::Leave);
    if meant && goes_on && found.start() == found.end() {
        complaints
            .warn(written.span(), format!("{text} is an answer that a callee meant"))
            .at("the next one would ring somebody who has just refused")
            .advise("write \"stop\", or leave it out");
    }
    Some(found)
}
