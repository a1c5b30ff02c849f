//! The admin port: `GET /metrics` and `GET /healthz`, as little HTTP as a scraper needs (RFC 9112).

use crate::limits::{HTTP_CONNECTIONS, HTTP_REQUEST, HTTP_TIMEOUT};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// What the port shows.
pub(crate) trait Shown: Send + Sync + 'static {
    /// Prometheus text.
    fn metrics(&self) -> String;
    /// `Ok` when calls can be taken.
    fn healthy(&self) -> Result<String, String>;
}

pub(crate) async fn run(
    socket: std::net::TcpListener,
    shown: Arc<dyn Shown>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    let room = Arc::new(Semaphore::new(HTTP_CONNECTIONS));
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => {}
            accepted = listener.accept() => {
                // Beyond the bound a client is closed at once: it can come again.
                if let (Ok((stream, _)), Ok(permit)) = (accepted, Arc::clone(&room).try_acquire_owned()) {
                    let shown = Arc::clone(&shown);
                    tokio::spawn(async move {
                        let _ = tokio::time::timeout(HTTP_TIMEOUT, serve(stream, shown)).await;
                        drop(permit);
                    });
                }
            }
        }
    }
    Ok(())
}

/// One request, one answer, and the connection is closed.
async fn serve(mut stream: TcpStream, shown: Arc<dyn Shown>) -> io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        if head.len() >= HTTP_REQUEST || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = head.split(|b| *b == b'\r').next().unwrap_or_default();
    let mut words = line.split(|b| *b == b' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split(|b| *b == b'?').next().unwrap_or_default();
    let (status, kind, body) = match (method, path) {
        // A shard that is busy is waited for: not on the thread that serves the others.
        (b"GET" | b"HEAD", b"/metrics") => {
            let text = tokio::task::spawn_blocking(move || shown.metrics()).await.unwrap_or_default();
            ("200 OK", "text/plain; version=0.0.4; charset=utf-8", text)
        }
        (b"GET" | b"HEAD", b"/healthz") => match shown.healthy() {
            Ok(text) => ("200 OK", "text/plain; charset=utf-8", text),
            Err(text) => ("503 Service Unavailable", "text/plain; charset=utf-8", text),
        },
        (b"GET" | b"HEAD", _) => {
            ("404 Not Found", "text/plain", "/metrics and /healthz are here\n".to_owned())
        }
        _ => ("405 Method Not Allowed", "text/plain", "GET only\n".to_owned()),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    if method != b"HEAD" {
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}
