//! The receiver of records is away for an hour at 100 calls/s, in scaled time: as many calls, as fast as one shard likes to make them, while nobody
//! listens at its address; then it is there, and each record has to come once by its key.

use super::Options;
use super::calls::{load, tally};
use super::observed::{RECEIVER, device};
use crate::device::at;
use crate::device::bascule::Wishes;
use crate::load::receiver::{Receiver, page, value};
use crate::report::{result, round};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const ADMIN: SocketAddr = at(10, 9_090);

/// Calls of the hour, and how fast they are made.
const CALLS: f64 = 360_000.0;
const RATE: f64 = 3_000.0;

/// Nothing has come for so long: nothing more will.
const SILENT: Duration = Duration::from_secs(20);

/// Run the bench.
///
/// # Errors
///
/// When the device does not start or something cannot be bound.
pub fn run(options: &Options) -> io::Result<Value> {
    let calls = if options.quick { CALLS / 10.0 } else { CALLS };
    let folder = crate::device::scratch()?;
    let more = format!(
        "[records.delivery]\nurl = \"http://{RECEIVER}/\"\nspool = {:?}\nretry_at_most = \"1s\"\n[admin]\nlisten = \"{ADMIN}\"\n",
        folder.join("spool")
    );
    let recipe = device("bascule", &Wishes { more, ..Wishes::default() });
    let device = recipe.start()?;
    eprintln!("outage: {calls} calls at {RATE} calls/s, and nobody takes their records");
    let engine = load(RATE, calls / RATE)?;
    let (placed, failed) = (tally(&engine).placed, tally(&engine).failed);
    let before = page(ADMIN)?;
    let receiver = Receiver::at(RECEIVER)?;
    let (began, mut last, mut seen) = (Instant::now(), Instant::now(), 0);
    while seen < placed as usize && last.elapsed() < SILENT {
        std::thread::sleep(Duration::from_millis(20));
        let taken = receiver.taken().0;
        if taken > seen {
            (seen, last) = (taken, Instant::now());
        }
    }
    let seconds = last.duration_since(began).as_secs_f64();
    // What comes twice may come late.
    std::thread::sleep(Duration::from_secs(2));
    let after = page(ADMIN)?;
    let (keys, again) = receiver.taken();
    drop(device);
    let metric = |name: &str| value(&after, name);
    let measured = json!({
        "name": "bascule",
        "calls": placed,
        "failed": failed,
        "spooled": metric("bascule_records_spooled_total"),
        "spool_mib_before": round(value(&before, "bascule_records_spool_bytes") / f64::from(1 << 20), 1),
        "lag_s_before": round(value(&before, "bascule_records_lag_seconds"), 1),
        "retries_unreachable": metric("bascule_records_retries_total{reason=\"unreachable\"}"),
        "records_by_key": keys,
        "lost": placed as i64 - keys as i64,
        "came_again": again,
        "seconds_to_deliver": round(seconds, 1),
        "records_per_s": round(keys as f64 / seconds.max(0.001), 0),
        "lag_s_after": metric("bascule_records_lag_seconds"),
    });
    Ok(result("outage", options.quick, vec![measured], json!({})))
}
