//! A region: an answerer whose calls speak and listen, as a process of its own that can be stopped and killed.

use super::clock::{Clock, MS};
use super::ear::Ear;
use super::flows::Flows;
use super::uas::{Uas, UasConfig};
use super::wait;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufWriter};
use std::net::SocketAddr;
use std::path::Path;

/// A region.
#[derive(Debug)]
pub struct Region {
    clock: Clock,
    uas: Uas,
    flows: Flows,
}

impl Region {
    /// Bind everything. `origin` stands in every packet that the region sends; `ear` takes what it hears.
    ///
    /// # Errors
    ///
    /// What the system says about binding.
    pub fn new(bind: SocketAddr, origin: u8, ear: Ear) -> io::Result<Self> {
        let uas = Uas::new(UasConfig { bind, ring: 0, code: 200, talk: None, no_media: false })?;
        let flows = Flows::new(bind, origin, ear)?;
        Ok(Self { clock: Clock::new(), uas, flows })
    }

    /// Answer, speak and listen until something is so.
    pub fn run(&mut self, mut done: impl FnMut() -> bool) {
        while !done() {
            let mut busy = self.flows.turn(&self.clock);
            busy |= self.uas.turn(&self.clock, &mut self.flows);
            if !busy {
                let now = self.clock.now();
                let next = self.uas.next(now).min(self.flows.next());
                wait([self.uas.port()].into_iter(), next.saturating_sub(now).min(10 * MS));
            }
        }
    }

    /// Write down what was heard.
    ///
    /// # Errors
    ///
    /// The file's.
    pub fn keep(&self, path: &Path) -> io::Result<()> {
        match &self.flows.ear {
            Ear::Which(ranges) => ranges.write(&mut BufWriter::new(File::create(path)?)),
            Ear::Every(_) | Ear::Count(_) => Ok(()),
        }
    }

    /// Counts as JSON. `live` are calls that nobody has ended.
    pub fn json(&self) -> Value {
        json!({
            "uas": self.uas.tally.json(), "live": self.uas.live(), "rtp_sent": self.flows.sent,
            "rtp_strays": self.flows.strays, "late_us": self.flows.late.json(),
        })
    }
}
