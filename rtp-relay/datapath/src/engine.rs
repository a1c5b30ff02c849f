//! Starting and stopping the workers.

use crate::asks::{Ask, Asker, NotAsked};
use crate::config::{Capacity, EngineConfig};
use crate::fast::{FastCounts, FastPath};
use crate::handle::{Line, RelayHandle, worker_of};
use crate::io::{AnyIo, Chosen, PacketIo, Seat};
use crate::keeper::{Keeper, Orphaned};
use crate::kernel::{Kernel, OFFLOAD_AFTER, Standing};
use crate::latency::Latency;
use crate::reports::{Report, Tap};
use crate::socket::SocketOptions;
use crate::sys::{Precedence, go_first, pin_to_cpu, raise_descriptor_limit};
use crate::wake::Wake;
use crate::watchers::{self, NotWatched, Watched, Watchers};
use crate::worker::{Media, ShardLine, Worker};
use crate::xdp::Passed;
use relay_core::{Counters, Intruder, Relay};
use relay_values::{Measured, SessionId, Time};
use rtrb::Consumer;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// The niceness of workers without a real-time priority, as of the service (systemd/bascule.service): against the kernel's receive
/// threads (0) they then have three quarters of their CPU (weights 3,121 and 1,024).
const NICENESS: i32 = -5;

/// What an operator is told where workers have no real-time priority.
const BY_WEIGHT: &str = "; workers go before the kernel's receive threads by weight only: LimitRTPRIO=1 or \
                         CAP_SYS_NICE is needed for more";
/// The same where they have not even that.
const NOT_FIRST: &str = "; workers do not go before the kernel's receive threads: LimitRTPRIO=1, a niceness of -5 or \
                         CAP_SYS_NICE is needed";

/// The running workers. Dropping it stops them and closes their sockets.
#[derive(Debug)]
pub struct Engine {
    workers: Vec<Running>,
    capacity: Capacity,
    standing: Standing,
    /// What serves the sockets, for as long as there are workers.
    sockets: Chosen,
    /// It stands before its interfaces until this goes, after the workers.
    kernel: Option<Keeper>,
    /// Copies of reports that have passed, of each worker. Locked only because whoever reads a queue is one, and an engine may be shared.
    reports: Mutex<Vec<Consumer<Report>>>,
}

#[derive(Debug)]
struct Running {
    thread: Option<JoinHandle<()>>,
    precedence: Precedence,
    shared: Arc<Shared>,
    wake: Arc<Wake>,
    asker: Asker,
}

/// What a worker shares with its engine.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) stop: AtomicBool,
    /// Shown every so often; never locked for longer than a copy.
    pub(crate) counters: Mutex<EngineCounters>,
    /// The same of hosts that nobody asked for packets.
    pub(crate) intruders: Mutex<Vec<Intruder>>,
    /// Why the worker ended, if it was not told to.
    failure: Mutex<Option<String>>,
}

/// What the engine has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineCounters {
    /// What the relays counted.
    pub relay: Counters,
    /// Receive calls that failed for another reason than "nothing there".
    pub receive_errors: u64,
    /// How long sampled packets took that the sockets forwarded.
    pub latency: Latency,
    /// Reports that whoever watches was not told of: too long, or no room in his queue.
    pub reports_missed: u64,
    /// Packets that were turned away before they were received, because their worker had no room for more.
    pub turned_away: u64,
    /// Flows that the kernel carries at the moment.
    pub kernel_flows: u64,
    /// What the workers did about flows and the kernel, and declined.
    pub fast: FastCounts,
    /// Packets that the kernel engine left to the sockets although their port has a flow, by [`Passed::ALL`].
    pub passed: [u64; Passed::ALL.len()],
    /// Calls of an earlier run whose streams the kernel went on forwarding.
    pub orphaned: Orphaned,
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no local media address.
    #[error("no media address is configured")]
    NoAddress,
    /// The port range has no whole pair (even and next odd) on it for every worker, twice: a call takes two.
    #[error("the port range {first} to {last} is too short: {workers} workers need {needed} ports at least")]
    PortRange {
        /// First port of the range.
        first: u16,
        /// Last port of the range.
        last: u16,
        /// Workers that share it.
        workers: usize,
        /// Ports that they need.
        needed: usize,
    },
    /// More shards than a session's name can tell apart.
    #[error("{0} signalling shards: there may be 1 to 256")]
    Shards(usize),
    /// A media address cannot be used.
    #[error("media address {address}: {error}")]
    Address {
        /// The address.
        address: IpAddr,
        /// Why.
        error: io::Error,
    },
    /// A CPU cannot be used.
    #[error("pinning a relay worker to CPU {cpu}: {error}")]
    Cpu {
        /// Its number.
        cpu: usize,
        /// Why.
        error: io::Error,
    },
    /// The configured engine cannot be had.
    #[error("the sockets cannot be served as configured: {0}")]
    Sockets(String),
    /// The system refused something else.
    #[error("relay worker: {0}")]
    System(#[from] io::Error),
}

