//! How long a shard lets a plain question wait: OPTIONS every few milliseconds, from a thread of its own.

use crate::device::DEVICE;
use crate::load::clock::nanos;
use crate::load::receiver::Aside;
use crate::load::tally::Micros;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time from one question to the next.
const EVERY: Duration = Duration::from_millis(5);

/// What is not answered within this is lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// What it has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// From question to answer.
    pub(super) waited: Micros,
    /// Questions without an answer.
    pub(super) lost: u64,
}

/// Asks until it is dropped.
#[derive(Debug)]
pub(super) struct Probe {
    seen: Arc<Mutex<Seen>>,
    _aside: Aside,
}

impl Probe {
    /// Begin, as a neighbour at this address.
    pub(super) fn new(from: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(from)?;
        socket.connect(DEVICE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let book = Arc::clone(&seen);
        let aside = Aside::new(move |over| {
            let mut due = Instant::now();
            for n in 0_u64.. {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let answered = ask(&socket, from, n);
                let mut seen = book.lock().unwrap_or_else(PoisonError::into_inner);
                match answered {
                    Ok(waited) => seen.waited.record(nanos(waited)),
                    Err(_) => seen.lost += 1,
                }
                due = (due + EVERY).max(Instant::now());
            }
        });
        Ok(Self { seen, _aside: aside })
    }

    /// What was seen since this was asked last.
    pub(super) fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn ask(socket: &UdpSocket, from: SocketAddr, n: u64) -> io::Result<Duration> {
    let call_id = format!("probe-{n}-{}", std::process::id());
    let question = format!(
        "OPTIONS sip:{DEVICE} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{call_id}\r\nFrom: <sip:probe@{from}>;tag=1\r\n\
         To: <sip:{DEVICE}>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    let (asked, mut answer) = (Instant::now(), [0; 2_048]);
    socket.send(question.as_bytes())?;
    loop {
        let length = socket.recv(&mut answer)?;
        // One that came too late belongs to an earlier question.
        if memchr::memmem::find(&answer[..length], call_id.as_bytes()).is_some() {
            return Ok(asked.elapsed());
        }
    }
}
