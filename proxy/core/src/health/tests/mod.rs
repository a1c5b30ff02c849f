//! Stories of health, in virtual time.

mod backoff;
mod drill;
mod flapping;
mod frozen_region;
mod hysteresis;
mod lab;
mod late_burst;
mod media_outage;
mod passing_silence;
mod probing;
mod quiet_region;
mod region_transitions;
mod reload;
mod reload_suspected;
mod silent_region;
mod stall;
mod suspicion;
mod transitions;
mod two_relays;
mod unprobed;
mod views;
