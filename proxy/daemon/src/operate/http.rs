//! The admin API over the admin socket: one request, one answer.

use super::args::Where;
use super::line::path;
use super::report::print;
use super::{Ended, Failure};
use bascule::api::Problem;
use bascule::control::Words;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use tokio::net::UnixStream;
use tokio::signal::ctrl_c;
use tokio::time::{Duration, sleep};

/// Bytes of an answer: 256 calls are some 150 KiB.
const MOST: usize = 16 << 20;

/// How often what is watched is asked for.
const WATCH: Duration = Duration::from_secs(1);

/// What was answered, as it came. What was refused is for a program a line, too.
pub(super) async fn ask(at: &Where, method: Method, target: &str) -> Result<Bytes, Failure> {
    let socket = path(at)?;
    let stream =
        UnixStream::connect(&socket).await.map_err(|error| super::line::unreachable(&socket, &error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let request = Request::builder().method(method).uri(target).header("Host", "bascule");
    let request = request.body(Empty::<Bytes>::new()).map_err(lost)?;
    // The connection ends with its sender.
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(lost)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MOST).collect().await.map_err(lost)?.to_bytes();
        Ok((status, body))
    };
    let (answer, _) = tokio::join!(exchange, connection_of(connection));
    let (status, body) = answer?;
    if status.is_success() {
        return Ok(body);
    }
    let problem = serde_json::from_slice(&body).unwrap_or_else(|_| Problem {
        message: format!("the service answers {status}"),
        advice: "is it of another version than this command?".to_owned(),
        reason: None,
        complaints: Vec::new(),
    });
    let words = Words { message: problem.message, advice: problem.advice };
    if at.json {
        print(&line("error", &words));
    }
    Err(Failure(words))
}

/// An answer as a line for a program: what it is, what it says, and that nothing comes after it.
pub(super) fn line(is: &str, what: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Line<'a, T> {
        is: &'a str,
        #[serde(flatten)]
        what: &'a T,
        done: bool,
    }
    serde_json::to_string(&Line { is, what, done: true }).unwrap_or_default()
}

async fn connection_of<F: Future>(connection: F) {
    // What is wrong with it is what is wrong with the exchange.
    let _ = connection.await;
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        let advice = "is the service of another version than this command?";
        Failure::new(format!("an answer that cannot be read: {error}"), advice)
    })
}

/// A value within a query.
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

fn lost(error: impl Display) -> Failure {
    Failure::new(format!("the connection is lost: {error}"), "is the service running? Look at its log")
}
