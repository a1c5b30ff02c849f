//! Traffic at the speed of a card: programs in the kernel make it and count it (`bpf/traffic.c`).
//!
//! A *lane* is one direction of one call. Lanes take turns as a [`Plan`] says; what has arrived is told by a [`Tally`].

mod delays;
mod layout;

pub use delays::Delays;

use crate::device::{DEVICE_CORE, LOAD_CORE};
use crate::place::{Pending, Site, pin_thread, scheduled};
use aya::maps::{Array, MapData};
use aya::programs::xdp::{XdpLinkId, XdpMode};
use aya::programs::{TestRun, TestRunAttrs, TestRunOptions, Xdp};
use aya::{Ebpf, Pod};
use layout::{ArrivalWords, BUCKETS, FRAME, LANES, LaneWords, PlanWords, lane, plan};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// `cargo xtask xdp` builds it.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../bpf/traffic.bpf.o");

/// Frames of a batch, at most: the kernel's limit. It keeps as many pages ready.
const MOST_FRAMES: u32 = 256;
/// Frames a second that a flood takes, at most.
const FLOOD: f64 = 10e6;
/// A batch in which nothing is due takes so long at least, in seconds, besides its frames: the program waits at its beginning.
const WAIT: f64 = 1.2e-6;
/// Frames by which it is measured what an empty one takes.
const EMPTY_FRAMES: u32 = 1 << 19;
/// The first packet of a plan comes by then, if any does.
const BEGINS: Duration = Duration::from_millis(50);
/// Packets that wait in a relay have all come when none has come for so long; a relay that goes on for longer than the other is not
/// waited for.
const SETTLED: (Duration, Duration) = (Duration::from_millis(60), Duration::from_secs(20));

/// One direction of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// 0: it begins on the carrier's link; 1: on the tier's.
    pub link: usize,
    /// Whence and whither it is sent.
    pub from: SocketAddrV4,
    /// The relay's address for it.
    pub to: SocketAddrV4,
    /// Where it must arrive.
    pub expected: SocketAddrV4,
}

/// How packets are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Lanes `first`, `first + step`, … below `end` take turns.
    pub first: usize,
    /// See `first`.
    pub step: usize,
    /// See `first`.
    pub end: usize,
    /// Packets a second; none: as fast as it goes.
    pub rate: Option<f64>,
    /// So many at once; then a pause, as a card makes one between two interrupts.
    pub burst: u32,
    /// Packets that leave together if they are due together.
    pub batch: u32,
    /// Write down when each was sent.
    pub stamped: bool,
    /// Send on the device's core, and give way there to everybody.
    pub inline: bool,
    /// For how long.
    pub time: Duration,
}

/// What was sent and what came while a plan was carried out.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Packets that were sent.
    pub sent: u64,
    /// Packets that came.
    pub received: u64,
    /// Numbers that were missing before a later one of their lane.
    pub gaps: u64,
    /// Packets that came after a later one of their lane.
    pub reordered: u64,
    /// Packets that came to the wrong place.
    pub misdelivered: u64,
    /// Frames of somebody else's.
    pub other: u64,
    /// Bursts that began so late that they were put off.
    pub late: u64,
    /// How long it took.
    pub seconds: f64,
    /// Of stamped packets.
    pub delays: Delays,
}

impl Tally {
    /// The share that did not come.
    pub fn loss(&self) -> f64 {
        1.0 - self.received as f64 / self.sent.max(1) as f64
    }

    /// Packets that were sent, a second.
    pub fn offered(&self) -> f64 {
        self.sent as f64 / self.seconds.max(1e-9)
    }
}

/// What was seen in a part of a plan's time: what a relay delivers while its queues are as full as they get, and not what it goes on
/// delivering out of them when nothing more comes.
#[derive(Debug, Clone)]
pub struct Window<T> {
    /// Packets that came.
    pub received: u64,
    /// How long it was.
    pub seconds: f64,
    /// What was looked at, at its beginning and at its end.
    pub looks: [T; 2],
}

impl<T> Window<T> {
    /// Packets that came, a second.
    pub fn delivered(&self) -> f64 {
        self.received as f64 / self.seconds.max(1e-9)
    }
}

