//! Connections: how many, how long, how large.

use super::accept::Stumbles;
use super::patient::Patient;
use super::secure::{self, Handshakes};
use super::{Api, Denied, routes};
use crate::control::Desk;
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
    /// Over TCP, with TLS.
    Tls,
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
    let handshakes = Handshakes::default();
    let mut stumbles = Stumbles::of("admin listener");
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => {}
            accepted = listener.accept() => {
                let (stream, from) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        stumbles.over(&error).await;
                        continue;
                    }
                };
                // The end of an answer does not wait for the client's word on its beginning.
                let _ = stream.set_nodelay(true);
                let visit = Visit::new(&desk, &router, &room);
                // As it is configured now: a reload brings a new certificate to those who come after it.
                let Some(config) = desk.tls().admin().cloned() else {
                    let loopback = stream.local_addr().is_ok_and(|at| at.ip().to_canonical().is_loopback());
                    tokio::spawn(visit.begin(stream, Way::Tcp { loopback }));
                    continue;
                };
                let Some(place) = handshakes.begin(from.ip().to_canonical()) else {
                    desk.denied().count(Denied::Handshakes);
                    continue;
                };
                tokio::spawn(async move {
                    let shaken = secure::take(config, stream).await;
                    drop(place);
                    match shaken {
                        Ok(stream) => visit.begin(stream, Way::Tls).await,
                        Err(why) => visit.desk.denied().count(why),
                    }
                });
            }
        }
    }
    Ok(())
}

/// What a connection works with.
pub(super) struct Visit {
    desk: Arc<Desk>,
    router: Router,
    /// Places for connections.
    room: Arc<Semaphore>,
}

impl Visit {
    pub(super) fn new(desk: &Arc<Desk>, router: &Router, room: &Arc<Semaphore>) -> Self {
        Self { desk: Arc::clone(desk), router: router.clone(), room: Arc::clone(room) }
    }

    /// To its end. Beyond the bound a client is closed at once: it can come again.
    pub(super) async fn begin<S>(self, stream: S, way: Way)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match self.room.try_acquire() {
            Ok(_place) => serve(self.router, stream, way).await,
            Err(_) => self.desk.denied().count(Denied::Connections),
        }
    }
}

/// One connection, to its end.
async fn serve<S>(router: Router, stream: S, way: Way)
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
