//! One network with the appliance in the middle: which transport and which family either side has.

use super::scenario::Scenario;
use crate::audited::Audited;
use crate::certified::Certified;
use crate::kamailio::{Digest, Kamailio, Proxy};
use crate::peer::{PATIENCE, Sipp};
use crate::place::counted;
use crate::space::Space;
use bascule::{Notice, config};
use proxy_core::{CallRecord, CloseReason, Transport};
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

/// A network of its own: 127.91.`n`.x, and ports of its own on ::1, which is the only address of IPv6 on a loopback. Where both
/// sides have IPv6 the peers are in a space of their own, with addresses of their own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network {
    pub(crate) n: u8,
    pub(crate) carrier: (Transport, Family),
    pub(crate) tier: (Transport, Family),
    /// The tier calls.
    pub(crate) outbound: bool,
    /// Sides that have a proxy between the appliance and the phones, and how many of these it lets ring at once.
    pub(crate) proxies: &'static [(Side, usize)],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Carrier,
    /// The same, and its proxy wants to know who the appliance is.
    AskingCarrier,
    /// The same, and the appliance wants to know who its proxy is.
    AskedCarrier,
    Tier,
}

/// The same with an appliance that runs.
pub(crate) struct Running {
    network: Network,
    folder: PathBuf,
    appliance: Audited,
    events: Receiver<Notice>,
    proxies: Vec<Kamailio>,
    space: Option<Space>,
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
    NorthsOtherPhone = 8,
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
        let certified = (self.carrier.0 == Transport::Tls).then(|| Certified::new(&folder));
        let ours = self.apart(1).into();
        let theirs = [2, 11].map(|last| self.apart(last).into());
        let space = self.is_apart().then(|| Space::with(100 + self.n, ours, &theirs));
        let certified = certified.as_ref();
        let proxy = |(side, phones): &(Side, usize)| self.proxy(*side, *phones, &folder, certified);
        let proxies = self.proxies.iter().map(proxy).collect();
        let text = format!("{}{more}", self.config(certified));
        let appliance = Audited::start(config::parse("flows.toml", &text).unwrap()).unwrap();
        let events = appliance.events();
        let deadline = Instant::now() + PATIENCE;
        while appliance.snapshot().bindings.contains(&None) {
            assert!(Instant::now() < deadline, "the carrier's registrar does not bind us");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Running { network: self, folder, appliance, events, proxies, space }
    }

    fn proxy(self, side: Side, phones: usize, folder: &Path, certified: Option<&Certified>) -> Kamailio {
        let (name, us, ours, phones_side, phone) = match side {
            Side::Carrier | Side::AskingCarrier | Side::AskedCarrier => {
                ("carrier", Host::CarriersSide, Host::Carrier, Host::CarriersPhones, Host::CarriersPhone)
            }
            Side::Tier => ("tier", Host::TiersSide, Host::North, Host::NorthsPhones, Host::NorthsPhone),
        };
        let transport = self.side(ours).0;
        let proxy = Proxy {
            name,
            transport,
            certified: certified.filter(|_| transport == Transport::Tls),
            ours: self.at(ours),
            us: self.at(us),
            phones_side: self.at(phones_side),
            digest: match side {
                Side::AskingCarrier => Digest::Asks,
                Side::AskedCarrier => Digest::Shows,
                Side::Carrier | Side::Tier => Digest::Nobody,
            },
            phones: &[phone, Host::NorthsOtherPhone].map(|phone| self.at(phone))[..phones],
        };
        Kamailio::starts(folder, &proxy)
    }

    /// Who makes and takes calls there, and where he sends to.
    fn phone(self, side: Side) -> (Host, Host) {
        let is_of = |with: Side| match with {
            Side::Carrier | Side::AskingCarrier | Side::AskedCarrier => side != Side::Tier,
            Side::Tier => side == Side::Tier,
        };
        match (side, self.proxies.iter().any(|(with, _)| is_of(*with))) {
            (Side::Carrier | Side::AskingCarrier | Side::AskedCarrier, false) => {
                (Host::Carrier, Host::CarriersSide)
            }
            (Side::Carrier | Side::AskingCarrier | Side::AskedCarrier, true) => {
                (Host::CarriersPhone, Host::CarriersPhones)
            }
            (Side::Tier, false) => (Host::North, Host::TiersSide),
            (Side::Tier, true) => (Host::NorthsPhone, Host::NorthsPhones),
        }
    }

    /// A phone does not speak TLS: its proxy does.
    fn side(self, host: Host) -> (Transport, Family) {
        let (transport, family) = self.side_of(host);
        match (host, transport) {
            (Host::CarriersPhones | Host::CarriersPhone, Transport::Tls) => (Transport::Tcp, family),
            _ => (transport, family),
        }
    }

