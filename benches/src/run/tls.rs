//! What TLS costs: the same calls over datagrams, and over ten connections in the clear, over TLS, and over TLS where both
//! ends show a certificate.

use super::{Ends, Options};
use crate::device::bascule::{self, MediaMode};
use crate::device::{DEVICE, Device, Recipe, UAC, UAS, at, scratch, sibling};
use crate::load::Engine;
use crate::load::clock::{Clock, MS, Nanos, nanos, run_number};
use crate::load::line::Line;
use crate::load::lines::Caller;
use crate::load::media::Media;
use crate::load::pace::Pace;
use crate::load::tally::UacTally;
use crate::load::uac::{Over, UacConfig};
use crate::load::uas::{Uas, UasConfig};
use crate::report::{median, ratio, result, round};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where connections are taken.
const STREAMS: SocketAddr = at(10, 5061);
/// Connections.
const LINES: usize = 10;
/// Calls a second at which CPU and delay are measured.
const RATE: f64 = 500.0;
/// What is tried for the most.
const LADDER: [f64; 5] = [1_000.0, 2_000.0, 4_000.0, 6_000.0, 8_000.0];
/// A rate is too much when one of a hundred callers hears nothing for so long: nothing is lost on a connection, it is only late.
const LATE_US: u64 = 50_000;
/// From answer to BYE.
const HOLD: Nanos = 1_000 * MS;

/// What carries the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Datagrams,
    Clear,
    Tls,
    Mutual,
}

impl Way {
    const ALL: [(&str, Self); 4] =
        [("udp", Self::Datagrams), ("tcp", Self::Clear), ("tls", Self::Tls), ("mutual-tls", Self::Mutual)];
}

#[derive(Debug, Default)]
struct Measures {
    cpu: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    most: Vec<f64>,
    placed: u64,
    failed: u64,
}

/// Run the bench.
///
/// # Errors
///
/// When the device does not start, does not take a connection, or closes one.
pub fn run(options: &Options) -> io::Result<Value> {
    let rounds = if options.quick { 1 } else { 3 };
    let authority = Authority::new()?;
    let ways: Vec<_> = Way::ALL.into_iter().filter(|(name, _)| options.wants(name)).collect();
    let mut measures: Vec<Measures> = ways.iter().map(|_| Measures::default()).collect();
    // Ways take turns, so that a slow spell of the machine does not fall on one of them.
    for turn in 1..=rounds {
        for ((name, way), into) in ways.iter().zip(&mut measures) {
            eprintln!("tls: {name}, round {turn} of {rounds}");
            measure(*way, &authority, options.quick, into)?;
        }
    }
    let devices: Vec<Value> = ways.iter().zip(measures).map(|((name, _), m)| m.json(name)).collect();
    let of = |name: &str| {
        let device = devices.iter().find(|d| d["name"] == name);
        device.and_then(|d| d["cpu_s_per_1k_calls"].as_f64()).unwrap_or(0.0)
    };
    let ratios = json!({
        "cpu_tls_vs_tcp": ratio(of("tls"), of("tcp")),
        "cpu_tls_vs_udp": ratio(of("tls"), of("udp")),
        "cpu_mutual_tls_vs_tls": ratio(of("mutual-tls"), of("tls")),
    });
    Ok(result("tls", options.quick, devices, ratios))
}

fn measure(way: Way, authority: &Authority, quick: bool, into: &mut Measures) -> io::Result<()> {
    let recipe = recipe(way, authority);
    let device = recipe.start()?;
    let mut ends = Both::new(way, authority)?;
    // What a process allocates and learns with its first calls is start-up.
    ends.load(RATE / 2.0, 0.5)?;
    let before = device.process.cpu_seconds();
    let tally = ends.load(RATE, if quick { 4.0 } else { 10.0 })?;
    let cpu = (device.process.cpu_seconds() - before) * 1_000.0 / tally.placed as f64;
    into.cpu.push(cpu);
    into.p50.push(tally.pdd.at(50.0) as f64);
    into.p99.push(tally.pdd.at(99.0) as f64);
    into.placed += tally.placed;
    into.failed += tally.failed;
    eprintln!(
        "  {RATE} calls/s: {cpu:.3} CPU-s per 1,000 calls, {} failed {:?}",
        tally.failed, tally.failures
    );
    drop((ends, device));
    into.most.push(most(&recipe, way, authority, quick)?);
    Ok(())
}

