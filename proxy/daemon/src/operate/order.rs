//! A drain or a drill: given, followed line by line, stopped with Ctrl-C.

use super::Failure;
use super::args::Where;
use super::http::{lost, read, refused, send, whole};
use super::report::{Counted, note, print};
use bascule::api::shapes::{Line, News, Receipt, Summary};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, StatusCode};
use serde::Serialize;
use std::io::ErrorKind;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Bytes of a line: the longest has some 1,000.
const LINE: usize = 1 << 20;

/// What is ordered, and how it is shown.
pub(super) struct Order<'a> {
    pub(super) at: &'a Where,
    /// `/v1/regions/north`, `/v1/edges/north-1`.
    pub(super) place: String,
    /// `drain`, `undrain` or `drill`.
    pub(super) what: &'static str,
    pub(super) counted: Counted,
    /// What is said at Ctrl-C.
    pub(super) stopping: &'static str,
}

impl Order<'_> {
    /// To its end; `None` where Ctrl-C did not wait for that. Whoever leaves has stopped it.
    pub(super) async fn carry(
        &self,
        wish: &impl Serialize,
        mut each: impl FnMut(Receipt),
    ) -> Result<Option<Summary>, Failure> {
        let mut interrupts = Interrupts::new()?;
        let mut lines = tokio::select! {
            () = interrupts.next() => return Ok(None),
            begun = self.begin(wish) => begun?,
        };
        let mut interrupted = false;
        loop {
            let text = tokio::select! {
                () = interrupts.next() => {
                    // The first one ends it cleanly, the second one at once.
                    if interrupted {
                        return Ok(None);
                    }
                    interrupted = true;
                    note(self.stopping);
                    self.stop().await?;
                    continue;
                }
                text = lines.next() => text?,
            };
            if self.at.json {
                print(&text);
            }
            match read::<Line>(text.as_bytes())?.news {
                News::Progress(progress) => self.counted.show(progress),
                News::Receipt(receipt) => each(receipt),
                News::Warning(words) if !self.at.json => {
                    let text = format!("warning: {}\n  help: {}", words.message, words.advice);
                    self.counted.over(|| note(&text));
                }
                News::Warning(_) => {}
                News::Error(words) => return Err(Failure(words)),
                News::Summary(end) => {
                    self.counted.clear();
                    return Ok(Some(*end));
                }
            }
        }
    }

    async fn begin(&self, wish: &impl Serialize) -> Result<Lines, Failure> {
        let wish = serde_json::to_vec(wish).map_err(lost)?;
        let target = format!("{}/{}", self.place, self.what);
        let response = send(self.at, Method::POST, &target, wish.into()).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(Lines { body: response.into_body(), text: Vec::new() });
        }
        Err(refused(self.at, status, &whole(response).await?))
    }

    async fn stop(&self) -> Result<(), Failure> {
        let response = send(self.at, Method::POST, &format!("{}/stop", self.place), Bytes::new()).await?;
        let status = response.status();
        // It may have come to its end meanwhile: its last line says how.
        if status.is_success() || status == StatusCode::CONFLICT {
            return Ok(());
        }
        Err(refused(self.at, status, &whole(response).await?))
    }
}

/// The lines of an answer.
struct Lines {
    body: Incoming,
    text: Vec<u8>,
}

impl Lines {
    /// May be dropped while it waits: nothing is lost.
    async fn next(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.text.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.text.len() > LINE {
                return Err(lost("a line without an end"));
            }
            let frame = self.body.frame().await.ok_or_else(|| lost(ErrorKind::UnexpectedEof))?;
            if let Ok(bytes) = frame.map_err(lost)?.into_data() {
                self.text.extend_from_slice(&bytes);
            }
        }
    }
}

/// Ctrl-C, or somebody else who wants us to end.
struct Interrupts(Signal, Signal);

impl Interrupts {
    fn new() -> Result<Self, Failure> {
        let both =
            signal(SignalKind::interrupt()).and_then(|i| Ok(Self(i, signal(SignalKind::terminate())?)));
        both.map_err(|error| Failure::new(format!("signals: {error}"), "nothing was begun"))
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}
