//! INVITEs from nobody: many source addresses of the loopback network, no answer wanted, no state kept.

use super::clock::{Clock, MS};
use bytes::Bytes;
use datapath::mmsg::SendBatch;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Addresses that it comes from, each a socket: 127.78.0.1 and what follows.
pub const SOURCES: u32 = 4_096;

/// Datagrams of one system call, all from one of them.
const BATCH: usize = 50;

/// A flood.
#[derive(Debug)]
pub struct Flood {
    sockets: Vec<UdpSocket>,
    invites: Vec<Bytes>,
    to: SocketAddr,
    /// Datagrams that were handed to the system.
    pub sent: AtomicU64,
}

impl Flood {
    /// Bind all of them.
    ///
    /// # Errors
    ///
    /// What the system says about binding.
    pub fn new(to: SocketAddr) -> io::Result<Self> {
        let sockets = (1..=SOURCES).map(|n| {
            let socket = UdpSocket::bind((Ipv4Addr::from_bits(0x7f4e_0000 + n), 5060))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        let sockets: io::Result<Vec<_>> = sockets.collect();
        // As many different ones as are sent in some milliseconds: nobody looks further back.
        let invites = (0..1_000).map(|n| invite(to, n)).collect();
        Ok(Self { sockets: sockets?, invites, to, sent: AtomicU64::new(0) })
    }

    /// Send so many a second until it is told to stop. What the system does not take is not sent again.
    pub fn run(&self, rate: f64, stop: &AtomicBool) {
        let clock = Clock::new();
        let mut batch = SendBatch::new(BATCH);
        let (mut asked, mut turn) = (0_u64, 0_usize);
        while !stop.load(Ordering::Relaxed) {
            let due = (clock.now() as f64 / 1e9 * rate) as u64;
            if due < asked + BATCH as u64 {
                std::thread::sleep(Duration::from_nanos(MS / 5));
                continue;
            }
            for _ in 0..BATCH {
                let bytes = self.invites[asked as usize % self.invites.len()].clone();
                // The batch has room for all of these.
                let _ = batch.push(self.to, bytes);
                asked += 1;
            }
            turn += 1;
            let sent = batch.flush(&self.sockets[turn % self.sockets.len()]).unwrap_or(0);
            drop(batch.take_errors());
            if !batch.is_empty() {
                batch = SendBatch::new(BATCH);
            }
            self.sent.fetch_add(sent as u64, Ordering::Relaxed);
        }
    }
}

/// As a scanner sends it, with an offer, so that it is as long as a real one.
fn invite(to: SocketAddr, n: u32) -> Bytes {
    let body = "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
                m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";
    Bytes::from(format!(
        "INVITE sip:+900{n}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKflood{n:08x};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:100@198.51.100.1>;tag=f{n:08x}\r\nTo: <sip:+900{n}@{to}>\r\n\
         Call-ID: flood-{n:08x}@198.51.100.1\r\nCSeq: 1 INVITE\r\nContact: <sip:100@198.51.100.1:5060>\r\n\
         User-Agent: PBX 1.{n}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}
