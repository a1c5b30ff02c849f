//! An operator's order, given as operators give it.

use crate::device::sibling;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Drain a region through the admin socket; the child ends when the order is carried out.
pub(super) fn drain(region: &str, socket: &Path, log: &Path) -> io::Result<Child> {
    let out = std::fs::File::create(log)?;
    Command::new(sibling("bascule"))
        .args(["drain", region, "--deadline", "20s", "--socket"])
        .arg(socket)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
}
