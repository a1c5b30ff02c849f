//! SIP over TCP: one thread for all listeners and connections, one task for each connection.
//!
//! Nothing here waits for a peer on behalf of another: every connection has its own bounded queue, and a peer that lets
//! it fill up is cut off.

mod connection;

use crate::limits::{CONNECT_TIMEOUT, MAX_RESTING, REST, STREAM_QUEUE};
use crate::shared::{Shared, count};
use bytes::Bytes;
use proxy_core::{ListenerId, Peer, Transport, TransportFailure, UnknownSource};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What the thread is given.
pub(crate) struct Kit {
    pub(crate) shared: Arc<Shared>,
    pub(crate) listeners: Vec<(ListenerId, std::net::TcpListener)>,
    pub(crate) outbox: mpsc::Receiver<(Peer, Bytes)>,
    pub(crate) most: usize,
}

/// What connections and acceptors tell the keeper of the table.
enum News {
    Accepted(Peer, TcpStream),
    Closed {
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
    queue: mpsc::Sender<Bytes>,
    /// Tells a connection from an earlier one with the same peer.
    serial: u64,
}

struct Streams {
    shared: Arc<Shared>,
    lines: HashMap<Peer, Line>,
    news: mpsc::Sender<News>,
    most: usize,
    serial: u64,
    /// Where connections of ours begin: the listener's own address.
    binds: HashMap<ListenerId, SocketAddr>,
    /// Peers that are not called again before an instant: they could not be reached, or did not read.
    resting: HashMap<Peer, Instant>,
}

pub(crate) async fn run(kit: Kit) -> io::Result<()> {
    let Kit { shared, listeners, mut outbox, most } = kit;
    let (news, mut heard) = mpsc::channel(64);
    let mut binds = HashMap::new();
    for (listener, socket) in listeners {
        binds.insert(listener, socket.local_addr()?);
        tokio::spawn(accept(listener, TcpListener::from_std(socket)?, news.clone()));
    }
    let mut stop = shared.stop.subscribe();
    let mut streams =
        Streams { shared, lines: HashMap::new(), news, most, serial: 0, binds, resting: HashMap::new() };
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
        if !self.lines.contains_key(&to) {
            let failure = if self.rests(to) {
                Some(TransportFailure::Reset)
            } else {
                (!self.connect(to)).then_some(TransportFailure::Local)
            };
            if let Some(failure) = failure {
                count(&self.shared.tally.stream_refused);
                self.shared.unreachable(to, failure);
                return;
            }
        }
        let Some(line) = self.lines.get(&to) else { return };
        if line.queue.try_send(bytes).is_err() {
            // Full: the peer does not read. Dropping the queue ends the connection.
            count(&self.shared.tally.stream_full);
            self.rest(to);
            self.drop_line(to);
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Accepted(peer, stream) => self.accepted(peer, stream),
            News::Closed { peer, serial } if self.lines.get(&peer).is_some_and(|l| l.serial == serial) => {
                self.drop_line(peer);
            }
            News::Failed { peer, serial } if self.lines.get(&peer).is_some_and(|l| l.serial == serial) => {
                self.rest(peer);
                self.drop_line(peer);
            }
            News::Closed { .. } | News::Failed { .. } => {}
        }
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
        let silent = snapshot.config.unknown_source == UnknownSource::Drop;
        let stranger = silent && snapshot.router.source(peer.remote.ip()).is_none();
        if stranger || self.lines.len() >= self.most {
            count(&self.shared.tally.stream_refused);
            return;
        }
        let (line, queue) = self.line();
        let kit = self.connection(peer, line.serial, queue);
        self.lines.insert(peer, line);
        tokio::spawn(async move { connection::run(kit, stream, true).await });
    }

    /// Begin a connection to a peer; whether there is room for it.
    fn connect(&mut self, to: Peer) -> bool {
        let bind = self.binds.get(&to.listener).copied();
        let Some(bind) = bind.filter(|_| self.lines.len() < self.most) else { return false };
        let (line, queue) = self.line();
        let kit = self.connection(to, line.serial, queue);
        self.lines.insert(to, line);
        tokio::spawn(async move {
            match tokio::time::timeout(CONNECT_TIMEOUT, dial(bind, to.remote)).await {
                Ok(Ok(stream)) => connection::run(kit, stream, false).await,
                Ok(Err(_)) | Err(_) => kit.fail().await,
            }
        });
        true
    }

    fn line(&mut self) -> (Line, mpsc::Receiver<Bytes>) {
        let (tx, rx) = mpsc::channel(STREAM_QUEUE);
        self.serial += 1;
        self.shared.tally.streams.store(self.lines.len() as u64 + 1, Ordering::Relaxed);
        (Line { queue: tx, serial: self.serial }, rx)
    }

    fn connection(&self, peer: Peer, serial: u64, queue: mpsc::Receiver<Bytes>) -> connection::Kit {
        connection::Kit { shared: Arc::clone(&self.shared), peer, serial, queue, news: self.news.clone() }
    }

    fn drop_line(&mut self, peer: Peer) {
        self.lines.remove(&peer);
        self.shared.tally.streams.store(self.lines.len() as u64, Ordering::Relaxed);
        self.shared.unreachable(peer, TransportFailure::Reset);
    }
}

/// Connect from the listener's address, any port: peers know us by our address.
async fn dial(from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(from.ip(), 0))?;
    socket.connect(to).await
}
