//! Lists: values between commas, parameters between semicolons.

use crate::eight;
use crate::lex::{byte, find_outside, quoted_end, sub, trim, unquote};
use std::borrow::Cow;

/// The values of one header line.
#[derive(Debug, Clone)]
pub(crate) struct Values<'a> {
    rest: Option<&'a [u8]>,
    list: bool,
}

impl<'a> Values<'a> {
    pub(crate) fn new(line: &'a [u8], list: bool) -> Values<'a> {
        Values { rest: Some(line), list }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let rest = self.rest?;
            // Most lines carry one value; one look tells.
            let several = self.list && eight::find(rest, b',').is_some();
            let comma = if several { find_outside(rest, 0, b',', true) } else { None };
            let end = comma.unwrap_or(rest.len());
            self.rest = comma.map(|comma| sub(rest, comma + 1, rest.len()));
            let value = trim(sub(rest, 0, end));
            if !value.is_empty() {
                return Some(value);
            }
        }
    }
}

/// Parameters `;name=value;flag`, as written behind an address, a Via, a URI or any other value. Empty ones are skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Params<'a>(&'a [u8]);

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its name as written; compare without case.
    pub name: &'a [u8],
    /// What stands behind `=`, without blanks at the ends, quotes kept.
    pub value: Option<&'a [u8]>,
}

impl<'a> Param<'a> {
    pub(crate) fn parse(piece: &'a [u8]) -> Param<'a> {
        // A token cannot hold a quote, so the first `=` ends the name.
        match eight::find(piece, b'=') {
            None => Param { name: piece, value: None },
            Some(at) => {
                Param { name: trim(sub(piece, 0, at)), value: Some(trim(sub(piece, at + 1, piece.len()))) }
            }
        }
    }

    /// The value without quotes and escapes.
    pub fn unquoted(&self) -> Option<Cow<'a, [u8]>> {
        self.value.map(unquote)
    }
}

impl<'a> Params<'a> {
    /// Over text that starts with the first `;` or with the first parameter.
    pub fn new(text: &'a [u8]) -> Params<'a> {
        Params(text)
    }

    /// The text as written.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Each parameter in order.
    pub fn iter(self) -> impl Iterator<Item = Param<'a>> {
        self.pieces().filter(|piece| !piece.is_empty()).map(Param::parse)
    }

    /// The first parameter with this name.
    pub fn find(self, name: &[u8]) -> Option<Param<'a>> {
        self.iter().find(|param| param.name.eq_ignore_ascii_case(name))
    }

    /// The value of the first parameter with this name, if it has one.
    pub fn value(self, name: &[u8]) -> Option<&'a [u8]> {
        self.find(name)?.value
    }

    /// Whether this parameter is there, with or without a value.
    pub fn has(self, name: &[u8]) -> bool {
        self.find(name).is_some()
    }

    /// What stands between the semicolons, empty pieces too.
    pub(crate) fn pieces(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = match self.0 {
            [] => None,
            [b';', tail @ ..] => Some(tail),
            text => Some(text),
        };
        std::iter::from_fn(move || {
            let text = rest?;
            let end = parameter_end(text);
            rest = (end < text.len()).then(|| sub(text, end + 1, text.len()));
            Some(trim(sub(text, 0, end)))
        })
    }
}

/// Where the first semicolon stands, outside quoted strings; an open one reaches to the end.
fn parameter_end(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(hit) = eight::find2(sub(text, at, text.len()), b';', b'"') {
        at += hit;
        if byte(text, at) == b';' {
            return at;
        }
        at = quoted_end(text, at).unwrap_or(text.len());
    }
    text.len()
}