/// Generator and sinks of a site.
pub struct Traffic {
    programs: Arc<Mutex<Ebpf>>,
    plan: Arc<Mutex<Array<MapData, PlanWords>>>,
    lanes: Array<MapData, LaneWords>,
    arrivals: Array<MapData, ArrivalWords>,
    delays: Array<MapData, u64>,
    links: [u64; 6],
    /// What a frame takes of which nothing is made, in seconds.
    empty_frame: f64,
}

/// A plan that is being carried out.
pub struct Flight {
    sending: Pending<io::Result<(PlanWords, f64)>>,
    before: ([u64; 5], Delays),
}

/// Everything dropped at the relay's door, as long as this is held.
pub struct Door {
    programs: Arc<Mutex<Ebpf>>,
    links: Vec<XdpLinkId>,
}

/// CLOCK_MONOTONIC, which programs read too.
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

impl Traffic {
    /// Put the sinks where they belong.
    ///
    /// # Errors
    ///
    /// Without root, or on a kernel that is older than live frames (5.18).
    pub fn new(site: &Site) -> io::Result<Self> {
        let mut programs = Ebpf::load(OBJECT).map_err(told)?;
        for name in ["generate", "sink", "door"] {
            program(&mut programs, name)?.load().map_err(told)?;
        }
        let mut traffic = Self {
            plan: Arc::new(Mutex::new(array(&mut programs, "plan")?)),
            lanes: array(&mut programs, "lanes")?,
            arrivals: array(&mut programs, "arrivals")?,
            delays: array(&mut programs, "delays")?,
            links: [0, 1]
                .map(|n| {
                    let link = &site.links[n];
                    [word(link.ours.mac), word(link.theirs.mac), link.theirs.ifindex.into()]
                })
                .as_flattened()
                .try_into()
                .map_err(io::Error::other)?,
            programs: Arc::new(Mutex::new(programs)),
            empty_frame: 0.0,
        };
        let names = site.links.each_ref().map(|link| link.theirs.name.clone());
        let sinks = Arc::clone(&traffic.programs);
        site.outside.run(move || {
            let mut programs = lock(&sinks);
            let sink = program(&mut programs, "sink")?;
            names.iter().try_for_each(|name| sink.attach(name, XdpMode::Driver).map(drop).map_err(told))
        })?;
        site.poll_in_threads()?;
        traffic.empty_frame = traffic.time_of_empty_frame(site)?;
        Ok(traffic)
    }

    /// A plan that ends at once, and frames that nothing is made of.
    fn time_of_empty_frame(&self, site: &Site) -> io::Result<f64> {
        let over = Plan {
            first: 0,
            step: 1,
            end: 1,
            rate: None,
            burst: 1,
            batch: 64,
            stamped: false,
            inline: false,
            time: Duration::ZERO,
        };
        let words = self.words(&over);
        let (programs, table) = (Arc::clone(&self.programs), Arc::clone(&self.plan));
        site.outside.run(move || {
            let begun = now_ns();
            send(&programs, &table, words, over.batch, EMPTY_FRAMES)?;
            Ok((now_ns() - begun) as f64 / 1e9 / f64::from(EMPTY_FRAMES))
        })
    }

    /// Say what the lanes are, from number 0 on, or from another.
    ///
    /// # Errors
    ///
    /// If there are too many.
    pub fn lay(&mut self, first: usize, lanes: &[Lane]) -> io::Result<()> {
        if first + lanes.len() > LANES {
            return Err(io::Error::other(format!("more than {LANES} lanes")));
        }
        for (n, l) in lanes.iter().enumerate() {
            let mut words = LaneWords::default();
            let ip = |at: SocketAddrV4| u64::from(u32::from_ne_bytes(at.ip().octets()));
            let port = |at: SocketAddrV4| u64::from(u16::from_ne_bytes(at.port().to_be_bytes()));
            words[lane::ADDRESSES] = ip(l.to) << 32 | ip(l.from);
            words[lane::PORTS] = (l.link as u64) << 32 | port(l.to) << 16 | port(l.from);
            words[lane::EXPECTED] = ip(l.expected) << 32 | port(l.expected);
            words[lane::SSRC] = Self::ssrc(first + n).into();
            self.lanes.set((first + n) as u32, words, 0).map_err(told)?;
        }
        Ok(())
    }

    /// The SSRC of a lane.
    pub const fn ssrc(lane: usize) -> u32 {
        0x1000_0000 + lane as u32
    }

