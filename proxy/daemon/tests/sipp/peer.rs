//! SIPp: one process, one scenario, one end.

use crate::space::Space;
use proxy_core::Transport;
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take that has to happen. Far above what it takes: only a hang is to fail by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Where the number that is called goes to is up to the route; every story calls this one.
const CALLED: &str = "+4930123456";
const SIP_PORT: u16 = 5060;
/// Where SIPp takes media that it echoes.
const MEDIA_PORT: u16 = 6_000;

/// A SIPp that runs. Ends with the story, whatever the story comes to.
pub(crate) struct Sipp {
    child: Child,
    name: String,
    stats: PathBuf,
    errors: PathBuf,
}

impl Sipp {
    /// Calls the appliance at `to`.
    pub(crate) fn caller(folder: &Path, ip: IpAddr, to: SocketAddr, scenario: &str, args: &[&str]) -> Self {
        Self::start(folder, ip, scenario, &[&[&to.to_string(), "-s", CALLED], args].concat())
    }

    /// Waits for calls, and is ready for them when this returns.
    pub(crate) fn answerer(folder: &Path, ip: IpAddr, scenario: &str, args: &[&str]) -> Self {
        let mut sipp = Self::start(folder, ip, scenario, args);
        sipp.listens((ip, SIP_PORT).into());
        if args.contains(&"-rtp_echo") {
            sipp.listens((ip, MEDIA_PORT).into());
        }
        sipp
    }

    /// Stops it, so that it neither reads nor says anything: its sockets stay open.
    pub(crate) fn freezes(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaws(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success(), "{signal}");
    }

    /// With a scenario of one story's own, at an address and port of its own, in a space if there is one.
    pub(crate) fn in_space(
        space: Option<&Space>,
        folder: &Path,
        at: SocketAddr,
        scenario: &Path,
        transport: Transport,
        args: &[&str],
    ) -> Self {
        let (port, media) = (at.port().to_string(), (at.port() + 2_000).to_string());
        let how = match transport {
            Transport::Udp => "u1",
            Transport::Tcp => "t1",
            Transport::Tls => "l1",
        };
        let mine = ["-p", &port, "-mp", &media, "-t", how];
        Self::start_in(space, folder, at.ip(), scenario.to_str().unwrap(), &[&mine, args].concat())
    }

    /// Wait until its port is open, as the kernel tells.
    pub(crate) fn is_ready(&mut self, port: u16, transport: Transport) {
        let deadline = Instant::now() + PATIENCE;
        while !is_open(self.child.id(), port, transport) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended before it listened, {status}: {}", self.name, self.complaints());
            }
            assert!(Instant::now() < deadline, "{} never listened at port {port}", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `scenario` is the name of one in benches/sipp, or the path of a file.
    fn start(folder: &Path, ip: IpAddr, scenario: &str, args: &[&str]) -> Self {
        Self::start_in(None, folder, ip, scenario, args)
    }

    fn start_in(space: Option<&Space>, folder: &Path, ip: IpAddr, scenario: &str, args: &[&str]) -> Self {
        let path = if scenario.starts_with('/') { scenario.to_owned() } else { format!("{scenario}.xml") };
        let scenario = Path::new(scenario).file_stem().and_then(|s| s.to_str()).unwrap();
        let name = format!("{scenario} at {ip}");
        let file = |what: &str| folder.join(format!("{scenario}-{ip}.{what}"));
        let (stats, errors) = (file("csv"), file("errors"));
        let ip = ip.to_string();
        let (sip, media) = (SIP_PORT.to_string(), MEDIA_PORT.to_string());
        let usual = ["-p", &sip, "-mp", &media];
        let ports = if args.contains(&"-mp") { &[][..] } else { &usual };
        let mut sipp = space.map_or_else(|| Command::new("sipp"), |space| space.command("sipp"));
        let child = sipp
            .args(["-sf", &path, "-i", &ip, "-mi", &ip])
            .args(ports)
            .arg("-nostdin")
            .args(["-timeout", &PATIENCE.as_secs().to_string(), "-timeout_error"])
            .arg("-trace_stat")
            .arg("-stf")
            .arg(&stats)
            .arg("-trace_err")
            .arg("-error_file")
            .arg(&errors)
            .args(args)
            // One scenario plays a file that lies beside it.
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/sipp"))
            // It draws a screen, whether anybody looks or not.
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .stdout(File::create(file("screen")).unwrap())
            .stderr(File::create(file("stderr")).unwrap())
            .spawn();
        match child {
            Ok(child) => Self { child, name, stats, errors },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                panic!("SIPp is not installed; type: apt-get install sip-tester")
            }
            Err(error) => panic!("SIPp does not start: {error}"),
        }
    }

    /// Wait until it has bound this address, as the kernel tells.
    pub(crate) fn listens(&mut self, at: SocketAddr) {
        let IpAddr::V4(ip) = at.ip() else { panic!("these stories are IPv4's") };
        let entry = format!(": {:08X}:{:04X} ", u32::from_ne_bytes(ip.octets()), at.port());
        let deadline = Instant::now() + PATIENCE;
        while !std::fs::read_to_string("/proc/net/udp").unwrap().contains(&entry) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended before it listened, {status}: {}", self.name, self.complaints());
            }
            assert!(Instant::now() < deadline, "{} never listened at {at}", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Wait for its end: every one of so many calls went as the scenario says.
    pub(crate) fn succeeds(mut self, calls: u32) {
        let status = self.wait();
        let what = format!("{}, {status}: {}", self.name, self.complaints());
        assert_eq!(status.code(), Some(0), "{what}");
        assert_eq!((self.count("SuccessfulCall(C)"), self.count("FailedCall(C)")), (calls, 0), "{what}");
    }

    /// Ask it to end, which it does when its calls are over; how many went as the scenario says. None may have failed.
    pub(crate) fn stops(mut self) -> u32 {
        self.signal("-USR1");
        let status = self.wait();
        assert_eq!(self.count("FailedCall(C)"), 0, "{}, {status}: {}", self.name, self.complaints());
        self.count("SuccessfulCall(C)")
    }

    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE + PATIENCE / 4;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "{} does not end: {}", self.name, self.complaints());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A column of the last line of its statistics.
    fn count(&self, column: &str) -> u32 {
        let text = std::fs::read_to_string(&self.stats).unwrap();
        let (names, values) = (text.lines().next().unwrap(), text.lines().last().unwrap());
        let at = names.split(';').position(|name| name == column).unwrap();
        values.split(';').nth(at).unwrap().parse().unwrap()
    }

    /// What it has to say of calls that went wrong.
    fn complaints(&self) -> String {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let text = read(&self.errors) + &read(&self.stats.with_extension("stderr"));
        text.chars().take(4_000).collect()
    }
}

/// Whether somebody waits at a port of any address in the space of this process, as the kernel tells.
pub(crate) fn is_open(process: u32, port: u16, transport: Transport) -> bool {
    let (files, state) = match transport {
        Transport::Udp => (["udp", "udp6"], "07"),
        Transport::Tcp | Transport::Tls => (["tcp", "tcp6"], "0A"),
    };
    let files = files.map(|file| format!("/proc/{process}/net/{file}"));
    let ends = format!(":{port:04X}");
    let lines = files.map(|file| std::fs::read_to_string(file).unwrap_or_default()).concat();
    lines.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|local| local.ends_with(&ends)) && words.nth(1) == Some(state)
    })
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
