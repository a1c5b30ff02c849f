//! How long packets take through the relay: one in so many, from when the kernel has stamped its arrival to after it was sent.
//!
//! The kernel stamps what comes to our sockets anyway once it has been asked to ([`stamped`]): a clock it has at hand, some tens of
//! nanoseconds. Reading a stamp is a system call, so it is done for one packet in [`SAMPLE_EVERY`]. What the kernel engine forwards
//! never comes to a socket and is not seen here.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::{SystemTime, UNIX_EPOCH};

/// Packets from one sample to the next. Two system calls at most for a sample, below a microsecond: 4 ns a packet, of 2,000 and more.
const SAMPLE_EVERY: u32 = 256;

/// What is longer was not the relay: the wall clock was set in between.
const LONGEST: u64 = 10_000_000_000;

/// `_IOR(0x89, 7, long long[2])` of linux/sockios.h: seconds and nanoseconds, 64 bits each, when the packet came that was received last.
const SIOCGSTAMPNS_NEW: libc::c_ulong = 0x8010_8907;

/// Times of sampled packets, as a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// How many took no longer than each of [`BOUNDS_NS`](Self::BOUNDS_NS) and longer than the one before; last, those beyond all.
    pub counts: [u64; Self::BOUNDS_NS.len() + 1],
    /// Together, in nanoseconds.
    pub sum_ns: u64,
}

impl Latency {
    /// From one packet alone to a worker that lags by more than a packet's 20 ms.
    pub const BOUNDS_NS: [u64; 12] = [
        5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000,
        10_000_000, 50_000_000,
    ];

    /// Take in what another worker has measured.
    pub fn add(&mut self, other: &Self) {
        for (count, n) in self.counts.iter_mut().zip(other.counts) {
            *count += n;
        }
        self.sum_ns += other.sum_ns;
    }

    fn note(&mut self, ns: u64) {
        let bucket = Self::BOUNDS_NS.partition_point(|bound| *bound < ns);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum_ns += ns;
    }
}

/// A worker's samples.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    /// Packets since the last sample.
    seen: u32,
    /// When the packet came that is under way, by the wall clock, in nanoseconds.
    came: Option<u64>,
    latency: Latency,
}

impl Stopwatch {
    /// So many packets have come.
    pub(crate) fn seen(&mut self, packets: usize) {
        self.seen = self.seen.saturating_add(u32::try_from(packets).unwrap_or(u32::MAX));
    }

    /// Whether the next packet is one to be measured.
    pub(crate) fn is_due(&self) -> bool {
        self.seen >= SAMPLE_EVERY && self.came.is_none()
    }

    /// The packet that this socket gave last is the one.
    pub(crate) fn begin(&mut self, socket: RawFd) {
        (self.seen, self.came) = (0, stamp(socket));
    }

    /// It does not go on, or not as a packet of its own.
    pub(crate) fn forget(&mut self) {
        self.came = None;
    }

    /// It has been sent, if there is one.
    pub(crate) fn sent(&mut self) {
        let Some(came) = self.came.take() else { return };
        // Earlier than it came, or long after: the clock was set.
        if let Some(took) = wall_clock().checked_sub(came).filter(|took| *took <= LONGEST) {
            self.latency.note(took);
        }
    }

    pub(crate) fn latency(&self) -> Latency {
        self.latency
    }
}

/// Have the kernel remember when the packets of this socket come. Where it cannot, nothing is measured.
pub(crate) fn stamped(socket: BorrowedFd<'_>) {
    // The first question turns it on.
    stamp(socket.as_raw_fd());
}

/// When the packet came that was received last from a socket, by the wall clock, in nanoseconds.
fn stamp(socket: RawFd) -> Option<u64> {
    let mut at = [0_i64; 2];
    // SAFETY: 16 live bytes, as the request says; a descriptor that is not open is an error.
    if unsafe { libc::ioctl(socket, SIOCGSTAMPNS_NEW as _, &raw mut at) } < 0 {
        return None;
    }
    let [seconds, ns] = at.map(|part| u64::try_from(part).ok());
    seconds?.checked_mul(1_000_000_000)?.checked_add(ns?)
}

fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Duration;

    #[test]
    fn a_time_is_counted_where_it_is_no_longer_than_the_bound() {
        let mut latency = Latency::default();
        for ns in [0, 5_000, 5_001, 50_000_000, 50_000_001] {
            latency.note(ns);
        }
        assert_eq!(latency.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        let mut both = latency;
        both.add(&latency);
        assert_eq!((both.counts[0], both.sum_ns), (4, 2 * latency.sum_ns));
    }

    #[test]
    fn what_a_packet_waited_for_in_the_socket_is_part_of_its_time() {
        let at = UdpSocket::bind("127.0.0.1:0").unwrap();
        stamped(at.as_fd());
        let mut watch = Stopwatch::default();
        assert!(!watch.is_due());
        watch.seen(SAMPLE_EVERY as usize);
        assert!(watch.is_due());
        // The kernel begins to stamp a moment after it was asked to, if nobody had.
        for _ in 0..500 {
            at.send_to(&[1], at.local_addr().unwrap()).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            at.recv(&mut [0; 8]).unwrap();
            watch.begin(at.as_raw_fd());
            watch.sent();
            if watch.latency.sum_ns >= 20_000_000 {
                break;
            }
        }
        assert!(watch.latency.sum_ns >= 20_000_000, "{watch:?}");
        assert!(!watch.is_due(), "the next one is as far away again");
    }

    #[test]
    fn a_packet_that_does_not_go_on_has_no_time() {
        let at = UdpSocket::bind("127.0.0.1:0").unwrap();
        stamped(at.as_fd());
        let mut watch = Stopwatch::default();
        watch.begin(at.as_raw_fd());
        watch.forget();
        watch.sent();
        assert_eq!(watch.latency, Latency::default());
    }
}
