//! Complaints as people read them: file, line, column, caret, advice.

use crate::cli::CheckArgs;
use crate::operate;
use bascule::config::{self, Complaint, LoadError, Loaded, Severity, Source};
use bascule::service::News;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use std::fmt;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Width of a report: what fits a terminal of ordinary size.
const WIDTH: usize = 110;

/// `bascule check`.
pub(crate) fn check(args: &CheckArgs) -> ExitCode {
    match config::read(&args.file.config) {
        Ok(loaded) => {
            let good = loaded.warnings.is_empty();
            if good {
                say(&format!("{}: good", loaded.source.name));
            } else {
                warnings(&loaded);
            }
            operate::sizing(&loaded);
            let found = operate::names(&loaded, args.resolve);
            if args.firewall {
                operate::firewall(&loaded);
            }
            if good && found { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            failure(&error);
            ExitCode::from(2)
        }
    }
}

/// What is odd, and how much of it; nothing if nothing is.
pub(crate) fn warnings(loaded: &Loaded) {
    if !loaded.warnings.is_empty() {
        list(&loaded.source, &loaded.warnings);
    }
}

/// What a running service has to say to its terminal.
pub(crate) fn news(news: News<'_>) {
    match news {
        News::Started(lines) => lines.iter().for_each(|line| say(line)),
        News::Refused(error) => failure(error),
        News::Reloaded(loaded) => warnings(loaded),
    }
}

/// Why there is no configuration.
pub(crate) fn failure(error: &LoadError) {
    if let LoadError::Bad { source_text, complaints } = error {
        list(source_text, complaints);
    } else {
        say(&error.to_string());
    }
}

fn list(source: &Source, complaints: &[Complaint]) {
    let plain = !std::io::stderr().is_terminal() || std::env::var_os("NO_COLOR").is_some();
    let theme = if plain { GraphicalTheme::unicode_nocolor() } else { GraphicalTheme::unicode() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
    let named = NamedSource::new(&source.name, source.text.clone());
    let mut text = String::new();
    for complaint in complaints {
        // Writing into a string cannot fail.
        let _ = handler.render_report(&mut text, &Report { complaint, source: &named });
        text.push('\n');
    }
    let count = |s: Severity| complaints.iter().filter(|c| c.severity == s).count();
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    text.push_str(&format!(
        "{}: {}, {}",
        source.name,
        plural(count(Severity::Error), "error"),
        plural(count(Severity::Warning), "warning")
    ));
    say(&text);
}

/// A line for people. Standard error gone is no reason to fail.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A complaint with its source, as miette wants it.
struct Report<'a> {
    complaint: &'a Complaint,
    source: &'a NamedSource<String>,
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.complaint, f)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.complaint.message)
    }
}

impl std::error::Error for Report<'_> {}

impl Diagnostic for Report<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.complaint.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        Some(Box::new(&self.complaint.advice))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Complaint { span, label, other, .. } = self.complaint;
        let said = (!label.is_empty()).then(|| label.clone());
        let main = LabeledSpan::new_primary_with_span(said, span.clone());
        let other =
            other.iter().map(|(span, label)| LabeledSpan::new_with_span(Some(label.clone()), span.clone()));
        Some(Box::new(std::iter::once(main).chain(other)))
    }
}
