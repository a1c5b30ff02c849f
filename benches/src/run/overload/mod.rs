//! More than can be done, and from those who have no business here: see README.md.

mod flood;
mod shed;

use super::Options;
use crate::device::bascule::{self, MediaMode};
use crate::report::result;
use serde_json::{Value, json};
use std::io;

/// Run the bench.
///
/// # Errors
///
/// When a device does not start or the generator cannot bind.
pub fn run(options: &Options) -> io::Result<Value> {
    let rounds = if options.quick { 1 } else { 3 };
    let mut devices = Vec::new();
    for (name, mode, first) in
        [("bascule", MediaMode::Bypass, 8_000.0), ("bascule-relay", MediaMode::Relay, 1_500.0)]
    {
        if !options.wants(name) {
            continue;
        }
        let recipe = bascule::single(name, mode);
        let mut device = json!({ "name": name, "note": recipe.note });
        device["overload"] = shed::measure(&recipe, first, rounds, options)?;
        // Media or not: a flood does not come that far.
        if mode == MediaMode::Bypass {
            device["flood"] = flood::measure(&recipe, rounds, options)?;
        }
        devices.push(device);
    }
    Ok(result("overload", options.quick, devices, json!({})))
}
