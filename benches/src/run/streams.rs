//! One bad peer among a hundred on TCP: how long the others wait for their answers.

use super::Options;
use crate::device::{DEVICE, Recipe, bascule, sibling};
use crate::report::{median, result, round};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Peers, the bad one among them.
const PEERS: u8 = 100;

/// Each of the others asks so often: 2,000 questions a second together, as many messages as 280 calls make.
const EVERY: Duration = Duration::from_millis(50);

/// What a slow peer reads, and how often: 100 bytes a second.
const SIP: (usize, Duration) = (1, Duration::from_millis(10));

/// How the hundredth behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manners {
    /// Like the others.
    Good,
    /// It asks as fast as it can and never reads an answer.
    Stalled,
    /// It asks as fast as it can and reads 100 bytes a second.
    Slow,
    /// Its messages come a byte at a time.
    Trickling,
}

impl Manners {
    const ALL: [(&str, Self); 4] = [
        ("all-good", Self::Good),
        ("one-stalled", Self::Stalled),
        ("one-slow", Self::Slow),
        ("one-trickling", Self::Trickling),
    ];
}

/// What the good ones saw, in milliseconds.
#[derive(Debug, Default)]
struct Measures {
    p50: Vec<f64>,
    p99: Vec<f64>,
    most: Vec<f64>,
    answered: u64,
    /// Good connections that were closed, and questions without an answer at the end.
    lost: u64,
    /// How often the bad one was cut off; it comes back each time.
    cut: u64,
}

/// Run the bench.
///
/// # Errors
///
/// When the device does not start, or does not take a connection.
pub fn run(options: &Options) -> io::Result<Value> {
    let (rounds, time) =
        if options.quick { (1, Duration::from_secs(5)) } else { (5, Duration::from_secs(10)) };
    let scenes: Vec<_> = Manners::ALL.into_iter().filter(|(name, _)| options.wants(name)).collect();
    let mut measures: Vec<Measures> = scenes.iter().map(|_| Measures::default()).collect();
    // Scenes take turns, so that a slow spell of the machine does not fall on one of them.
    for turn in 1..=rounds {
        for ((name, manners), measures) in scenes.iter().zip(&mut measures) {
            eprintln!("streams: {name}, round {turn} of {rounds}");
            let _device = recipe().start()?;
            scene(*manners, time, measures)?;
        }
    }
    let devices = scenes.iter().zip(measures).map(|((name, _), m)| m.json(name)).collect();
    Ok(result("streams", options.quick, devices, json!({})))
}

fn recipe() -> Recipe {
    let text = format!(
        "[[listener]]\nname = \"main\"\nbind = \"{DEVICE}\"\n\n\
         [[listener]]\nname = \"streams\"\ntransport = \"tcp\"\nbind = \"{DEVICE}\"\n\n\
         [[trunk]]\nname = \"carrier\"\nlistener = \"main\"\nsources = [\"127.77.4.0/24\"]\n\n\
         [[route.inbound]]\nprefix = \"\"\nsite = \"bench\"\n\n[log]\nlevel = \"warn\"\n\n[media]\nmode = \"bypass\"\n\n\
         [[region]]\nname = \"north\"\n\n[[edge_group]]\nname = \"north\"\nregion = \"north\"\nlistener = \"main\"\n\
         edges = [{{ name = \"north\", address = \"{}\" }}]\nprobe = {{ enabled = false }}\n\n\
         [[site]]\nname = \"bench\"\ngroups = [\"north\"]\n",
        crate::device::UAS
    );
    Recipe {
        config: ("bascule.toml".to_owned(), text),
        command: [&sibling("bascule"), "run", "--config", "{config}"].map(str::to_owned).to_vec(),
        ..bascule::single("bascule", bascule::MediaMode::Bypass)
    }
}

