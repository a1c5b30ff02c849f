//! TLS before the first message: a handshake with an end, in a task of its own.

use super::connection::{self, Kit};
use super::reason::StreamRefusal;
use super::{News, dial};
use crate::limits::{CONNECT_TIMEOUT, HANDSHAKE};
use crate::shared::Shared;
use crate::tls::{Client, Domains, TlsFailure};
use proxy_core::{Peer, Proof};
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Take a connection, and serve it.
pub(super) async fn take(mut kit: Kit, config: Arc<ServerConfig>, stream: TcpStream) {
    let shaken = tokio::select! {
        // The table has given its place to another, and its reason.
        _ = &mut kit.kept => return,
        shaken = timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)) => shaken,
    };
    let stream = match judged(&kit.shared, kit.peer, shaken) {
        Ok(stream) => stream,
        Err(()) => return kit.fail(StreamRefusal::Handshake).await,
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let names: Arc<[Box<str>]> = shown.map(|der| Domains::of(der).names).unwrap_or_default().into();
    kit.shared.proven(kit.peer, kit.serial, Some(Proof::Names(Arc::clone(&names)))).await;
    let _ = kit.news.send(News::Proved { peer: kit.peer, serial: kit.serial, names }).await;
    connection::run(kit, tokio_rustls::TlsStream::from(stream), true).await;
}

/// Begin a connection, and serve it.
pub(super) async fn begin(mut kit: Kit, client: Client, bind: SocketAddr) {
    let Ok(Ok(stream)) = timeout(CONNECT_TIMEOUT, dial(bind, kit.peer.remote)).await else {
        return kit.fail(StreamRefusal::Unreachable).await;
    };
    let shaking = TlsConnector::from(client.config).connect(client.name, stream);
    let shaken = tokio::select! {
        _ = &mut kit.kept => return,
        shaken = timeout(HANDSHAKE, shaking) => shaken,
    };
    match judged(&kit.shared, kit.peer, shaken) {
        Ok(stream) => {
            kit.shared.proven(kit.peer, kit.serial, Some(Proof::Called)).await;
            connection::run(kit, tokio_rustls::TlsStream::from(stream), false).await;
        }
        Err(()) => kit.fail(StreamRefusal::Handshake).await,
    }
}

/// What a handshake came to, counted and told to the log.
fn judged<S>(
    shared: &Shared,
    peer: Peer,
    shaken: Result<io::Result<S>, tokio::time::error::Elapsed>,
) -> Result<S, ()> {
    let (why, said) = match shaken {
        Ok(Ok(stream)) => {
            shared.tally.handshakes.succeed();
            return Ok(stream);
        }
        Ok(Err(error)) => (TlsFailure::from(&error), error.to_string()),
        Err(_) => (TlsFailure::Timeout, String::new()),
    };
    shared.tally.handshakes.fail(why);
    tracing::debug!(peer = %peer.remote, reason = why.as_str(), said, "TLS handshake failed");
    Err(())
}
