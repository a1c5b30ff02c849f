//! A tap on the wire of one appliance, as its configuration says where that is.

use bascule::config::Loaded;
use sip_tap::{Ours, Timing};

/// Its listeners are ours, and the connections that it opens to its targets.
pub(crate) fn ours(loaded: &Loaded) -> Ours {
    let config = &loaded.config;
    let peers = config.targets.iter().map(|target| target.peer.remote);
    Ours::at(config.listeners.iter().map(|listener| listener.bind)).with_peers(peers)
}

/// How exact it has to be beside other tests, by the timers of its configuration.
pub(crate) fn timing(loaded: &Loaded) -> Timing {
    let timers = &loaded.config.timers;
    Timing { t1: timers.t1, t2: timers.t2, t4: timers.t4, ..Timing::rfc() }
}