/// The last rate of the ladder at which nobody failed and nobody was late.
fn most(recipe: &Recipe, way: Way, authority: &Authority, quick: bool) -> io::Result<f64> {
    let mut most = RATE;
    for rate in LADDER {
        let _device: Device = recipe.start()?;
        let mut ends = Both::new(way, authority)?;
        ends.load(rate / 4.0, 0.3)?;
        let tally = ends.load(rate, if quick { 2.0 } else { 5.0 })?;
        let late = tally.pdd.at(99.0);
        eprintln!("  {rate} calls/s: {} failed, p99 {late} us", tally.failed);
        if tally.failed > 0 || late > LATE_US {
            break;
        }
        most = rate;
    }
    Ok(most)
}

/// The caller in its two kinds, and the answerer, in this thread.
enum Both {
    Datagrams(Box<Engine>),
    Lines { clock: Clock, caller: Box<Caller>, uas: Box<Uas> },
}

impl Both {
    fn new(way: Way, authority: &Authority) -> io::Result<Self> {
        let (over, tls) = match way {
            Way::Datagrams => {
                let ends = Ends {
                    uac: UAC,
                    uas: Some(UAS),
                    device: DEVICE,
                    hold: Some(HOLD),
                    media_every: 0,
                    trace: false,
                };
                return Ok(Self::Datagrams(Box::new(ends.engine()?)));
            }
            Way::Clear => (Over::Tcp, None),
            Way::Tls => (Over::Tls, Some(authority.client(false)?)),
            Way::Mutual => (Over::Tls, Some(authority.client(true)?)),
        };
        let config = UacConfig {
            bind: UAC,
            to: STREAMS,
            over,
            number: "+442079460000".to_owned(),
            hold: Some(HOLD),
            hush: 0,
            media_every: 0,
            trace: false,
            run: run_number(),
        };
        let tls = tls.as_ref().map(|config| (config, NAME));
        let lines = (0..LINES).map(|_| Line::open(UAC.ip(), STREAMS, tls)).collect::<io::Result<_>>()?;
        let uas = Uas::new(UasConfig { bind: UAS, ring: 0, code: 200, talk: None, no_media: false })?;
        let caller = Box::new(Caller::new(config, lines));
        Ok(Self::Lines { clock: Clock::new(), caller, uas: Box::new(uas) })
    }

    /// Calls at one rate for some time, until all are over; what became of them.
    fn load(&mut self, cps: f64, seconds: f64) -> io::Result<UacTally> {
        let pace = Pace::Rate { cps, seconds };
        let patience = Duration::from_secs(8);
        match self {
            Self::Datagrams(engine) => {
                let now = engine.clock.now();
                engine.uac.as_mut().expect("a caller").begin(now, pace);
                engine.run_until(|e| e.uac.as_ref().is_none_or(|u| !u.is_placing()));
                engine.drain(patience);
                Ok(std::mem::take(&mut engine.uac.as_mut().expect("a caller").tally))
            }
            Self::Lines { clock, caller, uas } => {
                caller.begin(clock.now(), pace);
                let mut end = Nanos::MAX;
                while clock.now() < end && (caller.is_placing() || caller.live() > 0) {
                    if !caller.is_placing() && end == Nanos::MAX {
                        end = clock.now() + nanos(patience);
                    }
                    let busy = caller.turn(clock)? | uas.turn(clock, &mut None::<Media>);
                    if !busy {
                        wait(clock, caller, uas);
                    }
                }
                caller.give_up();
                Ok(std::mem::take(&mut caller.tally))
            }
        }
    }
}

/// Sleep until something comes or is due.
fn wait(clock: &Clock, caller: &Caller, uas: &Uas) {
    let now = clock.now();
    let sleep = caller.next(now).min(uas.next(now)).saturating_sub(now).min(10 * MS);
    let lines = caller.lines().iter().map(|line| PollFd::new(line, PollFlags::IN));
    let mut fds: Vec<PollFd<'_>> = lines.chain([PollFd::new(uas.port(), PollFlags::IN)]).collect();
    let timeout = Timespec { tv_sec: 0, tv_nsec: sleep as i64 };
    // An interrupted wait is only a short one.
    let _ = poll(&mut fds, Some(&timeout));
}

