//! A user agent over TLS.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use sip_wire::{Frame, Framer, Message};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How long it waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

trait Both: Read + Write + Send {}
impl<T: Read + Write + Send> Both for T {}

pub(crate) struct Secure {
    io: Box<dyn Both>,
    socket: TcpStream,
    framer: Framer,
}

/// A socket bound to an address, connected to another.
pub(crate) fn dial(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// A stream that is written to in pieces.
struct Pieces(TcpStream, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(self.1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Secure {
    /// Calls, and shakes hands: the error is that of the handshake. What the other end has shown comes with it.
    pub(crate) fn call(
        stream: TcpStream,
        name: &str,
        config: &Arc<ClientConfig>,
    ) -> io::Result<(Self, Vec<u8>)> {
        Self::call_in_pieces(stream, usize::MAX, name, config)
    }

    /// The same, so many bytes at a time.
    pub(crate) fn call_in_pieces(
        stream: TcpStream,
        most: usize,
        name: &str,
        config: &Arc<ClientConfig>,
    ) -> io::Result<(Self, Vec<u8>)> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut connection = ClientConnection::new(Arc::clone(config), name).unwrap();
        let (mut stream, socket) = (Pieces(stream.try_clone()?, most), stream);
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        let shown = connection.peer_certificates().and_then(|chain| chain.first()).map(|der| der.to_vec());
        let io = Box::new(StreamOwned::new(connection, stream));
        Ok((Self { io, socket, framer: Framer::new() }, shown.unwrap_or_default()))
    }

    /// Is called, and shakes hands. What the caller has shown comes with it.
    pub(crate) fn answer(stream: TcpStream, config: &Arc<ServerConfig>) -> io::Result<(Self, Vec<u8>)> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
        let (mut stream, socket) = (stream.try_clone()?, stream);
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        let shown = connection.peer_certificates().and_then(|chain| chain.first()).map(|der| der.to_vec());
        let io = Box::new(StreamOwned::new(connection, stream));
        Ok((Self { io, socket, framer: Framer::new() }, shown.unwrap_or_default()))
    }

    pub(crate) fn at(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.io.write_all(text.as_ref()).unwrap();
        self.io.flush().unwrap();
    }

    /// So many bytes, as they are.
    pub(crate) fn read(&mut self, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        self.io.read_exact(&mut read).unwrap();
        read
    }

    pub(crate) fn next(&mut self) -> Message {
        loop {
            match self.framer.next() {
                Some(Ok(Frame::Message(bytes))) => return Message::parse(bytes).unwrap(),
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("{error:?}"),
                None => {
                    let mut buffer = [0; 4_096];
                    let n = self.io.read(&mut buffer).expect("nothing came");
                    assert_ne!(n, 0, "closed");
                    self.framer.push(&buffer[..n]);
                }
            }
        }
    }

    /// The next message that is this.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Message) -> bool) -> Message {
        loop {
            let message = self.next();
            if wanted(&message) {
                return message;
            }
        }
    }

    /// The other end says that it is over, by `close_notify`: without it this would be an error.
    pub(crate) fn is_closed_in_good_order(&mut self) -> bool {
        let mut rest = Vec::new();
        self.io.read_to_end(&mut rest).is_ok()
    }

    /// Ends it as a host that dies would, if it had the time: RST.
    pub(crate) fn breaks(self) {
        socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
}
