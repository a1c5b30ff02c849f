//! Stories of health, in virtual time.

mod backoff;
mod frozen_region;
mod hysteresis;
mod lab;
mod probing;
mod reload;
mod suspicion;
mod transitions;
mod unprobed;
