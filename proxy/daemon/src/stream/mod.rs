//! SIP over TCP and TLS: one thread for all listeners and connections, one task for each connection.
//!
//! Nothing here waits for a peer on behalf of another: every connection has its own bounded queue, and a peer that lets
//! it fill up is cut off.

mod alias;
mod connection;
mod courtesy;
mod elsewhere;
mod patience;
mod queue;
mod reason;
mod room;
mod secure;

pub(crate) use reason::StreamTally;

use crate::limits::{CLOSE_NOTIFY, CONNECT_TIMEOUT, MAX_RESTING, REST, STREAM_ALIASES};
use crate::shared::Shared;
use crate::tls::TlsFailure;
use bytes::Bytes;
use elsewhere::elsewhere;
use proxy_core::{ListenerId, Peer, Transport, TransportFailure, UnknownSource};
use reason::{StreamEnd, StreamRefusal};
use room::{Room, Whose};
use rustls::ServerConfig;
use std::collections::{HashMap, VecDeque};
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
    pub(crate) listeners: Vec<(ListenerId, Transport, std::net::TcpListener)>,
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
    /// A connection of ours could not be made, or no TLS came of one of the peer's.
    Failed {
        peer: Peer,
        serial: u64,
        why: StreamRefusal,
    },
    /// Who has begun a TLS connection has a certificate of these domains, or none.
    Proved {
        peer: Peer,
        serial: u64,
        names: Arc<[Box<str>]>,
    },
    /// What we have for this address goes over the peer's connection, if it has proved to be there.
    Alias {
        peer: Peer,
        serial: u64,
        at: SocketAddr,
    },
}

/// A connection as the table knows it.
struct Line {
    queue: queue::Sender,
    /// Dropped with the line: the connection ends at once, for the reason that is said.
    kept: oneshot::Sender<StreamEnd>,
    /// Tells a connection from an earlier one with the same peer.
    serial: u64,
    whose: Whose,
    /// We have sent something: somebody may wait for an answer.
    spoken: bool,
    /// The peer sends nothing more.
    half_closed: bool,
    /// Whose messages go this way since their own connections are gone, or have never been.
    aliases: Vec<Peer>,
    /// The domains that the peer's certificate is of.
    names: Arc<[Box<str>]>,
    /// The TLS handshake is not over.
    shaking: bool,
}

struct Streams {
    shared: Arc<Shared>,
    lines: HashMap<Peer, Line>,
    room: Room,
    news: mpsc::Sender<News>,
    serial: u64,
    /// Where connections of ours begin: the listener's own address.
    binds: HashMap<ListenerId, SocketAddr>,
    /// Addresses that are reached over a connection which the peer there has begun (RFC 5923).
    reused: HashMap<Peer, Peer>,
    /// Strangers whose TLS handshakes are under way, the oldest first.
    doubtful: VecDeque<(Peer, u64)>,
    /// Peers that are not called again before an instant: they could not be reached, or did not read.
    resting: HashMap<Peer, Instant>,
}

pub(crate) async fn run(kit: Kit) -> io::Result<()> {
    let Kit { shared, listeners, mut outbox, most, most_of_one } = kit;
    let (news, mut heard) = mpsc::channel(64);
    let (mut binds, mut acceptors) = (HashMap::new(), Vec::new());
    for (listener, transport, socket) in listeners {
        binds.insert(listener, socket.local_addr()?);
        acceptors.push(tokio::spawn(accept(
            listener,
            transport,
            TcpListener::from_std(socket)?,
            news.clone(),
        )));
    }
    let mut stop = shared.stop.subscribe();
    let (lines, room) = (HashMap::new(), Room::new(most, most_of_one));
    let (reused, doubtful, resting) = (HashMap::new(), VecDeque::new(), HashMap::new());
    let mut streams = Streams { shared, lines, room, news, serial: 0, binds, reused, doubtful, resting };
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => {}
            Some((to, bytes)) = outbox.recv() => streams.send(to, bytes),
            Some(news) = heard.recv() => streams.hear(news),
        }
    }
    acceptors.iter().for_each(tokio::task::JoinHandle::abort);
    // Their queues end: what waits in them is written, and peers are told that this is the end.
    let _kept: Vec<_> = streams.lines.drain().map(|(_, line)| line.kept).collect();
    drop(streams);
    let _ = tokio::time::timeout(CLOSE_NOTIFY, async { while heard.recv().await.is_some() {} }).await;
    Ok(())
}

