//! Live calls, asked for shard by shard: never more of one at once than it can tell in a tenth of a millisecond.

use super::desk::Desk;
use crate::api::shapes::Words;
use crate::limits::REPORT_TIMEOUT;
use crate::shared::Mail;
use proxy_core::{CallDetail, CallName, CallPage, CallQuery, CallView};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Looks at shards for one answer: 64 of 1,024 places each.
const LOOKS: usize = 64;

/// Where a list goes on: a shard, and a place there.
pub(crate) type Cursor = (u8, u32);

impl Desk {
    /// Up to `most` calls that fit, from the cursor on, and where to go on. The list may be shorter than `most`, or empty,
    /// and go on all the same.
    pub(crate) async fn calls(
        &self,
        query: CallQuery,
        from: Cursor,
        most: usize,
    ) -> Result<(Vec<CallView>, Option<Cursor>), Words> {
        let query = Arc::new(query);
        let (mut shard, mut place) = from;
        let mut calls = Vec::new();
        for _ in 0..LOOKS {
            if usize::from(shard) >= self.shards() {
                return Ok((calls, None));
            }
            if calls.len() >= most {
                break;
            }
            let wanted = (Arc::clone(&query), place, most - calls.len());
            let page: CallPage = self.ask(shard, |answer| Mail::Calls(wanted, answer)).await?;
            calls.extend(page.calls);
            (shard, place) = match page.next {
                Some(next) => (shard, next),
                None => (shard.saturating_add(1), 0),
            };
        }
        let more = usize::from(shard) < self.shards();
        Ok((calls, more.then_some((shard, place))))
    }

    pub(crate) async fn call(&self, name: CallName) -> Result<Option<Box<CallDetail>>, Words> {
        if usize::from(name.shard) >= self.shards() {
            return Ok(None);
        }
        self.ask(name.shard, |answer| Mail::Call(name, answer)).await
    }

    /// Ends a call; whether there was one.
    pub(crate) async fn end_call(&self, name: CallName) -> Result<bool, Words> {
        if usize::from(name.shard) >= self.shards() {
            return Ok(false);
        }
        self.ask(name.shard, |answer| Mail::EndCall(name, answer)).await
    }

    /// Asks one shard and waits, though not for ever.
    async fn ask<T>(&self, shard: u8, mail: impl FnOnce(oneshot::Sender<T>) -> Mail) -> Result<T, Words> {
        let (answer, answered) = oneshot::channel();
        self.post(usize::from(shard), mail(answer)).await?;
        match timeout(REPORT_TIMEOUT, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(Words {
                message: format!("shard {shard} does not answer"),
                advice: "it is overloaded or stuck: look at /metrics and the log, and ask again".to_owned(),
            }),
        }
    }
}
