//! The connection: requests out, lines in, Ctrl-C beside them.

use super::Failure;
use super::args::Where;
use bascule::config;
use bascule::control::{Line, Request};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Where the service's unit has it.
const DEFAULT: &str = "/run/bascule/admin.sock";

/// What came.
pub(super) enum Came {
    /// A line, and its text as it was.
    Line(Box<Line>, String),
    /// Ctrl-C, or somebody else who wants us to end.
    Interrupt,
}

pub(super) struct Connection {
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
    interrupt: Signal,
    terminate: Signal,
}

impl Connection {
    pub(super) async fn open(at: &Where) -> Result<Self, Failure> {
        let path = path(at)?;
        let signals = signal(SignalKind::interrupt()).and_then(|i| Ok((i, signal(SignalKind::terminate())?)));
        let (interrupt, terminate) =
            signals.map_err(|error| Failure::new(format!("signals: {error}"), "nothing was begun"))?;
        let stream = UnixStream::connect(&path).await.map_err(|error| unreachable(&path, &error))?;
        let (read, write) = stream.into_split();
        Ok(Self { lines: BufReader::new(read).lines(), write, interrupt, terminate })
    }

    pub(super) async fn ask(&mut self, request: &Request) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(request).map_err(|error| lost(&error.into()))?;
        text.push(b'\n');
        self.write.write_all(&text).await.map_err(|error| lost(&error))
    }

    pub(super) async fn next(&mut self) -> Result<Came, Failure> {
        let text = tokio::select! {
            _ = self.interrupt.recv() => return Ok(Came::Interrupt),
            _ = self.terminate.recv() => return Ok(Came::Interrupt),
            line = self.lines.next_line() => line.map_err(|error| lost(&error))?,
        };
        let text = text.ok_or_else(|| lost(&ErrorKind::UnexpectedEof.into()))?;
        let line = serde_json::from_str(&text).map_err(|error| {
            let advice = "is the service of another version than this command?";
            Failure::new(format!("an answer that cannot be read: {error}"), advice)
        })?;
        Ok(Came::Line(Box::new(line), text))
    }
}

pub(super) fn path(at: &Where) -> Result<PathBuf, Failure> {
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

pub(super) fn unreachable(path: &Path, error: &io::Error) -> Failure {
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

fn lost(error: &io::Error) -> Failure {
    let advice = "the service stops a drain or drill whose client is gone; see `bascule regions` and its log";
    Failure::new(format!("the connection is lost: {error}"), advice)
}
