//! Sockets for media.

use crate::config::EngineConfig;
use relay_core::PortPair;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// The options of every media socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SocketOptions {
    tos: u32,
    receive_buffer: Option<usize>,
    send_buffer: Option<usize>,
}

impl SocketOptions {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        Self {
            // DSCP is the upper six bits of the byte (RFC 2474 §3).
            tos: u32::from(config.dscp & 0x3f) << 2,
            receive_buffer: config.receive_buffer,
            send_buffer: config.send_buffer,
        }
    }

    /// The same with another receive buffer, in bytes.
    pub(crate) fn with_receive_buffer(self, bytes: usize) -> Self {
        Self { receive_buffer: Some(bytes), ..self }
    }

    /// Bind both ports of a pair, or none.
    pub(crate) fn bind_pair(&self, pair: &PortPair) -> io::Result<(OwnedFd, OwnedFd)> {
        Ok((self.bind(pair.rtp_addr)?, self.bind(pair.rtcp_addr)?))
    }

    /// The byte of DSCP above two bits of zero.
    pub(crate) fn tos(&self) -> u8 {
        // It is six bits long.
        (self.tos & 0xff) as u8
    }

    /// Have what leaves by a socket of this family be media.
    pub(crate) fn mark(&self, socket: &Socket, at: SocketAddr) -> io::Result<()> {
        if at.is_ipv4() { socket.set_tos_v4(self.tos) } else { socket.set_tclass_v6(self.tos) }
    }

    /// Bind one socket. It stays unconnected: the relay judges sources itself, and ICMP errors about one peer's port
    /// are then not reported on it.
    pub(crate) fn bind(&self, at: SocketAddr) -> io::Result<OwnedFd> {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        if at.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        self.mark(&socket, at)?;
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        socket.bind(&at.into())?;
        Ok(socket.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_leaves_with_expedited_forwarding_on_both_families() {
        let options = SocketOptions::new(&EngineConfig::default());
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let socket = Socket::from(options.bind(at.parse().unwrap()).unwrap());
            let byte = if at.starts_with('[') { socket.tclass_v6() } else { socket.tos_v4() };
            // DSCP 46 above two bits of ECN (RFC 2474 §3, RFC 3168 §5).
            assert_eq!(byte.unwrap(), 46 << 2);
        }
    }
}
