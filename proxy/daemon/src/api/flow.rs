//! Answers that go on, and what they are sent with.

use super::Api;
use super::answer::Refusal;
use super::denied::Denied;
use super::serve::Way;
use super::who::Role;
use crate::limits::{FOLLOW_WRITE, HTTP_PIECES};
use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use hyper::body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

/// Something is said at least this often, so that whatever stands in between keeps the connection, and one whose other end
/// has gone is noticed.
const ALIVE: Duration = Duration::from_secs(10);

/// How somebody has shown who they are; asked again while an answer goes on.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) way: Way,
    pub(super) token: Option<String>,
    /// What it needs; nothing but to be somebody.
    pub(super) role: Option<Role>,
}

/// A body that comes piece by piece, and who fills it: at most [`HTTP_PIECES`] ahead of the client.
pub(super) fn body() -> (mpsc::Sender<Bytes>, Body) {
    let (tx, rx) = mpsc::channel(HTTP_PIECES);
    (tx, Body::new(Pieces(rx)))
}

struct Pieces(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// The client has gone, does not read, or may not see it any more.
pub(super) struct Cut;

/// Server-sent events (HTML Standard §9.2) to one client.
pub(super) struct Events {
    api: Arc<Api>,
    shown: Shown,
    tx: mpsc::Sender<Bytes>,
    text: String,
    said: Instant,
    asked: Instant,
    _place: OwnedSemaphorePermit,
}

impl Events {
    pub(super) fn new(api: &Arc<Api>, shown: Shown) -> Result<(Self, Body), Refusal> {
        let Ok(place) = Arc::clone(&api.followers).try_acquire_owned() else {
            let advice = "close one of them, or ask for what you want to know from time to time";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Refusal::new(status, "too many follow already", advice).because(Denied::Followers));
        };
        let (tx, body) = body();
        let (api, now) = (Arc::clone(api), Instant::now());
        let text = ": here\n\n".to_owned();
        Ok((Self { api, shown, tx, text, said: now, asked: now, _place: place }, body))
    }

    /// Adds an event. `data` is one line.
    pub(super) fn add(&mut self, event: &str, data: &str) {
        for part in ["event: ", event, "\ndata: ", data, "\n\n"] {
            self.text.push_str(part);
        }
    }

    /// Sends what was added, or that we are still here.
    pub(super) async fn send(&mut self) -> Result<(), Cut> {
        if self.asked.elapsed() >= ALIVE {
            self.asked = Instant::now();
            let Shown { way, token, role } = &self.shown;
            let who = self.api.access.who(*way, token.as_deref());
            if !who.is_some_and(|who| role.is_none_or(|role| who.roles.allow(role))) {
                return Err(Cut);
            }
        }
        if self.text.is_empty() {
            if self.said.elapsed() < ALIVE {
                return if self.tx.is_closed() { Err(Cut) } else { Ok(()) };
            }
            self.text.push_str(": alive\n\n");
        }
        self.said = Instant::now();
        let piece = Bytes::from(std::mem::take(&mut self.text));
        match timeout(FOLLOW_WRITE, self.tx.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Cut),
            Err(_) => {
                self.api.desk.denied().count(Denied::NotReading);
                Err(Cut)
            }
        }
    }

    /// Waits, unless the client goes meanwhile.
    pub(super) async fn pause(&self, time: Duration) -> Result<(), Cut> {
        tokio::select! {
            () = self.tx.closed() => Err(Cut),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }
}
