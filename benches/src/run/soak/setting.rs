//! The device of a soak: two regions that take calls, one that refuses them, TCP, metrics and records.

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

pub(super) fn recipe() -> io::Result<Recipe> {
    let mut recipe = bascule::recipe("bascule-soak", MediaMode::Relay, &REGIONS, &Wishes::default());
    recipe.config.1 = config(false)?;
    Ok(recipe)
}

/// The configuration; the other one has the regions in the other order.
pub(super) fn config(turned: bool) -> io::Result<String> {
    let mut regions = REGIONS;
    if turned {
        regions.reverse();
    }
    let wishes = Wishes { records: Some(records()?), ..Wishes::default() };
    let mut text = bascule::config(MediaMode::Relay, &regions, &wishes);
    // The callers refresh no session: the device does.
    let _ = write!(
        text,
        "\n[session]\nrefresher = \"us\"\n\n[admin]\nlisten = \"{METRICS}\"\n\n\
         [[listener]]\nname = \"streams\"\ntransport = \"tcp\"\nbind = \"{DEVICE}\"\n\n\
         [[route.inbound]]\nprefix = \"{BUSY_NUMBER}\"\nsite = \"busy\"\n\n[[region]]\nname = \"busy\"\n\n\
         [[edge_group]]\nname = \"busy\"\nregion = \"busy\"\nlistener = \"main\"\n\
         edges = [{{ name = \"busy\", address = \"{BUSY}\" }}]\n\n[[site]]\nname = \"busy\"\ngroups = [\"busy\"]\n",
    );
    Ok(text)
}
