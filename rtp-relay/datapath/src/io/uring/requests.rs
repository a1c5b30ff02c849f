//! Requests to the kernel, and what became of them.

use super::buffers::GROUP;
use super::limits::PACKETS_PER_RECEIVE;
use super::port::Port;
use super::ring::Patience;
use super::token::{Generation, Token};
use super::{Packet, Poll, UringIo};
use io_uring::types::{CancelBuilder, Fd};
use io_uring::{cqueue, opcode};
use relay_core::PortRef;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

/// What the judge is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// Receiving, for another reason than the lack of a buffer.
    Receive,
    /// Sending a packet on from this port.
    Forward(PortRef),
    /// Sending a packet of our own making.
    Own,
}

impl UringIo {
    /// Ask for the packets of a port, if it waits for that.
    pub(super) fn ask(&mut self, at: PortRef) -> io::Result<()> {
        let Some((socket, generation)) = self.ports.get_mut(at.index()).and_then(Port::arm) else {
            return Ok(());
        };
        let request = opcode::RecvMsgMulti::new(Fd(socket), &raw const *self.form, GROUP)
            .build()
            .user_data(Token::Receive(at, generation).encode());
        self.under_way.receives += 1;
        // SAFETY: the form lives as long as the ring, and so do the buffers.
        unsafe { self.ring.push(&request) }
    }

    /// Ask again for ports whose receive has ended: as many as there are buffers for at worst. Whether some are left.
    pub(super) fn ask_again(&mut self) -> io::Result<bool> {
        let room = match self.buffers.lent() {
            0 => 0,
            lent => (lent / PACKETS_PER_RECEIVE).max(1),
        };
        for _ in 0..room {
            let Some(port) = self.parked.pop_front() else { break };
            self.ask(port)?;
        }
        Ok(!self.parked.is_empty())
    }

    /// Poll what is due.
    pub(super) fn poll(&mut self) -> io::Result<()> {
        for poll in [Some(&mut self.wake), self.news.as_mut()].into_iter().flatten() {
            if std::mem::take(&mut poll.due) {
                let request = opcode::PollAdd::new(Fd(poll.fd.as_raw_fd()), libc::POLLIN as u32).build();
                // SAFETY: a poll points to nothing.
                unsafe { self.ring.push(&request.user_data(poll.token.encode()))? };
            }
        }
        Ok(())
    }

    /// Send the packet in the buffer of a `token`; whether it is on its way. If not, the buffer is given back.
    pub(super) fn send(&mut self, token: Token, from: PortRef, to: SocketAddr, len: usize) -> bool {
        let (Token::Forward(_, buffer) | Token::Own(_, buffer)) = token else { return false };
        let sent = match self.ports.get(from.index()).and_then(Port::socket) {
            None => Ok(false),
            Some(socket) => {
                let packet = self.buffers.outbound(buffer, len, to);
                let request = opcode::Send::new(Fd(socket), packet.bytes, packet.len)
                    .dest_addr(packet.name)
                    .dest_addr_len(packet.name_len)
                    .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
                    .build()
                    .user_data(token.encode());
                // SAFETY: the buffer is nobody's until its number comes back with the completion.
                unsafe { self.ring.push(&request) }.map(|()| true)
            }
        };
        match sent {
            Ok(true) => {
                self.under_way.sends += 1;
                return true;
            }
            Ok(false) => {}
            // The kernel has no memory for more requests: one packet is lost.
            Err(e) if e.kind() == io::ErrorKind::QuotaExceeded => {}
            Err(e) => {
                self.broken.get_or_insert(e);
            }
        }
        self.buffers.give(buffer);
        false
    }

    /// All buffers for packets of our own are under way: have them sent.
    pub(super) fn own_again(&mut self) -> Option<u16> {
        if let Err(e) = self.enter(Patience { want: self.under_way.sends, ..Patience::A_MOMENT }) {
            self.broken.get_or_insert(e);
        }
        self.buffers.take_own()
    }

    /// Ask for the end of a receive.
    pub(super) fn cancel(&mut self, at: PortRef, generation: Generation) {
        let of = CancelBuilder::user_data(Token::Receive(at, generation).encode());
        let request = opcode::AsyncCancel2::new(of).build().user_data(Token::Cancel(at, generation).encode());
        // SAFETY: a cancel points to nothing.
        if let Err(e) = unsafe { self.ring.push(&request) } {
            self.broken.get_or_insert(e);
        }
    }

    /// Enter the kernel with all that there is to do, and see what is done.
    pub(super) fn enter(&mut self, patience: Patience) -> io::Result<()> {
        self.buffers.publish();
        // What is sent is sent at the beginning of it; then it waits.
        self.watch.sent();
        self.ring.enter(patience)?;
        while let Some(done) = self.ring.take() {
            self.done(&done);
        }
        Ok(())
    }

    fn done(&mut self, done: &cqueue::Entry) {
        let result = done.result();
        match Token::decode(done.user_data()) {
            Some(Token::Receive(at, generation)) => self.received(done, at, generation),
            Some(Token::Forward(from, buffer)) => self.sent(buffer, result, Failed::Forward(from)),
            Some(Token::Own(_, buffer)) => self.sent(buffer, result, Failed::Own),
            Some(Token::Wake) => self.wake.readable(),
            Some(Token::News) => self.news.iter_mut().for_each(Poll::readable),
            // A receive that the kernel was just at work on is not found: look again.
            Some(Token::Cancel(at, generation)) => {
                if result < 0 && self.ports.get(at.index()).and_then(Port::ending) == Some(generation) {
                    self.cancel(at, generation);
                }
            }
            None => debug_assert!(false, "a completion of nothing: {done:?}"),
        }
    }

    fn received(&mut self, done: &cqueue::Entry, at: PortRef, generation: Generation) {
        let buffer = cqueue::buffer_select(done.flags()).filter(|&buffer| self.buffers.taken(buffer));
        match (buffer, done.result()) {
            (Some(buffer), 0..) => self.arrived.push(Packet { at, generation, buffer }),
            (Some(buffer), _) => self.buffers.give(buffer),
            // Without a buffer the packets wait in the socket; who cancels knows it.
            (None, error)
                if matches!(-error, libc::ENOBUFS | libc::ECANCELED | libc::EAGAIN | libc::EINTR) => {}
            (None, _) => self.failed.push(Failed::Receive),
        }
        if cqueue::more(done.flags()) {
            return;
        }
        self.under_way.receives = self.under_way.receives.saturating_sub(1);
        if self.ports.get_mut(at.index()).is_some_and(|port| port.ended(generation)) {
            self.parked.push_back(at);
        }
    }

    fn sent(&mut self, buffer: u16, result: i32, what: Failed) {
        self.under_way.sends = self.under_way.sends.saturating_sub(1);
        self.buffers.give(buffer);
        if result < 0 {
            self.failed.push(what);
        }
    }
}

impl Poll {
    fn readable(&mut self) {
        (self.due, self.ready) = (true, true);
    }
}
