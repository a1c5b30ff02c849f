//! Configuration: text → `RawConfig` (types, with spans) → [`Loaded`] (checked, names resolved to numbers).
//!
//! Nothing stops at the first complaint: whatever is wrong is told at once, each with its place in the file and what to
//! write instead. A file with an error never becomes a [`Loaded`]; warnings travel with it.

mod check;
mod complaint;
mod observing;
mod raw;
mod recording;
mod reload;
mod salvage;
mod secrets;
mod settings;
mod stir;
#[cfg(test)]
mod told;
mod wav;
mod words;

pub use complaint::{Complaint, Place, Severity, Source};
pub use observing::{HepKey, HepSettings, HepTransport, ObserveSettings, TraceSettings};
pub use recording::{DeliverySettings, RecordFormat, RecordSettings, RecordsTo, Rotation};
pub use reload::NeedsRestart;
pub(crate) use reload::needs_restart;
pub use settings::{DnsSettings, LogFormat, LogSettings, RelaySettings, Settings};
pub use stir::{SignSettings, StirSettings, VerifySettings};
pub use words::duration;

use crate::tls::Tls;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A configuration that was found good.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The file that it was read from, if it was one.
    pub path: Option<PathBuf>,
    /// What the cores are configured with.
    pub config: Arc<proxy_core::Config>,
    /// What the shell is configured with.
    pub settings: Settings,
    /// Certificates, keys and authorities, as their files were when this was read.
    pub tls: Arc<Tls>,
    /// What is odd but not wrong.
    pub warnings: Vec<Complaint>,
    /// The text that the warnings point into.
    pub source: Source,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("{name} cannot be read: {error}")]
    Unreadable {
        /// The file.
        name: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file was read and has errors.
    #[error("{}: {}", source_text.name, complaint::tally(complaints))]
    Bad {
        /// The text that the complaints point into.
        source_text: Source,
        /// Errors and warnings, in order of their place.
        complaints: Vec<Complaint>,
    },
}

/// Read and check a file.
///
/// # Errors
///
/// [`LoadError`] with every complaint.
pub fn read(path: &Path) -> Result<Loaded, LoadError> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&name, &text).map(|loaded| Loaded { path: Some(path.to_owned()), ..loaded }),
        Err(error) => Err(LoadError::Unreadable { name, error }),
    }
}

/// Check a text; `name` is what complaints call it.
///
/// # Errors
///
/// [`LoadError::Bad`] with every complaint.
pub fn parse(name: &str, text: &str) -> Result<Loaded, LoadError> {
    let source = Source { name: name.to_owned(), text: secrets::masked(text) };
    let salvage::Salvaged { raw, removed, complaints } = match salvage::read(text) {
        Ok(salvaged) => salvaged,
        // What is not TOML cannot be read on from: later complaints would only be echoes.
        Err(complaints) => return Err(LoadError::Bad { source_text: source, complaints }),
    };
    let mut complaints = complaint::Complaints::new(complaints, removed);
    let compiled = check::compile(&raw, &mut complaints);
    let complaints = complaints.finish();
    if complaints.iter().any(|c| c.severity == Severity::Error) {
        return Err(LoadError::Bad { source_text: source, complaints });
    }
    let (config, settings, tls) = compiled;
    let (config, tls) = (Arc::new(config), Arc::new(tls));
    Ok(Loaded { path: None, config, settings, tls, warnings: complaints, source })
}
