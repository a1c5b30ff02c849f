//! Reading on after an error: whatever serde cannot take is complained of, taken out of the tree, and the rest is read
//! again, so that one reading finds every wrong key, type and word.

use super::complaint::{Complaint, Severity};
use super::raw::RawConfig;
use super::words::nearest;
use serde::Deserialize;
use std::ops::Range;
use toml::de::{DeArray, DeTable, DeValue};

/// Complaints of one reading. A file with more is not a configuration.
const MAX_COMPLAINTS: usize = 100;

/// What could be read, and what could not.
pub(super) struct Salvaged {
    pub(super) raw: RawConfig,
    pub(super) removed: Vec<Removed>,
    pub(super) complaints: Vec<Complaint>,
}

/// A key that was taken out.
#[derive(Debug)]
pub(super) struct Removed {
    /// Where its table begins.
    pub(super) table: usize,
    pub(super) key: String,
}

/// The shape of a text; or, if it is not TOML, what is wrong with it.
pub(super) fn read(text: &str) -> Result<Salvaged, Vec<Complaint>> {
    let (mut tree, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().take(MAX_COMPLAINTS).map(syntax).collect());
    }
    let (mut complaints, mut removed) = (Vec::new(), Vec::new());
    loop {
        let error = match RawConfig::deserialize(toml::Deserializer::from(tree.clone())) {
            Ok(raw) => return Ok(Salvaged { raw, removed, complaints }),
            Err(error) => error,
        };
        let span = error.span().unwrap_or(0..0);
        complaints.push(shape(&error, span.clone(), text));
        let table = tree.span();
        let taken = take_out(table, tree.get_mut(), &span);
        if taken.is_none() || complaints.len() >= MAX_COMPLAINTS {
            return Err(complaints);
        }
        removed.extend(taken);
    }
}

/// Not TOML.
fn syntax(error: &toml::de::Error) -> Complaint {
    let advice = "this is not TOML: see https://toml.io/en/v1.0.0 for how it is written".to_owned();
    complain(first_line(error), error.span().unwrap_or(0..0), advice)
}

/// TOML, but not ours.
fn shape(error: &toml::de::Error, span: Range<usize>, text: &str) -> Complaint {
    let message = first_line(error);
    let written = text.get(span.clone()).unwrap_or_default().trim_matches('"');
    // serde ends such a message with every word that it would have taken, in backquotes.
    let Some((what, known)) = message.split_once(", expected ") else {
        let advice = match message.as_str() {
            "invalid IP address syntax" => "write an address such as \"192.0.2.1\": names are not looked up",
            "invalid socket address syntax" => "write address and port, such as \"127.0.0.1:9090\"",
            _ => "write a value of the right kind",
        };
        return complain(message.clone(), span, advice.to_owned());
    };
    let words: Vec<_> = known.split('`').skip(1).step_by(2).collect();
    if !(message.starts_with("unknown field") || message.starts_with("unknown variant")) {
        let kind = match known {
            "i64" => "a whole number",
            "a string" => "text in quotes",
            "a boolean" => "true or false",
            "a sequence" => "a list in [brackets]",
            other => other,
        };
        return complain(what.to_owned(), span, format!("write {kind}"));
    }
    let advice = match nearest(written, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("known here: {}", words.join(", ")),
    };
    complain(
        what.replace("unknown field", "unknown key").replace("unknown variant", "unknown word"),
        span,
        advice,
    )
}

fn complain(message: String, span: Range<usize>, advice: String) -> Complaint {
    Complaint { severity: Severity::Error, message, span, label: "here".to_owned(), other: None, advice }
}

fn first_line(error: &toml::de::Error) -> String {
    error.message().lines().next().unwrap_or_default().to_owned()
}

/// Take the innermost entry out whose key or value lies at `span`.
fn take_out(at: Range<usize>, table: &mut DeTable<'_>, span: &Range<usize>) -> Option<Removed> {
    let mut hit = None;
    for (key, value) in table.iter_mut() {
        if key.span() == *span || value.span() == *span {
            hit = Some(key.clone());
            break;
        }
        let value_span = value.span();
        if let Some(removed) = take_out_of_value(value_span, value.get_mut(), span) {
            return Some(removed);
        }
    }
    let key = hit?;
    table.remove(&key)?;
    Some(Removed { table: at.start, key: key.into_inner().into_owned() })
}

fn take_out_of_value(at: Range<usize>, value: &mut DeValue<'_>, span: &Range<usize>) -> Option<Removed> {
    match value {
        DeValue::Table(table) => take_out(at, table, span),
        DeValue::Array(items) => {
            if let Some(i) = items.iter().position(|item| item.span() == *span) {
                let mut kept = DeArray::new();
                items
                    .iter()
                    .enumerate()
                    .filter(|(j, _)| *j != i)
                    .for_each(|(_, item)| kept.push(item.clone()));
                *items = kept;
                return Some(Removed { table: span.start, key: String::new() });
            }
            items.iter_mut().find_map(|item| take_out_of_value(item.span(), item.get_mut(), span))
        }
        _ => None,
    }
}
