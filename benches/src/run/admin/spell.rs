//! Some seconds of calls, with somebody who looks or nobody.

use super::asked::{Asker, PATHS};
use super::probe::Probe;
use super::{ADMIN, BESIDE, PROBE, TOKEN, beside};
use crate::load::Engine;
use crate::load::http::Lazy;
use crate::load::pace::Pace;
use crate::load::tally::Micros;
use crate::report::{median, round};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// Who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    Nobody,
    /// A scraper, ten times a second.
    Scraper,
    /// A program that asks the API forty times a second.
    Asker,
    /// The same, and clients that follow all calls: some never read, some read slowly.
    Stuck,
}

impl Around {
    pub(super) const ALL: [Self; 4] = [Self::Nobody, Self::Scraper, Self::Asker, Self::Stuck];

    const fn name(self) -> &'static str {
        match self {
            Self::Nobody => "alone",
            Self::Scraper => "scraped",
            Self::Asker => "asked",
            Self::Stuck => "stuck",
        }
    }
}

/// Clients that never read, and those that read so much so often.
const NEVER: usize = 4;
const SLOW: usize = 2;
const SIP: (usize, Duration) = (100, Duration::from_millis(100));

/// Milliseconds, one value of each round.
#[derive(Debug, Default)]
struct Rounds {
    p50: Vec<f64>,
    p99: Vec<f64>,
    most: Vec<f64>,
}

impl Rounds {
    fn add(&mut self, seen: &Micros) {
        for (all, percent) in [(&mut self.p50, 50.0), (&mut self.p99, 99.0), (&mut self.most, 100.0)] {
            all.push(seen.at(percent) as f64 / 1e3);
        }
    }

    /// Medians of the rounds, and the worst of all.
    fn json(&self) -> Value {
        let most = self.most.iter().copied().fold(0.0, f64::max);
        json!({
            "p50": round(median(self.p50.clone()), 2), "p99": round(median(self.p99.clone()), 2), "max": round(most, 2),
        })
    }
}

/// One kind of spell, over all rounds.
#[derive(Debug)]
pub(super) struct Spell {
    around: Around,
    /// From INVITE to the first response above 100, of the calls beside.
    setup: Rounds,
    /// From OPTIONS to 200.
    probe: Rounds,
    /// From question to answer, by what is asked for.
    asked: Vec<(&'static str, Rounds)>,
    failed: u64,
    lost: u64,
    unanswered: u64,
}

impl Spell {
    pub(super) fn new(around: Around) -> Self {
        let asked = match around {
            Around::Nobody => Vec::new(),
            Around::Scraper => vec![("scrape_ms", Rounds::default())],
            Around::Asker | Around::Stuck => PATHS.map(|(name, _)| (name, Rounds::default())).into(),
        };
        let (setup, probe) = Default::default();
        Self { around, setup, probe, asked, failed: 0, lost: 0, unanswered: 0 }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.around.name()
    }

    pub(super) fn measure(&mut self, engine: &mut Engine, call: &str, seconds: f64) -> io::Result<()> {
        let api = || PATHS.map(|(_, path)| path.replace("{call}", call)).into();
        let asker = match self.around {
            Around::Nobody => None,
            Around::Scraper => Some(Asker::new(vec!["/metrics".to_owned()], Duration::from_millis(100))?),
            Around::Asker | Around::Stuck => Some(Asker::new(api(), Duration::from_millis(25))?),
        };
        let follow = |how| Lazy::new(ADMIN, TOKEN, "/v1/calls?follow=true", how);
        let (never, slow) = if self.around == Around::Stuck { (NEVER, SLOW) } else { (0, 0) };
        let never = (0..never).map(|_| follow((0, SIP.1)));
        let bad: io::Result<Vec<Lazy>> = never.chain((0..slow).map(|_| follow(SIP))).collect();
        let bad = bad?;
        let probe = Probe::new(PROBE)?;
        let loader = beside(engine, Pace::Rate { cps: BESIDE, seconds }, || false)?;
        let seen = probe.take();
        drop((probe, bad));
        self.setup.add(&loader.tally.pdd);
        self.probe.add(&seen.waited);
        self.failed += loader.tally.failed;
        self.lost += seen.lost;
        let times = asker.map(|asker| asker.times()).unwrap_or_default();
        for ((name, rounds), (times, unanswered)) in self.asked.iter_mut().zip(&times) {
            rounds.add(times);
            self.unanswered += unanswered;
            eprintln!(
                "  {name}: p50 {} us, p99 {} us, worst {} us",
                times.at(50.0),
                times.at(99.0),
                times.at(100.0)
            );
        }
        eprintln!(
            "  setup p99 {} us, probe p99 {} us, worst {} us, {} calls failed",
            loader.tally.pdd.at(99.0),
            seen.waited.at(99.0),
            seen.waited.at(100.0),
            loader.tally.failed
        );
        Ok(())
    }

    pub(super) fn json(&self) -> Value {
        let mut measured = json!({
            "setup_ms": self.setup.json(), "probe_ms": self.probe.json(), "failed": self.failed, "probes_lost": self.lost,
        });
        for (name, rounds) in &self.asked {
            let name = if name.ends_with("_ms") { (*name).to_owned() } else { format!("{name}_ms") };
            measured[name] = rounds.json();
        }
        if !self.asked.is_empty() {
            measured["unanswered"] = json!(self.unanswered);
        }
        measured
    }
}
