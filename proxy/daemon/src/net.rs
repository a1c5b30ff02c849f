//! Opening sockets: everything that can fail for want of an address or a right fails here, before a thread runs.

use crate::limits::SOCKET_BUFFER;
use proxy_core::{Listener, Transport};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// The sockets of one listener.
#[derive(Debug)]
pub(crate) enum Opened {
    /// One for each shard, all on the same address.
    Udp(Vec<UdpSocket>),
    Tcp(TcpListener),
}

pub(crate) fn open(listener: &Listener, shards: u8) -> io::Result<Opened> {
    match listener.transport {
        Transport::Udp => {
            (0..shards).map(|_| udp(listener.bind, shards > 1)).collect::<Result<_, _>>().map(Opened::Udp)
        }
        Transport::Tcp | Transport::Tls => tcp(listener.bind).map(Opened::Tcp),
    }
}

fn udp(at: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Only where shards need it: otherwise a second process on our address would silently take half of the calls.
    if shared {
        socket.set_reuse_port(true)?;
    }
    // What the system grants is what we get: sysctl.d/bascule.conf raises its bounds.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    datapath::mmsg::enable_recverr(&socket)?;
    // Where the system does not know it, each datagram comes by itself.
    let _ = datapath::mmsg::enable_gro(&socket);
    Ok(socket.into())
}

fn tcp(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// Pin the calling thread to a processor.
pub(crate) fn pin(cpu: usize) -> io::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set).map_err(io::Error::from)
}

/// Raise the soft limit of open descriptors to the hard one; the limit that holds then.
pub fn raise_descriptor_limit() -> Option<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current
}
