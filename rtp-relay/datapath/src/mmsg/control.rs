//! What goes with datagrams that are one piece: how long each of them is.

/// Room for one control message with the length of segments, a `u16` when sending and a `c_int` when receiving.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Control([u8; 32]);

impl Control {
    /// No message.
    pub(super) const fn none() -> Self {
        Self([0; 32])
    }
}

/// The length of the segments that a received piece consists of (`udp(7)`, `UDP_GRO`). `None` for a datagram that is none but itself.
///
/// # Safety
///
/// The header's control buffer is live, and as long as the header says.
pub(super) unsafe fn segment(header: &libc::msghdr) -> Option<usize> {
    // SAFETY: as the caller promises. Nearly always there is nothing, and this is null.
    let at = unsafe { libc::CMSG_FIRSTHDR(header) };
    if at.is_null() {
        return None;
    }
    // SAFETY: a non-null control message lies inside the buffer, aligned by its type.
    let (level, kind, len) = unsafe { ((*at).cmsg_level, (*at).cmsg_type, (*at).cmsg_len as usize) };
    // SAFETY: only arithmetic.
    let least = unsafe { libc::CMSG_LEN(size_of::<libc::c_int>() as u32) } as usize;
    if level != libc::SOL_UDP || kind != libc::UDP_GRO || len < least {
        return None;
    }
    // SAFETY: the message is long enough for the integer; read unaligned.
    let segment: libc::c_int = unsafe { std::ptr::read_unaligned(libc::CMSG_DATA(at).cast()) };
    usize::try_from(segment).ok().filter(|segment| *segment > 0)
}
