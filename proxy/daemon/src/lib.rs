//! Bascule, the shell: sockets, threads, clock, files and signals around cores that know none of them.
//!
//! [`config`] reads a file whole and tells every complaint at once. [`Appliance`] is the running thing: one thread for
//! each signalling shard, one for health, one for streams, one for records, one for the admin port, and the relay's
//! workers. [`service`] is the appliance in the foreground, with signals and systemd.
//!
//! Nothing here decides about a call: that is `proxy-core`. Nothing here touches a packet of media: that is
//! `datapath`. No thread waits for a peer, and no queue grows without a bound from [`limits`](crate).

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod api;
mod appliance;
mod clock;
pub mod config;
mod control;
pub mod demo;
pub mod dns;
mod health;
mod history;
mod limits;
mod log;
mod lookout;
mod metrics;
mod net;
mod notice;
mod observe;
mod overrides;
pub mod preview;
mod records;
mod redact;
mod report;
pub mod service;
mod shard;
mod shared;
mod shed;
pub mod sizing;
pub mod stir;
mod stream;
mod tls;

pub use appliance::{Appliance, ReloadError, StartError};
pub use log::init as init_log;
pub use net::raise_descriptor_limit;
pub use notice::Notice;
pub use observe::Redaction;
pub use redact::Redacted;
pub use report::{ShardReport, WireCounters};