/// A connection from the peer of this number.
fn connect(peer: u8) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 77, 4, peer), 0)).into())?;
    socket.connect(&DEVICE.into())?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn question(peer: u8, n: u64) -> String {
    format!(
        "OPTIONS sip:{DEVICE} SIP/2.0\r\nVia: SIP/2.0/TCP 127.77.4.{peer};branch=z9hG4bK{peer}x{n}\r\n\
         From: <sip:x@127.77.4.{peer}>;tag=1\r\nTo: <sip:{DEVICE}>\r\nCall-ID: {peer}x{n}\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// One that asks, waits for the answer, and asks again when it is time.
struct Good {
    peer: u8,
    stream: TcpStream,
    n: u64,
    due: Instant,
    asked: Option<Instant>,
}

impl Good {
    /// Ask or listen; the time from question to answer where one came. An error: the connection is gone.
    fn turn(&mut self, now: Instant, until: Instant) -> io::Result<Option<Duration>> {
        let Some(asked) = self.asked else {
            if now >= self.due && now < until {
                self.n += 1;
                // A question is far smaller than the buffers, and the last one is answered.
                self.stream.write_all(question(self.peer, self.n).as_bytes())?;
                (self.asked, self.due) = (Some(now), self.due + EVERY);
            }
            return Ok(None);
        };
        let mut buffer = [0; 2_048];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) if buffer[..n].ends_with(b"\r\n\r\n") => {
                self.asked = None;
                Ok(Some(asked.elapsed()))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The hundredth.
struct Bad {
    manners: Manners,
    stream: TcpStream,
    n: u64,
    /// Being sent.
    bytes: Vec<u8>,
    at: usize,
    next_read: Instant,
    cut: u64,
}

impl Bad {
    fn turn(&mut self, now: Instant) -> io::Result<()> {
        if self.at == self.bytes.len() {
            let many = if self.manners == Manners::Trickling { 1 } else { 50 };
            self.bytes = (0..many).flat_map(|i| question(PEERS, self.n + i).into_bytes()).collect();
            (self.n, self.at) = (self.n + many, 0);
        }
        let most = if self.manners == Manners::Trickling { self.at + 1 } else { self.bytes.len() };
        let wrote = self.stream.write(&self.bytes[self.at..most]);
        let read = match self.manners {
            Manners::Good | Manners::Stalled => Ok(0),
            Manners::Slow if now < self.next_read => Ok(0),
            Manners::Slow => {
                self.next_read = now + SIP.1;
                self.stream.read(&mut [0; SIP.0])
            }
            Manners::Trickling => self.stream.read(&mut [0; 2_048]),
        };
        for done in [wrote.map(|n| self.at += n), read.map(drop)] {
            match done {
                Err(error) if error.kind() != ErrorKind::WouldBlock => {
                    // Cut off. It is back at once.
                    self.cut += 1;
                    self.stream = connect(PEERS)?;
                    self.at = self.bytes.len();
                    return Ok(());
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

fn scene(manners: Manners, time: Duration, into: &mut Measures) -> io::Result<()> {
    let start = Instant::now();
    let mut good = Vec::new();
    for peer in 1..PEERS {
        // Spread evenly over the interval.
        let due = start + Duration::from_millis(200) + EVERY * u32::from(peer) / u32::from(PEERS);
        good.push(Good { peer, stream: connect(peer)?, n: 0, due, asked: None });
    }
    let mut bad = match manners {
        Manners::Good => None,
        Manners::Stalled | Manners::Slow | Manners::Trickling => Some(Bad {
            manners,
            stream: connect(PEERS)?,
            n: 0,
            bytes: Vec::new(),
            at: 0,
            next_read: start,
            cut: 0,
        }),
    };
    let mut times: Vec<f64> = Vec::new();
    let until = start + time;
    while Instant::now() < until + Duration::from_secs(1) {
        let mut i = 0;
        while let Some(one) = good.get_mut(i) {
            match one.turn(Instant::now(), until) {
                Ok(took) => {
                    times.extend(took.map(|took| took.as_secs_f64() * 1_000.0));
                    i += 1;
                }
                Err(_) => {
                    into.lost += 1;
                    good.swap_remove(i);
                }
            }
        }
        if let Some(bad) = &mut bad {
            bad.turn(Instant::now())?;
        }
    }
    into.lost += good.iter().filter(|one| one.asked.is_some()).count() as u64;
    into.cut += bad.map_or(0, |bad| bad.cut);
    into.answered += times.len() as u64;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(f64::INFINITY);
    into.p50.push(at(0.5));
    into.p99.push(at(0.99));
    into.most.push(times.last().copied().unwrap_or(f64::INFINITY));
    Ok(())
}

impl Measures {
    fn json(self, name: &str) -> Value {
        json!({
            "name": name,
            "answer_ms": {
                "p50": round(median(self.p50), 3), "p99": round(median(self.p99), 3),
                "most": round(median(self.most.clone()), 3),
                "most_of_all_rounds": round(self.most.into_iter().fold(0.0, f64::max), 3),
            },
            "answered": self.answered, "lost": self.lost, "times_cut_off": self.cut,
        })
    }
}
