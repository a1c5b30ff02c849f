//! Those who are told of calls: a receiver of records over HTTP that knows each key once, a collector that only swallows, and a scraper.

use datapath::mmsg::enable_gro;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long somebody may take to notice that it is over.
const TICK: Duration = Duration::from_millis(100);

/// A thread that ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Aside {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Aside {
    pub(crate) fn new(run: impl FnOnce(&AtomicBool) + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        Self { over, thread: Some(std::thread::spawn(move || run(&seen))) }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn is_over(over: &AtomicBool) -> bool {
    over.load(Ordering::Relaxed)
}

/// How often each key has come.
type Keys = Arc<Mutex<HashMap<String, u32>>>;

/// Takes every batch of records.
#[derive(Debug)]
pub struct Receiver {
    keys: Keys,
    _aside: Aside,
}

impl Receiver {
    /// Listen.
    ///
    /// # Errors
    ///
    /// What the system says about binding.
    pub fn at(at: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        let keys = Keys::default();
        let books = Arc::clone(&keys);
        let aside = Aside::new(move |over| {
            while !is_over(over) {
                match listener.accept() {
                    // Whoever has gone comes again.
                    Ok((stream, _)) => drop(serve(&stream, &books, over)),
                    Err(_) => std::thread::sleep(TICK),
                }
            }
        });
        Ok(Self { keys, _aside: aside })
    }

    /// Different keys, and records beyond the first of each.
    pub fn taken(&self) -> (usize, u64) {
        let keys = lock(&self.keys);
        (keys.len(), keys.values().map(|n| u64::from(*n) - 1).sum())
    }
}

fn lock(keys: &Keys) -> MutexGuard<'_, HashMap<String, u32>> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: &TcpStream, keys: &Keys, over: &AtomicBool) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(TICK))?;
    let mut reader = BufReader::new(stream);
    let (mut length, mut line, mut body) = (0, String::new(), Vec::new());
    loop {
        match reader.read_line(&mut line) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // What was read of the line stays in it.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && !is_over(over) => continue,
            Err(e) => return Err(e),
        }
        let head = line.trim_end();
        if let Some((name, value)) = head.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if head.is_empty() {
            body.resize(length, 0);
            stream.set_read_timeout(None)?;
            reader.read_exact(&mut body)?;
            stream.set_read_timeout(Some(TICK))?;
            let text = String::from_utf8_lossy(&body);
            let mut keys = lock(keys);
            for record in text.lines() {
                let key = record.split_once("\"key\":\"").and_then(|(_, rest)| rest.split('"').next());
                *keys.entry(key.unwrap_or_default().to_owned()).or_default() += 1;
            }
            drop(keys);
            (&*stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        }
        line.clear();
    }
}

/// Swallows HEP packets.
#[derive(Debug)]
pub struct Collector {
    taken: Arc<AtomicU64>,
    _asides: [Aside; 2],
}

impl Collector {
    /// Listen for datagrams and for connections.
    ///
    /// # Errors
    ///
    /// What the system says about binding.
    pub fn at(at: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(at)?;
        // As the generator does: what a sender's core has to do on loopback is little more than a network card would leave to it.
        let _ = enable_gro(&socket);
        socket.set_read_timeout(Some(TICK))?;
        let listener = TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        let taken = Arc::new(AtomicU64::new(0));
        let (count, counted) = (Arc::clone(&taken), Arc::clone(&taken));
        let datagrams = Aside::new(move |over| {
            let mut buffer = [0; 65_535];
            while !is_over(over) {
                if let Ok(length) = socket.recv(&mut buffer) {
                    count.fetch_add(packets(&buffer[..length]).0, Ordering::Relaxed);
                }
            }
        });
        let stream = Aside::new(move |over| {
            while !is_over(over) {
                match listener.accept() {
                    // Whoever has gone comes again.
                    Ok((stream, _)) => drop(swallow(&stream, &counted, over)),
                    Err(_) => std::thread::sleep(TICK),
                }
            }
        });
        Ok(Self { taken, _asides: [datagrams, stream] })
    }

    /// Packets so far.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

fn swallow(mut stream: &TcpStream, count: &AtomicU64, over: &AtomicBool) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(TICK))?;
    let (mut buffer, mut held) = (vec![0; 1 << 20], 0);
    while !is_over(over) {
        match stream.read(&mut buffer[held..]) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                let (whole, bytes) = packets(&buffer[..held + length]);
                count.fetch_add(whole, Ordering::Relaxed);
                buffer.copy_within(bytes..held + length, 0);
                held += length - bytes;
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Whole HEP packets, one behind the other, and their bytes.
fn packets(mut bytes: &[u8]) -> (u64, usize) {
    let (mut whole, all) = (0, bytes.len());
    while let Some(length) = bytes.get(4..6).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])))
        && length > 6
        && let Some(rest) = bytes.get(length..)
    {
        (whole, bytes) = (whole + 1, rest);
    }
    (whole, all - bytes.len())
}

/// Reads /metrics each second, as Prometheus would every fifteen.
#[derive(Debug)]
pub struct Scraper {
    _aside: Aside,
}

impl Scraper {
    /// Begin.
    pub fn of(at: SocketAddr) -> Self {
        let aside = Aside::new(move |over| {
            let mut next = Instant::now();
            while !is_over(over) {
                if Instant::now() >= next {
                    next += Duration::from_secs(1);
                    // A page that did not come is not counted anywhere; the next one may.
                    let _ = page(at);
                }
                std::thread::sleep(TICK);
            }
        });
        Self { _aside: aside }
    }
}

/// The metrics page.
///
/// # Errors
///
/// What the system says about the connection.
pub fn page(at: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// A value on a page; 0 where it is not there.
pub fn value(page: &str, name: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_default()
}
