//! More than can be done, and from those who have no business here: see README.md.

mod flood;
mod shed;

use super::Options;
use crate::device::bascule::{self, MediaMode};
use crate::report::result;
use serde_json::{Value, json};
use std::io;

/// Calls a second at which the search for the peak begins.
const FIRST: f64 = 8_000.0;

/// Run the bench: `--only shed` or `--only flood` for one part of it.
///
/// # Errors
///
/// When a device does not start or the generator cannot bind.
pub fn run(options: &Options) -> io::Result<Value> {
    // Without media: ports that rest after a call would be a limit of their own, long before the shard is.
    let recipe = bascule::single("bascule", MediaMode::Bypass);
    let mut device = json!({ "name": recipe.name, "note": recipe.note });
    if options.wants("shed") {
        device["overload"] = shed::measure(&recipe, FIRST, if options.quick { 2 } else { 3 }, options)?;
    }
    if options.wants("flood") {
        device["flood"] = flood::measure(&recipe, options)?;
    }
    Ok(result("overload", options.quick, vec![device], json!({})))
}
