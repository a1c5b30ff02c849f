//! Two hosts on two links, each a network namespace: the relay, and the outside, where carrier and tier are.
//!
//! What arrives at the relay is polled by threads of the kernel ("threaded NAPI") that are pinned to the device's core, so
//! that everything that a packet causes at the relay is done there. What arrives outside is polled on the other core, before anything
//! else that runs on it. A namespace lives as long as a process that waits for the end of its standard input, which is
//! ours: whatever becomes of us, nothing is left.

use crate::device::{DEVICE_CORE, LOAD_CORE};
use rustix::thread::{CpuSet, LinkNameSpaceType, move_into_link_name_space, sched_setaffinity};
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// The relay's address on the carrier's link.
pub const RELAY_C: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 213, 78, 1));
/// The carrier's.
pub const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 213, 78, 2));
/// The relay's address on the tier's link.
pub const RELAY_T: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 213, 79, 1));
/// The tier's, in the region where calls begin.
pub const TIER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 213, 79, 2));
/// The tier's in another region.
pub const OTHER_TIER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 213, 79, 3));

/// How often what arrives outside is looked at. At three million packets a second 60 have come, and there is room for 256.
const POLL_NS: u32 = 20_000;

type Job = Box<dyn FnOnce() + Send>;

/// A network namespace with a thread in it.
#[derive(Debug)]
pub struct Host {
    holder: Child,
    jobs: Sender<Job>,
}

/// One end of a link.
#[derive(Debug, Clone)]
pub struct End {
    /// The interface's name.
    pub name: String,
    /// Its number there.
    pub ifindex: u32,
    /// Its hardware address.
    pub mac: [u8; 6],
}

/// A link between the relay and the outside.
#[derive(Debug, Clone)]
pub struct Link {
    /// The relay's end.
    pub ours: End,
    /// The end outside.
    pub theirs: End,
}

/// Where a relay is measured.
#[derive(Debug)]
pub struct Site {
    /// Where the device is.
    pub relay: Host,
    /// Everybody else.
    pub outside: Host,
    /// To the carrier, to the tier.
    pub links: [Link; 2],
}

/// What a job brings, when it is done.
#[derive(Debug)]
pub struct Pending<T>(Receiver<T>);

impl<T> Pending<T> {
    /// Wait for it.
    ///
    /// # Panics
    ///
    /// If the job did.
    pub fn wait(self) -> T {
        self.0.recv().expect("the job ends")
    }
}

