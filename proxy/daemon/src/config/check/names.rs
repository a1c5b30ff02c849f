//! Names: present, distinct, and found again where another section refers to them.

use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawTarget};
use crate::config::words::nearest;
use serde_spanned::Spanned;
use std::collections::BTreeMap;
use std::ops::Range;

/// The names of one kind of section, in order: a name's place is its number.
pub(super) struct Names<'a> {
    kind: &'static str,
    known: Vec<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn collect(
        kind: &'static str,
        sections: impl Iterator<Item = (&'a Maybe<String>, Range<usize>)>,
        complaints: &mut Complaints,
    ) -> Self {
        let mut known: Vec<&str> = Vec::new();
        let mut first_at: BTreeMap<&str, Range<usize>> = BTreeMap::new();
        for (name, section) in sections {
            let Some(name) = name else {
                complaints.missing(section, &format!("this {kind}"), "name", "\"some-name\"");
                known.push("");
                continue;
            };
            let text = name.get_ref().as_str();
            if text.trim().is_empty() {
                complaints
                    .error(name.span(), "an empty name")
                    .advise("give it a name that operators will recognise");
            } else if let Some(first) = first_at.get(text) {
                complaints
                    .error(name.span(), format!("two {kind} sections are named `{text}`"))
                    .at("second")
                    .see(first.clone(), "first")
                    .advise("rename one of them: routes, logs and records go by name");
            } else {
                first_at.insert(text, name.span());
            }
            known.push(text);
        }
        Self { kind, known }
    }

    /// Every name in order.
    pub(super) fn all(&self) -> impl Iterator<Item = String> + '_ {
        self.known.iter().map(|n| (*n).to_owned())
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The number behind a name, or a complaint and `None`.
    pub(super) fn find(&self, wanted: &Spanned<String>, complaints: &mut Complaints) -> Option<u16> {
        let text = wanted.get_ref();
        let found = self.known.iter().position(|k| k == text && !k.is_empty());
        // A section whose own name was complained of may be the one that is meant.
        if found.is_none() && !self.known.contains(&"") {
            let kind = self.kind;
            let advice = match nearest(text, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if self.known.is_empty() => format!("there is no {kind} section at all: add one"),
                None => format!("known: {}", self.known.join(", ")),
            };
            complaints
                .error(wanted.span(), format!("no {kind} is named `{text}`"))
                .at("not known")
                .advise(advice);
        }
        found.map(number)
    }
}

/// A place in a list as the cores count.
pub(super) fn number(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

/// A target's name: its own, or its owner's with its place.
pub(super) fn target_name(owner: &str, place: usize, target: &RawTarget) -> String {
    match &target.name {
        Some(name) => name.get_ref().clone(),
        None => format!("{owner}-{}", place + 1),
    }
}

/// Targets share one space of names: health and records go by them.
pub(super) fn distinct_targets(targets: &[(String, Range<usize>)], complaints: &mut Complaints) {
    let mut first_at: BTreeMap<&str, &Range<usize>> = BTreeMap::new();
    for (name, span) in targets {
        if name.contains('/') {
            complaints
                .error(span.clone(), format!("`{name}` cannot be the name of a target"))
                .at("a target that is a host name is shown as its name, `/` and an address")
                .advise("leave the `/` out: `north-1` is fine");
        }
        if let Some(first) = first_at.get(name.as_str()) {
            complaints
                .error(span.clone(), format!("two edges or trunk targets are named `{name}`"))
                .at("second")
                .see((*first).clone(), "first")
                .advise("rename one of them: health and records go by these names");
        } else {
            first_at.insert(name, span);
        }
    }
}