impl Engine {
    /// Start the workers; one handle for each signalling shard, in order.
    ///
    /// The soft limit of open files is raised to the hard one. What that leaves room for is told by
    /// [`capacity`](Self::capacity): too few descriptors are no error, but calls beyond them are refused with
    /// [`OpenFailure::Socket`](relay_values::OpenFailure::Socket).
    ///
    /// # Errors
    ///
    /// [`StartError`]; no thread is left running then.
    pub fn start(config: &EngineConfig) -> Result<(Self, Vec<RelayHandle>), StartError> {
        let workers = config.workers.max(1);
        check(config, workers)?;
        let (sockets, not_taken) = Chosen::choose(config).map_err(|e| StartError::Sockets(listed(&e)))?;
        let capacity = config.capacity(raise_descriptor_limit()?, sockets.descriptors_per_call());
        let mut handles = Vec::new();
        for shard in 0..config.shards {
            let shard = u8::try_from(shard).map_err(|_| StartError::Shards(config.shards))?;
            handles.push(RelayHandle { shard, workers: Vec::new(), wake: Arc::new(Wake::new()?), next: 0 });
        }
        let (kernel, mut standing) = Kernel::start(config, sockets.descriptors_per_call() > 0);
        standing.engine = sockets.engine().as_str().to_owned();
        if !not_taken.is_empty() {
            standing.engine = format!("{} ({})", standing.engine, listed(&not_taken));
        }
        let (none, reports) = (Vec::new(), Mutex::default());
        let mut engine = Self { workers: none, capacity, standing, sockets, kernel: None, reports };
        let mut queues = Vec::new();
        for worker in 0..workers {
            let (running, reports) =
                start_worker(config, &engine.sockets, &capacity, worker, &mut handles, kernel.as_ref())?;
            engine.workers.push(running);
            queues.extend(reports);
        }
        engine.reports = Mutex::new(queues);
        engine.standing.engine.push_str(match engine.workers.iter().map(|w| w.precedence).max() {
            None | Some(Precedence::Unneeded | Precedence::RealTime) => "",
            Some(Precedence::Weight) => BY_WEIGHT,
            Some(Precedence::None) => NOT_FIRST,
        });
        let wakes = engine.workers.iter().map(|w| Arc::clone(&w.wake)).collect();
        engine.kernel = kernel.map(|kernel| Keeper::start(kernel, config.epoch, wakes)).transpose()?;
        Ok((engine, handles))
    }

    /// Where copies of the reports (RTCP) are read that the workers pass on, one of each; once, and only if they were
    /// [asked for](EngineConfig::reports).
    pub fn take_reports(&mut self) -> Vec<Consumer<Report>> {
        std::mem::take(self.reports.get_mut().unwrap_or_else(|broken| broken.into_inner()))
    }

    /// How many calls there is room for, and what limits them.
    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// What carries media at the moment, and why not something faster.
    pub fn standing(&self) -> Standing {
        let now = self.kernel.as_ref().map(|kernel| kernel.board().standing());
        now.map_or_else(
            || self.standing.clone(),
            |now| Standing { engine: self.standing.engine.clone(), ..now },
        )
    }

