//! A compound packet that is being written.

use crate::limits::MAX_PACKET;

/// Bytes of a packet's first word.
const HEAD: usize = 4;

/// A compound, packet after packet.
#[derive(Debug)]
pub(crate) struct Draft {
    bytes: [u8; MAX_PACKET],
    len: usize,
    /// Something had no room.
    full: bool,
}

/// Where a packet, or a part of one, begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begin(usize);

impl Draft {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; MAX_PACKET], len: 0, full: false }
    }

    /// What has been written, if there was room for all of it.
    pub(crate) fn written(&self) -> Option<&[u8]> {
        self.bytes.get(..self.len).filter(|_| !self.full)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Begin a packet. What it counts is said at its [`end`](Self::end).
    pub(super) fn begin(&mut self, kind: u8) -> Begin {
        let begin = self.here();
        self.put(&[0, kind, 0, 0]);
        begin
    }

    /// Where the next byte goes.
    pub(super) fn here(&self) -> Begin {
        Begin(self.len)
    }

    pub(super) fn word(&mut self, word: u32) {
        self.put(&word.to_be_bytes());
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        match self.bytes.get_mut(self.len..self.len + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => self.full = true,
        }
    }

    /// Zeroes to the end of the word.
    pub(super) fn fill_word(&mut self) {
        for _ in self.len..self.len.next_multiple_of(4) {
            self.put(&[0]);
        }
    }

    /// A packet is complete: write down how long it is, and what it counts.
    pub(super) fn end(&mut self, Begin(at): Begin, count: u8) {
        let words = self.len.saturating_sub(at + HEAD) / 4;
        if let Some(head) = self.bytes.get_mut(at..).and_then(|b| b.first_chunk_mut::<HEAD>()) {
            let [hi, lo] = (words as u16).to_be_bytes();
            *head = [0x80 | (count & 0x1f), head[1], hi, lo];
        }
    }

    /// A block of an extended report is complete: write down how long it is.
    pub(super) fn end_block(&mut self, Begin(at): Begin) {
        let words = self.len.saturating_sub(at + HEAD) / 4;
        if let Some(head) = self.bytes.get_mut(at..).and_then(|b| b.first_chunk_mut::<HEAD>()) {
            let [hi, lo] = (words as u16).to_be_bytes();
            *head = [head[0], head[1], hi, lo];
        }
    }

    /// Whether nothing was written after the first `bytes` of what began there.
    pub(super) fn is_bare(&self, Begin(at): Begin, bytes: usize) -> bool {
        self.len <= at + bytes
    }

    /// Take back what was written since.
    pub(super) fn undo(&mut self, Begin(at): Begin) {
        self.len = self.len.min(at);
    }
}
