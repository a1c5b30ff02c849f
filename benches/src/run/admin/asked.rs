//! Those who look: a scraper, and an operator's program that asks for one thing after the other.

use super::{ADMIN, TOKEN};
use crate::load::clock::nanos;
use crate::load::http::Client;
use crate::load::receiver::Aside;
use crate::load::tally::Micros;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is asked for: a name, and how it is asked. `{call}` stands for the name of a live call.
pub(super) const PATHS: [(&str, &str); 4] = [
    ("calls", "/v1/calls?limit=100"),
    ("call", "/v1/calls/{call}"),
    ("regions", "/v1/regions"),
    ("status", "/v1/status"),
];

/// From question to the last byte of the answer, and what was not answered.
pub(super) type Times = Vec<(Micros, u64)>;

/// Asks for all of these in turn, each time a pause later, until it is dropped.
#[derive(Debug)]
pub(super) struct Asker {
    times: Arc<Mutex<Times>>,
    _aside: Aside,
}

impl Asker {
    pub(super) fn new(paths: Vec<String>, pause: Duration) -> io::Result<Self> {
        let mut client = Client::new(ADMIN, TOKEN)?;
        let times = Arc::new(Mutex::new(vec![Default::default(); paths.len()]));
        let book = Arc::clone(&times);
        let aside = Aside::new(move |over| ask(&mut client, &paths, pause, &book, over));
        Ok(Self { times, _aside: aside })
    }

    /// All that was seen.
    pub(super) fn times(&self) -> Times {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn ask(client: &mut Client, paths: &[String], pause: Duration, book: &Mutex<Times>, over: &AtomicBool) {
    let mut due = Instant::now();
    for (i, path) in paths.iter().enumerate().cycle() {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if over.load(Ordering::Relaxed) {
            return;
        }
        let asked = Instant::now();
        let answer = client.get(path);
        let waited = asked.elapsed();
        let mut times = book.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(_) => times[i].0.record(nanos(waited)),
            Err(error) => {
                eprintln!("  {error}");
                times[i].1 += 1;
            }
        }
        due = (due + pause).max(Instant::now());
    }
}
