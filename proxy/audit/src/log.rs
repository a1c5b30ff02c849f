//! Where rules put what they find.

use crate::Rule;
use crate::limits::MAX_FINDINGS;
use std::fmt;
use std::time::Duration;

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Since the trace's beginning.
    pub at: Duration,
    /// Which.
    pub rule: Rule,
    /// What happened.
    pub text: String,
    /// The Call-ID of the message; empty if it could not be read.
    pub call: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, rule, text, call } = self;
        write!(f, "{:.3} s, {} ({}): {text} [{call}]", at.as_secs_f64(), rule.name(), rule.source())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) at: Duration,
    pub(crate) call: String,
    pub(crate) findings: Vec<Finding>,
}

impl Log {
    /// What follows is about this call.
    pub(crate) fn of(&mut self, call: &str) {
        self.call.clear();
        self.call.push_str(call);
    }

    pub(crate) fn broken(&mut self, rule: Rule, text: impl Into<String>) {
        let call = self.call.clone();
        self.broken_of(&call, rule, text);
    }

    /// About another call than that of the message at hand.
    pub(crate) fn broken_of(&mut self, call: &str, rule: Rule, text: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { at: self.at, rule, text: text.into(), call: call.to_owned() });
        }
    }
}