    /// Ask what is measured of a session at this moment: its worker calls `answer` between two turns of packets, or drops it if
    /// it ends before. `None` is the answer where there is no such session (any more). Flows that the kernel carries stay there.
    ///
    /// `answer` must not wait: packets do.
    ///
    /// # Errors
    ///
    /// [`NotAsked`]; questions that wait for one worker are bounded.
    pub fn measure(
        &self,
        session: SessionId,
        answer: impl FnOnce(Option<Measured>) + Send + 'static,
    ) -> Result<(), NotAsked> {
        let worker = self.workers.get(worker_of(session, self.workers.len())).ok_or(NotAsked::Ended)?;
        worker.asker.ask(Ask::Measure(session, Box::new(answer)))
    }

    /// Ask for copies of a session's packets, as they come and go at its ports, until the session ends or what was answered is
    /// dropped. Its worker calls `answer` between two turns of packets, or drops it if it ends before.
    ///
    /// No packet waits for whoever reads: copies beyond a few seconds are missed, and counted. Flows that the kernel carries are
    /// taken back for as long as it lasts, and go there again afterwards; those of other sessions stay.
    ///
    /// `answer` must not wait: packets do.
    ///
    /// # Errors
    ///
    /// [`NotAsked`]; questions that wait for one worker are bounded. `answer` hears of [`NotWatched`].
    pub fn watch(
        &self,
        session: SessionId,
        answer: impl FnOnce(Result<Watched, NotWatched>) + Send + 'static,
    ) -> Result<(), NotAsked> {
        let worker = self.workers.get(worker_of(session, self.workers.len())).ok_or(NotAsked::Ended)?;
        let (watcher, watched) = watchers::queue(session);
        let then = move |done: Result<(), NotWatched>| answer(done.map(|()| watched));
        worker.asker.ask(Ask::Watch(watcher, Box::new(then)))
    }

    /// What has been counted, summed over the workers; at most 100 ms old.
    pub fn counters(&self) -> EngineCounters {
        let mut sum = EngineCounters::default();
        for worker in &self.workers {
            let shown = *worker.shared.counters.lock().unwrap_or_else(|broken| broken.into_inner());
            sum.relay.add(&shown.relay);
            sum.receive_errors += shown.receive_errors;
            sum.latency.add(&shown.latency);
            sum.reports_missed += shown.reports_missed;
            sum.kernel_flows += shown.kernel_flows;
            sum.fast.add(&shown.fast);
        }
        sum.turned_away = self.sockets.turned_away();
        if let Some(kernel) = &self.kernel {
            for (to, (_, n)) in sum.passed.iter_mut().zip(kernel.tables().passed()) {
                *to = n;
            }
            sum.orphaned = kernel.board().orphaned();
        }
        sum
    }

    /// Hosts whose packets belong to no peer, as far as they have tried lately, the busiest first; bounded. A host that has
    /// tried ports of several workers is there once for each.
    pub fn intruders(&self) -> Vec<Intruder> {
        let mut all = Vec::new();
        for worker in &self.workers {
            all.extend_from_slice(
                &worker.shared.intruders.lock().unwrap_or_else(|broken| broken.into_inner()),
            );
        }
        all.sort_by_key(|intruder| std::cmp::Reverse(intruder.packets));
        all
    }

