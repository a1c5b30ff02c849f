//! Our own device: the release build of the daemon, as a user runs it.

use super::{DEVICE, Recipe, UAC, UAS, sibling};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// How media is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaMode {
    /// Signalling only: SDP passes unchanged.
    Bypass,
    /// Anchored at the relay.
    Relay,
}

/// A region: its name, its only edge, and the local address that reaches it if it is not [`DEVICE`].
#[derive(Debug, Clone)]
pub struct Region {
    /// Name of region, group and edge.
    pub name: &'static str,
    /// The edge.
    pub edge: SocketAddr,
    /// A listener of its own.
    pub via: Option<SocketAddr>,
}

/// What a bench may want otherwise than the rest.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Our address for media; [`DEVICE`]'s if there is none.
    pub media: Option<IpAddr>,
    /// Where call records are written.
    pub records: Option<PathBuf>,
    /// Where operators are listened to.
    pub admin: Option<PathBuf>,
    /// Tables at the end of the configuration.
    pub more: String,
}

/// One shard, one relay worker, one region whose edge is the answerer.
pub fn single(name: &str, mode: MediaMode) -> Recipe {
    recipe(name, mode, &[Region { name: "north", edge: UAS, via: None }], &Wishes::default())
}

/// An older build of ours, with the same configuration as [`single`]'s.
pub fn older(name: &str, program: &Path, mode: MediaMode) -> Recipe {
    let mut recipe = single(name, mode);
    recipe.command[0] = program.display().to_string();
    recipe.note.push_str(", an older build");
    recipe
}

/// One site whose groups are these regions, in order.
pub fn recipe(name: &str, mode: MediaMode, regions: &[Region], wishes: &Wishes) -> Recipe {
    let program = sibling("bascule");
    let media = match mode {
        MediaMode::Bypass => "signalling only (media.mode = bypass)",
        MediaMode::Relay => "media relay, epoll",
    };
    Recipe {
        name: name.to_owned(),
        program: "bascule".to_owned(),
        note: format!("B2BUA, 1 shard, {media}"),
        config: ("bascule.toml".to_owned(), config(mode, regions, wishes)),
        command: [&program, "run", "--config", "{config}"].map(str::to_owned).to_vec(),
        ready: DEVICE,
    }
}

/// The configuration.
pub fn config(mode: MediaMode, regions: &[Region], wishes: &Wishes) -> String {
    let mut text = format!(
        "[[listener]]\nname = \"main\"\ntransport = \"udp\"\nbind = \"{DEVICE}\"\n\n\
         [[trunk]]\nname = \"carrier\"\nlistener = \"main\"\nsources = [\"{}\"]\n\n\
         [[route.inbound]]\nprefix = \"\"\nsite = \"bench\"\n\n\
         [process]\nshards = 1\nrelay_workers = 1\n\n[log]\nlevel = \"warn\"\n\n\
         [probe]\ninterval = \"200ms\"\nfall = 2\n\n",
        UAC.ip(),
    );
    text.push_str("[media]\n");
    match mode {
        MediaMode::Bypass => text.push_str("mode = \"bypass\"\n\n"),
        MediaMode::Relay => {
            let _ = write!(
                text,
                "mode = \"relay\"\nv4 = \"{}\"\nports = \"20000-59999\"\n\n",
                wishes.media.unwrap_or(DEVICE.ip())
            );
        }
    }
    if let Some(file) = &wishes.records {
        let _ = write!(text, "[records]\nfile = \"{}\"\n\n", file.display());
    }
    if let Some(socket) = &wishes.admin {
        let _ = write!(text, "[admin]\nsocket = \"{}\"\n\n", socket.display());
    }
    let names: Vec<String> = regions.iter().map(|r| format!("\"{}\"", r.name)).collect();
    for Region { name, edge, via } in regions {
        let listener = if via.is_some() { *name } else { "main" };
        if let Some(via) = via {
            let _ =
                write!(text, "[[listener]]\nname = \"{name}\"\ntransport = \"udp\"\nbind = \"{via}\"\n\n");
        }
        let _ = write!(
            text,
            "[[region]]\nname = \"{name}\"\n\n[[edge_group]]\nname = \"{name}\"\nregion = \"{name}\"\n\
             listener = \"{listener}\"\nedges = [{{ name = \"{name}\", address = \"{edge}\" }}]\n\n",
        );
    }
    let _ = write!(text, "[[site]]\nname = \"bench\"\ngroups = [{}]\n", names.join(", "));
    text.push_str(&wishes.more);
    text
}
