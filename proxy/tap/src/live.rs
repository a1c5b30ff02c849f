//! A packet socket that listens while a test runs.

use crate::filter;
use crate::frame::{Frames, Link, Packet};
use crate::limits::{BUFFER, FRAME};
use crate::ours::Ours;
use crate::trace::{Trace, Verdict};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use sip_audit::{Ending, Timing};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// ETH_P_ALL, in network order: only then a packet is seen as it goes out.
const EVERYTHING: i32 = 0x0003_u16.to_be() as i32;
/// How often the listener looks whether it may stop.
const TURN: Duration = Duration::from_millis(50);
/// A marker that is lost is sent again after this time; after that many the listener is taken for dead.
const MARKER: Duration = Duration::from_millis(20);
const MARKERS: u64 = 3_000;

/// Listens from when it is made until it is asked for its verdict. Asked or not, it panics with what was broken when it is
/// dropped, unless a panic is under way already.
#[derive(Debug)]
pub struct Tap {
    listening: Option<Listening>,
}

#[derive(Debug)]
struct Listening {
    shared: Arc<Shared>,
    marker: UdpSocket,
    unread: Duration,
    listener: JoinHandle<()>,
    /// Frames that were lost before it was ready.
    before: u64,
}

#[derive(Debug)]
struct Shared {
    trace: Mutex<Option<Trace>>,
    over: AtomicBool,
    /// The last marker that was read, and when it was sent, in nanoseconds.
    marked: AtomicU64,
    marked_at: AtomicU64,
    /// Frames that the kernel had no room for.
    lost: AtomicU64,
}

impl Tap {
    /// Begins to listen, in this thread's network namespace. Where that is not permitted it says so, once, and hears nothing.
    pub fn on(ours: Ours, timing: Timing) -> Self {
        match Listening::start(ours, timing) {
            Ok(listening) => Self { listening: Some(listening) },
            Err(error) => {
                static SAID: Once = Once::new();
                SAID.call_once(|| {
                    eprintln!(
                        "NO AUDIT: the wire cannot be listened to ({error}); what is said on it is not judged. \
                         Run as root, or with CAP_NET_RAW."
                    );
                });
                Self { listening: None }
            }
        }
    }

    /// What has this Call-ID is not judged: its peer breaks rules on purpose, and what would be right is for the test to say.
    pub fn excuse(&self, call_id: &str) {
        if let Some(listening) = &self.listening
            && let Some(trace) = &mut *listening.shared.trace()
        {
            trace.excuse(call_id);
        }
    }

    /// Everything that was said up to now, judged. What is owed at once is waited for; after that nothing is heard.
    /// `None`: nothing could be heard, or it was asked before.
    pub fn verdict(&mut self) -> Option<Verdict> {
        self.listening.take().map(Listening::ends)
    }

    /// The same, as an assertion.
    ///
    /// # Panics
    /// Where a rule was broken or something was not heard.
    pub fn judge(&mut self) {
        if let Some(verdict) = self.verdict() {
            assert!(verdict.is_clean(), "the auditor: {verdict}");
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.judge();
        }
    }
}

