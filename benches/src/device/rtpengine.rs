//! rtpengine from Debian, forwarding in user space.

use super::{Recipe, at};
use crate::machine;
use std::net::SocketAddr;

/// Where it takes commands.
pub const CONTROL: SocketAddr = at(11, 2223);

/// In user space, on one core.
pub fn user_space() -> Recipe {
    let command = [
        "rtpengine",
        "--foreground",
        "--log-stderr",
        "--log-level=3",
        "--config-file=none",
        "--table=-1",
        "--interface=127.77.0.11",
        "--listen-ng=127.77.0.11:2223",
        "--port-min=20000",
        "--port-max=59999",
        "--num-threads=1",
        "--pidfile={folder}/pid",
    ];
    let version = machine::said("dpkg-query", &["-W", "-f", "${Version}", "rtpengine-daemon"]);
    Recipe {
        name: "rtpengine".to_owned(),
        program: "rtpengine".to_owned(),
        note: format!("{version}, user space, 1 thread"),
        config: ("unused".to_owned(), String::new()),
        command: command.map(str::to_owned).to_vec(),
        ready: CONTROL,
    }
}
