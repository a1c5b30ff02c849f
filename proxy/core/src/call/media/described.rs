//! What matters of one line of a leg's session description.

use relay_values::{Carries, Connect, Direction, Law, Remote};
use sip_wire::sdp::{self, Transport};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// One line, as its leg describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) remote: Remote,
    pub(super) sends: bool,
    pub(super) receives: bool,
    clock_rate: u32,
    /// Payload type of telephone-event (RFC 4733).
    event: Option<u8>,
    /// The first codec, if it is one that we can speak ourselves.
    pub(super) law: Option<Law>,
    /// `ptime` in milliseconds.
    pub(super) packet_time: Option<u8>,
    wire: Wire,
}

/// How the packets of a line look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    /// RTP. `keyed`: its side could do SRTP, and does if the other one could too.
    Rtp {
        keyed: bool,
    },
    Srtp,
    Udptl,
}

/// Whether an address is of one host: nobody has us send to a whole network.
fn is_of_one(address: &IpAddr) -> bool {
    !address.is_multicast() && *address != IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Nowhere.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Described {
    /// A line that is refused, is gone, or is none of those that the relay carries.
    pub(super) const CLOSED: Self = Self {
        remote: Remote { rtp: NOBODY, rtcp: NOBODY, mux: false },
        sends: false,
        receives: false,
        clock_rate: 8000,
        event: None,
        law: None,
        packet_time: None,
        wire: Wire::Rtp { keyed: false },
    };

    /// Reads a line. `None` for one that is open and does not say where it is.
    pub(super) fn read(media: &sdp::Media<'_>) -> Option<Self> {
        let wire = match media.transport() {
            Transport::Rtp => Wire::Rtp { keyed: media.is_keyed() },
            Transport::Srtp => Wire::Srtp,
            Transport::Udptl => Wire::Udptl,
            Transport::Other => return Some(Self::CLOSED),
        };
        if media.port == 0 {
            return Some(Self { wire, ..Self::CLOSED });
        }
        let address = media.address.filter(is_of_one)?;
        let rtcp = match media.rtcp {
            Some((port, at)) => SocketAddr::new(at.filter(is_of_one).unwrap_or(address), port),
            None => SocketAddr::new(address, media.port.saturating_add(1)),
        };
        let codec = media.payload_types().find_map(|payload_type| media.codec(payload_type));
        let clock_rate = codec.map_or(8000, |codec| codec.clock_rate);
        let is_audio = media.kind == b"audio";
        Some(Self {
            remote: Remote { rtp: SocketAddr::new(address, media.port), rtcp, mux: media.rtcp_mux },
            sends: media.direction.sends(),
            receives: media.direction.receives(),
            clock_rate,
            event: media.telephone_event(clock_rate),
            // The static numbers of RFC 3551 table 4: whoever gives G.711 another one is heard without fill.
            law: match media.payload_types().next().filter(|_| is_audio) {
                Some(0) => Some(Law::Mu),
                Some(8) => Some(Law::A),
                _ => None,
            },
            packet_time: media.ptime.and_then(|ms| u8::try_from(ms).ok()).filter(|ms| (5..=60).contains(ms)),
            wire,
        })
    }

    /// Whether a line is one that the relay can carry.
    pub(super) fn is_carried(media: &sdp::Media<'_>) -> bool {
        media.transport() != Transport::Other
    }

    pub(super) fn is_open(&self) -> bool {
        self.remote.rtp.port() != 0
    }

    /// What the packets are, the other side being like that: keys that only one side has are not used.
    pub(super) fn carries(&self, other: &Self) -> Carries {
        match (self.wire, other.wire) {
            (Wire::Udptl, _) | (_, Wire::Udptl) => Carries::Datagrams,
            (Wire::Srtp, _) | (_, Wire::Srtp) | (Wire::Rtp { keyed: true }, Wire::Rtp { keyed: true }) => {
                Carries::Sealed
            }
            (Wire::Rtp { .. }, Wire::Rtp { .. }) => Carries::Rtp,
        }
    }

    /// What the relay is told of this leg while the other one is described like that. A direction is open when one side
    /// sends and the other receives, whatever spelling either used for hold.
    pub(super) fn facing(self, other: Self) -> Connect {
        let direction = match (other.sends && self.receives, self.sends && other.receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        };
        let carries = self.carries(&other);
        // An event under SRTP cannot be read, and so not be ended.
        let event = self.event.filter(|_| carries == Carries::Rtp);
        Connect { remote: self.remote, direction, clock_rate: self.clock_rate, event, carries }
    }

    pub(super) fn direction(&self) -> sdp::Direction {
        match (self.sends, self.receives) {
            (true, true) => sdp::Direction::SendRecv,
            (true, false) => sdp::Direction::SendOnly,
            (false, true) => sdp::Direction::RecvOnly,
            (false, false) => sdp::Direction::Inactive,
        }
    }
}
