//! The detector against a simulated region, in virtual time.
#![allow(clippy::print_stdout, reason = "the figures are shown to who asks for them with --nocapture")]

mod detection;
mod false_alarms;
mod world;
