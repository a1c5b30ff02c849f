//! A peer's two sockets. A media gateway's way: one RTP socket for all calls, told apart by where a packet comes from.

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags};
use sip_wire::Message;
use std::io;
use std::net::{SocketAddr, UdpSocket};

/// Receive buffers: a second of everything that the demo sends to one socket (64 flows × 50/s × some 800 bytes as the
/// kernel counts them) is 2.5 MB; the system may give less.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A peer's sockets for SIP and for RTP.
#[derive(Debug)]
pub(in crate::demo) struct Line {
    sip: UdpSocket,
    rtp: UdpSocket,
    sip_at: SocketAddr,
    rtp_at: SocketAddr,
}

impl Line {
    /// SIP at this address, RTP at a free port beside it.
    pub(in crate::demo) fn bind(at: SocketAddr) -> io::Result<Self> {
        let sip = UdpSocket::bind(at)?;
        let rtp = UdpSocket::bind((at.ip(), 0))?;
        for socket in [&sip, &rtp] {
            socket.set_nonblocking(true)?;
            socket2::SockRef::from(socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
        }
        let (sip_at, rtp_at) = (sip.local_addr()?, rtp.local_addr()?);
        Ok(Self { sip, rtp, sip_at, rtp_at })
    }

    pub(super) fn sip_at(&self) -> SocketAddr {
        self.sip_at
    }

    pub(super) fn rtp_at(&self) -> SocketAddr {
        self.rtp_at
    }

    /// A datagram that the system does not take is lost, as datagrams are.
    pub(super) fn send(&self, to: SocketAddr, message: &[u8]) {
        let _ = self.sip.send_to(message, to);
    }

    pub(super) fn speak(&self, to: SocketAddr, packet: &[u8]) {
        let _ = self.rtp.send_to(packet, to);
    }

    /// The next SIP message.
    pub(super) fn message(&self, buffer: &mut [u8]) -> Option<(Message, SocketAddr)> {
        loop {
            let (length, from) = receive(&self.sip, buffer)?;
            let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
            match Message::parse(bytes) {
                Ok(message) if message.check().is_ok() => return Some((message, from)),
                // What is broken is not answered; the appliance will miss an answer and the demo fail.
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// The next RTP packet.
    pub(super) fn hear<'b>(&self, buffer: &'b mut [u8]) -> Option<(&'b [u8], SocketAddr)> {
        let (length, from) = receive(&self.rtp, buffer)?;
        buffer.get(..length).map(|packet| (packet, from))
    }

    pub(super) fn poll_fds(&self) -> [PollFd<'_>; 2] {
        [PollFd::new(&self.sip, PollFlags::IN), PollFd::new(&self.rtp, PollFlags::IN)]
    }
}

/// The next datagram; `None` when there is none. ICMP errors are of no interest here and are read past.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    loop {
        match socket.recv_from(buffer) {
            Ok(received) => return Some(received),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(_) => {}
        }
    }
}
