//! Where the service is asked: the admin socket.

use super::Failure;
use super::args::Where;
use bascule::config;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;

/// Where the service's unit has it.
const DEFAULT: &str = "/run/bascule/admin.sock";

pub(super) async fn connect(at: &Where) -> Result<UnixStream, Failure> {
    let path = path(at)?;
    UnixStream::connect(&path).await.map_err(|error| unreachable(&path, &error))
}

fn path(at: &Where) -> Result<PathBuf, Failure> {
    match (&at.socket, &at.config) {
        (Some(path), _) => Ok(path.clone()),
        (None, None) => Ok(PathBuf::from(DEFAULT)),
        (None, Some(file)) => {
            let loaded = config::read(file).map_err(|error| {
                Failure::new(error.to_string(), format!("see `bascule check --config {}`", file.display()))
            })?;
            loaded.settings.control.ok_or_else(|| {
                let advice = format!("add `socket = \"{DEFAULT}\"` to [admin] and restart the service");
                Failure::new(format!("{} names no admin socket", file.display()), advice)
            })
        }
    }
}

fn unreachable(path: &Path, error: &io::Error) -> Failure {
    let advice = match error.kind() {
        ErrorKind::NotFound => {
            "is the service running, with `socket` in its [admin]? A relative path is taken from where it was started"
        }
        ErrorKind::ConnectionRefused => "the service that made it has died: start it again",
        ErrorKind::PermissionDenied => "be root, or of the service's group (usually `bascule`)",
        _ => "name the socket with --socket, or the configuration with --config",
    };
    Failure::new(format!("{}: {error}", path.display()), advice)
}