    /// Packets of a lane that were sent, that came, and when the last one did.
    ///
    /// # Errors
    ///
    /// If there is no such lane.
    pub fn lane(&self, n: usize) -> io::Result<(u64, u64, u64)> {
        let words = self.lanes.get(&(n as u32), 0).map_err(told)?;
        Ok((words[lane::SENT], words[lane::RECEIVED], words[lane::LAST_SEEN]))
    }

    /// When the last packet came to an address.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn last_at(&self, ip: IpAddr) -> io::Result<u64> {
        let IpAddr::V4(ip) = ip else { return Ok(0) };
        Ok(self.arrivals.get(&0, 0).map_err(told)?[5 + usize::from(ip.octets()[3])])
    }

    /// Begin a plan.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn begin(&self, site: &Site, what: &Plan) -> io::Result<Flight> {
        let before = (self.counts()?, self.all_delays()?);
        let words = self.words(what);
        let (programs, table) = (Arc::clone(&self.programs), Arc::clone(&self.plan));
        let (batch, seconds) = (what.batch.clamp(1, MOST_FRAMES), what.time.as_secs_f64());
        // Enough for the whole plan, since beginning anew takes the kernel a hundredth of a second.
        let frames = match what.rate {
            None => FLOOD * seconds,
            Some(rate) => {
                let batch = f64::from(batch);
                seconds * (rate + batch / (WAIT + 0.8 * self.empty_frame * batch))
            }
        };
        let inline = what.inline;
        let sending = site.outside.begin(move || {
            let us = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
            if inline {
                pin_thread(us, DEVICE_CORE)?;
                scheduled(&["-i", "0"], us)?;
            }
            let sent = send(&programs, &table, words, batch, frames as u32);
            if inline {
                scheduled(&["-o", "0"], us)?;
                pin_thread(us, LOAD_CORE)?;
            }
            Ok((sent?, seconds))
        });
        Ok(Flight { sending, before })
    }

    /// Wait for the end of a plan, and for what is still on its way.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn end(&self, flight: Flight) -> io::Result<Tally> {
        let (plan, seconds) = flight.sending.wait()?;
        self.settle()?;
        let (now, then) = (self.counts()?, flight.before.0);
        let [received, gaps, reordered, misdelivered, other] = std::array::from_fn(|n| now[n] - then[n]);
        let delays = self.all_delays()?.since(&flight.before.1);
        let (sent, late) = (plan[plan::SENT], plan[plan::LATE]);
        Ok(Tally { sent, received, gaps, reordered, misdelivered, other, late, seconds, delays })
    }

    /// Carry out a plan.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn run(&self, site: &Site, what: &Plan) -> io::Result<Tally> {
        self.end(self.begin(site, what)?)
    }

    /// Carry out a plan, and look at a window of its time after a warm-up.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn watch<T>(
        &self,
        site: &Site,
        what: &Plan,
        [warm_up, window]: [Duration; 2],
        look: impl Fn() -> io::Result<T>,
    ) -> io::Result<(Tally, Window<T>)> {
        // The end of the window is the plan's, and not the generator's rest.
        let what = Plan { time: warm_up + window + SETTLED.0, ..*what };
        let (flight, begun) = (self.begin(site, &what)?, Instant::now());
        while self.counts()?[0] == flight.before.0[0] && begun.elapsed() < BEGINS {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(warm_up);
        let at = || Ok::<_, io::Error>((now_ns(), self.counts()?[0], look()?));
        let first = at()?;
        std::thread::sleep(window);
        let last = at()?;
        let (received, seconds) = (last.1 - first.1, (last.0 - first.0) as f64 / 1e9);
        Ok((self.end(flight)?, Window { received, seconds, looks: [first.2, last.2] }))
    }

    /// Wait until nothing more comes.
    fn settle(&self) -> io::Result<()> {
        let (mut before, begun) = (self.counts()?[0], Instant::now());
        loop {
            std::thread::sleep(SETTLED.0);
            let now = self.counts()?[0];
            if now == before || begun.elapsed() > SETTLED.1 {
                return Ok(());
            }
            before = now;
        }
    }

    /// Drop everything at the relay's door.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn close_door(&self, site: &Site) -> io::Result<Door> {
        let names = site.links.each_ref().map(|link| link.ours.name.clone());
        let programs = Arc::clone(&self.programs);
        site.relay.run(move || {
            let mut held = lock(&programs);
            let door = program(&mut held, "door")?;
            let links: io::Result<Vec<_>> =
                names.iter().map(|name| door.attach(name, XdpMode::Driver).map_err(told)).collect();
            drop(held);
            Ok(Door { links: links?, programs })
        })
    }

    fn words(&self, what: &Plan) -> PlanWords {
        let mut words = PlanWords::default();
        words[..6].copy_from_slice(&self.links);
        let burst = u64::from(what.burst.max(1));
        words[plan::INTERVAL] = what.rate.map_or(0, |rate| (burst as f64 * 1e9 / rate) as u64);
        words[plan::BURST] = if what.rate.is_some() { burst } else { 0 };
        words[plan::FIRST] = what.first as u64;
        words[plan::STEP] = what.step as u64;
        words[plan::END] = what.end as u64;
        // The time of 64 packets, but no less than the system's own pauses and no more than a millisecond.
        let patience = what.rate.map_or(0.0, |rate| (64e9 / rate).clamp(50e3, 1e6));
        words[plan::PATIENCE] = patience as u64;
        words[plan::BATCH] = what.batch.clamp(1, MOST_FRAMES).into();
        words[plan::UNTIL] = what.time.as_nanos() as u64;
        words[plan::FLAGS] = u64::from(what.stamped);
        words[plan::TURN] = what.first as u64;
        words
    }

    fn counts(&self) -> io::Result<[u64; 5]> {
        let words = self.arrivals.get(&0, 0).map_err(told)?;
        Ok(std::array::from_fn(|n| words[n]))
    }

    fn all_delays(&self) -> io::Result<Delays> {
        let all: Result<Vec<u64>, _> = (0..BUCKETS as u32).map(|n| self.delays.get(&n, 0)).collect();
        Ok(Delays::new(all.map_err(told)?))
    }
}

