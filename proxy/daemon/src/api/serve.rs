//! Connections: how many, how long, how large.

use super::patient::Patient;
use super::{Api, Denied, routes};
use crate::limits::{HTTP_CONNECTIONS, HTTP_HEAD, HTTP_HEADERS, HTTP_TIMEOUT};
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// How a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over the admin socket, from a process of this user and group, as the kernel says.
    Unix { uid: u32, gid: u32 },
    /// Over TCP, in clear.
    Tcp {
        /// To an address that only this host reaches.
        loopback: bool,
    },
}

/// Serve the TCP listener until the appliance stops.
pub(crate) async fn tcp(
    socket: std::net::TcpListener,
    api: Arc<Api>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    let desk = Arc::clone(&api.desk);
    let router = routes::router(api);
    let room = Arc::new(Semaphore::new(HTTP_CONNECTIONS));
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                // Beyond the bound a client is closed at once: it can come again.
                let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                    desk.denied().count(Denied::Connections);
                    continue;
                };
                let loopback = stream.local_addr().is_ok_and(|at| at.ip().to_canonical().is_loopback());
                let router = router.clone();
                tokio::spawn(async move {
                    serve(router, stream, Way::Tcp { loopback }).await;
                    drop(permit);
                });
            }
        }
    }
    Ok(())
}

/// One connection, to its end.
pub(crate) async fn serve<S>(router: Router, stream: S, way: Way)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(way);
        inner.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP_TIMEOUT)
        .max_buf_size(HTTP_HEAD)
        .max_headers(HTTP_HEADERS)
        .serve_connection(TokioIo::new(Patient::new(stream)), service)
        .await;
    if let Err(error) = served {
        // Theirs: gone, too slow, or no HTTP.
        tracing::debug!(%error, "a connection of the admin API");
    }
}
