//! The relay in memory: one packet of one of many connected sessions, and what happens to all of them at once when a
//! region dies.

use relay_core::{PortRequest, Relay, RelayConfig, Verdict};
use relay_values::{
    Carries, Connect, Direction, Duration, Fill, Latching, Law, Leg, LegSpec, Open, RegionId, RelayCommand,
    RelayEvent, Remote, SessionId, Sound, Time,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(super) const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// Where the tier's legs are, and where they may be moved to.
const TIER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const OTHER_TIER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3));

/// A relay with sessions and the packets that go through it in turn.
#[derive(Debug)]
pub struct Packets {
    pub(super) relay: Relay,
    streams: Vec<Stream>,
    at: usize,
    now: Time,
}

#[derive(Debug)]
struct Stream {
    session: SessionId,
    leg: Leg,
    port: relay_core::PortRef,
    from: SocketAddr,
    packet: [u8; 172],
    sequence: u16,
}

impl Packets {
    /// So many sessions, connected both ways.
    ///
    /// # Panics
    ///
    /// If the relay does not open what it is asked to.
    pub fn new(sessions: u16) -> Self {
        Self::offering(sessions, None)
    }

    /// The same with a fast path to which flows are offered.
    pub(super) fn offering(sessions: u16, offload_after: Option<u16>) -> Self {
        let config = RelayConfig {
            addresses: vec![OURS],
            ports: 16384..=65533,
            offload_after,
            ..RelayConfig::default()
        };
        let mut relay = Relay::new(&config, 1);
        let now = Time::from_millis(1);
        let mut streams = Vec::new();
        for n in 0..sessions {
            let leg = LegSpec { local: OURS, latching: Latching::Exact };
            let session = SessionId::new(0, n.into());
            let inactivity = Some(Duration::from_secs(12));
            let open = Open { session, a: leg, b: leg, region: RegionId(0), tier_leg: Leg::B, inactivity };
            relay.command(now, RelayCommand::Open(open));
            while let Some(request) = relay.poll_port() {
                if let PortRequest::Bind(pair) = request {
                    relay.bound(now, pair.rtp, true);
                }
            }
            let ports = std::iter::from_fn(|| relay.poll_event()).find_map(|e| match e {
                RelayEvent::Opened { a_port, b_port, .. } => Some([a_port, b_port]),
                _ => None,
            });
            for (leg, port) in [Leg::A, Leg::B].into_iter().zip(ports.expect("the session opens")) {
                let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, if leg == Leg::A { 1 } else { 2 }));
                let rtp = SocketAddr::new(ip, 2 * n + 1024);
                let remote = Remote { rtp, rtcp: SocketAddr::new(ip, 2 * n + 1025), mux: false };
                let to = Connect {
                    remote,
                    direction: Direction::SendRecv,
                    clock_rate: 8000,
                    event: None,
                    carries: Carries::Rtp,
                };
                relay.command(now, RelayCommand::Connect { session, leg, to });
                let all = (0..relay.ports()).map(|i| relay_core::PortRef::new(i as u32));
                let here = Some(SocketAddr::new(OURS, port));
                let port =
                    all.into_iter().find(|p| relay.local(*p) == here).expect("an opened port is known");
                let mut packet = [0xd5; 172];
                packet[..12].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
                streams.push(Stream { session, leg, port, from: rtp, packet, sequence: 0 });
            }
        }
        Self { relay, streams, at: 0, now }
    }

    /// Judge the next packet.
    ///
    /// # Panics
    ///
    /// If it is not forwarded: then there is nothing to measure.
    pub fn step(&mut self) {
        let count = self.streams.len();
        let stream = &mut self.streams[self.at];
        self.at = (self.at + 1) % count;
        self.now += Duration::from_nanos(20_000_000 / count as u64);
        stream.sequence = stream.sequence.wrapping_add(1);
        stream.packet[2..4].copy_from_slice(&stream.sequence.to_be_bytes());
        let timestamp = u32::from(stream.sequence).wrapping_mul(160);
        stream.packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        let verdict = self.relay.packet(self.now, stream.port, stream.from, &mut stream.packet);
        assert!(matches!(verdict, Verdict::Forward { .. }), "{verdict:?}");
        while self.relay.poll_event().is_some() {}
    }

    /// Let every flow send what it sends in `time`, a packet each 20 ms, without the relay's timers.
    pub fn pass(&mut self, time: Duration) {
        let packets = self.streams.len() as u128 * time.as_nanos() / 20_000_000;
        (0..packets).for_each(|_| self.step());
    }

    /// Of every flow of the tier: from where, to which of our ports, and its last packet.
    pub(super) fn tier(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr, &[u8; 172])> {
        let tier = self.streams.iter().filter(|s| s.leg == Leg::B);
        tier.filter_map(|s| Some((s.from, self.relay.local(s.port)?, &s.packet)))
    }

    /// Time has come for the relay's timers: one look at every flow of the regions.
    pub fn tick(&mut self) {
        self.relay.timeout(self.now);
    }

    /// Move every tier leg to another peer, and back with the next call.
    pub fn retarget(&mut self) {
        for stream in self.streams.iter_mut().filter(|s| s.leg == Leg::B) {
            let ip = if stream.from.ip() == TIER { OTHER_TIER } else { TIER };
            let rtp = SocketAddr::new(ip, stream.from.port());
            let remote = Remote { rtp, rtcp: SocketAddr::new(ip, rtp.port() + 1), mux: false };
            let to = Some(Connect {
                remote,
                direction: Direction::SendRecv,
                clock_rate: 8000,
                event: None,
                carries: Carries::Rtp,
            });
            stream.from = rtp;
            let (session, leg, region) = (stream.session, stream.leg, RegionId(1));
            self.relay.command(self.now, RelayCommand::Retarget { session, leg, region, to });
        }
    }

    /// Take every tier leg for lost: from now on the carriers hear noise.
    pub fn bridge(&mut self) {
        let sound = Sound::Noise(Law::A);
        let packet_time = Duration::from_millis(20);
        let fill = Some(Fill { payload_type: 8, clock_rate: 8000, packet_time, sound });
        for stream in self.streams.iter().filter(|s| s.leg == Leg::B) {
            let (session, leg) = (stream.session, stream.leg);
            self.relay.command(self.now, RelayCommand::Bridge { session, leg, fill });
        }
    }

    /// Another 20 ms of noise for every carrier; how many packets that were.
    pub fn fill(&mut self) -> usize {
        self.now += Duration::from_millis(20);
        self.relay.timeout(self.now);
        let mut buffer = [0; relay_core::limits::MAX_PACKET];
        std::iter::from_fn(|| self.relay.poll_send(&mut buffer)).count()
    }
}
