//! Micro benches, a load generator, and side-by-side runs against peers.
//!
//! Nothing here is part of the appliance. `bascule-load` makes and answers calls; `bascule-bench` runs devices one at a
//! time under that load and writes what it measured. Numbers are kept with the machine and the commit that made them.
#![forbid(unsafe_code)]

pub mod browser;
pub mod device;
pub mod judge;
pub mod load;
pub mod machine;
pub mod micro;
pub mod netns;
pub mod place;
pub mod process;
pub mod report;
pub mod run;
pub mod traffic;
