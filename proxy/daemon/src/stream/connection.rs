//! One connection: frames in, messages out, until either side has had enough.

use super::News;
use super::alias::AliasAsked;
use super::courtesy::{has_had_its_share, may_read_on};
use super::patience::{Heard, Lapse, Patience};
use super::queue;
use super::reason::{StreamEnd, StreamRefusal};
use crate::limits::{CLOSE_NOTIFY, HALF_CLOSED, STREAM_PAUSE, STREAM_REPLIES, STREAM_WRITE, WRITE_TIMEOUT};
use crate::shared::{Mail, Posted, Shared};
use bytes::{Bytes, BytesMut};
use proxy_core::{HealthInput, Peer, Transport};
use sip_wire::{Frame, Framer};
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
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
    /// Why the table has dropped the connection, once it has.
    pub(super) kept: oneshot::Receiver<StreamEnd>,
    pub(super) news: mpsc::Sender<News>,
}

impl Kit {
    /// Tell the table that this connection was never made.
    pub(super) async fn fail(self, why: StreamRefusal) {
        let _ = self.news.send(News::Failed { peer: self.peer, serial: self.serial, why }).await;
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

/// What carries a connection: TCP, or TLS over it.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin {
    /// The socket below.
    fn socket(&self) -> &TcpStream;

    /// Whether the peer is told of the end by more than the socket's.
    fn says_goodbye(&self) -> bool;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }

    fn says_goodbye(&self) -> bool {
        false
    }
}

impl Wire for tokio_rustls::TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }

    /// `close_notify` (RFC 8446 §6.1).
    fn says_goodbye(&self) -> bool {
        true
    }
}

/// Serve until it ends. `accepted`: the peer began it, and owes us a message soon.
pub(super) async fn run<W: Wire>(kit: Kit, mut stream: W, accepted: bool) {
    // Messages are small and somebody waits for each of them.
    let _ = stream.socket().set_nodelay(true);
    let Kit { shared, peer, serial, queue, kept, news } = kit;
    let end = serve(&mut stream, (Arc::clone(&shared), peer, serial), queue, kept, &news, accepted).await;
    if end.is_abrupt() {
        // What the peer has not read it never will: the kernel need not keep it.
        let _ = socket2::SockRef::from(stream.socket()).set_linger(Some(Duration::ZERO));
    } else if stream.says_goodbye() {
        let _ = timeout(CLOSE_NOTIFY, stream.shutdown()).await;
    }
    drop(stream);
    if peer.transport == Transport::Tls {
        // Before the table forgets it, so that what was proved on it is never believed of the next.
        shared.proven(peer, serial, None).await;
    }
    let _ = news.send(News::Closed { peer, serial, end }).await;
}

async fn serve<W: Wire>(
    stream: &mut W,
    (shared, peer, serial): (Arc<Shared>, Peer, u64),
    queue: queue::Receiver,
    kept: oneshot::Receiver<StreamEnd>,
    news: &mpsc::Sender<News>,
    accepted: bool,
) -> StreamEnd {
    let (from, to) = tokio::io::split(stream);
    let both = Both::default();
    // What the reading side answers by itself: keep-alives and refusals.
    let (replies, own) = mpsc::channel(STREAM_REPLIES);
    let alias = AliasAsked::new(peer, accepted);
    let reader = Reader { shared, peer, serial, replies, both: &both, alias, news };
    let mut writing = pin!(write(to, queue, own, &both));
    let mut kept = pin!(kept);
    let end = tokio::select! {
        why = &mut kept => return dropped(why),
        end = reader.run(from, accepted) => end,
        end = &mut writing => return end,
    };
    if !end.is_half() || both.is_even() {
        return end;
    }
    // It asked and closed its half: it may still read the answers.
    both.half_closed.store(true, Ordering::Relaxed);
    let _ = news.send(News::HalfClosed { peer, serial }).await;
    tokio::select! {
        why = &mut kept => dropped(why),
        ended = timeout(HALF_CLOSED, writing) => ended.unwrap_or(StreamEnd::HalfClosed),
    }
}

/// Why the table has dropped it. Where it gives no reason it has counted one.
fn dropped(why: Result<StreamEnd, oneshot::error::RecvError>) -> StreamEnd {
    why.unwrap_or(StreamEnd::QueueFull)
}

struct Reader<'a> {
    shared: Arc<Shared>,
    peer: Peer,
    serial: u64,
    replies: mpsc::Sender<Bytes>,
    both: &'a Both,
    alias: AliasAsked,
    news: &'a mpsc::Sender<News>,
}

impl Reader<'_> {
    async fn run<R: AsyncRead + Unpin>(mut self, mut from: R, accepted: bool) -> StreamEnd {
        let mut framer = Framer::new();
        let mut patience = Patience::new(Instant::now(), accepted);
        loop {
            match timeout_at(patience.deadline().into(), take(&mut from, &mut framer)).await {
                Err(_) => match patience.lapse(Instant::now()) {
                    Lapse::Ping => drop(self.replies.try_send(Bytes::from_static(b"\r\n\r\n"))),
                    Lapse::Nothing => {}
                    Lapse::End(why) => return why,
                },
                Ok(Err(why)) => return why,
                Ok(Ok(())) => match self.frames(&mut framer).await {
                    Ok(heard) => patience.hear(Instant::now(), heard),
                    Err(why) => return why,
                },
            }
            // However much one peer sends, the others have their turns.
            tokio::task::yield_now().await;
        }
    }

    async fn frames(&mut self, framer: &mut Framer) -> Result<Heard, StreamEnd> {
        let mut heard = Heard::default();
        let mut pongs = BytesMut::new();
        let (mut posted, mut busy) = (0, None);
        while let Some(frame) = framer.next() {
            match frame {
                Ok(Frame::Message(bytes)) => {
                    heard.message = true;
                    self.both.asked(&bytes);
                    posted += 1;
                    if let Some(at) = self.alias.look(&bytes) {
                        let alias = News::Alias { peer: self.peer, serial: self.serial, at };
                        let _ = self.news.send(alias).await;
                    }
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

/// One read, when there is something. The buffer is not kept: a quiet connection holds none.
async fn take<R: AsyncRead + Unpin>(from: &mut R, framer: &mut Framer) -> Result<(), StreamEnd> {
    std::future::poll_fn(|context| {
        let mut space = [MaybeUninit::uninit(); READ];
        let mut buffer = ReadBuf::uninit(&mut space);
        let read = ready!(Pin::new(&mut *from).poll_read(context, &mut buffer));
        Poll::Ready(match read {
            Ok(()) if buffer.filled().is_empty() => Err(StreamEnd::Closed),
            Ok(()) => {
                framer.push(buffer.filled());
                Ok(())
            }
            // A TLS connection without `close_notify`: a message that is cut short is seen as such anyway.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(StreamEnd::Truncated),
            Err(_) => Err(StreamEnd::Reset),
        })
    })
    .await
}

/// All of it, out of the TLS layer too.
async fn write_out<W: AsyncWrite + Unpin>(to: &mut W, bytes: &[u8]) -> std::io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}

/// Write what comes until the queue is closed, several messages at a time where they wait.
async fn write<W: AsyncWrite + Unpin>(
    mut to: W,
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
        let written = timeout(WRITE_TIMEOUT, write_out(&mut to, &buffer)).await;
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
