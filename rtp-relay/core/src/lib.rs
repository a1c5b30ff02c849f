//! The media core: ports, sessions, latching, continuity, silence and statistics, without I/O.
//!
//! A [`Relay`] owns a slice of the port range and the sessions on it. Its shell (a data path, or the simulator) gives
//! it commands from signalling, packets and the time, and after every call drains what it has to say:
//!
//! - [`Relay::packet`] judges one packet and, if it is to be sent on, has rewritten it in place;
//! - [`Relay::poll_event`] is for signalling;
//! - [`Relay::poll_send`] writes packets of our own making, which the shell sends like any other;
//! - [`Relay::poll_port`] asks the shell to bind a pair of sockets or to close one. The answer to a bind comes back by
//!   [`Relay::bound`], and an `Open` that waits for it is answered then. A bound pair serves call after call, so in a
//!   steady state a call is set up without a system call;
//! - [`Relay::poll_offload`] offers flows to a fast path, where the shell has one, and takes them back;
//! - [`Relay::poll_timeout`] says when [`Relay::timeout`] wants to be called.
//!
//! The core reads no clock, opens no socket, draws no randomness of its own and does not allocate for a packet. It
//! carries plain RTP and RTCP: STUN and DTLS are recognised (RFC 7983), counted and dropped; RTCP that is encrypted passes
//! as it is.
//!
//! Where to look: [`Relay`] in `relay.rs` is the contract; `session.rs` is the way of a packet through a session, and
//! `leg.rs` how a leg comes from one peer to the next; `latch.rs` says who is a stranger, and `learn.rs` who of several is
//! the peer. What keeps a call together when its region dies: `silence.rs` notices, `bridge.rs` speaks meanwhile,
//! `rewrite.rs` keeps one stream going over a change of its source, `rtcp/` what is reported of it, and `event.rs` the
//! digit that was being pressed.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

mod beats;
mod bridge;
mod config;
mod counters;
mod ending;
mod event;
mod ghosts;
mod hearing;
mod intruders;
mod latch;
mod learn;
mod leg;
pub mod limits;
mod losses;
mod meter;
mod offload;
mod own;
mod packet;
mod peer;
mod ports;
mod pulse;
mod random;
mod regions;
mod relay;
mod reports;
mod rewrite;
mod rtcp;
mod session;
mod silence;
mod sound;
mod strangers;
mod watch;

pub use config::{Prompt, RelayConfig, SilencePolicy};
pub use counters::{Counters, PortCounts, StrangerCounts};
pub use intruders::Intruder;
pub use losses::Losses;
pub use offload::{Flow, FlowBeat, FlowShift, FlowState, Offload, Recall, Unfit};
pub use own::Outgoing;
pub use ports::{PortPair, PortRef, PortRequest};
pub use relay::{Relay, Verdict};
