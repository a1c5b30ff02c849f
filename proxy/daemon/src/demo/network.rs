//! Addresses of our own: a part of 127.0.0.0/8 that nobody uses, so that the service or a second demo can run beside.

use super::peers::Line;
use super::timeline::Timeline;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// Second bytes to try: 127.0 to 127.15 are left to people.
const NETWORKS: std::ops::RangeInclusive<u8> = 16..=250;

/// SIP ports to try: the second when somebody has bound the first on every address.
const PORTS: [u16; 2] = [5060, 25060];

/// From the carriers' listener to the tier's.
const TIER_OFFSET: u16 = 10;

/// Who has which address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network {
    second: u8,
    port: u16,
}

/// The sockets of everybody but the appliance.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) carrier: Line,
    pub(super) east: Line,
    pub(super) west: Line,
}

impl Network {
    /// Takes the first free network. The sockets hold it for as long as they are open.
    pub(super) fn claim() -> io::Result<(Self, Lines)> {
        let mut taken = ErrorKind::AddrInUse.into();
        for port in PORTS {
            for second in NETWORKS {
                let network = Self { second, port };
                match network.bind() {
                    Ok(lines) => return Ok((network, lines)),
                    Err(error) if error.kind() == ErrorKind::AddrInUse => taken = error,
                    Err(error) => return Err(error),
                }
            }
        }
        Err(taken)
    }

    fn bind(self) -> io::Result<Lines> {
        let carrier = Line::bind(self.carrier())?;
        for listener in [self.appliance(), self.tier()] {
            UdpSocket::bind(listener)?;
        }
        Ok(Lines { carrier, east: Line::bind(self.east())?, west: Line::bind(self.west())? })
    }

    fn at(self, third: u8, port: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(127, self.second, third, 1), port))
    }

    /// The appliance as the carrier sees it.
    pub(super) fn appliance(self) -> SocketAddr {
        self.at(0, self.port)
    }

    fn tier(self) -> SocketAddr {
        self.at(0, self.port + TIER_OFFSET)
    }

    pub(super) fn carrier(self) -> SocketAddr {
        self.at(1, self.port)
    }

    pub(super) fn east(self) -> SocketAddr {
        self.at(2, self.port)
    }

    pub(super) fn west(self) -> SocketAddr {
        self.at(3, self.port)
    }

    /// The embedded configuration for this network.
    pub(super) fn config(self, timeline: &Timeline) -> String {
        let words = [
            ("@APPLIANCE@", self.appliance().ip().to_string()),
            ("@CARRIER_PORT@", self.appliance().port().to_string()),
            ("@TIER_PORT@", self.tier().port().to_string()),
            ("@CARRIER@", self.carrier().ip().to_string()),
            ("@EAST@", self.east().to_string()),
            ("@WEST@", self.west().to_string()),
            ("@INACTIVITY@", format!("{}ms", timeline.inactivity.as_millis())),
        ];
        let text = include_str!("demo.toml").to_owned();
        words.iter().fold(text, |text, (word, value)| text.replace(word, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_configuration_is_good() {
        let network = Network { second: 16, port: 5060 };
        let loaded = crate::config::parse("demo.toml", &network.config(&Timeline::of(20))).unwrap();
        assert_eq!(loaded.warnings, []);
    }

    #[test]
    fn a_second_demo_gets_another_network() {
        let (first, held) = Network::claim().unwrap();
        let (second, _) = Network::claim().unwrap();
        assert_ne!(first.appliance(), second.appliance());
        drop(held);
    }
}
