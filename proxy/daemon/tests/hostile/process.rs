//! `bascule run` on addresses of one test's own, and what it keeps.

use crate::agent::PATIENCE;
use crate::tap;
use bascule::config;
use sip_tap::{Ours, Tap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Where metrics are, if they are asked for.
pub(crate) const METRICS: u16 = 9090;

/// The daemon at 127.91.`n`.1, a carrier at .2, an edge at .11, strangers at .77. Ends with the test.
pub(crate) struct Daemon {
    n: u8,
    /// Its messages are judged before it ends.
    _tap: Tap,
    child: Running,
}

struct Running(Child);

impl Daemon {
    /// `more` stands at the configuration's end.
    pub(crate) fn start(n: u8, more: &str) -> Self {
        // A stranger is not answered, whatever it sends: one word to it is a word too many.
        Self::run(n, &text(n, more), |ours| ours.unheard(stranger(n).into()))
    }

    /// One that tells strangers 403.
    pub(crate) fn refusing(n: u8) -> Self {
        Self::run(n, &format!("unknown_source = \"reject\"\n{}", text(n, "")), |ours| ours)
    }

    fn run(n: u8, text: &str, whom: impl FnOnce(Ours) -> Ours) -> Self {
        let loaded = config::parse("hostile.toml", text).unwrap();
        let tap = Tap::on(whom(tap::ours(&loaded)), tap::timing(&loaded));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{n}"));
        std::fs::create_dir_all(&folder).unwrap();
        let config = folder.join("bascule.toml");
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_bascule"))
            .args(["run", "--config"])
            .arg(&config)
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("SIP ") {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it did not start");
        }
        // Somebody has to read on, or the daemon would wait for it.
        std::thread::spawn(move || drop(std::io::copy(&mut lines.by_ref(), &mut std::io::sink())));
        Self { n, _tap: tap, child: Running(child) }
    }

    fn at(&self, host: u8, port: u16) -> SocketAddr {
        (Ipv4Addr::new(127, 91, self.n, host), port).into()
    }

    /// Over UDP and TCP.
    pub(crate) fn sip(&self) -> SocketAddr {
        self.at(1, 5060)
    }

    pub(crate) fn tier(&self) -> SocketAddr {
        self.at(1, 5070)
    }

    /// The carrier, at a port of its own choice.
    pub(crate) fn carrier(&self, port: u16) -> SocketAddr {
        self.at(2, port)
    }

    pub(crate) fn edge(&self) -> SocketAddr {
        self.at(11, 5060)
    }

    /// Whom nobody knows.
    pub(crate) fn stranger(&self, port: u16) -> SocketAddr {
        (stranger(self.n), port).into()
    }

    /// The value of a metric; 0 if it is not there. For a daemon whose configuration has it served, at port 9090.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let mut line = TcpStream::connect(self.at(1, METRICS)).unwrap();
        line.set_read_timeout(Some(PATIENCE)).unwrap();
        line.write_all(b"GET /metrics HTTP/1.1\r\nHost: bascule\r\nConnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        line.read_to_string(&mut page).unwrap();
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// A second carrier.
    pub(crate) fn other_carrier(&self, port: u16) -> SocketAddr {
        self.at(3, port)
    }

    /// Resident memory in KiB, as the kernel counts it.
    pub(crate) fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// TCP connections that the kernel holds at its SIP port, as it tells of them.
    fn connections(&self) -> Vec<String> {
        let SocketAddr::V4(at) = self.sip() else { return Vec::new() };
        let at = format!(" {:08X}:{:04X} ", u32::from_ne_bytes(at.ip().octets()), at.port());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        // Established, and closed by the other side; what our side has closed is the kernel's alone.
        let is_held = |line: &&str| {
            line.split_once(&*at).is_some_and(|(before, after)| {
                !before.trim().contains(' ') && matches!(after.split(' ').nth(1), Some("01" | "08"))
            })
        };
        table.lines().filter(is_held).map(str::to_owned).collect()
    }

    /// Wait until it holds just so many connections. One that is half closed with a request unanswered is held for 32 s.
    pub(crate) fn keeps(&self, connections: usize) {
        for _ in 0..6_000 {
            if self.connections().len() == connections {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("not {connections} connections: {:#?}", self.connections());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whom nobody knows.
fn stranger(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 91, n, 77)
}

fn text(n: u8, more: &str) -> String {
    format!(
        r#"
        [[listener]]
        name = "carriers"
        bind = "127.91.{n}.1:5060"
        [[listener]]
        name = "carriers-tcp"
        transport = "tcp"
        bind = "127.91.{n}.1:5060"
        [[listener]]
        name = "tier"
        bind = "127.91.{n}.1:5070"
        [media]
        v4 = "127.91.{n}.1"
        ports = "20000-29999"
        datapath = "epoll"
        [[region]]
        name = "north"
        [[edge_group]]
        name = "north"
        region = "north"
        listener = "tier"
        edges = [{{ name = "north-1", address = "127.91.{n}.11:5060" }}]
        probe = {{ enabled = false }}
        [[site]]
        name = "main"
        groups = ["north"]
        [[trunk]]
        name = "acme"
        listener = "carriers"
        sources = ["127.91.{n}.2"]
        [[route.inbound]]
        prefix = "+49"
        site = "main"
        {more}
        "#
    )
}
