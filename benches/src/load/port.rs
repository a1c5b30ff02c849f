//! A UDP socket that sends and receives in batches.

use bytes::{Bytes, BytesMut};
use datapath::mmsg::{Datagram, MAX_BATCH, RecvBatch, SendBatch, enable_gro};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Receive buffer asked for: at 100,000 packets/s of 1 KiB this is some 80 ms of a stalled generator, so that a loss
/// which we count is the device's and not ours.
const SOCKET_BUFFER: usize = 8 << 20;
/// Longest datagram that the generator writes. SIP over loopback stays far below.
const DATAGRAM: usize = 4096;
/// Longest piece that it reads: datagrams of one length that a device has sent in one piece stay in it (`UDP_GRO`). Over loopback what a receiver
/// has to do in the kernel is done in the sender's time, here the device's: the less of it the better the device is measured.
const PIECE: usize = 65_535;
/// Messages are written one after the other into chunks of this size, so that a message costs no allocation.
const CHUNK: usize = 256 << 10;
/// Datagrams that are gathered before they go out, sorted by length: what one turn says of one kind the kernel takes in one
/// piece (`UDP_SEGMENT`), and the generator has time for more. Of one call the shorter goes first, as a 180 before its 200.
const GATHER: usize = 256;
/// Datagrams that may wait for the socket.
const SEND_QUEUE: usize = 1 << 16;

/// A bound socket: its receiving and its sending half, which can be borrowed apart.
#[derive(Debug)]
pub struct Port {
    /// Receives.
    pub rx: Rx,
    /// Sends.
    pub tx: Tx,
    local: SocketAddr,
}

/// The receiving half.
#[derive(Debug)]
pub struct Rx {
    socket: Arc<UdpSocket>,
    batch: RecvBatch,
}

/// The sending half.
#[derive(Debug)]
pub struct Tx {
    socket: Arc<UdpSocket>,
    gathered: Vec<(SocketAddr, Bytes)>,
    batch: SendBatch,
    chunk: BytesMut,
    /// Datagrams that the full send queue refused. Anything but zero makes a run void.
    pub refused: u64,
}

impl Port {
    /// Bind a socket with large buffers.
    ///
    /// # Errors
    ///
    /// What the system says about binding.
    pub fn bind(at: SocketAddr) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(at);
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        // Beyond the system's limit only root may go; both are wishes.
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, SOCKET_BUFFER).is_err() {
            socket.set_recv_buffer_size(SOCKET_BUFFER)?;
        }
        socket.set_send_buffer_size(SOCKET_BUFFER)?;
        socket.bind(&at.into()).map_err(|e| io::Error::new(e.kind(), format!("{at}: {e}")))?;
        // Where the system does not know it, each datagram comes by itself.
        let _ = enable_gro(&socket);
        let socket = Arc::new(UdpSocket::from(socket));
        let local = socket.local_addr()?;
        let rx = Rx { socket: Arc::clone(&socket), batch: RecvBatch::new(MAX_BATCH, PIECE) };
        let (batch, gathered) = (SendBatch::new(SEND_QUEUE), Vec::with_capacity(GATHER));
        let tx = Tx { socket, gathered, batch, chunk: BytesMut::new(), refused: 0 };
        Ok(Self { rx, tx, local })
    }

    /// The bound address.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.rx.socket.as_fd()
    }
}

impl Rx {
    /// Receive a batch; how many pieces came, zero if none was there.
    pub fn recv(&mut self) -> usize {
        self.batch.recv(&*self.socket).unwrap_or(0)
    }

    /// The datagrams of the last [`recv`](Self::recv).
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.batch.iter()
    }
}

impl Tx {
    /// Write one datagram and queue it. The bytes are returned for a later retransmission.
    pub fn write(&mut self, to: SocketAddr, write: impl FnOnce(&mut BytesMut)) -> Bytes {
        if self.chunk.capacity() < DATAGRAM {
            self.chunk = BytesMut::with_capacity(CHUNK);
        }
        write(&mut self.chunk);
        let bytes = self.chunk.split().freeze();
        self.push(to, bytes.clone());
        bytes
    }

    /// Queue bytes that were written before.
    pub fn push(&mut self, to: SocketAddr, bytes: Bytes) {
        self.gathered.push((to, bytes));
        if self.gathered.len() >= GATHER {
            self.flush();
        }
    }

    /// Hand what is queued to the system.
    pub fn flush(&mut self) {
        self.gathered.sort_by_key(|(to, bytes)| (*to, bytes.len()));
        for (to, bytes) in self.gathered.drain(..) {
            self.refused += u64::from(self.batch.push(to, bytes).is_err());
        }
        if !self.batch.is_empty() {
            // What the socket does not take now stays queued; the loop comes back.
            let _ = self.batch.flush(&*self.socket);
            // What it will never take (a cut link) is lost, as on any network.
            drop(self.batch.take_errors());
        }
    }

    /// Whether datagrams still wait.
    pub fn is_empty(&self) -> bool {
        self.gathered.is_empty() && self.batch.is_empty()
    }
}
