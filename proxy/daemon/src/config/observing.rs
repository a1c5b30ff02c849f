//! Who watches the signalling.

use crate::Redaction;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What becomes of copies of messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObserveSettings {
    /// What is kept for `bascule trace`; `None`: nothing is.
    pub trace: Option<TraceSettings>,
    /// Where they are sent; `None`: nowhere.
    pub hep: Option<HepSettings>,
}

/// The last minutes of signalling, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSettings {
    /// For so long, if there is room.
    pub keep: Duration,
    /// In so many bytes, some hundred for each message beside it.
    pub bytes: usize,
    /// What is not shown.
    pub redact: Redaction,
}

/// A collector that takes HEPv3, such as Homer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HepSettings {
    /// Its address.
    pub to: SocketAddr,
    /// How it is reached.
    pub transport: HepTransport,
    /// Who we are to it.
    pub capture_id: u32,
    /// What it wants to hear from those who may send.
    pub key: Option<HepKey>,
    /// What it is not told.
    pub redact: Redaction,
}

/// A password for a collector: shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct HepKey(String);

impl HepKey {
    pub(crate) fn new(key: &str) -> Self {
        Self(key.to_owned())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for HepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HepKey(..)")
    }
}

/// How a collector is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HepTransport {
    /// A datagram for each packet.
    Udp,
    /// One connection; the cheaper way for many.
    Tcp,
}
