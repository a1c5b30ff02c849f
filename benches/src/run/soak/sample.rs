//! What the device holds at one moment: asked of the system, and of the device's own metrics page.

use super::setting::{METRICS, records};
use super::watch::Watch;
use crate::device::{DEVICE, Device, UAC};
use socket2::{Domain, Socket, Type};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Between two samples.
const EVERY: Duration = Duration::from_secs(1);
/// How long the device may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// TCP connections that are opened, used once and closed at each sample while there is load.
const STREAMS: usize = 4;
/// Call records are thrown away beyond so many bytes.
const RECORDS: u64 = 64 << 20;
/// Samples in a row that cannot be taken: then nobody is there any more.
const MISSED: u64 = 15;

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Proportional set size.
    Memory,
    /// Open descriptors.
    Descriptors,
    Calls,
    LegsLeftBehind,
    Transactions,
    /// Deadlines in the shards' wheels.
    Timers,
    /// The relay's sessions.
    Sessions,
    /// Port pairs that carry a leg, rest or are withheld.
    PortsInUse,
    /// Port pairs with open sockets.
    PortsOpen,
    /// TCP connections.
    Streams,
}

impl Quantity {
    pub(super) const ALL: [Self; 10] = [
        Self::Memory,
        Self::Descriptors,
        Self::Calls,
        Self::LegsLeftBehind,
        Self::Transactions,
        Self::Timers,
        Self::Sessions,
        Self::PortsInUse,
        Self::PortsOpen,
        Self::Streams,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory_kib",
            Self::Descriptors => "descriptors",
            Self::Calls => "calls",
            Self::LegsLeftBehind => "legs_left_behind",
            Self::Transactions => "transactions",
            Self::Timers => "timers",
            Self::Sessions => "media_sessions",
            Self::PortsInUse => "port_pairs_in_use",
            Self::PortsOpen => "port_pairs_open",
            Self::Streams => "tcp_connections",
        }
    }
}

/// One moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// Seconds since the beginning.
    pub(super) at: f64,
    /// In the order of [`Quantity::ALL`].
    pub(super) values: [u64; Quantity::ALL.len()],
}

impl Sample {
    pub(super) const fn of(&self, quantity: Quantity) -> u64 {
        self.values[quantity as usize]
    }

    fn take(device: &Device, at: f64) -> io::Result<Self> {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", device.process.id()))?.count() as u64;
        let memory = device.process.pss_kib();
        Ok(Self { at, values: values(memory, descriptors, &page(METRICS)?) })
    }
}

fn values(memory: u64, descriptors: u64, page: &str) -> [u64; Quantity::ALL.len()] {
    let any = |name| sum(page, name, |_| true);
    let pairs = |wanted: &[&str]| {
        sum(page, "bascule_media_port_pairs", |labels| wanted.iter().any(|state| labels.contains(state)))
    };
    Quantity::ALL.map(|quantity| match quantity {
        Quantity::Memory => memory,
        Quantity::Descriptors => descriptors,
        Quantity::Calls => any("bascule_calls"),
        Quantity::LegsLeftBehind => any("bascule_legs_left_behind"),
        Quantity::Transactions => any("bascule_transactions"),
        Quantity::Timers => any("bascule_timers"),
        Quantity::Sessions => any("bascule_media_sessions"),
        Quantity::PortsInUse => pairs(&["\"taken\"", "\"resting\"", "\"withheld\"", "\"failed\""]),
        Quantity::PortsOpen => pairs(&["\"open\""]),
        Quantity::Streams => any("bascule_streams"),
    })
}

/// The sum of a metric over those of its labels that are wanted.
fn sum(page: &str, name: &str, wanted: impl Fn(&str) -> bool) -> u64 {
    let values = page.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, labels) = series.split_once('{').unwrap_or((series, ""));
        (found == name && wanted(labels)).then(|| value.parse::<f64>().ok()).flatten()
    });
    values.sum::<f64>() as u64
}

/// The metrics page.
fn page(at: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: soak\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let has_shards = text.lines().any(|line| line.starts_with("bascule_transactions "));
    if has_shards { Ok(text) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Take samples until it is over.
pub(super) fn run(device: &Device, watch: &Watch) -> io::Result<Sampled> {
    let mut sampled = Sampled::default();
    let (mut due, mut missed) = (Instant::now(), 0);
    let records = records()?;
    while !watch.is_over() {
        match Sample::take(device, watch.now()) {
            Ok(sample) => {
                watch.add(sample);
                missed = 0;
            }
            Err(error) => {
                sampled.missed += 1;
                missed += 1;
                if missed == MISSED {
                    watch.end();
                    let log = fs::read_to_string(&device.log).unwrap_or_default();
                    let last = log.lines().last().unwrap_or_default();
                    return Err(io::Error::new(
                        error.kind(),
                        format!("the device does not answer: {error}: {last}"),
                    ));
                }
            }
        }
        for _ in 0..STREAMS {
            if watch.is_loaded() {
                sampled.asked += 1;
                sampled.answered += u64::from(ask(sampled.asked).is_ok());
            }
        }
        if fs::metadata(&records).is_ok_and(|file| file.len() > RECORDS) {
            OpenOptions::new().write(true).open(&records)?.set_len(0)?;
        }
        due += EVERY;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(sampled)
}

/// What the sampler did.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    /// Samples that could not be taken.
    pub(super) missed: u64,
    /// TCP connections that were opened for a question.
    pub(super) asked: u64,
    /// Of those, answered.
    pub(super) answered: u64,
}

/// A connection for one question.
fn ask(n: u64) -> io::Result<()> {
    let ip = UAC.ip();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(ip, 0).into())?;
    socket.connect_timeout(&DEVICE.into(), PATIENCE)?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    let question = format!(
        "OPTIONS sip:{DEVICE} SIP/2.0\r\nVia: SIP/2.0/TCP {ip};branch=z9hG4bKsoak{n}\r\nFrom: <sip:soak@{ip}>;tag=1\r\n\
         To: <sip:{DEVICE}>\r\nCall-ID: soak{n}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(question.as_bytes())?;
    let mut answer = [0; 2_048];
    if stream.read(&mut answer)? > 0 { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_summed_by_name_and_label() {
        let page = "# TYPE bascule_calls gauge\nbascule_calls{state=\"hunting\"} 2\nbascule_calls{state=\"answered\"} 40\n\
                    bascule_calls_admitted_total 900\nbascule_transactions 7\nbascule_media_port_pairs{state=\"open\"} 9\n\
                    bascule_media_port_pairs{state=\"taken\"} 4\nbascule_media_port_pairs{state=\"resting\"} 3\n\
                    bascule_media_port_pairs{state=\"free\"} 1000\n";
        let sample = Sample { at: 0.0, values: values(5_000, 30, page) };
        let of = |quantity| sample.of(quantity);
        assert_eq!((of(Quantity::Memory), of(Quantity::Descriptors)), (5_000, 30));
        assert_eq!((of(Quantity::Calls), of(Quantity::Transactions)), (42, 7));
        assert_eq!((of(Quantity::PortsInUse), of(Quantity::PortsOpen)), (7, 9));
        assert_eq!(of(Quantity::Streams), 0);
    }
}
