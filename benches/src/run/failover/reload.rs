//! The configuration is reloaded under load with media.

use super::{CPS, answerer};
use crate::device::bascule::{self, MediaMode, Region, Wishes};
use crate::device::{DEVICE, UAC, UAS, at};
use crate::load::Engine;
use crate::load::clock::MS;
use crate::load::media::Media;
use crate::load::pace::Pace;
use crate::run::{Ends, Options};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// Calls with media that stay up, and short ones that come and go, over several reloads.
pub(super) fn run(options: &Options) -> io::Result<Value> {
    const STREAMS: u64 = 100;
    let regions = [
        Region { name: "north", edge: UAS, via: None },
        Region { name: "south", edge: at(4, 5080), via: None },
    ];
    let recipe = bascule::recipe("bascule-reload", MediaMode::Relay, &regions[..1], &Wishes::default());
    let _south = answerer("south", regions[1].edge)?;
    let device = recipe.start()?;
    let ends = Ends { uac: UAC, uas: Some(UAS), device: DEVICE, hold: None, media_every: 1, trace: false };
    let mut held = ends.engine()?;
    place(&mut held, Pace::Calls { cps: 100.0, calls: STREAMS });
    held.run_for(Duration::from_millis(1_500));
    // Short calls come from another port and carry no media.
    let short = Ends { uac: at(1, 5091), uas: None, hold: Some(500 * MS), media_every: 0, ..ends };
    let mut short = short.engine()?;
    let epoch = held.media.as_mut().map_or(0, Media::next_epoch);
    let (seconds, reloads) = if options.quick { (6.0, 3) } else { (20.0, 10) };
    place(&mut short, Pace::Rate { cps: CPS, seconds });
    let began = held.clock.now();
    let every = (seconds * 1e9) as u64 / (reloads + 1);
    let mut done = 0;
    while held.clock.now() - began < (seconds * 1e9) as u64 {
        for engine in [&mut held, &mut short] {
            engine.run_for(Duration::from_micros(300));
        }
        if (held.clock.now() - began) / every > done && done < reloads {
            done += 1;
            // The second region comes and goes; the first, where the media is, stays.
            let regions = &regions[..if done.is_multiple_of(2) { 1 } else { 2 }];
            std::fs::write(&device.config, bascule::config(MediaMode::Relay, regions, &Wishes::default()))?;
            device.process.signal(Signal::HUP);
        }
    }
    // The last short calls end.
    for _ in 0..3_000 {
        for engine in [&mut held, &mut short] {
            engine.run_for(Duration::from_micros(300));
        }
    }
    held.media.as_mut().map(Media::next_epoch);
    held.run_for(Duration::from_millis(150));
    let counts = held.media.as_ref().map(|m| m.epoch(epoch)).unwrap_or_default();
    let (Some(short), Some(uac), Some(media)) = (&short.uac, &held.uac, &held.media) else {
        return Ok(Value::Null);
    };
    Ok(json!({
        "reloads": done,
        "calls": short.tally.placed,
        "failed": short.tally.failed + uac.tally.failed + short.live(),
        "held_calls": uac.up(),
        "rtp_sent": counts.sent,
        "rtp_lost": counts.sent - counts.received,
        "sequence_breaks": media.breaks,
    }))
}

fn place(engine: &mut Engine, pace: Pace) {
    let now = engine.clock.now();
    if let Some(uac) = &mut engine.uac {
        uac.begin(now, pace);
    }
}
