//! The admin API over the admin socket: one connection, one request, one answer.

use super::args::Where;
use super::report::print;
use super::socket::connect;
use super::{Ended, Failure};
use bascule::api::shapes::Words;
use bascule::api::wishes::Problem;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use tokio::signal::ctrl_c;
use tokio::time::{Duration, sleep};

/// Bytes of an answer: 256 calls are some 150 KiB.
const MOST: usize = 16 << 20;

/// How often what is watched is asked for.
const WATCH: Duration = Duration::from_secs(1);

/// What was answered, as it came. What was refused is for a program a line, too.
pub(super) async fn ask(at: &Where, method: Method, target: &str) -> Result<Bytes, Failure> {
    let response = send(at, method, target, Bytes::new()).await?;
    let status = response.status();
    let body = whole(response).await?;
    if status.is_success() { Ok(body) } else { Err(refused(at, status, &body)) }
}

/// The beginning of an answer. The connection lives as long as its body.
pub(super) async fn send(
    at: &Where,
    method: Method,
    target: &str,
    body: Bytes,
) -> Result<Response<Incoming>, Failure> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(connect(at).await?)).await.map_err(lost)?;
    // What is wrong with it is what is wrong with the exchange.
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(target).header("Host", "bascule");
    let request = request.body(Full::new(body)).map_err(lost)?;
    sender.send_request(request).await.map_err(lost)
}

pub(super) async fn whole(response: Response<Incoming>) -> Result<Bytes, Failure> {
    Limited::new(response.into_body(), MOST).collect().await.map(|body| body.to_bytes()).map_err(lost)
}

/// What the service says of why it does not.
pub(super) fn refused(at: &Where, status: StatusCode, body: &[u8]) -> Failure {
    let problem = serde_json::from_slice(body).unwrap_or_else(|_| Problem {
        message: format!("the service answers {status}"),
        advice: "is it of another version than this command?".to_owned(),
        reason: None,
        complaints: Vec::new(),
    });
    said(at, Failure::new(problem.message, problem.advice))
}

/// A refusal is for a program a line, too.
pub(super) fn said(at: &Where, failure: Failure) -> Failure {
    if at.json {
        let Failure(words) = &failure;
        print(&line::<Words>("error", words));
    }
    failure
}

/// An answer as a line for a program: what it is, what it says, and that nothing comes after it.
pub(super) fn line<T: Serialize>(is: &str, what: &T) -> String {
    #[derive(Serialize)]
    struct Line<'a, T> {
        is: &'a str,
        #[serde(flatten)]
        what: &'a T,
        done: bool,
    }
    serde_json::to_string(&Line { is, what, done: true }).unwrap_or_default()
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        let advice = "is the service of another version than this command?";
        Failure::new(format!("an answer that cannot be read: {error}"), advice)
    })
}

/// A value within a query or a path.
pub(super) fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Once, or over and over until somebody presses Ctrl-C.
pub(super) async fn watched<F>(watch: bool, mut once: impl FnMut() -> F) -> Result<Ended, Failure>
where
    F: Future<Output = Result<Ended, Failure>>,
{
    loop {
        let ended = tokio::select! {
            _ = ctrl_c() => return Ok(Ended::Interrupted),
            ended = once() => ended?,
        };
        if !watch || ended != Ended::Done {
            return Ok(ended);
        }
        tokio::select! {
            _ = ctrl_c() => return Ok(Ended::Interrupted),
            () = sleep(WATCH) => {}
        }
    }
}

pub(super) fn lost(error: impl Display) -> Failure {
    Failure::new(
        format!("the connection is lost: {error}"),
        "is the service running, and are few others connected? A drain or drill whose client is gone is stopped; see `bascule regions` and its log",
    )
}
