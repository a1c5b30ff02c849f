//! SIP over TCP: one thread for all listeners and connections, one task for each connection.
//!
//! Nothing here waits for a peer on behalf of another: every connection has its own bounded queue, and a peer that lets
//! it fill up is cut off.

mod connection;
mod courtesy;
mod elsewhere;
mod patience;
mod queue;
mod reason;
mod room;

pub(crate) use reason::StreamTally;

use crate::limits::{CONNECT_TIMEOUT, MAX_RESTING, REST, STREAM_ALIASES};
use crate::shared::Shared;
use bytes::Bytes;
use elsewhere::elsewhere;
use proxy_core::{ListenerId, Peer, Transport, TransportFailure, UnknownSource};
use reason::{StreamEnd, StreamRefusal};
use room::{Room, Whose};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// What the thread is given.
pub(crate) struct Kit {
    pub(crate) shared: Arc<Shared>,
    pub(crate) listeners: Vec<(ListenerId, std::net::TcpListener)>,
    pub(crate) outbox: mpsc::Receiver<(Peer, Bytes)>,
    /// Connections at once.
    pub(crate) most: usize,
    /// Of those, begun from one address.
    pub(crate) most_of_one: usize,
}

/// What connections and acceptors tell the keeper of the table.
enum News {
    Accepted(Peer, TcpStream),
    Closed {
        peer: Peer,
        serial: u64,
        end: StreamEnd,
    },
    /// The peer sends nothing more; answers are still written.
    HalfClosed {
        peer: Peer,
        serial: u64,
    },
    /// A connection of ours could not be made.
    Failed {
        peer: Peer,
        serial: u64,
    },
}

/// A connection as the table knows it.
struct Line {
    queue: queue::Sender,
    /// Dropped with the line: the connection ends at once.
    _kept: oneshot::Sender<()>,
    /// Tells a connection from an earlier one with the same peer.
    serial: u64,
    whose: Whose,
    /// We have sent something: somebody may wait for an answer.
    spoken: bool,
    /// The peer sends nothing more.
    half_closed: bool,
    /// Whose messages go this way since their own connections are gone.
    aliases: Vec<Peer>,
}

struct Streams {
    shared: Arc<Shared>,
    lines: HashMap<Peer, Line>,
    room: Room,
    news: mpsc::Sender<News>,
    serial: u64,
    /// Where connections of ours begin: the listener's own address.
    binds: HashMap<ListenerId, SocketAddr>,
    /// Peers that are not called again before an instant: they could not be reached, or did not read.
    resting: HashMap<Peer, Instant>,
}

pub(crate) async fn run(kit: Kit) -> io::Result<()> {
    let Kit { shared, listeners, mut outbox, most, most_of_one } = kit;
    let (news, mut heard) = mpsc::channel(64);
    let mut binds = HashMap::new();
    for (listener, socket) in listeners {
        binds.insert(listener, socket.local_addr()?);
        tokio::spawn(accept(listener, TcpListener::from_std(socket)?, news.clone()));
    }
    let mut stop = shared.stop.subscribe();
    let (lines, room) = (HashMap::new(), Room::new(most, most_of_one));
    let mut streams = Streams { shared, lines, room, news, serial: 0, binds, resting: HashMap::new() };
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => {}
            Some((to, bytes)) = outbox.recv() => streams.send(to, bytes),
            Some(news) = heard.recv() => streams.hear(news),
        }
    }
    Ok(())
}

