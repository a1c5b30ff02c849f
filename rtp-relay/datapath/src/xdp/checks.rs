//! The layout is the one that the program was built with: sizes and offsets here, names and versions against the object's own
//! description of its types.

use super::layout::*;
use std::mem::{offset_of, size_of};

// What the fields of each add up to, so that there is no gap.
const _: () = assert!(size_of::<RouteEntry>() == 16 + 16 + 2 + 2 + 2 + 2);
const _: () = assert!(size_of::<FlowEntry>() == 40 + 4 * 4 + 2 + 2 + 4 + 64 + 64);
const _: () = assert!(size_of::<StateEntry>() == 4 * 8 + 7 * 4 + 1 + 3);
const _: () = assert!(size_of::<LossesEntry>() == 8 + 14 * 4);
const _: () = assert!(offset_of!(FlowEntry, losses) == 128 && offset_of!(LossesEntry, longest_loss) == 52);
const _: () = assert!(size_of::<SetupEntry>() == 4 * 4 + MAX_LOCALS * 16 + RATES * 8);
const _: () = assert!(size_of::<AlternateEntry>() == 64);
const _: () = assert!(size_of::<SlotEntry>() == 8);
const _: () = assert!(size_of::<NextHopEntry>() == 6 + 6 + 4 + 2 + 2 + 4 + 8);
const _: () = assert!(size_of::<PassedEntry>() == 128 && Passed::ALL.len() <= 16);
const _: () = assert!(offset_of!(FlowEntry, source) == 40 && offset_of!(FlowEntry, sequence_shift) == 56);
const _: () = assert!(offset_of!(FlowEntry, local) == 60 && offset_of!(FlowEntry, event) == 63);
const _: () = assert!(offset_of!(FlowEntry, state) == 64 && offset_of!(StateEntry, newest) == 32);
const _: () = assert!(offset_of!(StateEntry, extra) == 56 && offset_of!(StateEntry, steady) == 60);
const _: () = assert!(offset_of!(NextHopEntry, ifindex) == 12 && offset_of!(NextHopEntry, tag) == 20);
const _: () = assert!(offset_of!(SetupEntry, local) == 16 && offset_of!(SetupEntry, rate) == 144);
