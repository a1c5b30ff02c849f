//! Everything that crosses the loopback, as a stranger sees it: a packet socket and a reader of headers, neither of which
//! knows anything of the appliance.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Frames of IPv4 that come in: on loopback that is each datagram once. ETH_P_IP of `linux/if_ether.h`, in network order.
const ETH_P_IP: i32 = 0x0800_u16.to_be() as i32;
/// What the kernel keeps while this thread is not run: seconds of everything that the stories send.
const BUFFER: usize = 32 << 20;
/// The longest frame of loopback.
const FRAME: usize = 65_550;
/// Ethernet's header, which loopback has too, and UDP's (RFC 768).
const ETHERNET: usize = 14;
const UDP: usize = 8;
/// The protocol number of UDP in IPv4 (RFC 790).
const IS_UDP: u8 = 17;

/// A UDP datagram on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Datagram {
    pub(crate) at: Instant,
    pub(crate) from: SocketAddrV4,
    pub(crate) to: SocketAddrV4,
    pub(crate) payload: Vec<u8>,
}

/// Listens from when it is made until it is stopped or dropped.
pub(crate) struct Wire {
    seen: Arc<Mutex<Vec<Datagram>>>,
    over: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl Wire {
    /// Listens to what goes to and comes from these addresses.
    pub(crate) fn of(ips: &[Ipv4Addr]) -> Self {
        let ips = ips.to_vec();
        let packets = socket2::Socket::new(
            socket2::Domain::PACKET,
            socket2::Type::RAW,
            Some(socket2::Protocol::from(ETH_P_IP)),
        );
        let mut socket = packets.unwrap_or_else(|error| {
            panic!("the wire cannot be listened to: {error}; run as root, or with CAP_NET_RAW")
        });
        // More than the system's limit where we may.
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER).is_err() {
            socket.set_recv_buffer_size(BUFFER).unwrap();
        }
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (seen, over) = (Arc::<Mutex<Vec<Datagram>>>::default(), Arc::<AtomicBool>::default());
        let (noted, ended) = (Arc::clone(&seen), Arc::clone(&over));
        let listener = std::thread::spawn(move || {
            let mut frame = vec![0; FRAME];
            while !ended.load(Ordering::Relaxed) {
                match socket.read(&mut frame) {
                    Ok(length) => {
                        let piece = read(&frame[..length]);
                        let of_us = |d: &Datagram| ips.contains(d.from.ip()) || ips.contains(d.to.ip());
                        noted.lock().unwrap().extend(piece.filter(of_us).into_iter().flat_map(parted));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => panic!("the wire: {error}"),
                }
            }
        });
        Self { seen, over, listener: Some(listener) }
    }

    /// What was seen so far.
    pub(crate) fn seen<T>(&self, f: impl FnOnce(&[Datagram]) -> T) -> T {
        f(&self.seen.lock().unwrap())
    }

    /// Everything that was seen.
    pub(crate) fn stop(mut self) -> Vec<Datagram> {
        self.end();
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    fn end(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(listener) = self.listener.take() {
            assert!(listener.join().is_ok(), "the listener has failed");
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// The datagrams of a frame: what the appliance has given to the kernel at once (UDP_SEGMENT) crosses a loopback in one piece.
fn parted(piece: Datagram) -> impl Iterator<Item = Datagram> {
    let Datagram { at, from, to, payload } = piece;
    sip_tap::datagrams(payload).into_iter().map(move |payload| Datagram { at, from, to, payload })
}

/// The UDP datagram in a frame; `None` for anything else.
fn read(frame: &[u8]) -> Option<Datagram> {
    let at = Instant::now();
    let ip = frame.get(ETHERNET..)?;
    // RFC 791 §3.1: the header's length in words stands in the low half of the first byte.
    let (length, is_v4) = (usize::from(ip.first()? & 15) * 4, ip.first()? >> 4 == 4);
    if !is_v4 || *ip.get(9)? != IS_UDP {
        return None;
    }
    let address = |at: usize| -> Option<Ipv4Addr> {
        let bytes: [u8; 4] = ip.get(at..at + 4)?.try_into().ok()?;
        Some(bytes.into())
    };
    let udp = ip.get(length..)?;
    let word = |at: usize| Some(u16::from_be_bytes(udp.get(at..at + 2)?.try_into().ok()?));
    let payload = udp.get(UDP..usize::from(word(4)?))?.to_vec();
    let (from, to) = (SocketAddrV4::new(address(12)?, word(0)?), SocketAddrV4::new(address(16)?, word(2)?));
    Some(Datagram { at, from, to, payload })
}
