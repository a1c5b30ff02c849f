//! rtpengine from Debian, forwarding in user space.

use super::{Recipe, at};
use crate::machine;
use std::net::{IpAddr, SocketAddr};

/// Where it takes commands.
pub const CONTROL: SocketAddr = at(11, 2223);

/// Between two addresses, in user space, on one core.
pub fn between(carrier: IpAddr, tier: IpAddr) -> Recipe {
    let mut recipe = user_space();
    let ready = SocketAddr::new(carrier, CONTROL.port());
    recipe
        .command
        .retain(|argument| !argument.starts_with("--interface") && !argument.starts_with("--listen"));
    recipe.command.extend([
        format!("--interface=carrier/{carrier}"),
        format!("--interface=tier/{tier}"),
        format!("--listen-ng={ready}"),
    ]);
    Recipe { ready, ..recipe }
}

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
