//! HEP packets to their collector, from a thread of their own that may wait for it: what the collector is too slow for is dropped.

use super::encode::{self, Packet};
use crate::config::{HepSettings, HepTransport};
use crate::limits::{HEP_LOT, HEP_LOTS, HEP_PACKET, HEP_SPARE, HEP_TIMEOUT};
use crate::shared::Shared;
use bytes::Bytes;
use datapath::mmsg::SendBatch;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// After a connection that could not be made, the next try.
const AGAIN: Duration = Duration::from_secs(1);

/// Datagrams that are handed to the socket together.
const AT_ONCE: usize = 1_024;

/// So many packets are sorted before they are sent; fewer go as they came.
const SORTED: usize = 64;

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
    /// Memory of lots that have gone out: new memory costs more than what is written into it.
    spent: Receiver<Vec<u8>>,
    shared: Arc<Shared>,
}

/// The end of the thread that sends.
#[derive(Debug)]
pub(crate) struct Lots {
    lots: Receiver<Lot>,
    spent: SyncSender<Vec<u8>>,
}

impl Sender {
    pub(crate) fn new(settings: &HepSettings, shared: &Arc<Shared>) -> (Self, Lots) {
        let (lots, read) = sync_channel(HEP_LOTS);
        let (back, spent) = sync_channel(HEP_SPARE);
        let key = settings.key.as_ref().map(|key| key.as_bytes().to_vec()).unwrap_or_default();
        let lot = Lot { bytes: Vec::new(), packets: 0 };
        let sender = Self { agent: settings.capture_id, key, lot, lots, spent, shared: Arc::clone(shared) };
        (sender, Lots { lots: read, spent: back })
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
        let bytes = self.spent.try_recv().unwrap_or_else(|_| Vec::with_capacity(HEP_LOT + HEP_PACKET));
        let lot = std::mem::replace(&mut self.lot, Lot { bytes, packets: 0 });
        let packets = lot.packets;
        if self.lots.try_send(lot).is_err() {
            self.shared.tally.observe.dropped(packets);
        }
    }
}

/// Send until the watcher has gone.
pub(crate) fn run(settings: &HepSettings, shared: &Shared, ends: &Lots) -> io::Result<()> {
    let mut way = match settings.transport {
        HepTransport::Udp => Way::udp(settings.to)?,
        HepTransport::Tcp => Way::Tcp { to: settings.to, stream: None, not_before: None },
    };
    for lot in &ends.lots {
        let packets = lot.packets;
        let (sent, mut memory) = way.send(lot);
        let sent = sent.min(packets);
        memory.clear();
        // Enough is kept already, or the watcher has gone.
        let _ = ends.spent.try_send(memory);
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
        Ok(Self::Udp { to, socket, batch: SendBatch::new(AT_ONCE) })
    }

    /// How many packets have gone out, and the lot's memory.
    fn send(&mut self, lot: Lot) -> (u64, Vec<u8>) {
        match self {
            Self::Udp { to, socket, batch } => {
                let mut sent = 0;
                let all = Bytes::from(lot.bytes);
                let mut packets = split(&all).into_iter().peekable();
                while packets.peek().is_some() {
                    for packet in packets.by_ref().take(AT_ONCE) {
                        let _ = batch.push(*to, packet);
                    }
                    // The socket waits for room in its buffer; what it refuses for its destination is left out.
                    sent += batch.flush(&*socket).unwrap_or_default() as u64;
                    batch.take_errors();
                }
                drop(packets);
                // Nothing is copied unless the socket has left a part of it.
                (sent, Vec::from(all))
            }
            Self::Tcp { to, stream, not_before } => {
                if stream.is_none() && not_before.is_none_or(|at| Instant::now() >= at) {
                    *stream = connect(*to);
                    *not_before = stream.is_none().then(|| Instant::now() + AGAIN);
                }
                let written = stream.as_mut().map(|s| s.write_all(&lot.bytes));
                let sent = match written {
                    Some(Ok(())) => lot.packets,
                    // In the middle of a packet, perhaps: the next one begins on another connection.
                    Some(Err(error)) => {
                        tracing::warn!(%to, %error, "the connection to the HEP collector has ended");
                        *stream = None;
                        0
                    }
                    None => 0,
                };
                (sent, lot.bytes)
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

/// The packets of a lot. Many are sorted by length: the kernel takes a run of equal ones in one piece. Which came first is said by each itself.
fn split(all: &Bytes) -> Vec<Bytes> {
    let mut rest = all.clone();
    let mut packets = Vec::new();
    while let Some(length) = length(&rest) {
        packets.push(rest.split_to(length));
    }
    if packets.len() >= SORTED {
        packets.sort_by_key(Bytes::len);
    }
    packets
}

/// Of the first packet.
fn length(packets: &[u8]) -> Option<usize> {
    let said = packets.get(4..6)?.first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*said));
    (length > 0 && length <= packets.len()).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lot(lengths: &[usize]) -> Bytes {
        let mut bytes = Vec::new();
        for (n, length) in lengths.iter().enumerate() {
            let begin = bytes.len();
            bytes.extend_from_slice(b"HEP3");
            bytes.extend_from_slice(&u16::try_from(*length).unwrap().to_be_bytes());
            bytes.resize(begin + length, u8::try_from(n % 256).unwrap());
        }
        Bytes::from(bytes)
    }

    #[test]
    fn a_few_packets_go_as_they_came_and_many_by_length_each_whole() {
        let few = [30, 20, 40];
        assert_eq!(split(&lot(&few)).iter().map(Bytes::len).collect::<Vec<_>>(), few);
        let many: Vec<usize> = (0..SORTED * 2).map(|n| 20 + n * 7 % 5).collect();
        let sorted = split(&lot(&many));
        assert!(sorted.is_sorted_by_key(Bytes::len));
        let mut came: Vec<_> = sorted.iter().map(|packet| (packet[6], packet.len())).collect();
        came.sort_unstable();
        assert_eq!(came, (0_u8..).zip(many).collect::<Vec<_>>(), "each has its own length and contents");
    }
}
