//! HEP packets to their collector, from a thread of their own that may wait for it: what the collector is too slow for is dropped.

use super::encode::{self, Packet};
use crate::config::{HepSettings, HepTransport};
use crate::limits::{HEP_LOT, HEP_LOTS, HEP_TIMEOUT};
use crate::shared::Shared;
use bytes::Bytes;
use datapath::mmsg::{MAX_BATCH, SendBatch};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// After a connection that could not be made, the next try.
const AGAIN: Duration = Duration::from_secs(1);

/// Packets, one behind the other.
#[derive(Debug)]
pub(crate) struct Lot {
    bytes: Vec<u8>,
    packets: u64,
}

/// The watcher's end.
#[derive(Debug)]
pub(crate) struct Sender {
    agent: u32,
    key: Vec<u8>,
    lot: Lot,
    lots: SyncSender<Lot>,
    shared: Arc<Shared>,
}

impl Sender {
    pub(crate) fn new(settings: &HepSettings, shared: &Arc<Shared>) -> (Self, Receiver<Lot>) {
        let (lots, read) = sync_channel(HEP_LOTS);
        let key = settings.key.as_ref().map(|key| key.as_bytes().to_vec()).unwrap_or_default();
        let lot = Lot { bytes: Vec::new(), packets: 0 };
        (Self { agent: settings.capture_id, key, lot, lots, shared: Arc::clone(shared) }, read)
    }

    pub(super) fn put(&mut self, packet: &Packet<'_>, since_1970: Duration) {
        if encode::put(packet, since_1970, (self.agent, &self.key), &mut self.lot.bytes) {
            self.lot.packets += 1;
        } else {
            self.shared.tally.observe.dropped(1);
        }
        if self.lot.bytes.len() >= HEP_LOT {
            self.hand_over();
        }
    }

    /// What was put goes out.
    pub(super) fn hand_over(&mut self) {
        if self.lot.packets == 0 {
            return;
        }
        let bytes = Vec::with_capacity(self.lot.bytes.len());
        let lot = std::mem::replace(&mut self.lot, Lot { bytes, packets: 0 });
        let packets = lot.packets;
        if self.lots.try_send(lot).is_err() {
            self.shared.tally.observe.dropped(packets);
        }
    }
}

/// Send until the watcher has gone.
pub(crate) fn run(settings: &HepSettings, shared: &Shared, lots: &Receiver<Lot>) -> io::Result<()> {
    let mut way = match settings.transport {
        HepTransport::Udp => Way::udp(settings.to)?,
        HepTransport::Tcp => Way::Tcp { to: settings.to, stream: None, not_before: None },
    };
    for lot in lots {
        let packets = lot.packets;
        let sent = way.send(lot).min(packets);
        shared.tally.observe.sent(sent);
        shared.tally.observe.dropped(packets - sent);
    }
    Ok(())
}

enum Way {
    Udp {
        to: SocketAddr,
        socket: UdpSocket,
        batch: SendBatch,
    },
    /// Packets frame themselves.
    Tcp {
        to: SocketAddr,
        stream: Option<TcpStream>,
        not_before: Option<Instant>,
    },
}

impl Way {
    fn udp(to: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any)?;
        Ok(Self::Udp { to, socket, batch: SendBatch::new(MAX_BATCH) })
    }

    /// How many packets have gone out.
    fn send(&mut self, lot: Lot) -> u64 {
        match self {
            Self::Udp { to, socket, batch } => {
                let mut sent = 0;
                let mut rest = Bytes::from(lot.bytes);
                while let Some(length) = length(&rest) {
                    let _ = batch.push(*to, rest.split_to(length));
                    if batch.len() == MAX_BATCH || rest.is_empty() {
                        // The socket waits for room in its buffer; what it refuses for its destination is left out.
                        sent += batch.flush(&*socket).unwrap_or_default() as u64;
                        batch.take_errors();
                    }
                }
                sent
            }
            Self::Tcp { to, stream, not_before } => {
                if stream.is_none() && not_before.is_none_or(|at| Instant::now() >= at) {
                    *stream = connect(*to);
                    *not_before = stream.is_none().then(|| Instant::now() + AGAIN);
                }
                let written = stream.as_mut().map(|s| s.write_all(&lot.bytes));
                match written {
                    Some(Ok(())) => lot.packets,
                    // In the middle of a packet, perhaps: the next one begins on another connection.
                    Some(Err(error)) => {
                        tracing::warn!(%to, %error, "the connection to the HEP collector has ended");
                        *stream = None;
                        0
                    }
                    None => 0,
                }
            }
        }
    }
}

fn connect(to: SocketAddr) -> Option<TcpStream> {
    let made = TcpStream::connect_timeout(&to, HEP_TIMEOUT).and_then(|stream| {
        stream.set_write_timeout(Some(HEP_TIMEOUT))?;
        Ok(stream)
    });
    made.map_err(|error| tracing::debug!(%to, %error, "no connection to the HEP collector")).ok()
}

/// Of the first packet.
fn length(packets: &[u8]) -> Option<usize> {
    let said = packets.get(4..6)?.first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*said));
    (length > 0 && length <= packets.len()).then_some(length)
}
