//! A shard's UDP sockets: batches in, batches out, and what ICMP said.

use crate::limits::{SEND_QUEUE, TURN_DATAGRAMS};
use crate::report::WireCounters;
use bytes::Bytes;
use datapath::mmsg::{MAX_BATCH, RecvBatch, SendBatch, SendError, recv_errors};
use proxy_core::{ListenerId, Peer, Transport, TransportFailure};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A message longer than the longest that UDP carries does not exist, nor is a piece of several longer.
const LONGEST: usize = 65_535;

/// What can happen to a socket while nothing else does.
const NEWS: Interest = Interest::READABLE.add(Interest::ERROR);

/// The sockets of one shard.
pub(super) struct Sockets {
    sockets: Vec<Socket>,
    /// Where in `sockets` a listener's is.
    by_listener: Vec<Option<usize>>,
    /// Shared by all: filled and emptied in one go.
    batch: RecvBatch,
}

struct Socket {
    listener: ListenerId,
    io: UdpSocket,
    out: SendBatch,
    /// There may be more to receive than the runtime knows: an error ended the last batch early.
    unread: bool,
}

impl Sockets {
    /// Takes one socket for each UDP listener, by the listener's number.
    pub(super) fn new(given: Vec<Option<std::net::UdpSocket>>) -> io::Result<Self> {
        let (mut sockets, mut by_listener) = (Vec::new(), Vec::new());
        for (number, socket) in given.into_iter().enumerate() {
            by_listener.push(socket.is_some().then_some(sockets.len()));
            if let Some(socket) = socket {
                let listener = ListenerId(u16::try_from(number).unwrap_or(u16::MAX));
                let (io, out) = (UdpSocket::from_std(socket)?, SendBatch::new(SEND_QUEUE));
                sockets.push(Socket { listener, io, out, unread: false });
            }
        }
        let batch = RecvBatch::new(MAX_BATCH, LONGEST);
        Ok(Self { sockets, by_listener, batch })
    }

    /// Take what is there, up to a bound; whether there may be more. `each` gets the source and the bytes.
    pub(super) fn receive(
        &mut self,
        wire: &mut WireCounters,
        mut each: impl FnMut(Peer, &[u8], &mut WireCounters),
    ) -> bool {
        let mut more = false;
        for socket in &mut self.sockets {
            let mut taken = 0;
            while taken < TURN_DATAGRAMS {
                let Some(n) = socket.receive(&mut self.batch) else { break };
                wire.batches_in += 1;
                for datagram in self.batch.iter() {
                    taken += 1;
                    wire.datagrams_in += 1;
                    let from =
                        Peer { transport: Transport::Udp, listener: socket.listener, remote: datagram.from };
                    each(from, datagram.bytes, wire);
                }
                if n < MAX_BATCH {
                    break;
                }
            }
            more |= taken >= TURN_DATAGRAMS;
        }
        more
    }

    /// Queue a datagram; whether there was room.
    pub(super) fn send(&mut self, to: Peer, bytes: Bytes) -> bool {
        let at = self.by_listener.get(to.listener.index()).copied().flatten();
        let Some(socket) = at.and_then(|at| self.sockets.get_mut(at)) else { return false };
        if socket.out.len() >= SEND_QUEUE {
            // Full queue, but perhaps not a full socket: a turn may produce more than the queue holds.
            let _ = socket.out.flush(&socket.io);
        }
        socket.out.push(to.remote, bytes).is_ok()
    }

    pub(super) fn flush(&mut self, wire: &mut WireCounters) {
        for socket in self.sockets.iter_mut().filter(|s| !s.out.is_empty()) {
            if let Ok(sent) = socket.out.flush(&socket.io) {
                wire.datagrams_out += sent as u64;
                wire.batches_out += sent.div_ceil(MAX_BATCH) as u64;
            }
        }
    }

    /// Whether some socket has not taken everything.
    pub(super) fn is_behind(&self) -> bool {
        self.sockets.iter().any(|s| !s.out.is_empty())
    }

    /// Peers that could not be reached, since the last call.
    pub(super) fn errors(&mut self, wire: &mut WireCounters) -> Vec<(Peer, TransportFailure)> {
        let mut failures = Vec::new();
        for socket in &mut self.sockets {
            let refused = socket.out.take_errors();
            wire.send_errors += refused.len() as u64;
            let reported = socket.reported();
            wire.icmp_errors += reported.len() as u64;
            let peer = |remote| Peer { transport: Transport::Udp, listener: socket.listener, remote };
            failures.extend(refused.iter().chain(&reported).map(|e| (peer(e.to), failure(e))));
        }
        failures
    }

    /// Until some socket has a datagram or an error.
    pub(super) async fn readable(&self) {
        let mut each: Vec<Pin<Box<_>>> = self.sockets.iter().map(|s| Box::pin(s.io.ready(NEWS))).collect();
        std::future::poll_fn(|cx| {
            let ready = each.iter_mut().any(|socket| socket.as_mut().poll(cx).is_ready());
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Socket {
    /// Fill the batch; how many buffers are filled, `None` if nothing came.
    fn receive(&mut self, batch: &mut RecvBatch) -> Option<usize> {
        let mut got = 0;
        let mut receive = || {
            got = batch.recv(&self.io)?;
            // A batch that is not full has emptied the socket. Saying so here saves the system call that would find
            // out: the next datagram makes a new edge.
            if got < MAX_BATCH { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        };
        if std::mem::take(&mut self.unread) {
            let _ = receive();
        } else {
            let _ = self.io.try_io(Interest::READABLE, receive);
        }
        (got > 0).then_some(got)
    }

    /// What ICMP said.
    fn reported(&mut self) -> Vec<SendError> {
        let mut errors = Vec::new();
        let _ = self.io.try_io(Interest::ERROR, || {
            errors = recv_errors(&self.io)?;
            // Emptied, unless as many came as one call returns.
            if errors.len() < datapath::mmsg::MAX_ERRORS {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(())
            }
        });
        // An error ends a batch before the datagrams behind it, without a new edge for them.
        self.unread |= !errors.is_empty();
        errors
    }
}

fn failure(error: &SendError) -> TransportFailure {
    match error.error().kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown => TransportFailure::Unreachable,
        _ => TransportFailure::Local,
    }
}
