//! Whoever has given an order, and is told how it comes on.

use crate::api::shapes::{Line, News};
use crate::limits::CONTROL_WRITE;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The client has gone, or does not read.
#[derive(Debug)]
pub(super) struct Gone;

/// Where its lines go.
pub(crate) struct Client(mpsc::Sender<Bytes>);

impl Client {
    pub(crate) fn new(lines: mpsc::Sender<Bytes>) -> Self {
        Self(lines)
    }

    pub(super) async fn say(&self, news: News) -> Result<(), Gone> {
        self.say_all([news]).await
    }

    pub(super) async fn say_all(&self, all: impl IntoIterator<Item = News>) -> Result<(), Gone> {
        let mut text = Vec::new();
        for news in all {
            let line = Line { done: news.is_last(), news };
            serde_json::to_writer(&mut text, &line).map_err(|_| Gone)?;
            text.push(b'\n');
        }
        if text.is_empty() {
            return Ok(());
        }
        match timeout(CONTROL_WRITE, self.0.send(text.into())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    /// Waits until it goes.
    pub(super) async fn gone(&self) {
        self.0.closed().await;
    }
}
