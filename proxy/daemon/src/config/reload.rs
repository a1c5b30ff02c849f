//! What a running process can take over from a new configuration, and what needs a restart.

use super::{Loaded, RelaySettings, Settings};
use datapath::{DatapathChoice, SocketEngine};
use proxy_core::Config;
use relay_core::{Prompt, SilencePolicy};
use std::net::IpAddr;

/// Settings that differ and cannot be changed while running.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("needs a restart: {} changed", .0.join(", "))]
pub struct NeedsRestart(pub Vec<&'static str>);

/// Compare what runs with what is wanted. Everything not named here is taken over live: regions, edge groups, sites,
/// trunks, routes, timers, hunting, probing, limits on calls.
pub(crate) fn needs_restart(old: (&Config, &Settings), new: &Loaded) -> Result<(), NeedsRestart> {
    let (old_config, old) = old;
    let Loaded { config, settings, .. } = new;
    // Calls hold a listener by its number, so the list stays as it is.
    let checks = [
        ("[[listener]]", old_config.listeners != config.listeners),
        ("[media] mode", old_config.media.mode != config.media.mode),
        (
            "[media] addresses, ports, dscp or datapath, [process] relay_workers",
            old.relay.as_ref().map(sockets) != settings.relay.as_ref().map(sockets),
        ),
        ("[media.silence]", old.relay.as_ref().map(silence) != settings.relay.as_ref().map(silence)),
        ("[rehome] prompt", old.relay.as_ref().map(prompt) != settings.relay.as_ref().map(prompt)),
        ("[process] shards", old.shards != settings.shards),
        ("[process] cpus", old.cpus != settings.cpus),
        ("the first or the last [[stir]]", old.stir.is_empty() != settings.stir.is_empty()),
        (
            "[admin]",
            (old.admin, &old.control, &old.access, &old.audit)
                != (settings.admin, &settings.control, &settings.access, &settings.audit),
        ),
        ("[records]", old.records != settings.records),
        ("[trace] or [hep]", old.observe != settings.observe),
        ("[log]", old.log != settings.log),
        (
            "[limits] tcp_connections or tcp_connections_per_peer",
            (old.tcp_connections, old.tcp_connections_per_peer)
                != (settings.tcp_connections, settings.tcp_connections_per_peer),
        ),
    ];
    let differ: Vec<_> = checks.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
    if differ.is_empty() { Ok(()) } else { Err(NeedsRestart(differ)) }
}

fn sockets(relay: &RelaySettings) -> (&[IpAddr], u16, u16, u8, (DatapathChoice, SocketEngine), u8) {
    let RelaySettings {
        addresses,
        first_port,
        last_port,
        dscp,
        datapath,
        sockets,
        workers,
        silence: _,
        prompt: _,
    } = relay;
    (addresses, *first_port, *last_port, *dscp, (*datapath, *sockets), *workers)
}

fn silence(relay: &RelaySettings) -> SilencePolicy {
    relay.silence
}

fn prompt(relay: &RelaySettings) -> Option<&Prompt> {
    relay.prompt.as_ref()
}
