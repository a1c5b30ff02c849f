//! What operators order and look at: the desk that the admin API works with.
//!
//! An [`Order`] moves calls or cuts them off, and tells of itself line by line; [`Desk`] is the appliance as operators see
//! it; [`Audit`] is where their changes are written down.

mod audit;
mod calls;
mod client;
mod desk;
mod drain;
mod drill;
mod gaps;
mod measure;
mod order;
mod regions;
mod scanners;
mod split;
mod status;
mod watch;

pub(crate) use audit::Audit;
pub(crate) use client::Client;
pub(crate) use desk::{Desk, Floor};
pub(crate) use drain::Drain;
pub(crate) use drill::Drill;
pub(crate) use measure::{MeasuredLine, Unmeasured};
pub(crate) use order::{Order, carry};
