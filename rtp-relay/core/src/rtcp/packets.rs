//! The packets of a compound (RFC 3550 §6.1), and whether what they say of their own lengths is true.

use crate::limits::MAX_RTCP_PACKETS;

pub(super) const SR: u8 = 200;
pub(super) const RR: u8 = 201;
pub(super) const SDES: u8 = 202;
pub(super) const BYE: u8 = 203;
pub(super) const APP: u8 = 204;
/// Feedback of the transport layer and of the payload (RFC 4585 §6.1).
pub(super) const RTPFB: u8 = 205;
pub(super) const PSFB: u8 = 206;
/// Extended reports (RFC 3611 §2).
pub(super) const XR: u8 = 207;

/// Bytes of an SSRC, of the sender information, and of a report block (RFC 3550 §6.4.1).
pub(super) const NAME: usize = 4;
pub(super) const SENDER_INFO: usize = 20;
pub(super) const BLOCK: usize = 24;
/// The item that names a participant for good (RFC 3550 §6.5.1).
pub(super) const CNAME: u8 = 1;

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) kind: u8,
    /// The low five bits of its first byte: blocks, chunks, sources, or a format.
    pub(super) count: u8,
    /// What follows the first word, without padding.
    pub(super) body: &'a [u8],
}

/// The packets in `bytes`, up to the first whose length is wrong.
pub(super) fn packets(mut bytes: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    std::iter::from_fn(move || {
        let &[first, kind, hi, lo] = bytes.first_chunk()?;
        let len = (usize::from(u16::from_be_bytes([hi, lo])) + 1) * 4;
        let (packet, rest) = bytes.split_at_checked(len)?;
        bytes = rest;
        let padding = if first & 0x20 == 0 { 0 } else { packet.last().copied().map_or(0, usize::from) };
        let body = packet.get(4..len.saturating_sub(padding)).unwrap_or_default();
        Some(Packet { kind, count: first & 0x1f, body })
    })
}

/// Whether every packet is as long as its own counts say. The lengths of the packets have been checked.
pub(crate) fn hold_together(bytes: &[u8]) -> bool {
    packets(bytes).count() <= MAX_RTCP_PACKETS && packets(bytes).all(|p| p.holds_together())
}

impl Packet<'_> {
    fn holds_together(&self) -> bool {
        let Self { kind, body, .. } = *self;
        let count = usize::from(self.count);
        match kind {
            SR => body.len() >= NAME + SENDER_INFO + count * BLOCK,
            RR => body.len() >= NAME + count * BLOCK,
            SDES => chunks(body).take(count).filter(Option::is_some).count() == count,
            BYE => body.get(count * NAME..).is_some_and(|rest| match rest.split_first() {
                Some((len, reason)) => usize::from(*len) <= reason.len(),
                None => true,
            }),
            // The sender's SSRC, and a name or another SSRC.
            APP | RTPFB | PSFB => body.len() >= 2 * NAME,
            XR => match body.get(NAME..) {
                Some(blocks) => blocks.len() == extended(blocks).map(|b| b.bytes.len()).sum(),
                None => false,
            },
            _ => true,
        }
    }
}

/// A chunk of a source description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    pub(super) ssrc: u32,
    /// Its items, without the end.
    pub(super) items: &'a [u8],
}

/// The chunks of a source description (RFC 3550 §6.5), without end: `None` where they contradict themselves.
pub(super) fn chunks(mut body: &[u8]) -> impl Iterator<Item = Option<Chunk<'_>>> {
    std::iter::from_fn(move || {
        let chunk = body.split_first_chunk().and_then(|(ssrc, rest)| {
            let len = items(rest).map(|item| item.map(<[u8]>::len)).sum::<Option<usize>>()?;
            let items = rest.get(..len)?;
            // A zero ends the list, and more of them fill the word. Some senders leave the last one out.
            body = rest.get((len + 1).next_multiple_of(4)..).unwrap_or_default();
            Some(Chunk { ssrc: u32::from_be_bytes(*ssrc), items })
        });
        Some(chunk)
    })
}

/// The items of a chunk, each with its type and length; `None` for one that is cut off.
pub(super) fn items(mut bytes: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        let kind = bytes.first().copied().filter(|kind| *kind != 0);
        kind?;
        let item = bytes.get(1).and_then(|len| bytes.split_at_checked(2 + usize::from(*len)));
        bytes = item.map_or(&[], |(_, rest)| rest);
        Some(item.map(|(item, _)| item))
    })
}

/// A block of an extended report (RFC 3611 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extended<'a> {
    pub(super) kind: u8,
    /// All of it.
    pub(super) bytes: &'a [u8],
}

/// The blocks of an extended report, up to the first that is cut off.
pub(super) fn extended(mut bytes: &[u8]) -> impl Iterator<Item = Extended<'_>> {
    std::iter::from_fn(move || {
        let &[kind, _, hi, lo] = bytes.first_chunk()?;
        let len = (usize::from(u16::from_be_bytes([hi, lo])) + 1) * 4;
        let (block, rest) = bytes.split_at_checked(len)?;
        bytes = rest;
        Some(Extended { kind, bytes: block })
    })
}

/// The word at a place in bytes.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

/// Half a word.
pub(super) fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}
