//! Socket addresses as the kernel wants them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Room for the address of any Internet socket, in the kernel's layout. All zero (family 0) means "none".
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) union Name {
    family: libc::sa_family_t,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl Name {
    /// The size of the buffer, as handed to receiving calls.
    pub(crate) const LEN: libc::socklen_t = size_of::<Self>() as libc::socklen_t;

    /// No address.
    pub(crate) const fn none() -> Self {
        // SAFETY: both layouts are plain integers, for which all-zero bytes are a valid value.
        unsafe { std::mem::zeroed() }
    }

    /// The address in the kernel's layout, and how many bytes of it count.
    pub(crate) fn encode(addr: SocketAddr) -> (Self, libc::socklen_t) {
        let mut name = Self::none();
        match addr {
            SocketAddr::V4(a) => {
                name.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: a.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(a.ip().octets()) },
                    sin_zero: [0; 8],
                };
                (name, size_of::<libc::sockaddr_in>() as libc::socklen_t)
            }
            SocketAddr::V6(a) => {
                name.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: a.port().to_be(),
                    sin6_flowinfo: a.flowinfo().to_be(),
                    sin6_addr: libc::in6_addr { s6_addr: a.ip().octets() },
                    sin6_scope_id: a.scope_id(),
                };
                (name, size_of::<libc::sockaddr_in6>() as libc::socklen_t)
            }
        }
    }

    /// The address that the kernel wrote; `None` if it wrote none, or one of another family.
    pub(crate) fn decode(&self) -> Option<SocketAddr> {
        // SAFETY: every constructor initialises the whole union, the kernel only overwrites it with plain bytes, and
        // any bytes are a valid value of these integer structures; the family leads both layouts.
        match i32::from(unsafe { self.family }) {
            libc::AF_INET => {
                // SAFETY: as above.
                let a = unsafe { self.v4 };
                let ip = Ipv4Addr::from(a.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddrV4::new(ip, u16::from_be(a.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let a = unsafe { self.v6 };
                let ip = Ipv6Addr::from(a.sin6_addr.s6_addr);
                let (port, flow) = (u16::from_be(a.sin6_port), u32::from_be(a.sin6_flowinfo));
                Some(SocketAddrV6::new(ip, port, flow, a.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_the_kernels_layout() {
        for text in ["192.0.2.7:5060", "127.0.0.1:0", "[2001:db8::1]:65535", "[::1]:5061"] {
            let addr: SocketAddr = text.parse().unwrap();
            assert_eq!(Name::encode(addr).0.decode(), Some(addr));
        }
        assert_eq!(Name::none().decode(), None);
    }
}