async fn accept(listener: ListenerId, transport: Transport, socket: TcpListener, news: mpsc::Sender<News>) {
    loop {
        match socket.accept().await {
            Ok((stream, remote)) => {
                let peer = Peer { transport, listener, remote };
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
            None if self.reused.contains_key(&to) => to,
            None => elsewhere(to, &bytes).unwrap_or(to),
        };
        let begun = self.reused.get(&way).filter(|_| !self.lines.contains_key(&way));
        let way = begun.copied().filter(|line| self.lines.get(line).is_some_and(open)).unwrap_or(way);
        if !self.lines.contains_key(&way)
            && let Err(why) = self.connect(way)
        {
            self.shared.tally.connections.refuse(why);
            let failure = match why {
                StreamRefusal::Resting => TransportFailure::Reset,
                StreamRefusal::Full
                | StreamRefusal::Listener
                | StreamRefusal::Handshake
                | StreamRefusal::Handshakes => TransportFailure::Local,
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
            News::Failed { peer, serial, why } => {
                if self.is_current(peer, serial) {
                    self.shared.tally.connections.refuse(why);
                    if self.lines.get(&peer).is_some_and(|line| line.whose == Whose::Ours) {
                        self.rest(peer);
                    }
                    drop(self.forget(peer, TransportFailure::Unreachable));
                }
            }
            News::Proved { peer, serial, names } => {
                if self.is_current(peer, serial) {
                    self.proved(peer, names);
                }
            }
            News::Alias { peer, serial, at } => {
                if self.is_current(peer, serial) {
                    self.alias(peer, Peer { remote: at, ..peer });
                }
            }
        }
    }

    /// A handshake is over: who came as a stranger may be known now, and who is not does not stay.
    fn proved(&mut self, peer: Peer, names: Arc<[Box<str>]>) {
        let Some(line) = self.lines.get_mut(&peer) else { return };
        let (ip, snapshot) = (peer.remote.ip(), self.shared.snapshot.load());
        if std::mem::take(&mut line.shaking) {
            self.room.shaken(ip);
            let serial = line.serial;
            self.doubtful.retain(|(_, doubtful)| *doubtful != serial);
        }
        let router = &snapshot.router;
        let known = router.source_named(&names, ip).or_else(|| router.source(ip)).is_some();
        let is_unwanted = !known && snapshot.config.unknown_source == UnknownSource::Drop;
        drop(snapshot);
        line.names = names;
        let whose = if known { Whose::Known } else { Whose::Stranger };
        if whose != line.whose
            && let Err(why) = self.room.change(ip, line.whose, whose)
        {
            self.shared.tally.connections.refuse(why);
            return drop(self.forget(peer, TransportFailure::Ended));
        }
        line.whose = whose;
        if is_unwanted {
            self.drop_line(peer, StreamEnd::Stranger);
            self.shared.knocked(peer);
        }
    }

    /// A peer would have what we send to `at` on the connection that it has begun: it may, if its certificate is of the domain
    /// that we would have asked for there (RFC 5923 §9).
    fn alias(&mut self, peer: Peer, at: Peer) {
        let Some(line) = self.lines.get(&peer) else { return };
        let (tls, snapshot) = (self.shared.tls.load(), self.shared.snapshot.load());
        let wanted = tls.client(&snapshot.config, at).map(|client| &client.domain);
        if wanted.is_some_and(|domain| line.names.iter().any(|name| name.eq_ignore_ascii_case(domain))) {
            self.reused.insert(at, peer);
            self.resting.remove(&at);
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
        match self.welcome(peer) {
            Ok((kit, None)) => drop(tokio::spawn(connection::run(kit, stream, true))),
            Ok((kit, Some(config))) => drop(tokio::spawn(secure::take(kit, config, stream))),
            Err(why) => {
                self.shared.tally.connections.refuse(why);
                if self.shared.snapshot.load().router.source(peer.remote.ip()).is_none() {
                    self.shared.knocked(peer);
                }
            }
        }
    }

    /// Whether somebody's connection is taken, and how TLS begins on it.
    fn welcome(&mut self, peer: Peer) -> Result<(connection::Kit, Option<Arc<ServerConfig>>), StreamRefusal> {
        let (ip, snapshot) = (peer.remote.ip(), self.shared.snapshot.load_full());
        let is_tls = peer.transport == Transport::Tls;
        let known = if is_tls { snapshot.router.expects(ip) } else { snapshot.router.source(ip).is_some() };
        // By a certificate anybody may turn out to be known.
        let may_prove = is_tls && snapshot.router.knows_certificates();
        if !known && !may_prove && snapshot.config.unknown_source == UnknownSource::Drop {
            return Err(StreamRefusal::Stranger);
        }
        let server = self.shared.tls.load().server(peer.listener.0).cloned();
        if is_tls && server.is_none() {
            return Err(StreamRefusal::Listener);
        }
        if is_tls {
            self.room.shake(ip)?;
        }
        let whose = match (known, may_prove) {
            (true, _) => Whose::Known,
            (false, true) => Whose::Unproven,
            (false, false) => Whose::Stranger,
        };
        let mut taken = self.kit(peer, whose);
        if is_tls && matches!(taken, Err(StreamRefusal::Strangers)) && self.crowd_out() {
            taken = self.kit(peer, whose);
        }
        match self.lines.get_mut(&peer).filter(|_| is_tls && taken.is_ok()) {
            Some(line) => {
                line.shaking = true;
                if !known {
                    self.doubtful.push_back((peer, line.serial));
                }
            }
            None if is_tls => self.room.shaken(ip),
            None => {}
        }
        Ok((taken?, server.filter(|_| is_tls)))
    }

    /// One that has proved nothing for the longest time gives its place to the next: else who never ends his handshake would
    /// keep everybody out who is known by his certificate alone.
    fn crowd_out(&mut self) -> bool {
        while let Some((peer, serial)) = self.doubtful.pop_front() {
            if self.is_current(peer, serial) {
                self.drop_line(peer, StreamEnd::Crowded);
                return true;
            }
        }
        false
    }

    /// Begin a connection to a peer.
    fn connect(&mut self, to: Peer) -> Result<(), StreamRefusal> {
        if self.rests(to) {
            return Err(StreamRefusal::Resting);
        }
        let bind = self.binds.get(&to.listener).copied().ok_or(StreamRefusal::Listener)?;
        if to.transport == Transport::Tls {
            let (tls, snapshot) = (self.shared.tls.load(), self.shared.snapshot.load());
            let client = tls.client(&snapshot.config, to).cloned();
            let Some(client) = client else {
                self.shared.tally.handshakes.fail(TlsFailure::NotConfigured);
                return Err(StreamRefusal::Handshake);
            };
            let kit = self.kit(to, Whose::Ours)?;
            tokio::spawn(secure::begin(kit, client, bind));
            return Ok(());
        }
        let kit = self.kit(to, Whose::Ours)?;
        tokio::spawn(async move {
            match tokio::time::timeout(CONNECT_TIMEOUT, dial(bind, to.remote)).await {
                Ok(Ok(stream)) => connection::run(kit, stream, false).await,
                Ok(Err(_)) | Err(_) => kit.fail(StreamRefusal::Unreachable).await,
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
            kept: keep,
            serial,
            whose,
            spoken: false,
            half_closed: false,
            aliases: Vec::new(),
            names: Arc::new([]),
            shaking: false,
        };
        // One with the same peer is gone already, only its news has yet to come.
        if let Some(before) = self.lines.insert(peer, line) {
            self.leave(peer, &before);
        }
        self.level();
        let (shared, news) = (Arc::clone(&self.shared), self.news.clone());
        Ok(connection::Kit { shared, peer, serial, queue, kept, news })
    }

    fn drop_line(&mut self, peer: Peer, why: StreamEnd) {
        self.shared.tally.connections.end(why);
        if let Some(line) = self.forget(peer, why.failure()) {
            // It may have ended by itself.
            let _ = line.send(why);
        }
    }

    /// Take a connection out of the table. It goes on for as long as what comes back is kept.
    fn forget(&mut self, peer: Peer, failure: TransportFailure) -> Option<oneshot::Sender<StreamEnd>> {
        let line = self.lines.remove(&peer)?;
        self.leave(peer, &line);
        self.level();
        // Ten thousand that come and go without a word of ours are nobody's concern.
        if line.spoken {
            for to in std::iter::once(peer).chain(line.aliases) {
                self.shared.unreachable(to, failure);
            }
        }
        Some(line.kept)
    }

    /// Give its places back.
    fn leave(&mut self, peer: Peer, line: &Line) {
        self.room.leave(peer.remote.ip(), line.whose);
        if line.shaking {
            self.room.shaken(peer.remote.ip());
            self.doubtful.retain(|(_, serial)| *serial != line.serial);
        }
        if peer.transport == Transport::Tls {
            self.reused.retain(|_, over| *over != peer);
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
