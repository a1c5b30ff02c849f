//! One connection: frames in, messages out, until either side has had enough.

use super::News;
use super::courtesy::{has_had_its_share, may_read_on};
use super::patience::{Heard, Lapse, Patience};
use super::queue;
use super::reason::StreamEnd;
use crate::limits::{HALF_CLOSED, STREAM_PAUSE, STREAM_REPLIES, STREAM_WRITE, WRITE_TIMEOUT};
use crate::shared::{Mail, Posted, Shared};
use bytes::{Bytes, BytesMut};
use proxy_core::{HealthInput, Peer};
use sip_wire::{Frame, Framer};
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{timeout, timeout_at};

/// What one read takes at most.
const READ: usize = 16 << 10;

/// What a connection is given.
pub(super) struct Kit {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Peer,
    pub(super) serial: u64,
    pub(super) queue: queue::Receiver,
    /// Nothing is ever said here; that the other end is gone says that the table has dropped the connection.
    pub(super) kept: oneshot::Receiver<()>,
    pub(super) news: mpsc::Sender<News>,
}

impl Kit {
    /// Tell the table that this connection was never made.
    pub(super) async fn fail(self) {
        let _ = self.news.send(News::Failed { peer: self.peer, serial: self.serial }).await;
    }
}

/// What both directions know.
#[derive(Debug, Default)]
struct Both {
    /// Requests that came and have no final response yet, as far as one can see from here.
    owed: AtomicU32,
    /// The peer will send nothing more.
    half_closed: AtomicBool,
}

