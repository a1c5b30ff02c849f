//! What `bascule check` says of a good configuration: how many calls it can hold on this machine.

use super::report::{print, table};
use bascule::config::Loaded;
use bascule::sizing::{Machine, Row, Sizing};

pub(crate) fn show(loaded: &Loaded) {
    let sizing = Sizing::of(loaded, &Machine::read());
    print("");
    let rows = sizing.rows.iter().map(|Row { what, calls, because }| {
        [(*what).to_owned(), calls.map_or("-".to_owned(), shown), because.clone()]
    });
    table(&["what", "calls", "because"], rows);
    if let Some((calls, by)) = sizing.calls() {
        print(&format!("\nholds {} calls at a time, bounded by {by}", shown(calls)));
    }
    for advice in &sizing.advice {
        print(&format!("  advice: {advice}"));
    }
}

/// A number so large that nothing is bounded by it.
fn shown(calls: u64) -> String {
    if calls > u64::from(u32::MAX) { "no bound".to_owned() } else { calls.to_string() }
}
