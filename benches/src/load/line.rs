//! A connection to the device, in the clear or over TLS. It never blocks once it stands.

use bytes::{Buf, Bytes, BytesMut};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Socket, Type};
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Read at once: some forty messages.
const PIECE: usize = 64 << 10;

/// A connection.
#[derive(Debug)]
pub struct Line {
    socket: TcpStream,
    local: SocketAddr,
    tls: Option<ClientConnection>,
    written: BytesMut,
    read: BytesMut,
}

impl Line {
    /// Connect from an address; with a configuration of TLS shake hands with the holder of that name, too.
    ///
    /// # Errors
    ///
    /// The system's, and the handshake's.
    pub fn open(from: IpAddr, to: SocketAddr, tls: Option<(&Arc<ClientConfig>, &str)>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((from, 0)).into())?;
        socket.connect(&to.into())?;
        let mut socket = TcpStream::from(socket);
        socket.set_nodelay(true)?;
        let mut tls = tls
            .map(|(config, name)| {
                let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
                ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)
            })
            .transpose()?;
        if let Some(tls) = &mut tls {
            tls.set_buffer_limit(None);
            while tls.is_handshaking() {
                tls.complete_io(&mut socket)?;
            }
        }
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local, tls, written: BytesMut::new(), read: BytesMut::new() })
    }

    /// Our end.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Write one message; it goes out with the next [`flush`](Self::flush).
    pub fn write(&mut self, write: impl FnOnce(&mut BytesMut)) {
        write(&mut self.written);
    }

    /// Hand to the system what it takes.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            while !self.written.is_empty() {
                match self.socket.write(&self.written) {
                    Ok(n) => self.written.advance(n),
                    Err(error) => return would_block(error),
                }
            }
            return Ok(());
        };
        if !self.written.is_empty() {
            tls.writer().write_all(&self.written)?;
            self.written.clear();
        }
        while tls.wants_write() {
            if let Err(error) = tls.write_tls(&mut self.socket) {
                return would_block(error);
            }
        }
        Ok(())
    }

    /// Whether something waits for the system to take it.
    pub fn is_waiting(&self) -> bool {
        !self.written.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Read what is there.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub fn recv(&mut self) -> io::Result<()> {
        loop {
            let n = match &mut self.tls {
                None => {
                    let at = self.read.len();
                    self.read.resize(at + PIECE, 0);
                    let n = self.socket.read(&mut self.read[at..]);
                    self.read.truncate(at + n.as_ref().map_or(0, |n| *n));
                    n
                }
                Some(tls) => tls.read_tls(&mut self.socket).and_then(|n| {
                    tls.process_new_packets().map_err(io::Error::other)?;
                    let mut plain = tls.reader();
                    while let Ok(bytes) = plain.fill_buf() {
                        let many = bytes.len();
                        if many == 0 {
                            break;
                        }
                        self.read.extend_from_slice(bytes);
                        plain.consume(many);
                    }
                    Ok(n)
                }),
            };
            match n {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) => return would_block(error),
            }
        }
    }

    /// The next whole message of what was read.
    pub fn message(&mut self) -> Option<Bytes> {
        let head = memchr::memmem::find(&self.read, b"\r\n\r\n")? + 4;
        let whole = head + content_length(&self.read[..head]);
        (self.read.len() >= whole).then(|| self.read.split_to(whole).freeze())
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn would_block(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::WouldBlock { Ok(()) } else { Err(error) }
}

/// Content-Length as well-formed devices write it, in its long or its short form.
fn content_length(head: &[u8]) -> usize {
    head.split(|b| *b == b'\n')
        .find_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let name = line[..colon].trim_ascii();
            let is_ours = name.eq_ignore_ascii_case(b"Content-Length") || name.eq_ignore_ascii_case(b"l");
            let value = std::str::from_utf8(line[colon + 1..].trim_ascii()).ok()?;
            is_ours.then(|| value.parse().ok())?
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn messages_are_told_apart_however_they_arrive() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let to = listener.local_addr().expect("an address");
        let mut line = Line::open(to.ip(), to, None).expect("a connection");
        let (mut peer, _) = listener.accept().expect("a connection");
        let text = b"SIP/2.0 100 Trying\r\nContent-Length: 0\r\n\r\nSIP/2.0 200 OK\r\nl: 3\r\n\r\nabcSIP";
        for byte in text {
            peer.write_all(&[*byte]).expect("it is read");
        }
        drop(peer);
        while line.recv().is_ok() {}
        assert!(line.message().is_some_and(|m| m.ends_with(b"0\r\n\r\n")));
        assert!(line.message().is_some_and(|m| m.ends_with(b"\r\n\r\nabc")));
        assert_eq!(line.message(), None);
    }
}
