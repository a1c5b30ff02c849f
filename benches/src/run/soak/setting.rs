//! The device of a soak: two regions that take calls, one that refuses them, one for the tales, TCP, metrics and records.

use super::tales::{Place, places};
use crate::device::bascule::{self, MediaMode, Region, Wishes};
use crate::device::{DEVICE, Recipe, at, scratch};
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where the device shows its metrics.
pub(super) const METRICS: SocketAddr = at(10, 9090);
/// Whoever calls this is told that they are busy.
pub(super) const BUSY_NUMBER: &str = "+442079469999";
/// Who says so.
pub(super) const BUSY: SocketAddr = at(5, 5080);

/// The regions that faults strike.
pub(super) const REGIONS: [Region; 2] = [
    Region { name: "north", edge: at(3, 5080), via: None },
    Region { name: "south", edge: at(4, 5080), via: None },
];

/// Call records; they are thrown away when there are many.
pub(super) fn records() -> io::Result<PathBuf> {
    Ok(scratch()?.join("records.jsonl"))
}

/// The device; a hurried one has half of RFC 3261's T1 and the shortest sessions, since transactions and the deadlines of
/// sessions linger after their calls.
pub(super) fn recipe(hurried: bool) -> io::Result<Recipe> {
    let mut recipe = bascule::recipe("bascule-soak", MediaMode::Relay, &REGIONS, &Wishes::default());
    recipe.config.1 = config(false, hurried)?;
    Ok(recipe)
}

/// The configuration; the other one has the regions in the other order.
pub(super) fn config(turned: bool, hurried: bool) -> io::Result<String> {
    let mut regions = REGIONS;
    if turned {
        regions.reverse();
    }
    let wishes = Wishes { records: Some(records()?), ..Wishes::default() };
    let mut text = bascule::config(MediaMode::Relay, &regions, &wishes);
    // The callers refresh no session: the device does. A machine that stands still for a moment is no overload here: nothing
    // that is placed may be shed.
    let _ = write!(
        text,
        "\n[overload]\ntarget = \"250ms\"\ninterval = \"250ms\"\n\n[session]\nrefresher = \"us\"\n\n[admin]\nlisten = \"{METRICS}\"\n\n\
         [[listener]]\nname = \"streams\"\ntransport = \"tcp\"\nbind = \"{DEVICE}\"\n\n\
         [[route.inbound]]\nprefix = \"{BUSY_NUMBER}\"\nsite = \"busy\"\n\n[[region]]\nname = \"busy\"\n\n\
         [[edge_group]]\nname = \"busy\"\nregion = \"busy\"\nlistener = \"main\"\n\
         edges = [{{ name = \"busy\", address = \"{BUSY}\" }}]\n\n[[site]]\nname = \"busy\"\ngroups = [\"busy\"]\n",
    );
    text.insert_str(0, "unknown_source = \"drop\"\n\n");
    if hurried {
        text.push_str("\n[timers]\nt1 = \"250ms\"\n");
        text = text.replacen("[session]\n", "[session]\nexpires = \"90s\"\n", 1);
    }
    text.push_str("\n[[region]]\nname = \"tales\"\n");
    for Place { name, number, callee, third } in places() {
        let _ = write!(
            text,
            "\n[[route.inbound]]\nprefix = \"{number}\"\nsite = \"{name}\"\n\n[[site]]\nname = \"{name}\"\ngroups = [\"{name}\"]\n"
        );
        for (group, edge) in [(name.to_owned(), callee), (format!("third-{name}"), third)] {
            let _ = write!(
                text,
                "\n[[edge_group]]\nname = \"{group}\"\nregion = \"tales\"\nlistener = \"main\"\nrefer = \"transfer\"\n\
                 probe = {{ enabled = false }}\nedges = [{{ name = \"{group}\", address = \"{edge}\" }}]\n"
            );
        }
    }
    Ok(text)
}
