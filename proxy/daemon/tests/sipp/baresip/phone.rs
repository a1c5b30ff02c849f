//! baresip: one phone with a tone of its own, and what it is told and tells by its control socket (module ctrl_tcp: JSON in
//! netstrings).

use crate::peer::PATIENCE;
use crate::space::Space;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The number that everybody has.
pub(crate) const CALLED: &str = "+4930123456";

/// Where it takes orders.
const ORDERS: u16 = 4444;

/// What a phone is like.
pub(crate) struct Habits {
    pub(crate) name: &'static str,
    /// Of the tone that it plays, in hertz.
    pub(crate) tone: u16,
    /// `auto`, `early` or `manual`.
    pub(crate) answers: &'static str,
    /// The transport that it calls by.
    pub(crate) transport: &'static str,
}

/// A baresip that runs. Ends with the story, whatever the story comes to.
pub(crate) struct Phone {
    child: Child,
    orders: TcpStream,
    bytes: Vec<u8>,
    /// What it has told that nobody has asked for yet.
    events: VecDeque<Value>,
    log: PathBuf,
}

impl Phone {
    /// Is there when this returns.
    pub(crate) fn starts(folder: &Path, space: &Space, at: IpAddr, habits: &Habits) -> Self {
        let own = folder.join(habits.name);
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("config"), config(at, habits)).unwrap();
        std::fs::write(own.join("accounts"), account(at, habits)).unwrap();
        std::fs::write(own.join("contacts"), "").unwrap();
        let log = own.join("log");
        let out = File::create(&log).unwrap();
        // Whoever ends the story by force leaves it to the clock to end this one.
        let mut child = space
            .command("baresip")
            .args(["-t", "120", "-s", "-f"])
            .arg(&own)
            .stdin(Stdio::null())
            .stderr(out.try_clone().unwrap())
            .stdout(out)
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        let orders = loop {
            if let Ok(orders) = TcpStream::connect((at, ORDERS)) {
                break orders;
            }
            let said = || std::fs::read_to_string(&log).unwrap_or_default();
            if let Some(status) = child.try_wait().unwrap() {
                panic!("baresip ended, {status}; type apt-get install baresip-core: {}", said());
            }
            assert!(Instant::now() < deadline, "baresip takes no orders: {}", said());
            std::thread::sleep(Duration::from_millis(20));
        };
        orders.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        Self { child, orders, bytes: Vec::new(), events: VecDeque::new(), log }
    }

    /// Does as it is told, or fails the story.
    pub(crate) fn is_told(&mut self, command: &str, params: &str) {
        let order = json!({ "command": command, "params": params, "token": command }).to_string();
        self.orders.write_all(format!("{}:{order},", order.len()).as_bytes()).unwrap();
        let done = self.waits_for(&format!("the end of {command}"), |said| said["token"] == command);
        assert_eq!(done["ok"], true, "{command} {params}: {done}");
    }

    /// Waits until it tells of this; what it says more of it.
    pub(crate) fn tells(&mut self, event: &str) -> String {
        let told = self.waits_for(event, |said| said["type"] == event);
        told["param"].as_str().unwrap_or_default().to_owned()
    }

    fn waits_for(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.events.iter().position(&is_it) {
                return self.events.remove(at).unwrap();
            }
            assert!(Instant::now() < deadline, "never heard of {what}; {:?}; {}", self.events, self.said());
            self.listens();
        }
    }

    fn listens(&mut self) {
        let mut buffer = [0; 4096];
        match self.orders.read(&mut buffer) {
            Ok(0) => panic!("baresip is gone: {}", self.said()),
            Ok(n) => self.bytes.extend_from_slice(&buffer[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("baresip: {error}"),
        }
        while let Some((length, start)) = netstring(&self.bytes)
            && self.bytes.len() > start + length
        {
            self.events.push_back(serde_json::from_slice(&self.bytes[start..start + length]).unwrap());
            self.bytes.drain(..=start + length);
        }
    }

    /// Waits until a message of SIP with this in it has crossed.
    pub(crate) fn has_seen(&self, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.said().contains(what) {
            assert!(Instant::now() < deadline, "no {what} was seen: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it, so that it neither reads nor says anything: its sockets stay open.
    pub(crate) fn freezes(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
    }

    /// Its log, with every message of SIP that it has seen.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The length of the first string, and where it begins.
fn netstring(bytes: &[u8]) -> Option<(usize, usize)> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let length = std::str::from_utf8(&bytes[..colon]).unwrap().parse().unwrap();
    Some((length, colon + 1))
}

fn account(at: IpAddr, habits: &Habits) -> String {
    let Habits { name, answers, transport, .. } = habits;
    let at = SocketAddr::from((at, 5060));
    format!(
        "\"{name}\" <sip:{CALLED}@{at};transport={transport}>;regint=0;answermode={answers};audio_codecs=pcma\n"
    )
}

/// Its tone needs 48,000 samples a second and two channels; on the wire there is G.711.
fn config(at: IpAddr, habits: &Habits) -> String {
    let tone = habits.tone;
    format!(
        "poll_method epoll
sip_listen {sip}
call_local_timeout 120
call_max_calls 8
audio_source ausine,{tone}
audio_player aubridge,heard
audio_alert aubridge,alert
ausrc_srate 48000
auplay_srate 48000
ausrc_channels 2
rtp_ports 10000-10100
jitter_buffer_delay 1-5
net_interface {at}
module_path /usr/lib/baresip/modules
module g711.so
module ausine.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {orders}
",
        sip = SocketAddr::from((at, 5060)),
        orders = SocketAddr::from((at, ORDERS)),
    )
}
