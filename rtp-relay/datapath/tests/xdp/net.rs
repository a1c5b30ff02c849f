//! Hosts of our own: network namespaces with a thread in each.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// Nothing came for this long: nothing comes.
pub(crate) const QUIET: Duration = Duration::from_millis(60);

type Job = Box<dyn FnOnce() + Send>;

/// A network namespace.
pub(crate) struct Host {
    /// Keeps it alive.
    holder: Child,
    jobs: Sender<Job>,
}

impl Host {
    /// A new one with nothing but loopback, which is up.
    pub(crate) fn new() -> Self {
        let holder = Command::new("unshare").args(["--net", "sleep", "600"]).spawn().expect("unshare runs");
        let file = format!("/proc/{}/ns/net", holder.id());
        let ours = fs::read_link("/proc/self/ns/net").expect("we have a namespace");
        let until = Instant::now() + Duration::from_secs(10);
        while fs::read_link(&file).is_ok_and(|theirs| theirs == ours) {
            assert!(Instant::now() < until, "no namespace came");
            std::thread::sleep(Duration::from_millis(1));
        }
        let namespace = File::open(&file).expect("the namespace is there");
        let (jobs, todo) = channel::<Job>();
        std::thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may");
            while let Ok(job) = todo.recv() {
                job();
            }
        });
        let host = Self { holder, jobs };
        host.ip("link set lo up");
        host
    }

    /// Do something there.
    pub(crate) fn run<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, answer) = channel();
        let job = Box::new(move || drop(done.send(f())));
        self.jobs.send(job).expect("the thread lives");
        answer.recv().expect("the job did not panic")
    }

    /// `ip …` there.
    pub(crate) fn ip(&self, arguments: &str) {
        self.command("ip", arguments);
    }

    /// A program there, which must succeed.
    pub(crate) fn command(&self, name: &'static str, arguments: &str) {
        let line = arguments.to_owned();
        let output = self.run(move || Command::new(name).args(line.split(' ')).output());
        let output = output.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(output.status.success(), "{name} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A link to another host: an interface of each, with a hardware address of each.
    pub(crate) fn link(&self, name: &str, mac: &str, other: &Self, its_name: &str, its_mac: &str) {
        let pid = other.holder.id();
        self.ip(&format!(
            "link add {name} address {mac} type veth peer name {its_name} address {its_mac} netns {pid}"
        ));
        self.ip(&format!("link set {name} up"));
        other.ip(&format!("link set {its_name} up"));
    }

    /// An address of ours on an interface. Nobody else has it: there is no need to ask.
    pub(crate) fn address(&self, interface: &str, address: &str) {
        let nodad = if address.contains(':') { " nodad" } else { "" };
        self.ip(&format!("address add {address} dev {interface}{nodad}"));
    }

    /// The index of an interface.
    pub(crate) fn index(&self, interface: &str) -> u32 {
        let name = interface.to_owned();
        let output = self.run(move || Command::new("ip").args(["-o", "link", "show", &name]).output());
        let text = String::from_utf8(output.expect("ip runs").stdout).expect("ip speaks UTF-8");
        text.split(':').next().and_then(|n| n.parse().ok()).expect("an interface has an index")
    }

    /// Datagrams that were dropped for their checksum, both families.
    pub(crate) fn checksum_errors(&self) -> u64 {
        self.run(|| {
            let read = |file: &str| {
                fs::read_to_string(format!("/proc/thread-self/net/{file}")).expect("it is there")
            };
            let table = read("snmp");
            let mut lines = table.lines().filter(|l| l.starts_with("Udp:")).map(str::split_whitespace);
            let (names, values) = lines.next().zip(lines.next()).expect("names and numbers");
            let v4 = names.zip(values).find(|(name, _)| *name == "InCsumErrors").map(|(_, n)| n.to_owned());
            let table = read("snmp6");
            let v6 = table.lines().find(|l| l.starts_with("Udp6InCsumErrors"));
            let v6 = v6.and_then(|l| l.split_whitespace().nth(1)).map(str::to_owned);
            [v4, v6].into_iter().map(|n| n.and_then(|n| n.parse::<u64>().ok()).expect("a number")).sum()
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

pub(crate) const RELAY_C: &str = "02:00:00:00:01:01";
pub(crate) const CARRIER: &str = "02:00:00:00:01:02";
pub(crate) const RELAY_T: &str = "02:00:00:00:02:01";
pub(crate) const TIER: &str = "02:00:00:00:02:02";

/// Three hosts on two links.
pub(crate) struct Net {
    pub(crate) carrier: Host,
    pub(crate) relay: Host,
    pub(crate) tier: Host,
}

/// The addresses of one family: the relay's on both links, and its neighbours'.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family {
    pub(crate) relay_c: &'static str,
    pub(crate) carrier: &'static str,
    pub(crate) relay_t: &'static str,
    pub(crate) tier: &'static str,
    pub(crate) bits: u8,
}

pub(crate) const V4: Family = Family {
    relay_c: "192.0.2.1",
    carrier: "192.0.2.50",
    relay_t: "198.51.100.1",
    tier: "198.51.100.50",
    bits: 24,
};
pub(crate) const V6: Family = Family {
    relay_c: "2001:db8:1::1",
    carrier: "2001:db8:1::50",
    relay_t: "2001:db8:2::1",
    tier: "2001:db8:2::50",
    bits: 64,
};

impl Net {
    pub(crate) fn new() -> Self {
        let net = Self { carrier: Host::new(), relay: Host::new(), tier: Host::new() };
        net.relay.link("rc", RELAY_C, &net.carrier, "c0", CARRIER);
        net.relay.link("rt", RELAY_T, &net.tier, "t0", TIER);
        for f in [V4, V6] {
            let on = |host: &Host, interface, ip| host.address(interface, &format!("{ip}/{}", f.bits));
            on(&net.relay, "rc", f.relay_c);
            on(&net.carrier, "c0", f.carrier);
            on(&net.relay, "rt", f.relay_t);
            on(&net.tier, "t0", f.tier);
        }
        net
    }
}

pub(crate) fn socket(host: &Host, ip: &str, port: u16) -> UdpSocket {
    let at = SocketAddr::new(ip.parse().expect("an address"), port);
    let socket = host.run(move || UdpSocket::bind(at)).expect("the address is there and the port is free");
    socket.set_read_timeout(Some(QUIET)).expect("a time that is not zero");
    socket
}