async fn accept(listener: ListenerId, socket: TcpListener, news: mpsc::Sender<News>) {
    loop {
        match socket.accept().await {
            Ok((stream, remote)) => {
                let peer = Peer { transport: Transport::Tcp, listener, remote };
                if news.send(News::Accepted(peer, stream)).await.is_err() {
                    return;
                }
            }
            // Out of descriptors or the like: the peer waits in the backlog, we come back in a moment.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
}

impl Streams {
    fn send(&mut self, to: Peer, bytes: Bytes) {
        let is_request = !bytes.starts_with(b"SIP/");
        let open = |line: &Line| !(line.half_closed && is_request);
        let way = match self.lines.get(&to) {
            Some(line) if open(line) => to,
            Some(_) => {
                // No answer could come back on it.
                self.drop_line(to, StreamEnd::HalfClosed);
                elsewhere(to, &bytes).unwrap_or(to)
            }
            None => elsewhere(to, &bytes).unwrap_or(to),
        };
        if !self.lines.contains_key(&way)
            && let Err(why) = self.connect(way)
        {
            self.shared.tally.connections.refuse(why);
            let failure = match why {
                StreamRefusal::Resting => TransportFailure::Reset,
                StreamRefusal::Full | StreamRefusal::Listener => TransportFailure::Local,
                StreamRefusal::Stranger
                | StreamRefusal::Strangers
                | StreamRefusal::Peer
                | StreamRefusal::Unreachable => TransportFailure::Unreachable,
            };
            self.shared.unreachable(to, failure);
            return;
        }
        let Some(line) = self.lines.get_mut(&way) else { return };
        line.spoken = true;
        if way != to && !line.aliases.contains(&to) && line.aliases.len() < STREAM_ALIASES {
            line.aliases.push(to);
        }
        if line.queue.push(bytes).is_err() {
            // The peer does not read.
            self.rest(way);
            self.drop_line(way, StreamEnd::QueueFull);
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Accepted(peer, stream) => self.accepted(peer, stream),
            News::Closed { peer, serial, end } => {
                if self.is_current(peer, serial) {
                    tracing::debug!(peer = %peer.remote, reason = end.as_str(), "connection ended");
                    self.drop_line(peer, end);
                }
            }
            News::HalfClosed { peer, serial } => {
                if self.is_current(peer, serial)
                    && let Some(line) = self.lines.get_mut(&peer)
                {
                    line.half_closed = true;
                    // Whatever we have asked on it will not be answered there.
                    self.shared.unreachable(peer, TransportFailure::Ended);
                }
            }
            News::Failed { peer, serial } => {
                if self.is_current(peer, serial) {
                    self.shared.tally.connections.refuse(StreamRefusal::Unreachable);
                    self.rest(peer);
                    self.forget(peer, TransportFailure::Unreachable);
                }
            }
        }
    }

    fn is_current(&self, peer: Peer, serial: u64) -> bool {
        self.lines.get(&peer).is_some_and(|line| line.serial == serial)
    }

    fn rest(&mut self, peer: Peer) {
        if self.resting.len() >= MAX_RESTING {
            let now = Instant::now();
            self.resting.retain(|_, until| *until > now);
        }
        if self.resting.len() < MAX_RESTING {
            self.resting.insert(peer, Instant::now() + REST);
        }
    }

    fn rests(&mut self, peer: Peer) -> bool {
        let rests = self.resting.get(&peer).is_some_and(|until| *until > Instant::now());
        if !rests {
            self.resting.remove(&peer);
        }
        rests
    }

    fn accepted(&mut self, peer: Peer, stream: TcpStream) {
        let snapshot = self.shared.snapshot.load();
        let known = snapshot.router.source(peer.remote.ip()).is_some();
        let taken = if !known && snapshot.config.unknown_source == UnknownSource::Drop {
            Err(StreamRefusal::Stranger)
        } else {
            self.kit(peer, if known { Whose::Known } else { Whose::Stranger })
        };
        drop(snapshot);
        match taken {
            Ok(kit) => drop(tokio::spawn(async move { connection::run(kit, stream, true).await })),
            Err(why) => {
                self.shared.tally.connections.refuse(why);
                if !known {
                    self.shared.knocked(peer);
                }
            }
        }
    }

    /// Begin a connection to a peer.
    fn connect(&mut self, to: Peer) -> Result<(), StreamRefusal> {
        if self.rests(to) {
            return Err(StreamRefusal::Resting);
        }
        let bind = self.binds.get(&to.listener).copied().ok_or(StreamRefusal::Listener)?;
        let kit = self.kit(to, Whose::Ours)?;
        tokio::spawn(async move {
            match tokio::time::timeout(CONNECT_TIMEOUT, dial(bind, to.remote)).await {
                Ok(Ok(stream)) => connection::run(kit, stream, false).await,
                Ok(Err(_)) | Err(_) => kit.fail().await,
            }
        });
        Ok(())
    }

    /// Enter a connection into the table, if there is room for it.
    fn kit(&mut self, peer: Peer, whose: Whose) -> Result<connection::Kit, StreamRefusal> {
        self.room.take(peer.remote.ip(), whose)?;
        self.serial += 1;
        let (serial, (sender, queue), (keep, kept)) = (self.serial, queue::queue(), oneshot::channel());
        let line = Line {
            queue: sender,
            _kept: keep,
            serial,
            whose,
            spoken: false,
            half_closed: false,
            aliases: Vec::new(),
        };
        // One with the same peer is gone already, only its news has yet to come.
        if let Some(before) = self.lines.insert(peer, line) {
            self.room.leave(peer.remote.ip(), before.whose);
        }
        self.level();
        let (shared, news) = (Arc::clone(&self.shared), self.news.clone());
        Ok(connection::Kit { shared, peer, serial, queue, kept, news })
    }

    fn drop_line(&mut self, peer: Peer, why: StreamEnd) {
        self.shared.tally.connections.end(why);
        self.forget(peer, why.failure());
    }

    fn forget(&mut self, peer: Peer, failure: TransportFailure) {
        let Some(line) = self.lines.remove(&peer) else { return };
        self.room.leave(peer.remote.ip(), line.whose);
        self.level();
        // Ten thousand that come and go without a word of ours are nobody's concern.
        if line.spoken {
            for to in std::iter::once(peer).chain(line.aliases) {
                self.shared.unreachable(to, failure);
            }
        }
    }

    fn level(&self) {
        self.shared.tally.streams.store(self.room.taken() as u64, Ordering::Relaxed);
    }
}

/// Connect from the listener's address, any port: peers know us by our address.
async fn dial(from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(from.ip(), 0))?;
    socket.connect(to).await
}
