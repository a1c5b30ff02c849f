//! Sending from any port of an address, by one socket: headers are our own work, the way is the kernel's.

use super::header::{self, HEADROOM};
use super::slots::{BATCH, Slots};
use crate::config::EngineConfig;
use crate::sockaddr::Name;
use crate::socket::SocketOptions;
use crate::sys::{send_buffer, send_to};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// What may be under way to the card: a socket for each port would have 208 KiB each.
const SEND_BUFFER: usize = 8 << 20;

/// A raw socket for what leaves from `address`; the kernel takes it into account when it looks for the way.
pub(super) fn raw_socket(address: IpAddr, config: &EngineConfig) -> io::Result<OwnedFd> {
    let at = SocketAddr::new(address, 0);
    // IPPROTO_RAW: headers are ours (raw(7), ipv6(7)), and nothing is ever received.
    let raw = Protocol::from(libc::IPPROTO_RAW);
    let socket = Socket::new(Domain::for_address(at), Type::RAW.nonblocking(), Some(raw))?;
    // The queue before the card goes by the socket's class, not by the packet's.
    SocketOptions::new(config).mark(&socket, at)?;
    send_buffer(socket.as_fd(), SEND_BUFFER)?;
    socket.bind(&at.into())?;
    Ok(socket.into())
}

/// Packets from one address that wait for the end of the batch.
pub(super) struct Sender {
    address: IpAddr,
    socket: OwnedFd,
    options: SocketOptions,
    names: Box<[Name]>,
    vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    waiting: Vec<Waiting>,
}

// SAFETY: the pointers in `headers` and `vectors` are made anew for every call that follows them.
unsafe impl Send for Sender {}

/// A packet that waits.
#[derive(Clone, Copy)]
struct Waiting {
    slot: usize,
    /// Where its headers begin; `None`: the stack is to send it.
    begin: Option<usize>,
    from: SocketAddr,
    to: SocketAddr,
    len: usize,
}

impl Sender {
    pub(super) fn new(address: IpAddr, config: &EngineConfig) -> io::Result<Self> {
        // SAFETY: integers and pointers, for which all-zero bytes are valid.
        let (vector, header) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        Ok(Self {
            address,
            socket: raw_socket(address, config)?,
            options: SocketOptions::new(config),
            names: vec![Name::none(); BATCH].into_boxed_slice(),
            vectors: vec![vector; BATCH].into_boxed_slice(),
            headers: vec![header; BATCH].into_boxed_slice(),
            waiting: Vec::with_capacity(BATCH),
        })
    }

    /// Queue the packet of a slot, which nobody touches before [`flush`](Self::flush): from our port `number` to `to`, a payload
    /// of so many bytes. Whether it was taken.
    pub(super) fn push(
        &mut self,
        slots: &mut Slots,
        slot: usize,
        number: u16,
        to: SocketAddr,
        len: usize,
    ) -> bool {
        let from = SocketAddr::new(self.address, number);
        if from.is_ipv4() != to.is_ipv4() {
            return false;
        }
        let Some(packet) = slots.packet(slot, len) else { return false };
        let begin = header::write(packet, from, to, self.options.tos());
        self.waiting.push(Waiting { slot, begin, from, to, len });
        true
    }

    /// Send what waits, in order; `failed` is told the slots whose packet the system would not take.
    pub(super) fn flush(&mut self, slots: &mut Slots, mut failed: impl FnMut(usize)) {
        let places = self.names.iter_mut().zip(&mut self.vectors).zip(&mut self.headers);
        for (waiting, ((name, vector), header)) in self.waiting.iter().zip(places) {
            let Some(begin) = waiting.begin else { continue };
            // A raw socket takes a port for a protocol.
            let mut to = waiting.to;
            to.set_port(0);
            let (to, to_len) = Name::encode(to);
            *name = to;
            *vector = slots.from(waiting.slot, begin, waiting.len);
            header.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = to_len;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        let mut sent = 0;
        while let Some(&first) = self.waiting.get(sent) {
            let ready = self.waiting.iter().skip(sent).take_while(|w| w.begin.is_some()).count();
            match self.send(sent, ready) {
                Ok(n) => sent += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    let long = e.raw_os_error() == Some(libc::EMSGSIZE);
                    if !(long && self.by_stack(slots, &first)) {
                        failed(first.slot);
                    }
                    sent += 1;
                }
            }
        }
        self.waiting.clear();
    }

    /// Send so many of those that wait; how many were taken. What is not ready to be sent is too long.
    fn send(&mut self, from: usize, n: usize) -> io::Result<usize> {
        let headers = self.headers.get_mut(from..from + n).unwrap_or_default();
        if headers.is_empty() {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the headers point to names and packets that live, and that nothing has touched since they were written.
        let n = unsafe {
            libc::sendmmsg(self.socket.as_raw_fd(), headers.as_mut_ptr(), headers.len() as _, flags as _)
        };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }

    /// Have the stack send a packet that may have to go in pieces.
    fn by_stack(&self, slots: &Slots, waiting: &Waiting) -> bool {
        let &Waiting { slot, from, to, len, .. } = waiting;
        let Some(bytes) = slots.bytes(slot, len).and_then(|p| p.get(HEADROOM..)) else { return false };
        // The port is ours, whatever is bound to it for a moment.
        self.options.bind(from).is_ok_and(|socket| send_to(socket.as_fd(), bytes, to).is_ok())
    }
}
