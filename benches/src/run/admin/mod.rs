//! What operators' eyes cost while 20,000 calls are up: scrapes, the API, clients that do not read, and the console in a browser.

mod asked;
mod console;
mod probe;
mod spell;

use super::{Ends, Options};
use crate::device::bascule::{MediaMode, Region, Wishes, recipe};
use crate::device::{DEVICE, Device, UAC, UAS, at, scratch};
use crate::load::Engine;
use crate::load::clock::MS;
use crate::load::http::Client;
use crate::load::pace::Pace;
use crate::load::uac::Uac;
use crate::place::{cpu_ns, threads_of};
use crate::report::{median, result, round};
use serde_json::{Value, json};
use spell::{Around, Spell};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

const ADMIN: SocketAddr = at(10, 9_090);

/// Who asks, and the SHA-256 of what they show.
const TOKEN: &str = "token-of-admin";
const SHA256: &str = "47736f3a2b34f7f36ba93874745efa96c67707390dc74443d38defa81b58535d";

/// Calls that are up all the time, and how fast they come up.
const HELD: u64 = 20_000;
const RAMP: f64 = 1_500.0;

/// Calls a second beside them, up for a second each.
const BESIDE: f64 = 100.0;

/// Where the calls beside come from, and the probe.
const LOADER: SocketAddr = at(1, 5_091);
const PROBE: SocketAddr = at(1, 5_092);

/// Scrapes one after the other, for what one of them takes of a shard.
const SCRAPES: usize = 100;

/// Run the bench.
///
/// # Errors
///
/// When the device does not start, something cannot be bound, or a client is not answered.
pub fn run(options: &Options) -> io::Result<Value> {
    let folder = scratch()?;
    let access = folder.join("access.toml");
    fs::write(
        &access,
        format!("[[access]]\nname = \"bench\"\nsha256 = \"{SHA256}\"\nroles = [\"telephony.admin\"]\n"),
    )?;
    let more = format!(
        "[limits]\nmax_calls = {}\n[admin]\nlisten = \"{ADMIN}\"\naccess = {access:?}\n",
        HELD + BESIDE as u64 * 20
    );
    let region = Region { name: "north", edge: UAS, via: None };
    let wishes = Wishes { more, ..Wishes::default() };
    let device = recipe("bascule", MediaMode::Bypass, &[region], &wishes).start()?;
    let mut engine = ends(UAC, None).engine()?;
    begin(&mut engine, Pace::Calls { cps: RAMP, calls: HELD });
    engine.run_until(|e| e.uac.as_ref().is_none_or(|u| !u.is_placing()));
    engine.run_for(Duration::from_millis(800));
    let held = engine.uac.take().ok_or(io::ErrorKind::NotFound)?;
    eprintln!("admin: {} calls are up", held.up());
    let up = held.up();

    let call = Client::new(ADMIN, TOKEN)?.json("/v1/calls?limit=1")?["calls"][0]["call"].clone();
    let call = call.as_str().unwrap_or_default().to_owned();
    let shard_us = of_a_shard(&device, options)?;
    let (rounds, seconds) = if options.quick { (1, 5.0) } else { (3, 15.0) };
    let mut spells = Around::ALL.map(Spell::new);
    for turn in 1..=rounds {
        // Spells take turns, so that a slow spell of the machine does not fall on one of them.
        for spell in spells.iter_mut().filter(|spell| options.wants(spell.name())) {
            eprintln!("admin: {}, round {turn} of {rounds}", spell.name());
            spell.measure(&mut engine, &call, seconds)?;
        }
    }
    let mut measured = json!({ "name": "bascule", "calls_up": up, "shard_us_per_scrape": shard_us });
    for spell in spells.iter().filter(|spell| options.wants(spell.name())) {
        measured[spell.name()] = spell.json();
    }
    if options.wants("console") {
        measured["console"] = console(&mut engine, options)?;
    }
    measured["held_calls_hurt"] = json!(hang_up(&mut engine, held, up));
    Ok(result("admin", options.quick, vec![measured], json!({})))
}

fn ends(uac: SocketAddr, hold: Option<u64>) -> Ends {
    Ends { uac, uas: Some(UAS), device: DEVICE, hold, media_every: 0, trace: false }
}

fn begin(engine: &mut Engine, pace: Pace) {
    let now = engine.clock.now();
    if let Some(uac) = &mut engine.uac {
        uac.begin(now, pace);
    }
}

/// Calls beside for so long as something is to be done; what they counted.
fn beside(engine: &mut Engine, pace: Pace, mut done: impl FnMut() -> bool) -> io::Result<Uac> {
    let uac = Uac::new(Ends { uas: None, ..ends(LOADER, Some(1_000 * MS)) }.caller())?;
    engine.uac = Some(uac);
    begin(engine, pace);
    engine.run_until(|e| done() || e.uac.as_ref().is_none_or(|u| !u.is_placing()));
    if let Some(uac) = &mut engine.uac {
        uac.stop();
    }
    engine.drain(Duration::from_secs(4));
    engine.uac.take().ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Microseconds that a shard's thread works for one scrape: no scrape can keep it from its sockets for longer. Nothing else goes on meanwhile but
/// probes of health, which are taken off.
fn of_a_shard(device: &Device, options: &Options) -> io::Result<f64> {
    let threads = threads_of(device.process.id(), "shard-")?;
    let (mut all, times) = (Vec::new(), if options.quick { 3 } else { 9 });
    for _ in 0..times {
        // A connection that rests as long as this may is closed.
        let mut client = Client::new(ADMIN, TOKEN)?;
        let (began, before) = (Instant::now(), cpu_ns(&threads)?);
        for _ in 0..SCRAPES {
            client.get("/metrics")?;
        }
        let (took, between) = (began.elapsed(), cpu_ns(&threads)?);
        sleep(took);
        let idle = cpu_ns(&threads)? - between;
        all.push((between - before).saturating_sub(idle) as f64 / 1e3 / SCRAPES as f64);
    }
    eprintln!("  a shard works {:.0} us for a scrape", median(all.clone()));
    Ok(round(median(all), 1))
}

fn console(engine: &mut Engine, options: &Options) -> io::Result<Value> {
    let (times, time) = if options.quick { (2, 5) } else { (5, 15) };
    let profile = scratch()?.join("browser");
    eprintln!("admin: the console, {times} times");
    let looking: JoinHandle<_> = spawn(move || console::watch(times, Duration::from_secs(time), &profile));
    let loader = beside(engine, Pace::Rate { cps: BESIDE, seconds: 300.0 }, || looking.is_finished())?;
    let seen = looking.join().map_err(|_| io::Error::other("the browser's thread has panicked"))??;
    let mut measured = seen.json();
    measured["failed"] = json!(loader.tally.failed);
    Ok(measured)
}

/// Calls of those that were up that nobody could end as it should be.
fn hang_up(engine: &mut Engine, held: Uac, up: u64) -> u64 {
    let before = held.tally.completed;
    engine.uac = Some(held);
    let now = engine.clock.now();
    if let Some(uac) = &mut engine.uac {
        uac.hang_up(now);
    }
    engine.drain(Duration::from_secs(30));
    let ended = engine.uac.as_ref().map_or(0, |uac| uac.tally.completed - before);
    up.saturating_sub(ended)
}
