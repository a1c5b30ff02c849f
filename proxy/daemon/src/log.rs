//! Where logs go, and how much of them.

mod repeats;

use crate::config::{LogFormat, LogSettings};
use repeats::{Books, Repeats};
use std::sync::{Arc, OnceLock};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt};

/// Names of fields in the journal begin with this: `journalctl BASCULE_A_CALL_ID=…`.
const PREFIX: &str = "BASCULE";

/// Of lines that come too often.
static REPEATS: OnceLock<Arc<Books>> = OnceLock::new();

/// Say how often lines were held back. To be called now and then.
pub(crate) fn tell_repeats() {
    if let Some(books) = REPEATS.get() {
        books.tell();
    }
}

/// How much is logged; nothing where something else in the process has set logging up.
static FILTER: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Send logs where the settings say, for the rest of the process's life. `RUST_LOG` wins over the file's level.
///
/// Has no effect if something else in the process has set logging up already.
pub fn init(settings: &LogSettings) {
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(&settings.level))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let books = REPEATS.get_or_init(Arc::default);
    let (filter, handle) = reload::Layer::new(filter);
    let registry = Registry::default().with(filter).with(Repeats(Arc::clone(books)));
    // systemd sets JOURNAL_STREAM when it has connected our standard error to the journal (systemd.exec(5)).
    let format = match settings.format {
        LogFormat::Auto if std::env::var_os("JOURNAL_STREAM").is_some() => LogFormat::Journald,
        LogFormat::Auto => LogFormat::Text,
        other => other,
    };
    let text = || fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let done = match format {
        LogFormat::Json => registry.with(text().json().flatten_event(true)).try_init(),
        LogFormat::Journald => match tracing_journald::layer() {
            Ok(journal) => registry.with(journal.with_field_prefix(Some(PREFIX.to_owned()))).try_init(),
            // No journal to be found: better a line on standard error than none.
            Err(_) => registry.with(text()).try_init(),
        },
        LogFormat::Auto | LogFormat::Text => registry.with(text()).try_init(),
    };
    match done {
        Ok(()) => drop(FILTER.set(handle)),
        Err(_) => tracing::debug!("logging was set up before"),
    }
}

/// The filter in force, as `RUST_LOG` would have it.
pub(crate) fn level() -> Option<String> {
    FILTER.get()?.with_current(ToString::to_string).ok()
}

/// A filter from its text.
pub(crate) fn filter(text: &str) -> Option<EnvFilter> {
    (!text.trim().is_empty()).then(|| EnvFilter::try_new(text).ok()).flatten()
}

/// Log by this filter from now on; whether it was taken.
pub(crate) fn set(filter: EnvFilter) -> bool {
    FILTER.get().is_some_and(|handle| handle.reload(filter).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_filter_is_refused() {
        assert!(["info", "bascule=debug,warn", "trace"].into_iter().all(|text| filter(text).is_some()));
        assert!(["", "  ", "bascule=loud", "=,="].into_iter().all(|text| filter(text).is_none()));
    }
}
