//! What has to be known for a first configuration.

use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// Ports of a call: two legs, each with RTP and RTCP.
pub(super) const PORTS_PER_CALL: u32 = 4;

/// First port for media.
pub(super) const FIRST_PORT: u32 = 20_000;

/// Calls that the ports above [`FIRST_PORT`] are enough for.
pub(super) const MAX_CALLS: u32 = (65_536 - FIRST_PORT) / PORTS_PER_CALL;

/// The answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answers {
    /// Our address towards carriers, and for media.
    pub(super) address: IpAddr,
    /// What carriers see in its place, behind a NAT.
    pub(super) public: Option<IpAddr>,
    /// Our address and port towards the tier.
    pub(super) tier: SocketAddr,
    /// How the carrier is spoken to.
    pub(super) transport: Carried,
    /// For TLS.
    pub(super) tls: Option<Tls>,
    /// The trunk's name.
    pub(super) carrier: String,
    /// Networks that the carrier's calls come from.
    pub(super) sources: Vec<String>,
    /// Where calls to the carrier go.
    pub(super) targets: Vec<String>,
    /// How the carrier writes numbers.
    pub(super) numbers: Numbers,
    /// For `numbers = "national"`.
    pub(super) country: Option<String>,
    /// What the carrier knows us by, where it asks.
    pub(super) account: Option<Account>,
    /// Calls at once.
    pub(super) calls: u32,
    /// Called numbers that go first when calls are moved.
    #[serde(default)]
    pub(super) emergency: Vec<String>,
    /// Failure domains, best first.
    pub(super) region: Vec<Region>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Carried {
    Udp,
    Tcp,
    Tls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Numbers {
    /// Nothing is changed.
    AsSaid,
    /// `+4930123`.
    E164,
    /// `030123` at home.
    National,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// Ours, in PEM.
    pub(super) certificate: String,
    pub(super) key: String,
    /// Of the authorities that the carrier's certificate has to be signed by; the system's without it.
    pub(super) ca: Option<String>,
    /// The domain that it is of.
    pub(super) server_name: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    pub(super) realm: String,
    pub(super) username: String,
    pub(super) password_file: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Region {
    pub(super) name: String,
    /// Its edges' addresses.
    pub(super) edges: Vec<String>,
}

impl Answers {
    /// From a file.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let answers: Self = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        answers.whole()
    }

    /// What no single answer shows. All else is for the check of the configuration.
    pub(super) fn whole(self) -> Result<Self, String> {
        if !(1..=MAX_CALLS).contains(&self.calls) {
            return Err(format!("`calls` has to be a number from 1 to {MAX_CALLS}: there are no more ports"));
        }
        if (self.transport == Carried::Tls) != self.tls.is_some() {
            return Err("`tls` is for `transport = \"tls\"`, and is needed there".to_owned());
        }
        if self.numbers == Numbers::National && self.country.is_none() {
            return Err("national numbers need a `country`, such as \"49\"".to_owned());
        }
        Ok(self)
    }
}
