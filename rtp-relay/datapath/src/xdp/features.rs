//! What drivers can do with XDP, as they say it themselves (generic netlink, family `netdev`, Linux 6.3).

use netlink_sys::{Socket, SocketAddr as NetlinkAddress, protocols::NETLINK_GENERIC};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// linux/genetlink.h: the family that knows all others, and its words.
const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
const FAMILY_GROUPS: u16 = 7;
const GROUP_NAME: u16 = 1;
const GROUP_ID: u16 = 2;
/// linux/netdev.h.
const FAMILY: &[u8] = b"netdev\0";
const NEWS: &[u8] = b"mgmt\0";
const GET_DEVICE: u8 = 1;
const IFINDEX: u16 = 1;
const FEATURES: u16 = 3;

const HEADER: usize = 16;
const REQUEST: u16 = 1;
const ERROR: u16 = 2;

/// What a driver can do (linux/netdev.h, `enum netdev_xdp_act`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Features(u64);

impl Features {
    const BASIC: u64 = 1;
    const REDIRECT: u64 = 2;
    const XMIT: u64 = 4;

    /// Why the program cannot stand in this driver, where its frames go to `others`, too.
    pub(crate) fn lack(self, others: bool) -> Option<&'static str> {
        let has = |bit| self.0 & bit != 0;
        match others {
            _ if !has(Self::BASIC) => Some("has no XDP"),
            true if !has(Self::REDIRECT) => Some("sends no frames of XDP to other interfaces"),
            true if !has(Self::XMIT) => Some("takes no frames that XDP sends it"),
            true | false => None,
        }
    }
}

/// Questions about drivers, and news of them.
#[derive(Debug)]
pub(crate) struct Drivers {
    ask: Socket,
    news: Socket,
    family: u16,
}

impl Drivers {
    /// # Errors
    ///
    /// `NotFound`: the kernel is older than 6.3.
    pub(crate) fn new() -> io::Result<Self> {
        let open = || {
            let mut socket = Socket::new(NETLINK_GENERIC)?;
            socket.bind_auto()?;
            Ok::<_, io::Error>(socket)
        };
        let (ask, news) = (open()?, open()?);
        ask.connect(&NetlinkAddress::new(0, 0))?;
        let answer = question(&ask, CONTROL, GET_FAMILY, FAMILY_NAME, FAMILY)?;
        let mut family = None;
        for (kind, value) in attributes(&answer) {
            match kind {
                FAMILY_ID => family = number(value).and_then(|id| u16::try_from(id).ok()),
                FAMILY_GROUPS => {
                    for (_, group) in attributes(value) {
                        let named = attributes(group).any(|(kind, name)| kind == GROUP_NAME && name == NEWS);
                        let id = attributes(group).find(|(kind, _)| *kind == GROUP_ID);
                        if let (true, Some(id)) = (named, id.and_then(|(_, id)| number(id))) {
                            news.add_membership(u32::try_from(id).unwrap_or(0))?;
                        }
                    }
                }
                _ => {}
            }
        }
        news.set_non_blocking(true)?;
        Ok(Self { ask, news, family: family.ok_or(io::ErrorKind::InvalidData)? })
    }

    /// What the driver of an interface can do.
    pub(crate) fn features(&self, ifindex: u32) -> io::Result<Features> {
        let answer = question(&self.ask, self.family, GET_DEVICE, IFINDEX, &ifindex.to_ne_bytes())?;
        let features = attributes(&answer).find(|(kind, _)| *kind == FEATURES);
        let bits = features.and_then(|(_, value)| number(value)).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Features(bits))
    }

    /// Readable when a driver can do something else than before.
    pub(crate) fn news(&self) -> BorrowedFd<'_> {
        // SAFETY: the socket is open for as long as `self` is, which the result borrows.
        unsafe { BorrowedFd::borrow_raw(self.news.as_raw_fd()) }
    }

    /// Whether one can since the last time; all news is read.
    pub(crate) fn has_changed(&self) -> bool {
        let mut changed = false;
        loop {
            match self.news.recv_from_full() {
                Ok(_) => changed = true,
                // More news than there was room for.
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
                Err(_) => return changed,
            }
        }
    }
}

/// A question with one attribute; the attributes of the answer.
fn question(ask: &Socket, family: u16, command: u8, attribute: u16, value: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEADER];
    bytes.extend([command, 1, 0, 0]);
    bytes.extend((4 + value.len() as u16).to_ne_bytes());
    bytes.extend(attribute.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let length = (bytes.len() as u32).to_ne_bytes();
    let header = length.into_iter().chain(family.to_ne_bytes()).chain(REQUEST.to_ne_bytes());
    bytes.iter_mut().zip(header).for_each(|(to, byte)| *to = byte);
    ask.send(&bytes, 0)?;
    let (answer, _) = ask.recv_from_full()?;
    let kind = answer.get(4..6).and_then(|b| Some(u16::from_ne_bytes(b.try_into().ok()?)));
    let code = answer.get(HEADER..HEADER + 4).and_then(|b| Some(i32::from_ne_bytes(b.try_into().ok()?)));
    match (kind, code) {
        (Some(ERROR), Some(code)) => Err(io::Error::from_raw_os_error(-code)),
        (Some(_), Some(_)) => Ok(answer.get(HEADER + 4..).unwrap_or_default().to_vec()),
        (None, _) | (_, None) => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Attributes one after another (linux/netlink.h, `struct nlattr`).
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (head, _) = rest.split_at_checked(4)?;
        let [a, b, c, d] = *head else { return None };
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        // Above is whether there are attributes inside, and in which byte order.
        Some((u16::from_ne_bytes([c, d]) & 0x3fff, value))
    })
}

/// A number of two, four or eight bytes.
fn number(value: &[u8]) -> Option<u64> {
    match *value {
        [a, b] => Some(u16::from_ne_bytes([a, b]).into()),
        [a, b, c, d] => Some(u32::from_ne_bytes([a, b, c, d]).into()),
        _ => value.try_into().ok().map(u64::from_ne_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_is_trusted_with_the_frames_of_others_only_if_it_says_all_that_is_needed() {
        for (bits, alone, among_others) in [
            (0, Some("has no XDP"), Some("has no XDP")),
            (1, None, Some("sends no frames of XDP to other interfaces")),
            (3, None, Some("takes no frames that XDP sends it")),
            (5, None, Some("sends no frames of XDP to other interfaces")),
            (7, None, None),
            (0x7f, None, None),
        ] {
            assert_eq!(
                (Features(bits).lack(false), Features(bits).lack(true)),
                (alone, among_others),
                "{bits}"
            );
        }
    }

    #[test]
    fn attributes_that_are_cut_end_the_list() {
        let whole = [8, 0, 1, 0, 7, 0, 0, 0, 6, 0, 3, 0x80, 9, 9];
        let all: Vec<_> = attributes(&whole).collect();
        assert_eq!(all, [(1, [7, 0, 0, 0].as_slice()), (3, &[9, 9])]);
        for cut in 0..whole.len() {
            assert!(attributes(&whole[..cut]).count() <= 1, "{cut}");
        }
        // Lengths that are too short to be one.
        assert_eq!(attributes(&[0; 8]).count(), 0);
        assert_eq!(number(&[1, 2, 3]), None);
    }
}
