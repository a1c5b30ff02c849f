//! What the traffic programs share with us: `bpf/traffic.h` says the same in C, and says what the words mean.

/// Directions of calls that there may be.
pub(super) const LANES: usize = 1 << 16;
/// Parts of an octave in the table of delays.
pub(super) const PARTS: usize = 32;
/// Places of that table.
pub(super) const BUCKETS: usize = 64 * PARTS;
/// RTP's bytes in a packet.
pub(super) const PAYLOAD: usize = 172;
/// Bytes of a frame: Ethernet, IPv4, UDP, and 172 of RTP.
pub(super) const FRAME: usize = 14 + 20 + 8 + PAYLOAD;

/// `struct lane`.
pub(super) type LaneWords = [u64; 8];
/// `struct plan`.
pub(super) type PlanWords = [u64; 22];
/// `struct arrivals`.
pub(super) type ArrivalWords = [u64; 5 + 256];

/// Places in [`LaneWords`].
pub(super) mod lane {
    pub(crate) const ADDRESSES: usize = 0;
    pub(crate) const PORTS: usize = 1;
    pub(crate) const EXPECTED: usize = 2;
    pub(crate) const SSRC: usize = 3;
    pub(crate) const SENT: usize = 4;
    pub(crate) const RECEIVED: usize = 6;
    pub(crate) const LAST_SEEN: usize = 7;
}

/// Places in [`PlanWords`], after three words for each link.
pub(super) mod plan {
    pub(crate) const INTERVAL: usize = 6;
    pub(crate) const BURST: usize = 7;
    pub(crate) const FIRST: usize = 8;
    pub(crate) const STEP: usize = 9;
    pub(crate) const END: usize = 10;
    pub(crate) const FLAGS: usize = 11;
    pub(crate) const PATIENCE: usize = 12;
    pub(crate) const BATCH: usize = 13;
    pub(crate) const UNTIL: usize = 14;
    pub(crate) const TURN: usize = 17;
    pub(crate) const SENT: usize = 18;
    pub(crate) const LATE: usize = 19;
    pub(crate) const FINISHED: usize = 20;
}