fn recipe(way: Way, authority: &Authority) -> Recipe {
    if way == Way::Datagrams {
        return bascule::single("bascule-udp", MediaMode::Bypass);
    }
    let folder = authority.folder.display();
    let badge = format!("certificate = \"{folder}/us.pem\"\nkey = \"{folder}/us.key\"\n");
    let (transport, shows, known) = match way {
        Way::Datagrams | Way::Clear => ("tcp", String::new(), format!("sources = [\"{}\"]", UAC.ip())),
        Way::Tls => ("tls", badge, format!("sources = [\"{}\"]", UAC.ip())),
        Way::Mutual => (
            "tls",
            format!("{badge}client_ca = \"{folder}/ca.pem\"\nrequire_client = true\n"),
            format!("certificates = [\"{THEIRS}\"]"),
        ),
    };
    let text = format!(
        "[[listener]]\nname = \"main\"\nbind = \"{DEVICE}\"\n\n\
         [[listener]]\nname = \"streams\"\ntransport = \"{transport}\"\nbind = \"{STREAMS}\"\n{shows}\n\
         [[trunk]]\nname = \"carrier\"\nlistener = \"streams\"\n{known}\n\n\
         [[route.inbound]]\nprefix = \"\"\nsite = \"bench\"\n\n[process]\nshards = 1\nrelay_workers = 1\n\n\
         [log]\nlevel = \"warn\"\n\n[media]\nmode = \"bypass\"\n\n\
         [probe]\ninterval = \"200ms\"\nfall = 2\n\n\
         [[region]]\nname = \"north\"\n\n[[edge_group]]\nname = \"north\"\nregion = \"north\"\nlistener = \"main\"\n\
         edges = [{{ name = \"north\", address = \"{UAS}\" }}]\n\n[[site]]\nname = \"bench\"\ngroups = [\"north\"]\n",
    );
    Recipe {
        name: format!("bascule-{way:?}").to_lowercase(),
        config: ("bascule.toml".to_owned(), text),
        command: [&sibling("bascule"), "run", "--config", "{config}"].map(str::to_owned).to_vec(),
        ..bascule::single("bascule", MediaMode::Bypass)
    }
}

/// The device's name, and the caller's.
const NAME: &str = "sip.us.example";
const THEIRS: &str = "sip.carrier.example";

/// An authority of the bench's own, and what it has signed (ECDSA, P-256).
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    fn new() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "an authority of a bench");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        let folder = scratch()?.join("tls");
        fs::create_dir_all(&folder)?;
        let authority = Self { issuer, folder };
        let (certificate, key) = authority.signs(NAME)?;
        fs::write(authority.folder.join("ca.pem"), authority.issuer.pem())?;
        fs::write(authority.folder.join("us.pem"), certificate.pem())?;
        fs::write(authority.folder.join("us.key"), key.serialize_pem())?;
        Ok(authority)
    }

    fn signs(&self, name: &str) -> io::Result<(rcgen::Certificate, KeyPair)> {
        let params = CertificateParams::new([name.to_owned()]).map_err(io::Error::other)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        Ok((certificate, key))
    }

    /// A caller who believes in it, and shows a certificate of it where it is to.
    fn client(&self, shows: bool) -> io::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots);
        if !shows {
            return Ok(Arc::new(builder.with_no_client_auth()));
        }
        let (certificate, key) = self.signs(THEIRS)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        let config = builder.with_client_auth_cert(vec![certificate.der().clone()], key);
        Ok(Arc::new(config.map_err(io::Error::other)?))
    }
}

impl Measures {
    fn json(self, name: &str) -> Value {
        json!({
            "name": name,
            "connections": if name == "udp" { 0 } else { LINES },
            "at_calls_per_s": RATE,
            "cpu_s_per_1k_calls": round(median(self.cpu.clone()), 4),
            "cpu_s_per_1k_calls_all": self.cpu.iter().map(|x| round(*x, 4)).collect::<Vec<_>>(),
            "pdd_us": { "p50": median(self.p50), "p99": median(self.p99) },
            "placed": self.placed,
            "failed": self.failed,
            "most_calls_per_s": median(self.most.clone()),
            "most_calls_per_s_all": self.most,
        })
    }
}
