//! Starting: first everything that can fail for want of an address, a file or a right, then the threads.

use super::threads::Threads;
use super::{Appliance, Core};
use crate::api::{Access, AdminSocket, Api};
use crate::clock::Clock;
use crate::config::{DeliverySettings, Loaded, RecordSettings, RecordsTo, RelaySettings, Settings};
use crate::control::{Audit, Desk};
use crate::history::History;
use crate::limits::{DNS_ORDERS, HEALTH_QUEUE, MAIL_MAX, RECORD_BATCHES, REPORT_QUEUE, STREAM_OUTBOX};
use crate::metrics::Durations;
use crate::net::{self, Opened};
use crate::notice::Subscribers;
use crate::observe::{self, Sender, Tap};
use crate::records::spool::{self, Reader, Spool};
use crate::records::{self, Life, Sink, delivery};
use crate::report::ShardReport;
use crate::shared::{Mail, Phase, Post, Shared, Tally};
use crate::{api, dns, health, shard, stir, stream};
use arc_swap::ArcSwap;
use datapath::{Engine, EngineConfig, RelayHandle, Report};
use proxy_core::{Config, ListenerId, Snapshot, Transport};
use relay_core::RelayConfig;
use rtrb::Consumer;
use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, mpsc, watch};

/// Why an appliance did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address cannot be bound.
    #[error("listener `{name}` on {at}: {error}")]
    Listener {
        /// The listener.
        name: String,
        /// Its address.
        at: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The admin port cannot be bound.
    #[error("admin port on {at}: {error}")]
    Admin {
        /// Its address.
        at: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The admin socket cannot be made.
    #[error("admin socket {path}: {error}")]
    Control {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The audit log cannot be opened.
    #[error("audit log {path}: {error}")]
    Audit {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file that says who may do what cannot be read, or is wrong.
    #[error("access file {path}: {error}")]
    Access {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The relay did not start.
    #[error("media: {0}")]
    Relay(#[from] datapath::StartError),
    /// The file for call records cannot be opened.
    #[error("call records to {path}: {error}")]
    Records {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The system refused a thread or a duplicate of a socket.
    #[error("starting a thread: {0}")]
    System(#[from] io::Error),
}

/// Every socket, opened.
struct Sockets {
    /// By shard, then by the listener's number.
    udp: Vec<Vec<Option<UdpSocket>>>,
    /// For probes: duplicates of the first shard's.
    probes: Vec<Option<UdpSocket>>,
    tcp: Vec<(ListenerId, Transport, TcpListener)>,
    admin: Option<TcpListener>,
    control: Option<AdminSocket>,
}

/// Descriptors that are not for media and not for streams: listeners of every shard, files, timers, the kernel engine's maps.
pub(crate) const RESERVED_DESCRIPTORS: usize = 512;

/// Where the kernel engine's pins are, below the runtime directory.
const PINS: &str = "bpf";

/// The receiving ends of a shard's post.
type Ends = (mpsc::Receiver<Mail>, mpsc::Receiver<SyncSender<ShardReport>>);

pub(super) fn start(loaded: Loaded) -> Result<Appliance, StartError> {
    let taken = ArcSwap::from_pointee(loaded.clone());
    let Loaded { config, settings, tls, .. } = loaded;
    let clock = Clock::start();
    let sockets = open(&config, &settings)?;
    let mut threads = Threads::default();
    let (names, orders) = mpsc::channel(DNS_ORDERS);
    let kit = dns::Kit { seed: entropy(), clock, orders };
    // Ends with its orders until it is told of the appliance.
    threads.spawn_async("names", None, || async {
        dns::run(kit).await;
        Ok(())
    })?;
    let resolution = dns::wait_for(&names, &config, &settings.dns);
    let configured = config;
    let config = Arc::new(configured.located(&resolution).0);
    let (sink, delivery) = open_records(&settings.records)?;
    let audit = Audit::open(settings.audit.as_deref(), clock)
        .map_err(|error| StartError::Audit { path: settings.audit.clone().unwrap_or_default(), error })?;
    let access = Access::open(settings.access.as_deref())
        .map_err(|error| StartError::Access { path: settings.access.clone().unwrap_or_default(), error })?;
    let (mut engine, relays) = media(&config, &settings, clock)?;
    let reports = engine.as_mut().map(Engine::take_reports).unwrap_or_default();
    let (posts, ends): (Vec<_>, Vec<_>) = (0..settings.shards).map(|_| post()).unzip();
    let (health_tx, inputs) = mpsc::channel(HEALTH_QUEUE);
    let (orders_tx, orders) = mpsc::channel(16);
    let (outbox_tx, outbox) = mpsc::channel(STREAM_OUTBOX);
    let (desk, tasks) =
        if settings.stir.is_empty() { None } else { Some(stir::Desk::new(&settings.stir, &settings.dns)) }
            .unzip();
    let shared = Arc::new(Shared {
        stir: desk,
        clock,
        signalling: settings.observe.trace.as_ref().map(observe::History::new),
        life: Life { clock, number: entropy() },
        reopen: AtomicU64::new(0),
        snapshot: ArcSwap::from_pointee(Snapshot::first(config)),
        tls: ArcSwap::new(tls),
        posts,
        health: health_tx,
        streams: (!sockets.tcp.is_empty()).then_some(outbox_tx),
        subscribers: Subscribers::default(),
        history: History::default(),
        tally: Tally::default(),
        phase: AtomicU8::new(Phase::Running as u8),
        renewed: Notify::new(),
        stop: watch::Sender::new(false),
    });
    let durations = Arc::new(Durations::new());
    let begin = dns::Order::Begin(Arc::clone(&shared), orders_tx.clone());
    let core = Arc::new(Core {
        shared: Arc::clone(&shared),
        orders: orders_tx,
        names,
        durations,
        engine,
        settings,
        loaded: taken,
        taking: Mutex::default(),
    });
    // From here on a failure drops the appliance, which ends what has begun.
    let mut appliance = Appliance { core, threads };
    if appliance.core.names.try_send(begin).is_err() {
        return Err(StartError::System(io::Error::other("the thread for names has ended")));
    }
    let records = start_records(&mut appliance, sink, delivery)?;
    let taps = start_observer(&mut appliance, reports)?;
    start_shards(&mut appliance, sockets.udp, ends, relays, (&records, taps))?;
    let threads = &mut appliance.threads;
    let kit = health::Kit {
        seed: entropy(),
        configured,
        resolution,
        shared: Arc::clone(&shared),
        sockets: sockets.probes,
        inputs,
        orders,
    };
    threads.spawn_async("health", None, || async {
        health::run(kit).await;
        Ok(())
    })?;
    if !sockets.tcp.is_empty() {
        let settings = &appliance.core.settings;
        let (most, most_of_one) = (settings.tcp_connections, settings.tcp_connections_per_peer);
        let listeners = sockets.tcp;
        let kit = stream::Kit { shared: Arc::clone(&shared), listeners, outbox, most, most_of_one };
        threads.spawn_async("streams", None, || stream::run(kit))?;
    }
    if let Some(jobs) = tasks {
        let kit = stir::Kit { shared: Arc::clone(&shared), jobs };
        threads.spawn_async("stir", None, || stir::run(kit))?;
    }
    let floor = Arc::clone(&appliance.core);
    let api = Arc::new(Api::new(Arc::new(Desk::new(floor.clone(), audit)), floor, access));
    if let Some(socket) = sockets.admin {
        let (api, stop) = (Arc::clone(&api), shared.stop.subscribe());
        threads.spawn_async("admin", None, || api::tcp(socket, api, stop))?;
    }
    if let Some(socket) = sockets.control {
        let stop = shared.stop.subscribe();
        threads.spawn_async("control", None, || api::unix(socket, api, stop))?;
    }
    Ok(appliance)
}

fn open(config: &Config, settings: &Settings) -> Result<Sockets, StartError> {
    let mut udp: Vec<Vec<_>> = (0..settings.shards).map(|_| Vec::new()).collect();
    let (mut probes, mut tcp) = (Vec::new(), Vec::new());
    for (number, listener) in config.listeners.iter().enumerate() {
        let failed = |error| StartError::Listener { name: listener.name.clone(), at: listener.bind, error };
        match net::open(listener, settings.shards).map_err(failed)? {
            Opened::Udp(sockets) => {
                probes.push(sockets.first().map(UdpSocket::try_clone).transpose()?);
                udp.iter_mut().zip(sockets).for_each(|(shard, socket)| shard.push(Some(socket)));
            }
            Opened::Tcp(socket) => {
                let id = ListenerId(u16::try_from(number).unwrap_or(u16::MAX));
                tcp.push((id, listener.transport, socket));
                probes.push(None);
                udp.iter_mut().for_each(|shard| shard.push(None));
            }
        }
    }
    let admin = settings.admin.map(|at| {
        let socket = TcpListener::bind(at).and_then(|s| s.set_nonblocking(true).map(|()| s));
        socket.map_err(|error| StartError::Admin { at, error })
    });
    let control = settings.control.as_ref().map(|path| {
        AdminSocket::open(path).map_err(|error| StartError::Control { path: path.clone(), error })
    });
    Ok(Sockets { udp, probes, tcp, admin: admin.transpose()?, control: control.transpose()? })
}

fn media(
    config: &Config,
    settings: &Settings,
    clock: Clock,
) -> Result<(Option<Engine>, Vec<RelayHandle>), StartError> {
    let Some(RelaySettings {
        addresses,
        first_port,
        last_port,
        dscp,
        datapath,
        sockets,
        workers,
        silence,
        prompt,
    }) = settings.relay.clone()
    else {
        return Ok((None, Vec::new()));
    };
    let shards = usize::from(settings.shards);
    let relay = RelayConfig {
        addresses,
        ports: first_port..=last_port,
        // Each line of a call is a session; how many there can really be is bounded by the ports.
        max_sessions: config.limits.max_calls as usize * shards * proxy_core::MAX_LINES,
        silence,
        prompt,
        ..RelayConfig::default()
    };
    let cpus = settings.cpus.iter().copied().skip(shards).collect();
    let reserved = RESERVED_DESCRIPTORS + settings.tcp_connections;
    let (engine, handles) = Engine::start(&EngineConfig {
        relay,
        workers: usize::from(workers),
        cpus,
        shards,
        epoch: clock.epoch(),
        seed: entropy(),
        dscp,
        datapath,
        sockets,
        pins: pins(),
        orphan_inactivity: config.media.inactivity,
        reports: if settings.observe.hep.is_some() { REPORT_QUEUE } else { 0 },
        reserved_descriptors: reserved,
        ..EngineConfig::default()
    })?;
    Ok((Some(engine), handles))
}

/// What the kernel carries outlives us in the directory that the service manager keeps over a restart, if there is one.
fn pins() -> Option<PathBuf> {
    let all = std::env::var_os("RUNTIME_DIRECTORY")?;
    // Several are separated by colons.
    let first = all.as_bytes().split(|b| *b == b':').next().filter(|first| !first.is_empty())?;
    Some(Path::new(OsStr::from_bytes(first)).join(PINS))
}

fn post() -> (Post, Ends) {
    let (mail, mail_end) = mpsc::channel(MAIL_MAX);
    let (asks, asks_end) = mpsc::channel(16);
    (
        Post { mail, asks, bell: Notify::new(), turns: AtomicU64::new(0), waiting: AtomicUsize::new(0) },
        (mail_end, asks_end),
    )
}

/// The delivering end of a spool.
type Delivery = (Arc<Spool>, Reader, DeliverySettings);

fn open_records(settings: &RecordSettings) -> Result<(Sink, Option<Delivery>), StartError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |error| StartError::Records { path, error }
    };
    let (mut writer, mut delivery) = (None, None);
    if let Some(to) = &settings.delivery {
        let (spool, end, reader) = spool::open(&to.spool, to.spool_bytes).map_err(failed(&to.spool))?;
        (writer, delivery) = (Some(end), Some((spool, reader, to.clone())));
    }
    let sink = Sink::open(settings, writer).map_err(|error| match &settings.to {
        RecordsTo::File(path) => failed(path)(error),
        RecordsTo::Nowhere | RecordsTo::Stdout => StartError::System(error),
    })?;
    Ok((sink, delivery))
}

fn start_records(
    appliance: &mut Appliance,
    sink: Sink,
    delivery: Option<Delivery>,
) -> io::Result<shard::Records> {
    if let Some((spool, reader, settings)) = delivery {
        let shared = Arc::clone(&appliance.core.shared);
        let kit = delivery::Kit { shared, spool, reader, settings, seed: entropy() };
        appliance.threads.spawn_async("delivery", None, || delivery::run(kit))?;
    }
    let (records, batches) = sync_channel(RECORD_BATCHES);
    let (shared, durations) = (Arc::clone(&appliance.core.shared), Arc::clone(&appliance.core.durations));
    appliance.threads.spawn("records", None, move || {
        records::run(&shared, sink, &durations, &batches);
        Ok(())
    })?;
    Ok(records)
}

/// A tap for each shard, if anybody watches.
fn start_observer(appliance: &mut Appliance, reports: Vec<Consumer<Report>>) -> io::Result<Vec<Tap>> {
    let core = &appliance.core;
    let settings = core.settings.observe.clone();
    if settings == crate::config::ObserveSettings::default() {
        return Ok(Vec::new());
    }
    let shared = Arc::clone(&core.shared);
    let listeners = shared.snapshot.load().config.listeners.iter().map(|l| l.bind).collect();
    let (taps, queues) =
        (0..core.settings.shards).map(|_| observe::queue(&shared, settings.hep.is_some())).unzip();
    let (mut sender, mut notices) = (None, None);
    if let Some(hep) = settings.hep.clone() {
        let (end, lots) = Sender::new(&hep, &shared);
        (sender, notices) = (Some(end), Some(shared.subscribers.add()));
        let shared = Arc::clone(&shared);
        appliance.threads.spawn("hep", None, move || observe::send(&hep, &shared, &lots))?;
    }
    let kit = observe::Kit { shared, queues, reports, settings, sender, notices, listeners };
    appliance.threads.spawn("observer", None, move || {
        observe::run(kit);
        Ok(())
    })?;
    Ok(taps)
}

fn start_shards(
    appliance: &mut Appliance,
    sockets: Vec<Vec<Option<UdpSocket>>>,
    ends: Vec<Ends>,
    relays: Vec<RelayHandle>,
    (records, taps): (&shard::Records, Vec<Tap>),
) -> io::Result<()> {
    let mut relays = relays.into_iter();
    let mut taps = taps.into_iter();
    for (id, (sockets, (mail, asks))) in (0..=u8::MAX).zip(sockets.into_iter().zip(ends)) {
        let kit = shard::Kit {
            id,
            seed: entropy(),
            secret: secret(),
            shared: Arc::clone(&appliance.core.shared),
            sockets,
            mail,
            asks,
            relay: relays.next(),
            records: records.clone(),
            tap: taps.next(),
        };
        let cpu = appliance.core.settings.cpus.get(usize::from(id)).copied();
        appliance.threads.spawn_async(&format!("shard-{id}"), cpu, || shard::run(kit))?;
    }
    Ok(())
}

/// More of it: a seed shows in what we say.
fn secret() -> [u8; 32] {
    let mut secret = [0; 32];
    secret.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&entropy().to_be_bytes()));
    secret
}

/// A seed from the system: the standard library draws its hash keys from the operating system.
fn entropy() -> u64 {
    RandomState::new().build_hasher().finish()
}