impl Both {
    fn asked(&self, message: &[u8]) {
        if !message.starts_with(b"SIP/") && !message.starts_with(b"ACK ") {
            self.owed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn answered(&self, message: &[u8]) {
        if is_final(message) {
            let _ = self.owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        }
    }

    fn is_even(&self) -> bool {
        self.owed.load(Ordering::Relaxed) == 0
    }
}

/// Whether this is a response of 200 to 699; ours all begin the same.
fn is_final(message: &[u8]) -> bool {
    message
        .strip_prefix(b"SIP/2.0 ")
        .and_then(<[u8]>::first)
        .is_some_and(|digit| (b'2'..=b'6').contains(digit))
}

/// Serve until it ends. `accepted`: the peer began it, and owes us a message soon.
pub(super) async fn run(kit: Kit, mut stream: TcpStream, accepted: bool) {
    // Messages are small and somebody waits for each of them.
    let _ = stream.set_nodelay(true);
    let Kit { shared, peer, serial, queue, kept, news } = kit;
    let end = serve(&mut stream, (shared, peer, serial), queue, kept, &news, accepted).await;
    if end.is_abrupt() {
        // What the peer has not read it never will: the kernel need not keep it.
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
    drop(stream);
    let _ = news.send(News::Closed { peer, serial, end }).await;
}

async fn serve(
    stream: &mut TcpStream,
    (shared, peer, serial): (Arc<Shared>, Peer, u64),
    queue: queue::Receiver,
    kept: oneshot::Receiver<()>,
    news: &mpsc::Sender<News>,
    accepted: bool,
) -> StreamEnd {
    let (from, to) = stream.split();
    let both = Both::default();
    // What the reading side answers by itself: keep-alives and refusals.
    let (replies, own) = mpsc::channel(STREAM_REPLIES);
    let reader = Reader { shared, peer, replies, both: &both };
    let mut writing = pin!(write(to, queue, own, &both));
    let mut kept = pin!(kept);
    let end = tokio::select! {
        // The table has given its reason.
        _ = &mut kept => return StreamEnd::QueueFull,
        end = reader.run(from, accepted) => end,
        end = &mut writing => return end,
    };
    if end != StreamEnd::Closed || both.is_even() {
        return end;
    }
    // It asked and closed its half: it may still read the answers.
    both.half_closed.store(true, Ordering::Relaxed);
    let _ = news.send(News::HalfClosed { peer, serial }).await;
    tokio::select! {
        _ = &mut kept => StreamEnd::QueueFull,
        ended = timeout(HALF_CLOSED, writing) => ended.unwrap_or(StreamEnd::HalfClosed),
    }
}

struct Reader<'a> {
    shared: Arc<Shared>,
    peer: Peer,
    replies: mpsc::Sender<Bytes>,
    both: &'a Both,
}

impl Reader<'_> {
    async fn run(self, from: ReadHalf<'_>, accepted: bool) -> StreamEnd {
        let mut framer = Framer::new();
        let mut patience = Patience::new(Instant::now(), accepted);
        loop {
            match timeout_at(patience.deadline().into(), from.readable()).await {
                Err(_) => match patience.lapse(Instant::now()) {
                    Lapse::Ping => drop(self.replies.try_send(Bytes::from_static(b"\r\n\r\n"))),
                    Lapse::Nothing => {}
                    Lapse::End(why) => return why,
                },
                Ok(Err(_)) => return StreamEnd::Reset,
                Ok(Ok(())) => match take(&from, &mut framer) {
                    Ok(true) => match self.frames(&mut framer).await {
                        Ok(heard) => patience.hear(Instant::now(), heard),
                        Err(why) => return why,
                    },
                    Ok(false) => {}
                    Err(why) => return why,
                },
            }
            // However much one peer sends, the others have their turns.
            tokio::task::yield_now().await;
        }
    }

    async fn frames(&self, framer: &mut Framer) -> Result<Heard, StreamEnd> {
        let mut heard = Heard::default();
        let mut pongs = BytesMut::new();
        let (mut posted, mut busy) = (0, None);
        while let Some(frame) = framer.next() {
            match frame {
                Ok(Frame::Message(bytes)) => {
                    heard.message = true;
                    self.both.asked(&bytes);
                    posted += 1;
                    busy = self.message(bytes).await.or(busy);
                }
                Ok(Frame::Ping) => pongs.extend_from_slice(b"\r\n"),
                Ok(Frame::Pong) => heard.pong = true,
                Err(error) => return Err(error.into()),
            }
        }
        if !pongs.is_empty() {
            // Not waited for: a peer that pings without reading the answers gets none (RFC 5626 §3.5.1).
            let _ = self.replies.try_send(pongs.freeze());
        }
        if let Some(shard) = busy.filter(|_| has_had_its_share(posted)) {
            self.let_others_first(shard).await;
        }
        heard.partial = framer.pending() > 0;
        Ok(heard)
    }

    /// Not read on while much waits: who sends more than is handled would have everybody's next message wait behind its own.
    async fn let_others_first(&self, shard: u8) {
        let mut pauses = 0;
        while !may_read_on(self.shared.backlog(shard), pauses) {
            tokio::time::sleep(STREAM_PAUSE).await;
            pauses += 1;
        }
    }

    /// To the owner, whom it returns. A full post holds up this connection and no other.
    async fn message(&self, bytes: Bytes) -> Option<u8> {
        // Garbage is counted by whichever shard; by the first, since no shard is ours.
        let Some(shard) = self.shared.owner(&bytes, 0) else {
            self.shared.tell_health(HealthInput::Message { from: self.peer, bytes });
            return None;
        };
        match self.shared.post(shard, self.shared.clock.now(), self.peer, bytes) {
            Posted::Done => {}
            Posted::Refused(answer) => drop(self.replies.try_send(answer)),
            Posted::Full(shard, mail) => self.wait(shard, mail).await,
        }
        Some(shard)
    }

    async fn wait(&self, shard: u8, mail: Mail) {
        if let Some(post) = self.shared.posts.get(usize::from(shard)) {
            // Closed means that the appliance stops.
            let _ = post.mail.send(mail).await;
        }
    }
}

/// One read, if there is something. The buffer is not kept: a quiet connection holds none.
fn take(from: &ReadHalf<'_>, framer: &mut Framer) -> Result<bool, StreamEnd> {
    let mut buffer = [0; READ];
    match from.try_read(&mut buffer) {
        Ok(0) => Err(StreamEnd::Closed),
        Ok(n) => {
            framer.push(buffer.get(..n).unwrap_or_default());
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(_) => Err(StreamEnd::Reset),
    }
}

/// Write what comes until the queue is closed, several messages at a time where they wait.
async fn write(
    mut to: WriteHalf<'_>,
    mut queue: queue::Receiver,
    mut own: mpsc::Receiver<Bytes>,
    both: &Both,
) -> StreamEnd {
    let mut buffer = BytesMut::new();
    let mut finals = 0;
    let mut own_ended = false;
    loop {
        let (next, queued) = tokio::select! {
            message = queue.next() => (message, true),
            reply = own.recv(), if !own_ended => {
                own_ended = reply.is_none();
                match reply {
                    None => continue,
                    some => (some, false),
                }
            }
        };
        let Some(message) = next else { return StreamEnd::Stopping };
        let mut from_queue = if queued { message.len() } else { 0 };
        finals += u32::from(is_final(&message));
        buffer.extend_from_slice(&message);
        while buffer.len() < STREAM_WRITE {
            let Some(message) = queue.at_once() else { break };
            from_queue += message.len();
            finals += u32::from(is_final(&message));
            buffer.extend_from_slice(&message);
        }
        let written = timeout(WRITE_TIMEOUT, to.write_all(&buffer)).await;
        queue.written(from_queue);
        match written {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return StreamEnd::Reset,
            Err(_) => return StreamEnd::NotReading,
        }
        for _ in 0..std::mem::take(&mut finals) {
            both.answered(b"SIP/2.0 200");
        }
        if both.half_closed.load(Ordering::Relaxed) && both.is_even() {
            return StreamEnd::HalfClosed;
        }
        // Let go of what a burst has made it grow to.
        buffer = BytesMut::new();
    }
}
