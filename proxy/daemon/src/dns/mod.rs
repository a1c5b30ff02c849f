//! Names: asks name servers what the core that locates wants to know, and hands what comes of it to the health thread.
//!
//! A thread of its own, which sleeps where no name is configured. It never waits for anybody, nobody waits for it but a
//! start and a reload, and these only for as long as `[dns] start_wait` says. TTLs, staleness and all the rest of the
//! judgement are [`proxy_core::Locate`]'s; hickory is asked with nothing remembered.

mod asker;
mod lookup;
mod run;

pub(crate) use asker::Asker;
pub(crate) use lookup::wait_for;
pub use lookup::{Found, look_up};
pub(crate) use run::{Kit, Known, Order, run};
