//! One network with the appliance in the middle: which transport and which family either side has.

use super::scenario::Scenario;
use super::table::Flow;
use crate::kamailio::{Kamailio, Proxy};
use crate::peer::{PATIENCE, Sipp};
use bascule::{Appliance, Notice, config};
use proxy_core::{CallRecord, Transport};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

pub(crate) const V4: Family = Family::V4;
pub(crate) const V6: Family = Family::V6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// A network of its own: 127.91.`n`.x, and ports of its own on ::1, which is the only address of IPv6 on a loopback: one side
/// has it at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network {
    pub(crate) n: u8,
    pub(crate) carrier: (Transport, Family),
    pub(crate) tier: (Transport, Family),
    /// The tier calls.
    pub(crate) outbound: bool,
    /// Sides that have a proxy between the appliance and the phone.
    pub(crate) proxies: &'static [Side],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Carrier,
    Tier,
}

/// The same with an appliance that runs.
pub(crate) struct Running {
    network: Network,
    folder: PathBuf,
    appliance: Appliance,
    events: Receiver<Notice>,
    proxies: Vec<Kamailio>,
}

/// What stands behind the last number of a port.
#[derive(Debug, Clone, Copy)]
enum Host {
    CarriersSide = 0,
    TiersSide = 1,
    Carrier = 2,
    North = 3,
    /// Where the proxies listen for phones, and the phones.
    CarriersPhones = 4,
    NorthsPhones = 5,
    CarriersPhone = 6,
    NorthsPhone = 7,
}

impl Network {
    /// Starts the appliance.
    pub(crate) fn starts(self) -> Running {
        self.starts_with("")
    }

    /// The same with more in its configuration.
    pub(crate) fn starts_with(self, more: &str) -> Running {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("flows-{}", self.n));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let appliance =
            Appliance::start(config::parse("flows.toml", &format!("{}{more}", self.config())).unwrap())
                .unwrap();
        let events = appliance.events();
        let proxies = self.proxies.iter().map(|side| self.proxy(*side, &folder)).collect();
        Running { network: self, folder, appliance, events, proxies }
    }

    fn proxy(self, side: Side, folder: &Path) -> Kamailio {
        let (name, us, ours, phones_side, phone) = match side {
            Side::Carrier => {
                ("carrier", Host::CarriersSide, Host::Carrier, Host::CarriersPhones, Host::CarriersPhone)
            }
            Side::Tier => ("tier", Host::TiersSide, Host::North, Host::NorthsPhones, Host::NorthsPhone),
        };
        let proxy = Proxy {
            name,
            transport: self.side(ours).0,
            ours: self.at(ours),
            us: self.at(us),
            phones_side: self.at(phones_side),
            phones: &[self.at(phone)],
        };
        Kamailio::starts(folder, &proxy)
    }

    /// Who makes and takes calls there, and where he sends to.
    fn phone(self, side: Side) -> (Host, Host) {
        match (side, self.proxies.contains(&side)) {
            (Side::Carrier, false) => (Host::Carrier, Host::CarriersSide),
            (Side::Carrier, true) => (Host::CarriersPhone, Host::CarriersPhones),
            (Side::Tier, false) => (Host::North, Host::TiersSide),
            (Side::Tier, true) => (Host::NorthsPhone, Host::NorthsPhones),
        }
    }

    fn side(self, host: Host) -> (Transport, Family) {
        match host {
            Host::CarriersSide | Host::Carrier | Host::CarriersPhones | Host::CarriersPhone => self.carrier,
            Host::TiersSide | Host::North | Host::NorthsPhones | Host::NorthsPhone => self.tier,
        }
    }

    fn at(self, host: Host) -> SocketAddr {
        let port = 21_000 + 10 * u16::from(self.n) + host as u16;
        let last = match host {
            Host::CarriersSide | Host::TiersSide => 1,
            Host::Carrier | Host::CarriersPhones => 2,
            Host::CarriersPhone => 3,
            Host::North | Host::NorthsPhones => 11,
            Host::NorthsPhone => 12,
        };
        let ip: IpAddr = match self.side(host).1 {
            Family::V4 => Ipv4Addr::new(127, 91, self.n, last).into(),
            Family::V6 => Ipv6Addr::LOCALHOST.into(),
        };
        (ip, port).into()
    }

    fn config(self) -> String {
        let transport = |host| match self.side(host).0 {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        };
        // A call takes four ports, and what was given back rests a while.
        let (n, first) = (self.n, 25_000 + 1_000 * u16::from(self.n));
        format!(
            r#"
            [[listener]]
            name = "carriers"
            bind = "{carriers_side}"
            transport = "{carriers}"
            [[listener]]
            name = "tier"
            bind = "{tiers_side}"
            transport = "{tier}"
            [media]
            v4 = "127.91.{n}.1"
            v6 = "::1"
            ports = "{first}-{last}"
            [[region]]
            name = "north"
            [[edge_group]]
            name = "north"
            region = "north"
            listener = "tier"
            edges = [{{ name = "north-1", address = "{north}" }}]
            probe = {{ enabled = false }}
            [[site]]
            name = "main"
            groups = ["north"]
            [[trunk]]
            name = "acme"
            listener = "carriers"
            targets = [{{ name = "acme-1", address = "{carrier}" }}]
            probe = {{ enabled = false }}
            [[route.inbound]]
            site = "main"
            [[route.outbound]]
            trunks = ["acme"]
            # The machine may be busy with the other stories: slow is not dead here.
            [hunt]
            no_response = "3s"
            "#,
            carriers_side = self.at(Host::CarriersSide),
            tiers_side = self.at(Host::TiersSide),
            carriers = transport(Host::CarriersSide),
            tier = transport(Host::TiersSide),
            north = self.at(Host::North),
            carrier = self.at(Host::Carrier),
            last = first + 999,
        )
    }
}