    /// Why a worker has ended by itself, if one has: its calls have no media any more, and the service should end.
    pub fn failure(&self) -> Option<String> {
        self.workers.iter().find_map(|w| {
            let said = w.shared.failure.lock().unwrap_or_else(|broken| broken.into_inner()).clone();
            let ended = w.thread.as_ref().is_none_or(JoinHandle::is_finished);
            said.or_else(|| ended.then(|| "the thread ended".to_owned()))
        })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.shared.stop.store(true, Ordering::Release);
            worker.wake.raise();
        }
        for thread in self.workers.iter_mut().filter_map(|w| w.thread.take()) {
            // A worker that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

/// What can be known to be wrong before anything is started.
fn check(config: &EngineConfig, workers: usize) -> Result<(), StartError> {
    if config.relay.addresses.is_empty() {
        return Err(StartError::NoAddress);
    }
    if config.shards == 0 || config.shards > 256 {
        return Err(StartError::Shards(config.shards));
    }
    if config.relay.pairs_per_address() < 2 * workers {
        let (first, last) = (*config.relay.ports.start(), *config.relay.ports.end());
        return Err(StartError::PortRange { first, last, workers, needed: 4 * workers });
    }
    let options = SocketOptions::new(config);
    for &address in &config.relay.addresses {
        // Any port will do: whether the address is ours and takes the options is what counts.
        options.bind(SocketAddr::new(address, 0)).map_err(|error| StartError::Address { address, error })?;
    }
    Ok(())
}

fn listed(not_taken: &[impl ToString]) -> String {
    not_taken.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn start_worker(
    config: &EngineConfig,
    sockets: &Chosen,
    capacity: &Capacity,
    worker: usize,
    handles: &mut [RelayHandle],
    kernel: Option<&Kernel>,
) -> Result<(Running, Option<Consumer<Report>>), StartError> {
    let wake = Arc::new(Wake::new()?);
    let shared = Arc::new(Shared::default());
    let mut shards = Vec::new();
    for handle in handles {
        let (commands_in, commands) = rtrb::RingBuffer::new(config.queue.max(1));
        // An open call has few events; those beyond the queue wait in the worker.
        let (events, events_out) = rtrb::RingBuffer::new(config.queue.max(1));
        shards.push(ShardLine { commands, events, backlog: VecDeque::new(), wake: Arc::clone(&handle.wake) });
        handle.workers.push(Line {
            commands: commands_in,
            backlog: VecDeque::new(),
            events: events_out,
            wake: Arc::clone(&wake),
            dirty: false,
        });
    }
    let mut slice = config.slice(worker, capacity);
    slice.offload_after = kernel.map(|_| OFFLOAD_AFTER);
    slice.withheld = kernel.map(Kernel::withheld).unwrap_or_default();
    let relay = Relay::new(&slice, config.seed.wrapping_add(worker as u64));
    let fast = kernel.map(|k| FastPath::new(k, relay.ports())).transpose()?;
    let news = fast.as_ref().map(FastPath::news);
    let io = sockets.seat(&Seat { config, worker, ports: relay.ports(), wake: wake.as_fd(), news })?;
    let (tap, reports) = (config.reports > 0).then(|| Tap::new(config.reports)).unzip();
    let media = Media {
        relay,
        fast,
        epoch: config.epoch,
        receive_errors: 0,
        spoke: false,
        tap,
        watchers: Watchers::default(),
    };
    let cpu = (!config.cpus.is_empty()).then(|| config.cpus[worker % config.cpus.len()]);
    let name = format!("relay-{worker}");
    let (asker, asks) = Asker::new(Arc::clone(&wake));
    let start =
        Start { name, cpu, media, wake: Arc::clone(&wake), shared: Arc::clone(&shared), shards, asks };
    let (thread, precedence) = match io {
        AnyIo::Lookup(io) => start.with(io)?,
        AnyIo::Uring(io) => start.with(*io)?,
        AnyIo::Epoll(io) => start.with(io)?,
    };
    Ok((Running { thread: Some(thread), precedence, shared, wake, asker }, reports))
}

/// A worker that lacks nothing but its engine.
struct Start {
    name: String,
    cpu: Option<usize>,
    media: Media,
    wake: Arc<Wake>,
    shared: Arc<Shared>,
    shards: Vec<ShardLine>,
    asks: Receiver<Ask>,
}

impl Start {
    /// Start the thread; it is pinned when this returns. Also how it goes before the kernel's receive threads.
    fn with<Io: PacketIo + Send + 'static>(self, io: Io) -> Result<(JoinHandle<()>, Precedence), StartError> {
        let Self { name, cpu, media, wake, shared, shards, asks } = self;
        let (said, by_kernel) = (Arc::clone(&shared), media.fast.is_some());
        let worker =
            Worker { media, io, wake, shared, shards, asks, published: Time::ZERO, unpublished: true };
        let (pinned, answer) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let pin =
                cpu.map_or(Ok(()), |cpu| pin_to_cpu(cpu).map_err(|error| StartError::Cpu { cpu, error }));
            let ready = pin.is_ok();
            // Where the kernel carries media, its receive threads are who does the work.
            let _ =
                pinned.send(pin.map(|()| if by_kernel { Precedence::Unneeded } else { go_first(NICENESS) }));
            if ready && let Err(e) = worker.run() {
                *said.failure.lock().unwrap_or_else(|broken| broken.into_inner()) = Some(e.to_string());
            }
        })?;
        let precedence = answer.recv().map_err(|_| io::Error::other("the thread ended at once"))??;
        Ok((thread, precedence))
    }
}
