//! What is wrong with a configuration, where, and what to write instead.

use super::words::nearest;
use std::ops::Range;

/// The text that complaints point into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What the text is called: its path.
    pub name: String,
    /// The text.
    pub text: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing starts, nothing changes.
    Error,
    /// It works, but probably not as meant.
    Warning,
}

/// One complaint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the text.
    pub span: Range<usize>,
    /// What to say at the caret; may be empty.
    pub label: String,
    /// A second place that has to do with it.
    pub other: Option<(Range<usize>, String)>,
    /// What to write instead.
    pub advice: String,
}

/// A place for people: both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl Source {
    /// Line and column of a byte.
    pub fn place(&self, byte: usize) -> Place {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

impl Complaint {
    /// `file:line:column: error: message (advice)`, on one line.
    pub fn line(&self, source: &Source) -> String {
        let Place { line, column } = source.place(self.span.start);
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        format!("{}:{line}:{column}: {severity}: {} ({})", source.name, self.message, self.advice)
    }
}

/// "2 errors, 1 warning".
pub(super) fn tally(complaints: &[Complaint]) -> String {
    let count = |s| complaints.iter().filter(|c| c.severity == s).count();
    let say = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match (count(Severity::Error), count(Severity::Warning)) {
        (e, 0) => say(e, "error"),
        (e, w) => format!("{}, {}", say(e, "error"), say(w, "warning")),
    }
}

/// The complaints of one check, as they are found.
#[derive(Debug)]
pub(super) struct Complaints {
    found: Vec<Complaint>,
    removed: Vec<super::salvage::Removed>,
}

impl Complaints {
    pub(super) fn new(found: Vec<Complaint>, removed: Vec<super::salvage::Removed>) -> Self {
        Self { found, removed }
    }

    /// Something that must not be. Says more with [`Note::at`], [`Note::see`] and [`Note::advise`].
    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<String>) -> Note<'_> {
        self.add(Severity::Error, span, message.into())
    }

    /// Something odd.
    pub(super) fn warn(&mut self, span: Range<usize>, message: impl Into<String>) -> Note<'_> {
        self.add(Severity::Warning, span, message.into())
    }

    /// A key that has to be there and is not, unless it was there with a value that was complained of already.
    pub(super) fn missing(&mut self, table: Range<usize>, what: &str, key: &str, example: &str) {
        if !self.was_removed(&table, key) {
            self.error(table, format!("{what} has no `{key}`"))
                .at("in this table")
                .advise(format!("add a line such as `{key} = {example}`"));
        }
    }

    /// Whether this key of this table was complained of already, perhaps in a wrong spelling.
    pub(super) fn was_removed(&self, table: &Range<usize>, key: &str) -> bool {
        self.removed.iter().any(|r| r.table == table.start && nearest(&r.key, [key].into_iter()).is_some())
    }

    /// In order of place, errors and warnings mixed.
    pub(super) fn finish(mut self) -> Vec<Complaint> {
        self.found.sort_by_key(|c| (c.span.start, c.severity));
        self.found
    }

    fn add(&mut self, severity: Severity, span: Range<usize>, message: String) -> Note<'_> {
        let (label, advice) = (String::new(), String::new());
        self.found.push(Complaint { severity, message, span, label, other: None, advice });
        Note(self.found.last_mut())
    }
}

/// The complaint just made, to say more about it.
#[derive(Debug)]
pub(super) struct Note<'a>(Option<&'a mut Complaint>);

impl Note<'_> {
    /// What to say at the caret.
    pub(super) fn at(mut self, label: impl Into<String>) -> Self {
        if let Some(c) = &mut self.0 {
            c.label = label.into();
        }
        self
    }

    /// A second place.
    pub(super) fn see(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        if let Some(c) = &mut self.0 {
            c.other = Some((span, label.into()));
        }
        self
    }

    /// What to write instead.
    pub(super) fn advise(mut self, advice: impl Into<String>) {
        if let Some(c) = &mut self.0 {
            c.advice = advice.into();
        }
    }
}
