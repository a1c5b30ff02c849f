//! RTP sessions that one core relays, CPU per packet and added delay: our epoll path beside rtpengine in user space.
//!
//! The sessions of ours are calls, set up by SIP through the daemon as a user runs it; rtpengine's are set up by its
//! control protocol. Both then carry the same streams, made and measured by the same generator on the other core.

use crate::device::bascule::{self, MediaMode};
use crate::device::ng::Ng;
use crate::device::{DEVICE, Device, Recipe, UAC, UAS, rtpengine};
use crate::load::Engine;
use crate::load::clock::Clock;
use crate::load::media::{Media, Side, address_of};
use crate::load::pace::Pace;
use crate::load::scan::audio;
use crate::report::{median, ratio, result, round};
use crate::run::{Ends, Options};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// More loss than this and the core is full.
const LOSS: f64 = 0.001;
/// Sessions at which CPU per packet is measured, and delay: well below what either can do.
const MODERATE: u32 = 150;
/// Sessions set up per second.
const SETUP: f64 = 150.0;
/// A generator of which one packet in a hundred is sent later than this measures itself.
const LATE_US: u64 = 10_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bascule,
    Rtpengine,
}

/// A device with a generator that adds sessions to it.
struct Bench {
    device: Device,
    engine: Engine,
    ng: Option<Ng>,
    sessions: u32,
}

#[derive(Default)]
struct Measures {
    sessions: Vec<f64>,
    loss: Vec<f64>,
    ns_per_packet: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    breaks: u64,
    limited_by_load: bool,
}

struct Level {
    loss: f64,
    late: u64,
    packets: u64,
    cpu: f64,
}

/// Run the bench.
///
/// # Errors
///
/// When a device does not start or refuses a session.
pub fn run(options: &Options) -> io::Result<Value> {
    let mut plans = vec![
        (Kind::Bascule, bascule::single("bascule", MediaMode::Relay)),
        (Kind::Rtpengine, rtpengine::user_space()),
    ];
    plans.retain(|(_, recipe)| options.wants(&recipe.name));
    let rounds = if options.quick { 1 } else { 3 };
    let mut measures: Vec<Measures> = plans.iter().map(|_| Measures::default()).collect();
    for round in 1..=rounds {
        for ((kind, recipe), measures) in plans.iter().zip(&mut measures) {
            eprintln!("relay: {}, round {round} of {rounds}", recipe.name);
            measure(*kind, recipe, options, measures)?;
        }
    }
    let devices: Vec<Value> = plans.iter().zip(&measures).map(|((_, r), m)| m.json(r)).collect();
    let of = |name: &str, key: &str| {
        devices.iter().find(|d| d["name"] == name).and_then(|d| d[key].as_f64()).unwrap_or(0.0)
    };
    let ratios = json!({
        "sessions_vs_rtpengine": ratio(of("bascule", "sessions"), of("rtpengine", "sessions")),
        "cpu_per_packet_vs_rtpengine": ratio(of("bascule", "cpu_ns_per_packet"), of("rtpengine", "cpu_ns_per_packet")),
    });
    Ok(result("relay", options.quick, devices, ratios))
}

fn measure(kind: Kind, recipe: &Recipe, options: &Options, into: &mut Measures) -> io::Result<()> {
    let (seconds, growth) = if options.quick { (1.5, 1.25) } else { (5.0, 1.08) };
    let mut bench = Bench::start(kind, recipe)?;
    bench.grow(MODERATE)?;
    bench.level(0.5);
    let level = bench.level(if options.quick { 3.0 } else { 10.0 });
    let media = bench.engine.media.as_ref().expect("a bench of media has media");
    into.p50.push(media.latency.at(50.0) as f64);
    into.p99.push(media.latency.at(99.0) as f64);
    into.ns_per_packet.push(level.cpu * 1e9 / level.packets.max(1) as f64);
    into.breaks += media.breaks;
    eprintln!(
        "  {MODERATE} sessions: {:.0} ns per packet, loss {:.5}, p50 {} us",
        level.cpu * 1e9 / level.packets.max(1) as f64,
        level.loss,
        media.latency.at(50.0),
    );
    let mut best = (0, 0.0);
    let mut wanted = MODERATE;
    loop {
        bench.grow(wanted)?;
        bench.level(0.3);
        let level = bench.level(seconds);
        eprintln!(
            "  {wanted} sessions: loss {:.5}, one packet in 100 sent late by {} us",
            level.loss, level.late
        );
        into.limited_by_load |= level.late > LATE_US;
        if level.loss >= LOSS || level.late > LATE_US {
            break;
        }
        best = (wanted, level.loss);
        wanted = (f64::from(wanted) * growth).ceil() as u32;
    }
    into.sessions.push(f64::from(best.0));
    into.loss.push(best.1);
    Ok(())
}

