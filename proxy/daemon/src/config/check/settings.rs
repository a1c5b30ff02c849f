//! The shell's own settings.

use super::dns;
use super::policy::{ranged, time};
use super::{observe, records};
use crate::config::complaint::Complaints;
use crate::config::raw::{RawAdmin, RawConfig, RawLog, RawLogFormat, RawProcess};
use crate::config::settings::{LogFormat, LogSettings, RelaySettings, Settings};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Shards that names in branches and tags have room for is 256; more than a big machine has cores is a slip.
const MAX_SHARDS: u32 = 64;

/// A socket's path: unix(7) has room for 108 bytes with the final zero, and it is made under a longer name at first.
const MAX_SOCKET_PATH: usize = 96;

/// Connections that one address may begin: a cluster of sixteen processes behind one address, each with four.
const PER_PEER: u32 = 64;

pub(super) fn shards(raw: &RawProcess, complaints: &mut Complaints) -> u8 {
    raw.shards.as_ref().map_or(1, |n| ranged(n, 1, MAX_SHARDS, "`shards`", complaints) as u8)
}

pub(super) fn read(
    raw: &RawConfig,
    shards: u8,
    relay: Option<RelaySettings>,
    complaints: &mut Complaints,
) -> Settings {
    let cpus = raw.process.cpus.as_ref().map_or(&[][..], |c| c.get_ref().as_slice());
    Settings {
        shards,
        cpus: cpus.iter().map(|c| ranged(c, 0, 1023, "a processor", complaints) as usize).collect(),
        relay,
        admin: admin(&raw.admin, complaints),
        control: control(&raw.admin, complaints),
        audit: raw.admin.audit.as_ref().map(|path| path.get_ref().clone()),
        access: raw.admin.access.as_ref().map(|path| path.get_ref().clone()),
        records: records::read(&raw.records, complaints),
        observe: observe::read(raw, complaints),
        log: log(&raw.log, complaints),
        tcp_connections: raw
            .limits
            .tcp_connections
            .as_ref()
            .map_or(1024, |n| ranged(n, 1, 100_000, "`tcp_connections`", complaints))
            as usize,
        tcp_connections_per_peer: raw
            .limits
            .tcp_connections_per_peer
            .as_ref()
            .map_or(PER_PEER, |n| ranged(n, 1, 100_000, "`tcp_connections_per_peer`", complaints))
            as usize,
        drain: time(&raw.process.drain, Duration::from_secs(30)),
        stir: Vec::new(),
        dns: dns::read(&raw.dns, complaints),
    }
}

fn admin(raw: &RawAdmin, complaints: &mut Complaints) -> Option<SocketAddr> {
    let listen = raw.listen.as_ref()?;
    let at = *listen.get_ref();
    if !at.ip().is_loopback() {
        complaints
            .warn(listen.span(), format!("metrics on {at} are open to whoever can reach it"))
            .advise("bind 127.0.0.1, or keep others out with a firewall: there is no password");
    }
    Some(at)
}

fn control(raw: &RawAdmin, complaints: &mut Complaints) -> Option<PathBuf> {
    let written = raw.socket.as_ref()?;
    let path = written.get_ref();
    let length = path.as_os_str().len();
    if length == 0 || length > MAX_SOCKET_PATH || path.file_name().is_none() {
        complaints
            .error(written.span(), format!("`{}` cannot be the path of a socket", path.display()))
            .at(format!("{length} bytes"))
            .advise(format!(
                "write a file of up to {MAX_SOCKET_PATH} bytes, such as \"/run/bascule/admin.sock\""
            ));
    }
    Some(path.clone())
}

fn log(raw: &RawLog, complaints: &mut Complaints) -> LogSettings {
    let format = match raw.format {
        None | Some(RawLogFormat::Auto) => LogFormat::Auto,
        Some(RawLogFormat::Text) => LogFormat::Text,
        Some(RawLogFormat::Json) => LogFormat::Json,
        Some(RawLogFormat::Journald) => LogFormat::Journald,
    };
    let level = raw.level.as_ref().map_or("info", |l| l.get_ref().as_str());
    if let (Err(_), Some(written)) = (EnvFilter::try_new(level), &raw.level) {
        complaints
            .error(written.span(), format!("`{level}` is not a log level"))
            .advise("write error, warn, info, debug or trace, or a filter such as \"bascule=debug,warn\"");
    }
    LogSettings { format, level: level.to_owned() }
}
