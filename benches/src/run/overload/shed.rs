//! Three times as many calls as can be made.

use crate::device::{DEVICE, Recipe, UAC, UAS};
use crate::load::Engine;
use crate::load::clock::{Clock, MS, Nanos, run_number};
use crate::load::pace::Pace;
use crate::load::tally::{Trace, UacTally};
use crate::load::uac::{Over, Uac, UacConfig};
use crate::report::{median, ratio, round};
use crate::run::{Ends, Options};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// From answer to BYE: short, so that ports are no limit.
const HOLD: Nanos = 200 * MS;

/// Calls that are up before the load comes; half of them hang up in the middle of it, the others after it.
const HELD: u64 = 500;

/// Where they come from.
const HELD_UAC: SocketAddr = SocketAddr::new(UAC.ip(), 5091);

/// How long new calls are watched after the load's end, and at which share of the peak they are placed.
const AFTER: f64 = 4.0;
const AFTER_SHARE: f64 = 0.5;

/// What one run at a rate has brought.
struct Run {
    offered: f64,
    goodput: f64,
    /// The generator fell behind by more than a tenth of what a second should have brought.
    limited: bool,
}

#[derive(Default)]
struct Measures {
    peak: Vec<f64>,
    most: Vec<f64>,
    offered: Vec<f64>,
    goodput: Vec<f64>,
    kept: Vec<f64>,
    recovery_ms: Vec<f64>,
    held_failed: u64,
    held_retransmissions: u64,
    failed_after: u64,
    limited: bool,
    failures: Vec<Value>,
    pdd_p99_us: Vec<f64>,
    cores: Vec<f64>,
}

pub(super) fn measure(recipe: &Recipe, first: f64, rounds: usize, options: &Options) -> io::Result<Value> {
    let mut all = Measures::default();
    let most = search(recipe, first)?;
    for n in 1..=rounds {
        eprintln!("overload: {}, round {n} of {rounds}", recipe.name);
        // The search has taken the best of many runs, which is more than the machine does mostly. What is compared are neighbours, each
        // as long as the other.
        let run = at(recipe, most, seconds(options))?;
        eprintln!("  {:.0} offered: {:.0} calls/s, the peak", run.offered, run.goodput);
        all.limited |= run.limited;
        three_times(recipe, run.goodput, options, &mut all)?;
        all.peak.push(run.goodput);
        all.most.push(run.offered);
    }
    let spread = |values: &[f64], digits| values.iter().map(|x| round(*x, digits)).collect::<Vec<_>>();
    Ok(json!({
        "peak_calls_per_s": round(median(all.peak.clone()), 0),
        "peak_calls_per_s_all": spread(&all.peak, 0),
        "peak_offered_calls_per_s": round(median(all.most.clone()), 0),
        "offered_calls_per_s": round(median(all.offered.clone()), 0),
        "offered_by_peak": ratio(median(all.offered.clone()), median(all.peak.clone())),
        "goodput_calls_per_s": round(median(all.goodput.clone()), 0),
        "goodput_by_peak": round(median(all.kept.clone()), 3),
        "goodput_by_peak_all": spread(&all.kept, 3),
        "pdd_p99_us": median(all.pdd_p99_us.clone()),
        "cores_used": round(median(all.cores.clone()), 2),
        "held_calls": HELD * rounds as u64,
        "held_calls_hurt": all.held_failed,
        "held_calls_retransmissions": all.held_retransmissions,
        "recovery_ms": median(all.recovery_ms.clone()),
        "recovery_ms_all": all.recovery_ms,
        "failed_after_recovery": all.failed_after,
        "limited_by_generator": all.limited,
        "failures": all.failures,
    }))
}

fn engine(trace: bool) -> io::Result<Engine> {
    let ends = Ends { uac: UAC, uas: Some(UAS), device: DEVICE, hold: Some(HOLD), media_every: 0, trace };
    ends.engine()
}

fn tally(engine: &Engine) -> &UacTally {
    &engine.uac.as_ref().expect("a bench of calls has a caller").tally
}

/// What a process does once is no part of the measure.
fn warm_up() -> io::Result<()> {
    let mut engine = engine(false)?;
    place(&mut engine, 500.0, 0.5);
    engine.drain(Duration::from_secs(4));
    Ok(())
}

fn place(engine: &mut Engine, cps: f64, seconds: f64) {
    let now = engine.clock.now();
    if let Some(uac) = &mut engine.uac {
        uac.begin(now, Pace::Rate { cps, seconds });
    }
    engine.run_until(|e| e.uac.as_ref().is_none_or(|u| !u.is_placing()));
}

/// How long a rate is offered that is compared with another.
const fn seconds(options: &Options) -> f64 {
    if options.quick { 5.0 } else { 10.0 }
}

/// The rate at which most calls come up and are ended. Each rate has a device of its own.
fn search(recipe: &Recipe, first: f64) -> io::Result<f64> {
    let (factor, seconds) = (1.25, 3.0);
    let (mut rate, mut best, mut worse) = (first, (0.0, first), 0);
    while worse < 3 {
        let run = at(recipe, rate, seconds)?;
        let behind = if run.limited { ", the generator was late" } else { "" };
        eprintln!("  {:.0} offered: {:.0} calls/s{behind}", run.offered, run.goodput);
        // Beyond the knee it only falls; three in a row, since one may be an accident.
        if run.goodput > best.0 {
            (best, worse) = ((run.goodput, rate), 0);
        } else {
            worse += 1;
        }
        rate *= factor;
    }
    Ok(best.1)
}

