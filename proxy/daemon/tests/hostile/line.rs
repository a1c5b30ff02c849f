//! A TCP connection to the daemon.

use crate::agent::PATIENCE;
use bytes::Bytes;
use sip_wire::{Frame, Framer, Message};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// What is there already.
pub(crate) enum Polled {
    Nothing,
    Message(Bytes),
    Closed,
}

pub(crate) struct Line {
    stream: TcpStream,
    framer: Framer,
    pub(crate) at: SocketAddr,
}

impl Line {
    /// From this address, at any port.
    pub(crate) fn connect(from: SocketAddr, to: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(from.ip(), 0).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { at: stream.local_addr().unwrap(), stream, framer: Framer::new() }
    }

    /// Whether all of it was taken.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// The next frame; `None` when the connection is closed or reset.
    pub(crate) fn frame(&mut self, what: &str) -> Option<Frame> {
        loop {
            match self.framer.next() {
                Some(Ok(frame)) => return Some(frame),
                Some(Err(error)) => panic!("{what}: what came is no SIP: {error}"),
                None => {}
            }
            let mut buffer = [0; 16_384];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(n) => self.framer.push(&buffer[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{what}: neither closed nor answered: {error}"),
            }
        }
    }

    /// The next message, if it is there already.
    pub(crate) fn poll(&mut self, what: &str) -> Polled {
        loop {
            match self.framer.next() {
                Some(Ok(Frame::Message(bytes))) => return Polled::Message(bytes),
                Some(Ok(Frame::Ping | Frame::Pong)) => continue,
                Some(Err(error)) => panic!("{what}: what came is no SIP: {error}"),
                None => {}
            }
            let mut buffer = [0; 16_384];
            self.stream.set_nonblocking(true).unwrap();
            let read = self.stream.read(&mut buffer);
            self.stream.set_nonblocking(false).unwrap();
            match read {
                Ok(0) => return Polled::Closed,
                Ok(n) => self.framer.push(&buffer[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Polled::Nothing,
                Err(_) => return Polled::Closed,
            }
        }
    }

    /// The next message's bytes.
    pub(crate) fn bytes(&mut self, what: &str) -> Option<Bytes> {
        loop {
            if let Frame::Message(bytes) = self.frame(what)? {
                return Some(bytes);
            }
        }
    }

    /// The code of the next final response; `None` when the connection is closed.
    pub(crate) fn code(&mut self, what: &str) -> Option<u16> {
        loop {
            let code = Message::parse(self.bytes(what)?).expect("ours can be read").code();
            if code.is_some_and(|code| code >= 200) {
                return code;
            }
        }
    }

    /// Nothing more will be sent.
    pub(crate) fn close_half(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Closed by a reset.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}
