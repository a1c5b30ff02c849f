//! The kernel engine: RTP rewritten in place by a program in the driver (XDP) or behind it (TCX).
//!
//! [`Program::load`] brings the program into the kernel and maps its tables; [`Program::attach`] puts it in front of an
//! interface, as far down the [ladder](Rung) as that carries it; [`Tables`] is how flows are published, read and taken away:
//! plain loads and stores, no system call. What the program does is said in `rtp-relay/xdp/relay.c`.
//!
//! The program carries what [`relay_core::Relay::flow`] says can be carried. Everything else it leaves to the sockets.

mod attach;
mod bpf;
mod checks;
mod features;
mod flow;
mod layout;
mod load;
mod pins;
mod roster;
mod routes;
mod shared;
mod tables;

pub use attach::{AttachError, Attached, Refusal, Rung, ladder};
pub(crate) use features::Drivers;
pub(crate) use layout::Address;
pub use layout::{MAX_LOCALS, MAX_NEXT_HOPS, MAX_SLOTS, Passed};
pub use load::{Frame, Lacks, LoadError, Program, Tried};
pub(crate) use load::{Inherited, OBJECT, loaded};
pub use pins::{Pins, detach};
pub use roster::{Roster, Totals};
pub(crate) use routes::{Interface, News, Routes, Via, Way};
pub(crate) use shared::{Plain, SharedArray, SharedNumbers};
pub(crate) use tables::Adopted;
pub use tables::{FlowId, InstallError, NextHop, NextHopId, Setup, SlotChoice, Tables};
