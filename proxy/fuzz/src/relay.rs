//! The media core: whatever comes to the ports of a call, whatever state that is in.
//!
//! The first byte of the data chooses the state, the second what was agreed. Then come packets: a byte that says to which of
//! the call's four ports, from whom and how much later, one with the length, and the bytes themselves.

use relay_core::{PortRef, PortRequest, Relay, RelayConfig, Verdict, limits::MAX_PACKET};
use relay_values::{
    Carries, Connect, Direction, DropReason, Duration, Fill, Latching, Law, Leg, LegSpec, Open, RegionId,
    RelayCommand, RelayEvent, Remote, SessionId, Sound, Time,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const CALL: SessionId = SessionId::new(0, 0);
const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// Whoever may send: Alice, Bob, Carol, and a stranger.
const HOSTS: [[u8; 4]; 4] = [[192, 0, 2, 1], [192, 0, 2, 2], [192, 0, 2, 3], [203, 0, 113, 9]];

fn host(n: usize, rtcp: bool) -> SocketAddr {
    SocketAddr::from((HOSTS[n % HOSTS.len()], 4000 + u16::from(rtcp)))
}

/// A relay with one call, and time.
struct Line {
    relay: Relay,
    now: Time,
    /// RTP and RTCP of the A-leg, then of the B-leg.
    ports: [PortRef; 4],
    terms: Terms,
}

/// What was agreed with everybody.
#[derive(Clone, Copy)]
struct Terms {
    mux: [bool; 3],
    carries: Carries,
    latching: Latching,
}

impl Terms {
    fn of(byte: u8) -> Self {
        Self {
            mux: [1, 2, 4].map(|bit| byte & bit != 0),
            carries: match byte >> 3 & 7 {
                0 => Carries::Sealed,
                1 => Carries::Datagrams,
                _ => Carries::Rtp,
            },
            latching: match byte >> 6 {
                0 => Latching::Learn,
                1 => Latching::Address,
                _ => Latching::Exact,
            },
        }
    }
}

impl Line {
    fn new(terms: Terms) -> Self {
        let config = RelayConfig { addresses: vec![OURS], ports: 10_000..=10_003, ..RelayConfig::default() };
        let mut line = Self {
            relay: Relay::new(&config, 7),
            now: Time::from_millis(1000),
            ports: [0, 1, 2, 3].map(PortRef::new),
            terms,
        };
        let leg = LegSpec { local: OURS, latching: terms.latching };
        line.command(RelayCommand::Open(Open {
            session: CALL,
            a: leg,
            b: leg,
            region: RegionId(1),
            tier_leg: Leg::B,
            inactivity: None,
        }));
        line
    }

    fn connect(&self, n: usize) -> Connect {
        let remote = Remote { rtp: host(n, false), rtcp: host(n, true), mux: self.terms.mux[n] };
        let Terms { carries, .. } = self.terms;
        Connect { remote, direction: Direction::SendRecv, clock_rate: 8000, event: Some(101), carries }
    }

    fn command(&mut self, command: RelayCommand) {
        self.relay.command(self.now, command);
        while let Some(request) = self.relay.poll_port() {
            if let PortRequest::Bind(pair) = request {
                self.relay.bound(self.now, pair.rtp, true);
            }
        }
        while let Some(event) = self.relay.poll_event() {
            if let RelayEvent::Opened { a_port, b_port, .. } = event {
                let number = |n| self.relay.local(PortRef::new(n)).map(|at| at.port());
                let at = |port| (0..4).find(|n| number(*n) == Some(port)).expect("a port of ours");
                let (a, b) = (at(a_port), at(b_port));
                self.ports = [a, a + 1, b, b + 1].map(PortRef::new);
            }
        }
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.relay.poll_timeout() <= until {
            self.now = self.now.max(self.relay.poll_timeout());
            self.relay.timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    /// What leaves is whole.
    fn drain(&mut self) {
        let mut buffer = [0; MAX_PACKET];
        while let Some(out) = self.relay.poll_send(&mut buffer) {
            self.leaves(&buffer[..out.len], out.to);
        }
        while self.relay.poll_event().is_some() {}
    }

    fn leaves(&self, bytes: &[u8], to: SocketAddr) {
        assert!(bytes.len() <= MAX_PACKET);
        assert!(
            self.terms.latching == Latching::Learn || to.ip() != host(3, false).ip(),
            "a stranger is answered"
        );
        // Where RTCP has a port of its own, nothing else goes there.
        if self.terms.carries == Carries::Rtp && to.port() == host(0, true).port() {
            let whole = judge_again(bytes);
            assert!(
                !matches!(whole, Some(DropReason::Malformed | DropReason::TooShort)),
                "{whole:?}: {bytes:x?}"
            );
        }
    }

    fn packet(&mut self, port: usize, from: SocketAddr, bytes: &mut [u8]) {
        let at = self.ports[port % 4];
        match self.relay.packet(self.now, at, from, bytes) {
            Verdict::Forward { to, .. } => {
                let before = self.terms;
                self.leaves(bytes, to);
                assert!(
                    before.latching == Latching::Learn || from.ip() != host(3, false).ip(),
                    "a stranger is heard"
                );
            }
            Verdict::Anew | Verdict::Drop(_) => {}
        }
        self.drain();
    }
}

/// Why another relay, on which nothing has been moved, would not pass RTCP on.
fn judge_again(bytes: &[u8]) -> Option<DropReason> {
    let mut other = Line::new(Terms { mux: [false; 3], carries: Carries::Rtp, latching: Latching::Exact });
    other.talk();
    let at = other.ports[1];
    match other.relay.packet(other.now, at, host(0, true), &mut bytes.to_vec()) {
        Verdict::Drop(reason) => Some(reason),
        Verdict::Forward { .. } | Verdict::Anew => None,
    }
}

fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut bytes = vec![0x80, 0];
    bytes.extend(sequence.to_be_bytes());
    bytes.extend((u32::from(sequence) * 160).to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([0xd5; 20]);
    bytes
}

/// SSRCs that fuzz input may know: Alice's is 1, Bob's 2, Carol's 3.
impl Line {
    fn talk(&mut self) {
        for (leg, n) in [(Leg::A, 0), (Leg::B, 1)] {
            let to = self.connect(n);
            self.command(RelayCommand::Connect { session: CALL, leg, to });
        }
    }

    fn speak(&mut self, n: usize, first: u16) {
        let port = if n == 0 { 0 } else { 2 };
        for sequence in first..first + 3 {
            self.packet(port, host(n, false), &mut rtp(n as u32 + 1, sequence));
            self.pass(Duration::from_millis(20));
        }
    }

    fn bridge(&mut self) {
        let (packet_time, sound) = (Duration::from_millis(20), Sound::Noise(Law::Mu));
        let fill = Some(Fill { payload_type: 0, clock_rate: 8000, packet_time, sound });
        self.command(RelayCommand::Bridge { session: CALL, leg: Leg::B, fill });
        self.pass(Duration::from_millis(100));
    }

    fn retarget(&mut self, to: Option<usize>) {
        let to = to.map(|n| self.connect(n));
        self.command(RelayCommand::Retarget { session: CALL, leg: Leg::B, region: RegionId(2), to });
    }

    /// Bring the call into one of eight states.
    fn live(&mut self, state: u8) {
        if state == 0 {
            return;
        }
        self.talk();
        if state == 1 {
            return;
        }
        self.speak(0, 10);
        self.speak(1, 20);
        match state {
            2 => {}
            3 => self.bridge(),
            4 => self.retarget(Some(2)),
            5 => self.retarget(None),
            6 => {
                self.retarget(Some(2));
                self.speak(2, 40);
            }
            _ => {
                self.bridge();
                self.retarget(Some(2));
                self.speak(2, 40);
                self.speak(0, 13);
            }
        }
    }
}

/// Any packets at any port: no panic, nothing to or from a stranger, and what goes out as RTCP is whole.
pub fn media(data: &[u8]) {
    let &[state, terms, ref packets @ ..] = data else { return };
    let mut line = Line::new(Terms::of(terms));
    line.live(state % 8);
    let mut rest = packets;
    while let [how, len, after @ ..] = rest {
        let (bytes, later) = after.split_at(usize::from(*len).min(after.len()));
        let (port, from) = (usize::from(how & 3), usize::from(how >> 2 & 3));
        let own_rtcp = port % 2 == 1;
        line.packet(port, host(from, own_rtcp), &mut bytes.to_vec());
        line.pass(Duration::from_millis(u64::from(how >> 4) * 20));
        rest = later;
    }
    line.command(RelayCommand::Release { session: CALL });
    assert_eq!(line.relay.sessions(), 0);
}

/// One compound to and from a line in each state: as [`media`], from whom it may come.
pub fn rtcp(data: &[u8]) {
    for state in [2, 3, 4, 6, 7] {
        let mut line = Line::new(Terms { mux: [false; 3], carries: Carries::Rtp, latching: Latching::Exact });
        line.live(state);
        for (port, from) in [(3, 1), (1, 0), (3, 2)] {
            line.packet(port, host(from, true), &mut data.to_vec());
        }
    }
}
