//! Names looked up once, for `bascule check` and `bascule route`.

use super::run::{Kit, Known, Order, run};
use crate::clock::Clock;
use crate::config::{DnsSettings, Loaded};
use crate::limits::REPORT_TIMEOUT;
use proxy_core::{Config, Disputed, Place, PlaceView, Resolution};
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use tokio::sync::mpsc;

/// What a configuration's names come to now.
#[derive(Debug, Clone)]
pub struct Found {
    /// The configuration with their addresses.
    pub config: Arc<Config>,
    /// Each name.
    pub places: Vec<PlaceView>,
    /// Addresses that are somebody else's.
    pub disputed: Vec<Disputed>,
}

/// Looks every name of a configuration up; waits for as long as its `[dns] start_wait` says. Without names nobody is asked.
///
/// # Errors
///
/// No runtime could be had of the system.
pub fn look_up(loaded: &Loaded) -> io::Result<Found> {
    let places = places(&loaded.config);
    if places.is_empty() {
        return Ok(Found { config: Arc::clone(&loaded.config), places: Vec::new(), disputed: Vec::new() });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let (tx, orders) = mpsc::channel(4);
    let (done, resolution) = sync_channel(1);
    let (show, shown) = sync_channel(1);
    let settings = Box::new(loaded.settings.dns.clone());
    runtime.block_on(async move {
        let asks = async {
            // The other end lives beside this.
            let _ = tx.send(Order::Places { places, settings, done }).await;
            loop {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                if let Ok(resolution) = resolution.try_recv() {
                    let _ = tx.send(Order::Show(show)).await;
                    drop(tx);
                    break resolution;
                }
            }
        };
        let kit = Kit { seed: 1, clock: Clock::start(), orders };
        let (resolution, ()) = tokio::join!(asks, run(kit));
        let Known { places, .. } = shown.try_recv().unwrap_or_default();
        let (config, disputed) = loaded.config.located(&resolution);
        Ok(Found { config: Arc::new(config), places, disputed })
    })
}

/// The names of a configuration.
fn places(config: &Config) -> BTreeSet<Place> {
    config.named.iter().map(|named| named.place.clone()).collect()
}

/// What the names of a configuration come to: waits for those that were never asked for, though not for longer than the
/// settings say. From then on the thread looks after these names and no others.
pub(crate) fn wait_for(thread: &mpsc::Sender<Order>, config: &Config, settings: &DnsSettings) -> Resolution {
    let (done, resolution) = sync_channel(1);
    let order = Order::Places { places: places(config), settings: Box::new(settings.clone()), done };
    let patience = settings.start_wait + REPORT_TIMEOUT;
    let asked = thread.try_send(order).ok();
    asked.and_then(|()| resolution.recv_timeout(patience).ok()).unwrap_or_default()
}