impl Listening {
    fn start(ours: Ours, timing: Timing) -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(EVERYTHING)))?;
        let marker = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mark = marker.local_addr()?;
        socket.attach_filter(&filter::program(&ours, mark.port()))?;
        // More than the system's limit where we may.
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER).is_err() {
            socket.set_recv_buffer_size(BUFFER)?;
        }
        socket.set_read_timeout(Some(TURN))?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        let shared = Arc::new(Shared {
            trace: Mutex::new(Some(Trace::new(ours, timing))),
            over: AtomicBool::new(false),
            marked: AtomicU64::new(0),
            marked_at: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        let (listens, began) = (Arc::clone(&shared), SystemTime::now());
        let listener = std::thread::Builder::new()
            .name("tap".to_owned())
            .spawn(move || listens.listen(&socket, mark, began))?;
        let mut listening = Self { shared, marker, unread: timing.unread, listener, before: 0 };
        // Until the filter and the buffer were there the socket heard everybody, in little room.
        listening.marks();
        listening.before = listening.shared.lost.load(Ordering::Relaxed);
        Ok(listening)
    }

    fn ends(self) -> Verdict {
        let until = Instant::now() + self.unread;
        let mut now = self.marks();
        let by = now + self.unread;
        // An ACK that is owed may be on its way.
        while Instant::now() < until
            && self.shared.trace().as_ref().is_some_and(|trace| trace.owes_an_ack(by))
        {
            std::thread::sleep(MARKER / 4);
            now = self.marks();
        }
        now = now.max(self.marks());
        self.shared.over.store(true, Ordering::Relaxed);
        assert!(self.listener.join().is_ok(), "the tap's listener has failed");
        let trace = self.shared.trace().take();
        let lost = self.shared.lost.load(Ordering::Relaxed);
        let verdict = trace.map(|trace| trace.finish(Ending::At(now))).unwrap_or_default();
        Verdict { frames_lost: lost.saturating_sub(self.before), ..verdict }
    }

    /// Everything that was on the wire before this moment has been read: the moment.
    fn marks(&self) -> Duration {
        let number = self.shared.marked.load(Ordering::Acquire) + 1;
        for _ in 0..MARKERS {
            let to = self.marker.local_addr();
            // It comes to nobody who reads; it has been seen on its way.
            let sent = to.and_then(|to| self.marker.send_to(&number.to_be_bytes(), to));
            assert!(sent.is_ok(), "no marker can be sent: {sent:?}");
            let again = Instant::now() + MARKER;
            while Instant::now() < again {
                if self.shared.marked.load(Ordering::Acquire) >= number {
                    return Duration::from_nanos(self.shared.marked_at.load(Ordering::Relaxed));
                }
                std::thread::sleep(MARKER / 40);
            }
        }
        panic!("the tap does not hear its own marker");
    }
}

impl Shared {
    fn trace(&self) -> std::sync::MutexGuard<'_, Option<Trace>> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, socket: &Socket, mark: SocketAddr, began: SystemTime) {
        let mut frames = Frames::default();
        let mut buffer = vec![0; FRAME];
        let mut number = 0;
        while !self.over.load(Ordering::Relaxed) {
            let (length, at) = match self.receive(socket, &mut buffer, began) {
                Ok(received) => received,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    continue;
                }
                Err(error) => panic!("the tap: {error}"),
            };
            number += 1;
            let frame = buffer.get(..length).unwrap_or_default();
            match frames.read(at, Link::Ethernet, frame) {
                Some(Packet::Udp { from, payload, .. }) if from == mark => {
                    self.marked_at.store(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
                    if let Ok(marker) = payload.try_into() {
                        self.marked.store(u64::from_be_bytes(marker), Ordering::Release);
                    }
                }
                Some(packet) => {
                    if let Some(trace) = &mut *self.trace() {
                        trace.packet(at, number, packet);
                    }
                }
                None => {}
            }
        }
    }

    /// A frame's length, and when the kernel saw it.
    fn receive(
        &self,
        socket: &Socket,
        buffer: &mut [u8],
        began: SystemTime,
    ) -> io::Result<(usize, Duration)> {
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec, u32);
        let mut parts = [IoSliceMut::new(buffer)];
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())?;
        let mut at = None;
        for said in message.cmsgs().map_err(|_: Errno| ErrorKind::InvalidData)? {
            match said {
                ControlMessageOwned::ScmTimestampns(time) => {
                    at = SystemTime::UNIX_EPOCH.checked_add(Duration::from(time));
                }
                ControlMessageOwned::RxqOvfl(lost) => self.lost.store(lost.into(), Ordering::Relaxed),
                _ => {}
            }
        }
        let at = at.unwrap_or_else(SystemTime::now).duration_since(began).unwrap_or_default();
        Ok((message.bytes, at))
    }
}