/// Have the kernel make frames until the plan is done.
fn send(
    programs: &Mutex<Ebpf>,
    table: &Mutex<Array<MapData, PlanWords>>,
    words: PlanWords,
    batch: u32,
    frames: u32,
) -> io::Result<PlanWords> {
    let mut programs = lock(programs);
    let generate = program(&mut programs, "generate")?;
    let mut table = lock(table);
    let frame = [0; FRAME];
    table.set(0, words, 0).map_err(told)?;
    loop {
        let options = TestRunOptions {
            data_in: Some(&frame),
            repeat: frames.max(1),
            attrs: TestRunAttrs::new().xdp_live_frames(batch),
            ..TestRunOptions::new()
        };
        match generate.test_run(options) {
            Ok(_) => {}
            // Something else wanted the thread for a moment: the plan goes on where it stood.
            Err(e) if is_interruption(&e) => {}
            Err(e) => return Err(told(e)),
        }
        let now = table.get(&0, 0).map_err(told)?;
        if now[plan::FINISHED] != 0 {
            return Ok(now);
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let mut programs = lock(&self.programs);
        if let Ok(door) = program(&mut programs, "door") {
            for link in self.links.drain(..) {
                let _ = door.detach(link);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn program<'e>(programs: &'e mut Ebpf, name: &str) -> io::Result<&'e mut Xdp> {
    let program = programs.program_mut(name).ok_or_else(|| io::Error::other(format!("no program {name}")))?;
    program.try_into().map_err(told)
}

fn array<V: Pod>(programs: &mut Ebpf, name: &str) -> io::Result<Array<MapData, V>> {
    let map = programs.take_map(name).ok_or_else(|| io::Error::other(format!("no table {name}")))?;
    Array::try_from(map).map_err(told)
}

fn word(mac: [u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = mac;
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

/// Whether the system was only asked to stop for a moment (EINTR).
fn is_interruption(error: &(dyn Error + 'static)) -> bool {
    let io = error.downcast_ref::<io::Error>().map(io::Error::kind);
    io == Some(io::ErrorKind::Interrupted) || error.source().is_some_and(is_interruption)
}

/// An error with everything below it.
fn told(error: impl Error) -> io::Error {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        text = format!("{text}: {error}");
        below = error.source();
    }
    io::Error::other(text)
}
