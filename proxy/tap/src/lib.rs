//! Brings a trace to the auditor: off the wire while a test runs ([`Tap`]), or out of a capture file ([`capture`]).
//!
//! | file | what it knows |
//! |---|---|
//! | `frame` | link, network and transport headers, fragments |
//! | `stream` | TCP in order, and where a SIP message ends in it |
//! | `ours` | which addresses are the appliance's |
//! | `trace` | packets in, findings out, with the ladder of the call |
//! | `live`, `filter` | the packet socket, and what the kernel lets through to it |
//! | `capture` | pcap and pcapng |
//!
//! Like the auditor it shares no code with the appliance. It is for tests and for people with a capture; the appliance does not
//! know it.
//!
//! ```no_run
//! use sip_tap::{Ours, Tap, Timing};
//! let us = "127.0.0.1:5060".parse().unwrap();
//! let mut tap = Tap::on(Ours::at([us]), Timing::rfc());
//! // … calls …
//! tap.judge(); // panics with what was broken, and the ladder around it; so does its drop
//! ```

#![forbid(unsafe_code)]

pub mod capture;
mod filter;
mod frame;
mod history;
mod limits;
mod live;
mod ours;
mod stream;
mod trace;

pub use frame::{Frames, Link, Packet};
pub use live::Tap;
pub use ours::Ours;
pub use sip_audit::{Ending, Finding, Rule, Timing};
pub use stream::datagrams;
pub use trace::{Found, Trace, Verdict};