impl Running {
    /// Whoever is called waits for so many calls.
    pub(crate) fn answers(&self, scenario: &Scenario, calls: u32) -> Sipp {
        let (host, _) = self.network.phone(if self.network.outbound { Side::Carrier } else { Side::Tier });
        let (at, transport) = (self.network.at(host), self.network.side(host).0);
        let file = scenario.write(&self.folder);
        let mut sipp = Sipp::at(&self.folder, at, &file, transport, &["-m", &calls.to_string()]);
        sipp.is_ready(at.port(), transport);
        sipp
    }

    /// The other side calls so many times at once.
    pub(crate) fn calls(&self, scenario: &Scenario, calls: u32) -> Sipp {
        let (host, to) = self.network.phone(if self.network.outbound { Side::Tier } else { Side::Carrier });
        let file = scenario.write(&self.folder);
        let (at, transport) = (self.network.at(host), self.network.side(host).0);
        let to = self.network.at(to).to_string();
        let calls = calls.to_string();
        let args = [&to, "-s", "+4930123456", "-m", &calls, "-r", "20"];
        Sipp::at(&self.folder, at, &file, transport, &args)
    }

    /// So many calls have ended as the flow says.
    pub(crate) fn ended(&mut self, calls: u32, flow: &Flow) {
        let deadline = Instant::now() + PATIENCE;
        let mut records: Vec<Arc<CallRecord>> = Vec::new();
        while records.len() < calls as usize {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Notice::Finished(record)) => records.push(record),
                Ok(_) => {}
                Err(_) => {
                    let proxies: Vec<_> = self.proxies.iter().map(Kamailio::complaints).collect();
                    panic!("{} of {calls} calls were recorded: {records:#?}, {proxies:?}", records.len())
                }
            }
        }
        for record in records {
            assert_eq!((record.code, record.close), (flow.code, flow.close), "{record:#?}");
        }
    }

    /// Nothing is left.
    pub(crate) fn stops(self) {
        assert_eq!(self.appliance.live_calls(), 0);
        self.appliance.stop();
    }
}
