//! Somebody who collects call records over HTTP, and his moods.

use super::tls_ca::Badge;
use super::world::PATIENCE;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Taken, 200.
    Takes,
    /// Not taken, this code.
    Answers(u16),
    /// Read, and never answered.
    Hangs,
    /// Taken, and the connection is gone before the answer: the sender cannot know.
    TakesAndGoes,
    /// 422 where this is in it, else taken.
    Dislikes(&'static str),
}

#[derive(Debug, Default)]
struct Books {
    /// How often each key was taken.
    taken: BTreeMap<String, u32>,
    lines: Vec<serde_json::Value>,
    requests: usize,
}

/// A receiver at an address, until it is dropped.
pub(crate) struct Receiver {
    pub(crate) at: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    books: Arc<Mutex<Books>>,
    ends: Arc<AtomicBool>,
    door: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(crate) fn at(at: SocketAddr, mood: Mood) -> Self {
        Self::new(at, mood, None)
    }

    /// The same over TLS, with a certificate to show.
    pub(crate) fn over_tls(at: SocketAddr, mood: Mood, badge: &Badge) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = builder.with_no_client_auth().with_single_cert(badge.chain(), badge.key()).unwrap();
        Self::new(at, mood, Some(Arc::new(config)))
    }

    fn new(at: SocketAddr, mood: Mood, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(at).unwrap();
        let (mood, books) = (Arc::new(Mutex::new(mood)), Arc::new(Mutex::new(Books::default())));
        let ends = Arc::new(AtomicBool::new(false));
        let shared = (Arc::clone(&mood), Arc::clone(&books), Arc::clone(&ends));
        let door = std::thread::spawn(move || {
            let (mood, books, ends) = shared;
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let (mood, books, ends) = (Arc::clone(&mood), Arc::clone(&books), Arc::clone(&ends));
                let tls = tls.clone();
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    match tls {
                        None => serve(stream, &mood, &books, &ends),
                        Some(config) => {
                            let line = ServerConnection::new(config).unwrap();
                            serve(StreamOwned::new(line, stream), &mood, &books, &ends);
                        }
                    }
                });
            }
        });
        Self { at, mood, books, ends, door: Some(door) }
    }

    pub(crate) fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(crate) fn requests(&self) -> usize {
        self.books.lock().unwrap().requests
    }

    /// Different records that were taken.
    pub(crate) fn records(&self) -> usize {
        self.books.lock().unwrap().taken.len()
    }

    /// Records that came more than once.
    pub(crate) fn again(&self) -> usize {
        self.books.lock().unwrap().taken.values().filter(|n| **n > 1).count()
    }

    /// By key, once: what its owner has in his books, by A-leg.
    pub(crate) fn call_ids(&self) -> Vec<String> {
        let books = self.books.lock().unwrap();
        let mut by_key = BTreeMap::new();
        for line in &books.lines {
            by_key.insert(line["key"].as_str().unwrap(), line["a_call_id"].as_str().unwrap());
        }
        let mut ids: Vec<_> = by_key.into_values().map(str::to_owned).collect();
        ids.sort();
        ids
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.at);
        if let Some(door) = self.door.take() {
            let _ = door.join();
        }
    }
}

/// Requests of one connection; it ends with the receiver or its mood.
fn serve(stream: impl Read + Write, mood: &Mutex<Mood>, books: &Mutex<Books>, ends: &AtomicBool) {
    let mut reader = BufReader::new(stream);
    while let Some((key, body)) = request(&mut reader) {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let mood = *mood.lock().unwrap();
        let code = match mood {
            Mood::Takes | Mood::TakesAndGoes => 200,
            Mood::Answers(code) => code,
            Mood::Hangs => 0,
            Mood::Dislikes(word) if body.contains(word) => 422,
            Mood::Dislikes(_) => 200,
        };
        let mut books = books.lock().unwrap();
        books.requests += 1;
        if code == 200 {
            let lines: Vec<serde_json::Value> =
                body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let first = lines[0]["key"].as_str().unwrap();
            assert!(key.trim_matches('"').starts_with(first), "{key} names {first}");
            for line in lines {
                *books.taken.entry(line["key"].as_str().unwrap().to_owned()).or_default() += 1;
                books.lines.push(line);
            }
        }
        drop(books);
        match mood {
            Mood::Hangs => {
                // Until the sender has had enough.
                let _ = reader.read(&mut [0]);
                return;
            }
            Mood::TakesAndGoes => return,
            Mood::Takes | Mood::Answers(_) | Mood::Dislikes(_) => {}
        }
        let answer = format!("HTTP/1.1 {code} x\r\nContent-Length: 3\r\n\r\nok\n");
        let sent = reader.get_mut().write_all(answer.as_bytes()).and_then(|()| reader.get_mut().flush());
        if sent.is_err() {
            return;
        }
    }
}

/// The idempotency key and the body.
fn request(reader: &mut impl BufRead) -> Option<(String, String)> {
    let (mut length, mut key, mut line) = (0, String::new(), String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "idempotency-key" => key = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((key, String::from_utf8(body).unwrap()))
}