impl Bench {
    fn start(kind: Kind, recipe: &Recipe) -> io::Result<Self> {
        let device = recipe.start()?;
        let (engine, ng) = match kind {
            Kind::Bascule => {
                let ends = Ends {
                    uac: UAC,
                    uas: Some(UAS),
                    device: DEVICE,
                    hold: None,
                    media_every: 1,
                    trace: false,
                };
                (ends.engine()?, None)
            }
            Kind::Rtpengine => {
                let media = Some(Media::new(UAC, UAS)?);
                let mut ng = Ng::connect(rtpengine::CONTROL)?;
                if !ng.ping() {
                    return Err(io::Error::other("rtpengine does not answer a ping"));
                }
                (Engine { clock: Clock::new(), uac: None, uas: None, media }, Some(ng))
            }
        };
        Ok(Self { device, engine, ng, sessions: 0 })
    }

    /// Add sessions until there are so many.
    fn grow(&mut self, wanted: u32) -> io::Result<()> {
        let more = u64::from(wanted - self.sessions);
        if more == 0 {
            return Ok(());
        }
        if self.ng.is_some() {
            for slot in self.sessions..wanted {
                self.add_by_ng(slot)?;
                self.engine.run_for(Duration::from_secs_f64(1.0 / SETUP));
            }
        } else if let Some(uac) = &mut self.engine.uac {
            let now = self.engine.clock.now();
            uac.begin(now, Pace::Calls { cps: SETUP, calls: more });
            self.engine.run_until(|e| e.uac.as_ref().is_none_or(|u| !u.is_placing()));
            self.engine.run_for(Duration::from_millis(200));
            let up = self.engine.uac.as_ref().map_or(0, crate::load::uac::Uac::up);
            if up != u64::from(wanted) {
                return Err(io::Error::other(format!("{up} of {wanted} calls are up")));
            }
        }
        self.sessions = wanted;
        Ok(())
    }

    fn add_by_ng(&mut self, slot: u32) -> io::Result<()> {
        let Some(ng) = &mut self.ng else { return Ok(()) };
        let call = format!("bench-{slot}");
        let sdp = |at: std::net::SocketAddr| {
            format!(
                "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
                 a=rtpmap:0 PCMU/8000\r\n",
                ip = at.ip(),
                port = at.port(),
            )
        };
        let to_b = ng.offer(&call, sdp(address_of(UAC, slot)).as_bytes())?;
        let to_a = ng.answer(&call, sdp(address_of(UAS, slot)).as_bytes())?;
        let read =
            |sdp: &[u8]| audio(sdp).ok_or_else(|| io::Error::other("rtpengine's SDP names no address"));
        let (to_b, to_a) = (read(&to_b)?, read(&to_a)?);
        let now = self.engine.clock.now();
        if let Some(media) = &mut self.engine.media {
            // The callee sends to what the offer showed it; the caller to what the answer showed.
            media.start(Side::B, slot, to_b, now, None);
            media.start(Side::A, slot, to_a, now, None);
        }
        Ok(())
    }

    /// Carry what there is for some seconds.
    fn level(&mut self, seconds: f64) -> Level {
        let cpu = self.device.process.cpu_seconds();
        let epoch = self.epoch();
        self.engine.run_for(Duration::from_secs_f64(seconds));
        let late = self.engine.media.as_ref().map_or(0, |m| m.late.at(99.0));
        let latency = self.engine.media.as_ref().map(|m| m.latency.clone());
        let cpu = self.device.process.cpu_seconds() - cpu;
        // What is on its way has a moment to arrive.
        self.epoch();
        self.engine.run_for(Duration::from_millis(150));
        let Some(media) = &mut self.engine.media else { return Level { loss: 1.0, late, packets: 0, cpu } };
        if let Some(latency) = latency {
            media.latency = latency;
        }
        let counts = media.epoch(epoch);
        Level { loss: counts.loss(), late, packets: counts.received, cpu }
    }

    fn epoch(&mut self) -> u8 {
        self.engine.media.as_mut().map_or(0, Media::next_epoch)
    }
}

impl Measures {
    fn json(&self, recipe: &Recipe) -> Value {
        json!({
            "name": recipe.name,
            "note": recipe.note,
            "sessions": median(self.sessions.clone()),
            "sessions_all": self.sessions,
            "loss": round(median(self.loss.clone()), 6),
            "limited_by_generator": self.limited_by_load,
            "cpu_ns_per_packet": median(self.ns_per_packet.clone()).round(),
            "cpu_measured_at_sessions": MODERATE,
            "latency_us": { "p50": median(self.p50.clone()), "p99": median(self.p99.clone()) },
            "sequence_breaks": self.breaks,
        })
    }
}
