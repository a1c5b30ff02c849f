//! One connection to the receiver, one request at a time.

use super::outcome::Outcome;
use crate::config::DeliverySettings;
use crate::limits::DELIVERY_ANSWER;
use crate::records::spool::Entry;
use crate::tls::{TlsFailure, read_roots, web_client};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::http::uri::Scheme;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const AGENT: &str = concat!("bascule/", env!("CARGO_PKG_VERSION"));

pub(super) struct Client {
    url: Uri,
    ca: PathBuf,
    token: Option<PathBuf>,
    timeout: Duration,
    line: Option<Line>,
}

/// A connection that is kept for the next request.
struct Line {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    /// Something was answered on it: if it has gone since, it was merely idle for too long.
    proven: bool,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Line {
    async fn over<S>(stream: S) -> Result<Self, Outcome>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let made = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = made.map_err(|e| Outcome::Unreachable(e.to_string()))?;
        let driver = tokio::spawn(async move {
            // Whoever sends hears of it.
            let _ = connection.await;
        });
        Ok(Self { sender, driver, proven: false })
    }
}

impl Client {
    pub(super) fn new(settings: &DeliverySettings) -> Self {
        let DeliverySettings { url, ca, token_file, timeout, .. } = settings;
        Self { url: url.clone(), ca: ca.clone(), token: token_file.clone(), timeout: *timeout, line: None }
    }

    /// Send these records.
    pub(super) async fn post(&mut self, entries: &[Entry]) -> Outcome {
        let mut outcome = self.within(entries).await;
        if matches!(outcome, Outcome::Lost(_)) && self.line.take().is_some_and(|line| line.proven) {
            outcome = self.within(entries).await;
        }
        if !matches!(outcome, Outcome::Taken | Outcome::Refused(_) | Outcome::Later(..)) {
            self.line = None;
        }
        outcome
    }

    async fn within(&mut self, entries: &[Entry]) -> Outcome {
        let time = self.timeout;
        timeout(time, self.send(entries)).await.unwrap_or(Outcome::Silent)
    }

    async fn send(&mut self, entries: &[Entry]) -> Outcome {
        if self.line.as_ref().is_none_or(|line| line.sender.is_closed()) {
            self.line = match self.connect().await {
                Ok(line) => Some(line),
                Err(outcome) => return outcome,
            };
        }
        let request = match self.request(entries) {
            Ok(request) => request,
            Err(why) => return Outcome::Unreachable(why),
        };
        let Some(line) = &mut self.line else { return Outcome::Lost(String::new()) };
        if let Err(error) = line.sender.ready().await {
            return Outcome::Lost(error.to_string());
        }
        match line.sender.send_request(request).await {
            Err(error) => Outcome::Lost(error.to_string()),
            Ok(response) => {
                line.proven = true;
                let outcome = Outcome::of(response.status().as_u16(), retry_after(&response));
                // Read to its end, the connection serves again.
                if Limited::new(response.into_body(), DELIVERY_ANSWER).collect().await.is_err() {
                    self.line = None;
                }
                outcome
            }
        }
    }

    async fn connect(&self) -> Result<Line, Outcome> {
        let host = self.url.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_secure = self.url.scheme() == Some(&Scheme::HTTPS);
        let port = self.url.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let failed = |e: io::Error| Outcome::Unreachable(e.to_string());
        let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
        if !is_secure {
            return Line::over(stream).await;
        }
        let tls = self.tls().map_err(Outcome::Unreachable)?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Outcome::Unreachable(format!("{host} is no name of a host")))?;
        let stream = tls.connect(name, stream).await.map_err(|e| Outcome::Insecure(TlsFailure::from(&e)))?;
        Line::over(stream).await
    }

    /// With the authorities that are believed now: their file may be another one by the next connection.
    fn tls(&self) -> Result<TlsConnector, String> {
        let roots = read_roots(&self.ca).map_err(|e| e.to_string())?;
        let config = web_client(roots).map_err(|e| e.to_string())?;
        Ok(TlsConnector::from(Arc::new(config)))
    }

    fn request(&self, entries: &[Entry]) -> Result<Request<Full<Bytes>>, String> {
        let body: Vec<u8> = entries.iter().flat_map(|e| e.line.iter().copied()).collect();
        let path = self.url.path_and_query().map_or("/", |p| p.as_str());
        let host = self.url.authority().map_or("", |a| a.as_str());
        let mut request = Request::post(path)
            .header(HOST, host)
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/x-ndjson")
            .header("idempotency-key", key(entries));
        if let Some(path) = &self.token {
            let token = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim()))
                .map_err(|_| format!("{} holds no token", path.display()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.body(Full::new(Bytes::from(body))).map_err(|e| e.to_string())
    }
}

/// The record's own key, or those of the first and the last.
fn key(entries: &[Entry]) -> String {
    match entries {
        [] => String::new(),
        [only] => format!("\"{}\"", only.key),
        [first, .., last] => format!("\"{}:{}\"", first.key, last.key),
    }
}

/// In seconds (RFC 9110 §10.2.3); a date is not read.
fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