impl Host {
    fn new() -> io::Result<Self> {
        // A /sys of its own shows the interfaces of the namespace.
        let script = "mount -t sysfs sysfs /sys && echo ready && exec cat > /dev/null";
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "--mount", "sh", "-c", script]).stdin(Stdio::piped());
        let mut holder = unshare.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut ready = [0; 6];
        if let Some(out) = &mut holder.stdout {
            let refused = |_| io::Error::other("no network namespace of our own: this needs root");
            out.read_exact(&mut ready).map_err(refused)?;
        }
        let namespace = File::open(format!("/proc/{}/ns/net", holder.id()))?;
        let (jobs, todo) = channel::<Job>();
        std::thread::spawn(move || {
            if move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).is_ok() {
                todo.into_iter().for_each(|job| job());
            }
        });
        let host = Self { holder, jobs };
        host.shell("ip link set lo up")?;
        Ok(host)
    }

    /// Begin something there; it is done when what was begun before is.
    ///
    /// # Panics
    ///
    /// If the namespace could not be entered.
    pub fn begin<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> Pending<T> {
        let (done, answer) = channel();
        self.jobs.send(Box::new(move || drop(done.send(f())))).expect("the thread lives");
        Pending(answer)
    }

    /// Do something there.
    ///
    /// # Panics
    ///
    /// If the namespace could not be entered, or the job panics.
    pub fn run<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> T {
        self.begin(f).wait()
    }

    /// A line of shell there, with the namespace's own /sys.
    ///
    /// # Errors
    ///
    /// With what it has complained of, if it fails.
    pub fn shell(&self, line: &str) -> io::Result<String> {
        let pid = self.holder.id().to_string();
        let output = Command::new("nsenter").args(["-t", &pid, "-n", "-m", "sh", "-c", line]).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(io::Error::other(format!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }

    fn end(&self, name: &str) -> io::Result<End> {
        let read = |file: &str| self.shell(&format!("cat /sys/class/net/{name}/{file}"));
        let bytes: Result<Vec<u8>, _> =
            read("address")?.trim().split(':').map(|b| u8::from_str_radix(b, 16)).collect();
        let mac = bytes.map_err(io::Error::other)?.try_into();
        Ok(End {
            name: name.to_owned(),
            ifindex: read("ifindex")?.trim().parse().map_err(io::Error::other)?,
            mac: mac.map_err(|_| io::Error::other("no hardware address"))?,
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Threads of the kernel have no longer names than 15 bytes, and a namespace takes a moment to go: interfaces of each site have
/// their own.
static SITES: AtomicU32 = AtomicU32::new(0);

impl Site {
    /// Make it.
    ///
    /// # Errors
    ///
    /// Without root, or without `ip`, `ethtool`, `unshare` and `nsenter`.
    pub fn new() -> io::Result<Self> {
        let n = SITES.fetch_add(1, Ordering::Relaxed) % 1000;
        let (relay, outside) = (Host::new()?, Host::new()?);
        let link = |side: &str, ip: IpAddr| -> io::Result<Link> {
            let (ours, theirs) = (format!("r{side}{n}"), format!("o{side}{n}"));
            let pid = outside.holder.id();
            relay.shell(&format!(
                "sysctl -q -w net.ipv6.conf.default.disable_ipv6=1; ip link add {ours} numtxqueues 1 numrxqueues 1 type veth \
                 peer name {theirs} netns {pid} numtxqueues 1 numrxqueues 1 && \
                 ip address add {ip}/24 dev {ours} && ip link set {ours} up && ethtool -K {ours} gro on && \
                 echo 1 > /sys/class/net/{ours}/threaded"
            ))?;
            // Nobody outside has a stack: what arrives is counted and dropped before one.
            outside.shell(&format!(
                "sysctl -q -w net.ipv6.conf.{theirs}.disable_ipv6=1; ip link set {theirs} up && \
                 ethtool -K {theirs} tx off gro on && echo 1 > /sys/class/net/{theirs}/threaded"
            ))?;
            Ok(Link { ours: relay.end(&ours)?, theirs: outside.end(&theirs)? })
        };
        let links = [link("c", RELAY_C)?, link("t", RELAY_T)?];
        let [carrier, tier] = &links;
        for (ip, link) in [(CARRIER, carrier), (TIER, tier), (OTHER_TIER, tier)] {
            let mac = link.theirs.mac.map(|b| format!("{b:02x}")).join(":");
            let name = &link.ours.name;
            relay.shell(&format!("ip neigh replace {ip} lladdr {mac} dev {name} nud permanent"))?;
        }
        let site = Self { relay, outside, links };
        site.rest_between_polls(true)?;
        site.poll_in_threads()?;
        Ok(site)
    }

    /// Each core polls what is its own. To be said again when a program was put before an interface of the outside.
    ///
    /// # Errors
    ///
    /// If the kernel has no such threads.
    pub fn poll_in_threads(&self) -> io::Result<()> {
        for thread in self.relay_pollers()? {
            pin_thread(thread, DEVICE_CORE)?;
        }
        self.poll_first(true)?;
        for link in &self.links {
            for thread in pollers(&link.theirs.name)? {
                pin_thread(thread, LOAD_CORE)?;
                // Before the generator, which never rests: what has arrived is taken in at once.
                scheduled(&["-f", "50"], thread)?;
            }
        }
        Ok(())
    }

    /// What arrives outside is looked at every so often, as a card with interrupt moderation does it. Otherwise every packet
    /// that the relay sends would wake a thread on another core, which no card asks of a sender.
    fn rest_between_polls(&self, rest: bool) -> io::Result<()> {
        let (polls, ns) = if rest { (u32::MAX >> 1, POLL_NS) } else { (0, 0) };
        self.links.iter().try_for_each(|link| {
            let folder = format!("/sys/class/net/{}", link.theirs.name);
            let line = format!(
                "echo {ns} > {folder}/gro_flush_timeout && echo {polls} > {folder}/napi_defer_hard_irqs"
            );
            self.outside.shell(&line).map(drop)
        })
    }

    /// The kernel's threads that poll the relay's interfaces.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub fn relay_pollers(&self) -> io::Result<Vec<u32>> {
        let all: io::Result<Vec<Vec<u32>>> = self.links.iter().map(|l| pollers(&l.ours.name)).collect();
        Ok(all?.concat())
    }

    /// Let the relay's interfaces be polled before anything else on their core, as a card's interrupts are taken as long as they do
    /// not want all of it, or in turns with it, as under a flood.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn poll_first(&self, first: bool) -> io::Result<()> {
        let how = if first { ["-f", "40"] } else { ["-o", "0"] };
        self.relay_pollers()?.into_iter().try_for_each(|thread| scheduled(&how, thread))
    }

    /// Poll where packets are sent, in the sender's own time, or in threads again.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn poll_inline(&self, inline: bool) -> io::Result<()> {
        self.rest_between_polls(!inline)?;
        let threaded = u8::from(!inline);
        for link in &self.links {
            for (host, end) in [(&self.relay, &link.ours), (&self.outside, &link.theirs)] {
                host.shell(&format!("echo {threaded} > /sys/class/net/{}/threaded", end.name))?;
            }
        }
        if inline { Ok(()) } else { self.poll_in_threads() }
    }

    /// Let the relay be a router.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn forward(&self) -> io::Result<()> {
        self.relay.run(|| fs::write("/proc/sys/net/ipv4/ip_forward", "1"))
    }
}

fn pollers(interface: &str) -> io::Result<Vec<u32>> {
    let threads = threads_named(&format!("napi/{interface}-"))?;
    if threads.is_empty() {
        return Err(io::Error::other(format!("no thread of the kernel polls {interface}")));
    }
    Ok(threads)
}

/// Pin any thread to a core.
///
/// # Errors
///
/// The system's.
pub fn pin_thread(thread: u32, core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    let pid = i32::try_from(thread).ok().and_then(rustix::thread::Pid::from_raw);
    Ok(sched_setaffinity(pid, &set)?)
}

/// Have a thread scheduled as `chrt` says.
///
/// # Errors
///
/// What it complains of.
pub fn scheduled(how: &[&str], thread: u32) -> io::Result<()> {
    let (last, policy) = how.split_last().ok_or(io::ErrorKind::InvalidInput)?;
    let output = Command::new("chrt").args(policy).args(["-p", last, &thread.to_string()]).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("chrt: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// The threads of a process whose name begins so.
///
/// # Errors
///
/// The system's, or if there are none.
pub fn threads_of(process: u32, name: &str) -> io::Result<Vec<u32>> {
    let threads = fs::read_dir(format!("/proc/{process}/task"))?.flatten().filter(|thread| {
        fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.starts_with(name))
    });
    let found: Vec<u32> = threads.filter_map(|t| t.file_name().to_str()?.parse().ok()).collect();
    if found.is_empty() { Err(io::Error::other(format!("no thread {name}"))) } else { Ok(found) }
}

/// Processes, the kernel's threads among them, whose name begins so.
///
/// # Errors
///
/// The system's.
pub fn threads_named(name: &str) -> io::Result<Vec<u32>> {
    let named = fs::read_dir("/proc")?.flatten().filter(|process| {
        fs::read_to_string(process.path().join("comm")).is_ok_and(|comm| comm.starts_with(name))
    });
    Ok(named.filter_map(|process| process.file_name().to_str().and_then(|n| n.parse().ok())).collect())
}

/// CPU time that threads have had, in nanoseconds (`/proc/PID/schedstat`).
///
/// # Errors
///
/// If one of them is gone.
pub fn cpu_ns(threads: &[u32]) -> io::Result<u64> {
    threads.iter().try_fold(0, |sum, thread| {
        let text = fs::read_to_string(format!("/proc/{thread}/schedstat"))?;
        let spent = text.split(' ').next().and_then(|n| n.parse::<u64>().ok());
        Ok(sum + spent.ok_or_else(|| io::Error::other("no schedstat"))?)
    })
}
