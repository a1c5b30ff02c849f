//! rtpengine's control protocol "ng": a cookie and a bencoded dictionary in a datagram, answered by the same cookie.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// A client of one rtpengine.
#[derive(Debug)]
pub struct Ng {
    socket: UdpSocket,
    cookie: u64,
}

impl Ng {
    /// Connect to a control port.
    ///
    /// # Errors
    ///
    /// What the system says about the socket.
    pub fn connect(to: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(to)?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        Ok(Self { socket, cookie: 0 })
    }

    /// The caller's SDP; what rtpengine wants the callee to see.
    ///
    /// # Errors
    ///
    /// No answer, or one that is not `ok`.
    pub fn offer(&mut self, call: &str, sdp: &[u8]) -> io::Result<Vec<u8>> {
        let call = call.as_bytes();
        self.sdp(texts(&[("command", b"offer"), ("call-id", call), ("from-tag", b"a"), ("sdp", sdp)]))
    }

    /// The same for a call that goes from one of rtpengine's interfaces to another.
    ///
    /// # Errors
    ///
    /// As [`offer`](Self::offer)'s.
    pub fn offer_between(&mut self, call: &str, sdp: &[u8], from: &str, to: &str) -> io::Result<Vec<u8>> {
        let mut direction = b"l".to_vec();
        direction.extend([from, to].map(|name| encoded(name.as_bytes())).concat());
        direction.push(b'e');
        let mut entries =
            texts(&[("command", b"offer"), ("call-id", call.as_bytes()), ("from-tag", b"a"), ("sdp", sdp)]);
        entries.push(("direction", direction));
        self.sdp(entries)
    }

    /// The callee's SDP; what rtpengine wants the caller to see.
    ///
    /// # Errors
    ///
    /// No answer, or one that is not `ok`.
    pub fn answer(&mut self, call: &str, sdp: &[u8]) -> io::Result<Vec<u8>> {
        let call = call.as_bytes();
        self.sdp(texts(&[
            ("command", b"answer"),
            ("call-id", call),
            ("from-tag", b"a"),
            ("to-tag", b"b"),
            ("sdp", sdp),
        ]))
    }

    /// Whether rtpengine is there.
    pub fn ping(&mut self) -> bool {
        self.ask(texts(&[("command", b"ping")])).is_ok_and(|a| memchr::memmem::find(&a, b"pong").is_some())
    }

    fn sdp(&mut self, request: Vec<(&str, Vec<u8>)>) -> io::Result<Vec<u8>> {
        let answer = self.ask(request)?;
        let refused = || io::Error::other(format!("rtpengine says {}", String::from_utf8_lossy(&answer)));
        if memchr::memmem::find(&answer, b"6:result2:ok").is_none() {
            return Err(refused());
        }
        string_after(&answer, b"3:sdp").map(<[u8]>::to_vec).ok_or_else(refused)
    }

    fn ask(&mut self, request: Vec<(&str, Vec<u8>)>) -> io::Result<Vec<u8>> {
        self.cookie += 1;
        let cookie = format!("{}_{}", std::process::id(), self.cookie);
        let mut datagram = format!("{cookie} ").into_bytes();
        datagram.extend(dictionary(request));
        let mut buffer = [0; 4096];
        for _ in 0..5 {
            self.socket.send(&datagram)?;
            while let Ok(n) = self.socket.recv(&mut buffer) {
                // An answer to a request that was sent again may come twice.
                if let Some(rest) = buffer[..n].strip_prefix(cookie.as_bytes()) {
                    return Ok(rest.trim_ascii_start().to_vec());
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "rtpengine does not answer"))
    }
}

/// Entries whose values are texts.
fn texts<'k>(entries: &[(&'k str, &[u8])]) -> Vec<(&'k str, Vec<u8>)> {
    entries.iter().map(|(key, value)| (*key, encoded(value))).collect()
}

/// A bencoded string.
fn encoded(text: &[u8]) -> Vec<u8> {
    [format!("{}:", text.len()).as_bytes(), text].concat()
}

/// A bencoded dictionary of values that are encoded already; its keys are sorted, as the encoding wants them.
fn dictionary(mut entries: Vec<(&str, Vec<u8>)>) -> Vec<u8> {
    entries.sort_by_key(|(key, _)| *key);
    let mut out = b"d".to_vec();
    for (key, value) in entries {
        out.extend(encoded(key.as_bytes()));
        out.extend(value);
    }
    out.push(b'e');
    out
}

/// The string that follows a key.
fn string_after<'a>(bytes: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let rest = &bytes[memchr::memmem::find(bytes, key)? + key.len()..];
    let colon = memchr::memchr(b':', rest)?;
    let length: usize = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
    rest.get(colon + 1..colon + 1 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_is_sorted_and_read_back() {
        let text = dictionary(texts(&[("sdp", b"v=0"), ("command", b"offer")]));
        assert_eq!(text, b"d7:command5:offer3:sdp3:v=0e");
        assert_eq!(string_after(&text, b"3:sdp"), Some(&b"v=0"[..]));
    }
}
