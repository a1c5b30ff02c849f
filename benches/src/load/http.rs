//! A client of the admin API: one connection that is kept, and those that behave badly.

use super::receiver::Aside;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Whoever is asked answers within this, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection, and who asks.
#[derive(Debug)]
pub struct Client {
    at: SocketAddr,
    /// None once the other end has said that it closes.
    reader: Option<BufReader<TcpStream>>,
    head: String,
}

impl Client {
    /// Connect.
    ///
    /// # Errors
    ///
    /// What the system says about it.
    pub fn new(at: SocketAddr, token: &str) -> io::Result<Self> {
        Ok(Self { at, reader: Some(connect(at)?), head: head(at, token) })
    }

    /// Ask, by a new connection if the last was closed, and read all of the answer.
    ///
    /// # Errors
    ///
    /// The connection's, or `InvalidData` for what is no 200 with a length.
    pub fn get(&mut self, path: &str) -> io::Result<Vec<u8>> {
        let question = format!("GET {path} HTTP/1.1\r\n{}", self.head);
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => connect(self.at)?,
        };
        reader.get_mut().write_all(question.as_bytes())?;
        let wrong = |line: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{path}: {line}"));
        let (mut line, mut length, mut closes) = (String::new(), None, false);
        reader.read_line(&mut line)?;
        if !line.starts_with("HTTP/1.1 200") {
            return Err(wrong(line.trim_end()));
        }
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Err(wrong("it ended in its head"));
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            }
            closes |= name.eq_ignore_ascii_case("connection") && value.trim().eq_ignore_ascii_case("close");
        }
        let mut body = vec![0; length.ok_or_else(|| wrong("no length"))?];
        reader.read_exact(&mut body)?;
        self.reader = (!closes).then_some(reader);
        Ok(body)
    }

    /// The same, as JSON.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get)'s, or what is wrong with the JSON.
    pub fn json(&mut self, path: &str) -> io::Result<Value> {
        Ok(serde_json::from_slice(&self.get(path)?)?)
    }
}

fn connect(at: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(at)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

fn head(at: SocketAddr, token: &str) -> String {
    format!("Host: {at}\r\nAuthorization: Bearer {token}\r\n\r\n")
}

/// A client that is cut off does not see it as long as it does not read: after so long it is, and comes again.
const CUT: Duration = Duration::from_secs(8);

/// Asks for what does not end, and reads so many bytes every so often; zero: never.
#[derive(Debug)]
pub struct Lazy {
    _aside: Aside,
}

impl Lazy {
    /// Connect and ask, and again when it was cut off.
    ///
    /// # Errors
    ///
    /// What the system says about connecting.
    pub fn new(
        at: SocketAddr,
        token: &str,
        path: &str,
        (bytes, every): (usize, Duration),
    ) -> io::Result<Self> {
        let question = format!("GET {path} HTTP/1.1\r\n{}", head(at, token));
        let ask = move || -> io::Result<TcpStream> {
            let mut stream = TcpStream::connect(at)?;
            stream.set_read_timeout(Some(every))?;
            stream.write_all(question.as_bytes())?;
            Ok(stream)
        };
        let mut stream = ask()?;
        let aside = Aside::new(move |over| {
            let (mut buffer, mut since) = (vec![0; bytes], Instant::now());
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(every);
                let gone = match bytes {
                    0 => since.elapsed() > CUT,
                    _ => matches!(stream.read(&mut buffer), Ok(0)),
                };
                if gone && let Ok(again) = ask() {
                    (stream, since) = (again, Instant::now());
                }
            }
        });
        Ok(Self { _aside: aside })
    }
}
