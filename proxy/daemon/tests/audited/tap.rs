//! A tap on the wire of one appliance, as its configuration says where that is.

use bascule::config::Loaded;
use proxy_core::Transport;
use sip_tap::{Ours, Timing};

/// Its listeners are ours, and the connections that it opens to its targets; what goes over TLS nobody else can read.
pub(crate) fn ours(loaded: &Loaded) -> Ours {
    let config = &loaded.config;
    let plain = config.targets.iter().filter(|target| target.peer.transport != Transport::Tls);
    let listeners = config.listeners.iter().filter(|listener| listener.transport != Transport::Tls);
    Ours::at(listeners.map(|listener| listener.bind)).with_peers(plain.map(|target| target.peer.remote))
}

/// How exact it has to be beside other tests, by the timers of its configuration.
pub(crate) fn timing(loaded: &Loaded) -> Timing {
    let timers = &loaded.config.timers;
    Timing { t1: timers.t1, t2: timers.t2, t4: timers.t4, ..Timing::rfc() }
}