fn at(recipe: &Recipe, cps: f64, seconds: f64) -> io::Result<Run> {
    let device = recipe.start()?;
    warm_up()?;
    let mut engine = engine(false)?;
    place(&mut engine, cps, seconds);
    let answered = tally(&engine).answered;
    engine.drain(Duration::from_secs(4));
    drop(device);
    let tally = tally(&engine);
    Ok(Run {
        offered: tally.placed as f64 / seconds,
        // What comes up when the load is over is no part of what could be done under it.
        goodput: answered.min(tally.completed) as f64 / seconds,
        limited: tally.behind as f64 > cps / 10.0,
    })
}

fn three_times(recipe: &Recipe, peak: f64, options: &Options, into: &mut Measures) -> io::Result<()> {
    let seconds = seconds(options);
    let device = recipe.start()?;
    warm_up()?;
    let mut engine = engine(true)?;
    let (middle, end) = (AtomicBool::new(false), AtomicBool::new(false));
    let (held, up) = std::sync::mpsc::channel();
    std::thread::scope(|scope| -> io::Result<()> {
        let holder = scope.spawn(|| hold(held, &middle, &end));
        // The answerer of these calls is in this thread.
        engine.run_until(|_| up.try_recv().is_ok() || holder.is_finished());
        let cpu = device.process.cpu_seconds();
        place(&mut engine, 3.0 * peak, seconds / 2.0);
        middle.store(true, Ordering::Relaxed);
        place(&mut engine, 3.0 * peak, seconds / 2.0);
        into.cores.push((device.process.cpu_seconds() - cpu) / seconds);
        let loaded = traces(&engine).len();
        let ended = engine.clock.now();
        let (offered, behind) = (tally(&engine).placed as f64 / seconds, tally(&engine).behind);
        into.limited |= behind as f64 > 3.0 * peak / 10.0;
        place(&mut engine, AFTER_SHARE * peak, AFTER);
        end.store(true, Ordering::Relaxed);
        engine.run_for(Duration::from_secs(3));
        engine.drain(Duration::from_secs(33));
        let (failed, retransmissions) = holder.join().unwrap_or(Err(io::ErrorKind::Other.into()))?;
        into.held_failed += failed;
        into.held_retransmissions += retransmissions;
        let traces = traces(&engine);
        let good = |t: &&Trace| t.answered.is_some_and(|at| at <= ended) && !t.failed;
        let good = traces[..loaded].iter().filter(good).count();
        let last = traces[loaded..].iter().filter(|t| t.failed).map(|t| t.placed).max();
        let recovery = last.map_or(0, |last| last.saturating_sub(ended) / MS);
        let goodput = good as f64 / seconds;
        eprintln!(
            "  {offered:.0} offered: {goodput:.0} calls/s, {:.1} % of {peak:.0}; {failed} of {HELD} calls hurt, \
             recovered after {recovery} ms",
            goodput / peak * 100.0
        );
        into.offered.push(offered);
        into.goodput.push(goodput);
        into.kept.push(goodput / peak);
        into.recovery_ms.push(recovery as f64);
        let late = |t: &&Trace| t.failed && t.placed > ended + 2_000 * MS;
        into.failed_after += traces[loaded..].iter().filter(late).count() as u64;
        into.failures.push(json!(tally(&engine).failures));
        into.pdd_p99_us.push(tally(&engine).pdd.at(99.0) as f64);
        Ok(())
    })?;
    drop(device);
    Ok(())
}

fn traces(engine: &Engine) -> &[Trace] {
    tally(engine).traces.as_deref().unwrap_or_default()
}

/// Calls that are up all the while: how many were hurt, and how much of what they said had to be said again.
fn hold(up: std::sync::mpsc::Sender<()>, middle: &AtomicBool, end: &AtomicBool) -> io::Result<(u64, u64)> {
    let config = |n: u16, calls: &str| UacConfig {
        bind: SocketAddr::new(HELD_UAC.ip(), HELD_UAC.port() + n),
        to: DEVICE,
        over: Over::Udp,
        number: calls.to_owned(),
        hold: None,
        hush: 0,
        media_every: 0,
        trace: false,
        run: run_number().wrapping_add(1 + u32::from(n)),
    };
    let caller = |n| -> io::Result<Engine> {
        Ok(Engine {
            clock: Clock::new(),
            uac: Some(Uac::new(config(n, "+442079461111"))?),
            uas: None,
            media: None,
        })
    };
    let mut both = [caller(0)?, caller(1)?];
    for engine in &mut both {
        let now = engine.clock.now();
        if let Some(uac) = &mut engine.uac {
            uac.begin(now, Pace::Calls { cps: 500.0, calls: HELD / 2 });
        }
        engine.run_until(|e| e.uac.as_ref().is_none_or(|u| !u.is_placing()));
        engine.run_for(Duration::from_millis(500));
    }
    // Nobody may wait for it any more.
    let _ = up.send(());
    for (engine, when) in both.iter_mut().zip([middle, end]) {
        while !when.load(Ordering::Relaxed) {
            engine.run_for(Duration::from_millis(10));
        }
        let now = engine.clock.now();
        if let Some(uac) = &mut engine.uac {
            uac.hang_up(now);
        }
        engine.drain(Duration::from_secs(5));
    }
    let hurt: u64 = both.iter().map(|e| HELD / 2 - tally(e).completed.min(HELD / 2)).sum();
    Ok((hurt, both.iter().map(Engine::retransmissions).sum()))
}
