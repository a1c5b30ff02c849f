//! The shell's own settings.

use super::policy::{ranged, time};
use super::{admin, dns, observe, records};
use crate::config::complaint::Complaints;
use crate::config::raw::{RawConfig, RawLog, RawLogFormat, RawProcess};
use crate::config::settings::{LogFormat, LogSettings, RelaySettings, Settings};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Shards that names in branches and tags have room for is 256; more than a big machine has cores is a slip.
const MAX_SHARDS: u32 = 64;

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
        admin: admin::listen(&raw.admin, complaints),
        control: admin::socket(&raw.admin, complaints),
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
