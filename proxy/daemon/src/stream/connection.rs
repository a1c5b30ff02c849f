//! One connection: frames in, messages out, until either side has had enough.

use super::News;
use crate::limits::{FIRST_MESSAGE, STREAM_IDLE, WRITE_TIMEOUT};
use crate::shared::{Mail, Posted, Shared, count};
use bytes::{Bytes, BytesMut};
use proxy_core::{HealthInput, Peer};
use sip_wire::{Frame, Framer};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What one read takes at most.
const READ: usize = 16 << 10;

/// What one write gathers at most.
const WRITE: usize = 64 << 10;

/// What a connection is given.
pub(super) struct Kit {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Peer,
    pub(super) serial: u64,
    pub(super) queue: mpsc::Receiver<Bytes>,
    pub(super) news: mpsc::Sender<News>,
}

impl Kit {
    /// Tell the table that this connection was never made.
    pub(super) async fn fail(self) {
        let _ = self.news.send(News::Failed { peer: self.peer, serial: self.serial }).await;
    }
}

/// Serve until it ends. `accepted`: the peer began it, and owes us a message soon.
pub(super) async fn run(kit: Kit, stream: TcpStream, accepted: bool) {
    // Messages are small and somebody waits for each of them.
    let _ = stream.set_nodelay(true);
    let (from, to) = stream.into_split();
    let Kit { shared, peer, serial, queue, news } = kit;
    // What the reading side answers by itself: keep-alives and refusals.
    let (replies, own) = mpsc::channel(16);
    let reader = Reader { shared: Arc::clone(&shared), peer, replies };
    tokio::select! {
        () = reader.run(from, accepted) => {}
        () = write(to, queue, own) => {}
    }
    let _ = news.send(News::Closed { peer, serial }).await;
}

struct Reader {
    shared: Arc<Shared>,
    peer: Peer,
    replies: mpsc::Sender<Bytes>,
}

impl Reader {
    async fn run(self, mut from: OwnedReadHalf, accepted: bool) {
        let mut framer = Framer::new();
        let mut buffer = vec![0; READ];
        let mut patience = if accepted { FIRST_MESSAGE } else { STREAM_IDLE };
        while let Ok(Ok(n)) = timeout(patience, from.read(&mut buffer)).await {
            let Some(read) = buffer.get(..n).filter(|read| !read.is_empty()) else { return };
            framer.push(read);
            while let Some(frame) = framer.next() {
                match frame {
                    Ok(Frame::Message(bytes)) => {
                        patience = STREAM_IDLE;
                        self.message(bytes).await;
                    }
                    // Not waited for: a peer that pings without reading the answers gets none.
                    Ok(Frame::Ping) => drop(self.replies.try_send(Bytes::from_static(b"\r\n"))),
                    Ok(Frame::Pong) => {}
                    Err(error) => {
                        count(&self.shared.tally.stream_broken);
                        tracing::debug!(peer = %self.peer.remote, reason = error.as_str(), "stream cannot be read on");
                        return;
                    }
                }
            }
        }
    }

    /// To the owner. A full post holds up this connection and no other.
    async fn message(&self, bytes: Bytes) {
        // Garbage is counted by whichever shard; by the first, since no shard is ours.
        let Some(shard) = self.shared.owner(&bytes, 0) else {
            self.shared.tell_health(HealthInput::Message { from: self.peer, bytes });
            return;
        };
        match self.shared.post(shard, self.peer, bytes) {
            Posted::Done => {}
            Posted::Refused(answer) => drop(self.replies.try_send(answer)),
            Posted::Full(shard, mail) => self.wait(shard, mail).await,
        }
    }

    async fn wait(&self, shard: u8, mail: Mail) {
        if let Some(post) = self.shared.posts.get(usize::from(shard)) {
            // Closed means that the appliance stops.
            let _ = post.mail.send(mail).await;
        }
    }
}

/// Write what comes until the queue is closed, several messages at a time where they wait.
async fn write(mut to: OwnedWriteHalf, mut queue: mpsc::Receiver<Bytes>, mut own: mpsc::Receiver<Bytes>) {
    let mut buffer = BytesMut::new();
    loop {
        let next = tokio::select! {
            message = queue.recv() => message,
            Some(reply) = own.recv() => Some(reply),
        };
        let Some(message) = next else { return };
        buffer.extend_from_slice(&message);
        while buffer.len() < WRITE {
            let Ok(message) = queue.try_recv() else { break };
            buffer.extend_from_slice(&message);
        }
        let written = timeout(WRITE_TIMEOUT, to.write_all(&buffer)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
        buffer.clear();
    }
}
