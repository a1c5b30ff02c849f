//! As much of an HTTP client as the stories of the admin API need: what it sends is what the story says, wrong or right.

use super::world::PATIENCE;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A connection.
pub(crate) struct Http(pub(crate) BufReader<Box<dyn Stream>>, String);

pub(crate) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Http {
    pub(crate) fn unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(Box::new(stream)), "bascule".to_owned())
    }

    pub(crate) fn tcp(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(Box::new(stream)), at.to_string())
    }

    /// Over TLS, to a host of this name; what it has shown comes with it. The error is that of the handshake.
    pub(crate) fn tls(
        mut stream: TcpStream,
        name: &str,
        config: &Arc<ClientConfig>,
    ) -> io::Result<(Self, Vec<u8>)> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let host = format!("{name}:{}", stream.peer_addr()?.port());
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut connection = ClientConnection::new(Arc::clone(config), name).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        let shown = connection.peer_certificates().and_then(|chain| chain.first()).map(|der| der.to_vec());
        let secure = StreamOwned::new(connection, stream);
        Ok((Self(BufReader::new(Box::new(secure)), host), shown.unwrap_or_default()))
    }

    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(text.as_ref()).unwrap();
    }

    pub(crate) fn try_send(&mut self, text: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.0.get_mut().write_all(text.as_ref())
    }

    /// Whether nothing comes but an error, if anything.
    pub(crate) fn refuses(&mut self) -> bool {
        let mut all = Vec::new();
        let _ = self.0.read_to_end(&mut all);
        all.is_empty() || all.starts_with(b"HTTP/1.1 4")
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str, more: &str, body: &str) -> Reply {
        self.begin(method, path, more, body);
        self.reply()
    }

    /// Asks, and reads nothing yet.
    pub(crate) fn begin(&mut self, method: &str, path: &str, more: &str, body: &str) {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let host = if more.starts_with("Host:") { String::new() } else { format!("Host: {}\r\n", self.1) };
        self.send(format!("{method} {path} HTTP/1.1\r\n{host}{more}{length}\r\n{body}"));
    }

    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.ask("GET", path, "", "")
    }

    /// The head of an answer, its body unread.
    pub(crate) fn head(&mut self) -> Reply {
        let status = self.line();
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Reply { status: status.expect("a status line"), headers, body: Vec::new() }
    }

    pub(crate) fn reply(&mut self) -> Reply {
        let mut reply = self.head();
        if let Some(length) = reply.header("content-length") {
            reply.body = vec![0; length.parse().unwrap()];
            self.0.read_exact(&mut reply.body).unwrap();
        } else if reply.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk() {
                reply.body.extend(chunk);
            }
        }
        reply
    }

    /// The next chunk of a body; `None` after the last.
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(&self.line(), 16).expect("a chunk's length");
        let mut chunk = vec![0; length + 2];
        self.0.read_exact(&mut chunk).unwrap();
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).expect("an answer") > 0, "the connection was closed");
        line.trim_end().to_owned()
    }
}

/// Server-sent events.
pub(crate) struct Events {
    http: Http,
    text: String,
    /// Names of all that came.
    pub(crate) heard: Vec<String>,
}

impl Events {
    pub(crate) fn tcp(at: SocketAddr, path: &str, more: &str) -> Self {
        Self::try_tcp(at, path, more).expect("events")
    }

    pub(crate) fn try_tcp(at: SocketAddr, path: &str, more: &str) -> Option<Self> {
        let mut http = Http::tcp(at);
        http.begin("GET", path, more, "");
        let head = http.head();
        let events = head.status == 200 && head.header("content-type") == Some("text/event-stream");
        events.then(|| Self { http, text: String::new(), heard: Vec::new() })
    }

    /// The data of the next event of this name that is as wanted.
    pub(crate) fn until(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field =
                    |field: &str| block.lines().find_map(|line| line.strip_prefix(field)).map(str::to_owned);
                let event = field("event: ").zip(field("data: "));
                self.text = rest.to_owned();
                let Some((event, data)) = event else { continue };
                let data = serde_json::from_str(&data).expect("an event has JSON");
                self.heard.push(event.clone());
                if event == name && wanted(&data) {
                    return data;
                }
            }
            assert!(Instant::now() < deadline, "never came: {name}");
            let chunk = self.http.chunk().expect("more events");
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }
}
