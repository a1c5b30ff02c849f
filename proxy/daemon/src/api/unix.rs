//! The admin socket: the same API, where the system says who asks.

use super::accept::Stumbles;
use super::serve::{Visit, Way};
use super::socket::AdminSocket;
use super::{Api, routes};
use crate::limits::CONTROL_CONNECTIONS;
use std::io;
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio::sync::{Semaphore, watch};

/// Serve until the appliance stops. The socket's file is removed then.
pub(crate) async fn unix(
    socket: AdminSocket,
    api: Arc<Api>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = UnixListener::from_std(socket.listener.try_clone()?)?;
    let desk = Arc::clone(&api.desk);
    let (router, room) = (routes::router(api), Arc::new(Semaphore::new(CONTROL_CONNECTIONS)));
    let mut stumbles = Stumbles::of("admin socket");
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Of one that has gone already the system may know nothing more.
                    let Ok(peer) = stream.peer_cred() else { continue };
                    let way = Way::Unix { uid: peer.uid(), gid: peer.gid() };
                    tokio::spawn(Visit::new(&desk, &router, &room).begin(stream, way));
                }
                Err(error) => stumbles.over(&error).await,
            }
        }
    }
    Ok(())
}