    fn side_of(self, host: Host) -> (Transport, Family) {
        match host {
            Host::CarriersSide | Host::Carrier | Host::CarriersPhones | Host::CarriersPhone => self.carrier,
            Host::TiersSide
            | Host::North
            | Host::NorthsPhones
            | Host::NorthsPhone
            | Host::NorthsOtherPhone => self.tier,
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
            Host::NorthsOtherPhone => 13,
        };
        let ip: IpAddr = match self.side(host).1 {
            Family::V4 => Ipv4Addr::new(127, 91, self.n, last).into(),
            Family::V6 if self.is_apart() => self.apart(last).into(),
            Family::V6 => Ipv6Addr::LOCALHOST.into(),
        };
        (ip, port).into()
    }

    /// Whether the peers are not on the loopback.
    fn is_apart(self) -> bool {
        (self.carrier.1, self.tier.1) == (V6, V6)
    }

    /// A unique local address (RFC 4193).
    fn apart(self, last: u8) -> Ipv6Addr {
        Ipv6Addr::new(0xfd42, 0x6261, 0x7363, u16::from(self.n), 0, 0, 0, u16::from(last))
    }

    fn config(self, certified: Option<&Certified>) -> String {
        let transport = |host| match self.side(host).0 {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        };
        let shown = certified.map(Certified::listener).unwrap_or_default();
        let asked = certified.map(Certified::trunk).unwrap_or_default();
        // A call takes four ports, and what was given back rests a while.
        let (n, first) = (self.n, 25_000 + 1_000 * u16::from(self.n));
        format!(
            r#"
            [[listener]]
            name = "carriers"
            bind = "{carriers_side}"
            transport = "{carriers}"
            {shown}
            [[listener]]
            name = "tier"
            bind = "{tiers_side}"
            transport = "{tier}"
            [media]
            v4 = "127.91.{n}.1"
            v6 = "{v6}"
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
            {asked}
            targets = [{{ name = "acme-1", address = "{carrier}" }}]
            probe = {{ enabled = false }}
            auth = [{account}]
            {digest}
            [[route.inbound]]
            site = "main"
            [[route.outbound]]
            trunks = ["acme"]
            # The machine may be busy with the other stories: slow is not dead here.
            [hunt]
            no_response = "3s"
            "#,
            v6 = if self.is_apart() { self.apart(1) } else { Ipv6Addr::LOCALHOST },
            carriers_side = self.at(Host::CarriersSide),
            tiers_side = self.at(Host::TiersSide),
            carriers = transport(Host::CarriersSide),
            tier = transport(Host::TiersSide),
            north = self.at(Host::North),
            carrier = self.at(Host::Carrier),
            last = first + 999,
            account = crate::kamailio::ACCOUNT,
            digest = match self.proxies {
                [(Side::AskingCarrier, _), ..] => crate::kamailio::REGISTERS,
                [(Side::AskedCarrier, _), ..] => crate::kamailio::ASKED,
                _ => "",
            },
        )
    }
}

impl Running {
    /// Whoever is called waits for so many calls.
    pub(crate) fn answers(&self, scenario: &Scenario, calls: u32) -> Sipp {
        let (host, _) = self.network.phone(if self.network.outbound { Side::Carrier } else { Side::Tier });
        self.answers_at(host, scenario, calls)
    }

    /// The second phone behind the tier's proxy waits for as many.
    pub(crate) fn rings_too(&self, scenario: &Scenario, calls: u32) -> Sipp {
        self.answers_at(Host::NorthsOtherPhone, scenario, calls)
    }

    fn answers_at(&self, host: Host, scenario: &Scenario, calls: u32) -> Sipp {
        let (at, transport) = (self.network.at(host), self.network.side(host).0);
        let file = scenario.write(&self.folder);
        let mut sipp = self.sipp(at, &file, transport, &["-m", &calls.to_string()]);
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
        self.sipp(at, &file, transport, &args)
    }

    fn sipp(&self, at: SocketAddr, file: &Path, transport: Transport, args: &[&str]) -> Sipp {
        Sipp::in_space(self.space.as_ref(), &self.folder, at, file, transport, args)
    }

    /// So many calls have ended this way.
    pub(crate) fn ended(&mut self, calls: u32, (code, close): (u16, CloseReason)) {
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
            assert_eq!((record.code, record.close), (code, close), "{record:#?}");
        }
    }

    /// The value of a metric.
    pub(crate) fn counted(&self, name: &str) -> String {
        counted(&self.appliance, name)
    }

    /// Nothing is left.
    pub(crate) fn stops(self) {
        assert_eq!(self.appliance.live_calls(), 0);
        self.appliance.stop();
    }
}
