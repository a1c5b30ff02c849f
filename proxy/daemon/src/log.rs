//! Where logs go.

use crate::config::{LogFormat, LogSettings};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt};

/// Send logs where the settings say, for the rest of the process's life. `RUST_LOG` wins over the file's level.
///
/// Has no effect if something else in the process has set logging up already.
pub fn init(settings: &LogSettings) {
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(&settings.level))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = Registry::default().with(filter);
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
            Ok(journal) => registry.with(journal).try_init(),
            // No journal to be found: better a line on standard error than none.
            Err(_) => registry.with(text()).try_init(),
        },
        LogFormat::Auto | LogFormat::Text => registry.with(text()).try_init(),
    };
    if done.is_err() {
        tracing::debug!("logging was set up before");
    }
}
