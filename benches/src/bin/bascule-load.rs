//! `bascule-load`: makes calls, answers calls, or both in one thread.
#![forbid(unsafe_code)]

use bascule_benches::load::Engine;
use bascule_benches::load::clock::{Clock, nanos, run_number};
use bascule_benches::load::ear::{Ear, Ranges};
use bascule_benches::load::media::Media;
use bascule_benches::load::pace::Pace;
use bascule_benches::load::region::Region;
use bascule_benches::load::uac::{Over, Uac, UacConfig};
use bascule_benches::load::uas::{Uas, UasConfig};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

#[derive(Parser)]
#[command(about = "Makes SIP calls, answers them, or both in one thread", version)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Make calls.
    Uac(Calls),
    /// Answer calls until standard input ends.
    Uas(Answers),
    /// Answer calls and speak in them until standard input ends.
    Region(Place),
    /// Make calls and answer them: the device forwards to --uas-bind.
    Both {
        #[command(flatten)]
        calls: Calls,
        #[command(flatten)]
        answers: Answers,
    },
}

#[derive(Args)]
struct Calls {
    /// The device.
    #[arg(long)]
    to: SocketAddr,
    /// Our address as a caller.
    #[arg(long, default_value = "127.0.0.1:5090")]
    bind: SocketAddr,
    /// The called number.
    #[arg(long, default_value = "+442079460000")]
    number: String,
    /// Calls per second.
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// For how long calls are placed.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Place so many calls instead.
    #[arg(long)]
    calls: Option<u64>,
    /// Milliseconds from answer to BYE.
    #[arg(long, default_value_t = 1_000)]
    hold: u64,
    /// Ramp up to so many calls at once, hold them, and then end them.
    #[arg(long)]
    held: Option<u64>,
    /// Every n-th call carries G.711 both ways (needs both ends here).
    #[arg(long, default_value_t = 0)]
    media_every: u64,
}

#[derive(Args)]
struct Answers {
    /// Our address as an answerer.
    #[arg(long, default_value = "127.0.0.2:5080")]
    uas_bind: SocketAddr,
    /// Milliseconds from 180 to 200.
    #[arg(long, default_value_t = 0)]
    ring: u64,
    /// Final code; 300 and above refuse.
    #[arg(long, default_value_t = 200)]
    code: u16,
}

#[derive(Args)]
struct Place {
    /// Our address.
    #[arg(long)]
    bind: SocketAddr,
    /// What stands in every packet that we send, 1 or above.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    origin: u8,
    /// Where to write which packets of which calls were heard; without it they are only counted.
    #[arg(long)]
    heard: Option<PathBuf>,
}

fn main() -> io::Result<()> {
    let report = match Cli::parse().what {
        What::Uac(calls) => run(&calls, None)?,
        What::Both { calls, answers } => run(&calls, Some(&answers))?,
        What::Uas(answers) => answer(&answers)?,
        What::Region(place) => region(&place)?,
    };
    writeln!(io::stdout(), "{report:#}")
}

fn uas(answers: &Answers, talk: Option<u64>) -> io::Result<Uas> {
    Uas::new(UasConfig {
        bind: answers.uas_bind,
        ring: nanos(Duration::from_millis(answers.ring)),
        code: answers.code,
        talk,
        no_media: false,
    })
}

fn run(calls: &Calls, answers: Option<&Answers>) -> io::Result<Value> {
    let hold = nanos(Duration::from_millis(calls.hold));
    // Both ends fall silent before the BYE, so that a packet on its way is not taken for a lost one.
    let hush = hold.min(200_000_000);
    let config = UacConfig {
        bind: calls.bind,
        to: calls.to,
        over: Over::Udp,
        number: calls.number.clone(),
        hold: calls.held.is_none().then_some(hold),
        hush,
        media_every: calls.media_every,
        trace: false,
        run: run_number(),
    };
    let media = match answers {
        Some(a) if calls.media_every > 0 => Some(Media::new(calls.bind, a.uas_bind)?),
        _ => None,
    };
    let talk = calls.held.is_none().then_some(hold - hush);
    let uas = answers.map(|a| uas(a, talk)).transpose()?;
    let mut engine = Engine { clock: Clock::new(), uac: Some(Uac::new(config)?), uas, media };
    let pace = match calls.held.or(calls.calls) {
        Some(n) => Pace::Calls { cps: calls.rate, calls: n },
        None => Pace::Rate { cps: calls.rate, seconds: calls.seconds },
    };
    let now = engine.clock.now();
    if let Some(uac) = &mut engine.uac {
        uac.begin(now, pace);
    }
    engine.run_until(|e| e.uac.as_ref().is_none_or(|u| !u.is_placing()));
    if calls.held.is_some() {
        engine.run_for(Duration::from_secs_f64(calls.seconds));
        let now = engine.clock.now();
        if let Some(uac) = &mut engine.uac {
            uac.hang_up(now);
        }
    }
    engine.drain(Duration::from_millis(calls.hold) + Duration::from_secs(5));
    Ok(report(&engine))
}

fn answer(answers: &Answers) -> io::Result<Value> {
    let mut engine = Engine { clock: Clock::new(), uac: None, uas: Some(uas(answers, None)?), media: None };
    let end = end_of_input();
    engine.run_until(|_| end.try_recv().is_ok());
    Ok(report(&engine))
}

fn region(place: &Place) -> io::Result<Value> {
    let ear = if place.heard.is_some() { Ear::Which(Ranges::default()) } else { Ear::Count(0) };
    let mut region = Region::new(place.bind, place.origin, ear)?;
    let end = end_of_input();
    region.run(|| end.try_recv().is_ok());
    if let Some(heard) = &place.heard {
        region.keep(heard)?;
    }
    Ok(region.json())
}

/// Says so when standard input ends.
fn end_of_input() -> Receiver<()> {
    let (ended, end) = channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = ended.send(());
    });
    end
}

fn report(engine: &Engine) -> Value {
    json!({
        "uac": engine.uac.as_ref().map(|u| u.tally.json()),
        "uas": engine.uas.as_ref().map(|u| u.tally.json()),
        "media": engine.media.as_ref().map(Media::json),
        "retransmissions": engine.retransmissions(),
        "refused_by_our_queue": engine.uac.as_ref().map_or(0, Uac::refused) + engine.uas.as_ref().map_or(0, Uas::refused),
    })
}
