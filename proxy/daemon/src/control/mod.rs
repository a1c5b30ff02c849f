//! The admin socket: `bascule status`, `regions`, `scanners`, `drain` and `drill`, for whoever may open the file.
//!
//! [`Request`], [`Line`] and what is in them are the protocol. A drain or a drill lives as long as its connection: whoever
//! loses the connection has stopped it, and new calls flow as before.

mod audit;
mod calls;
mod desk;
mod drain;
mod drill;
mod gaps;
mod measure;
mod protocol;
mod regions;
mod scanners;
mod socket;
mod split;
mod status;
mod talk;
mod watch;

pub use protocol::{
    Answer, Carried, Condition, Cut, Drain, Drill, Edge, End, Gaps, Line, LiveCalls, Measure, Media,
    NameAddress, NameStatus, Progress, Receipt, Region, Registered, Request, Scanner, Status, Summary, Words,
};

pub use crate::observe::{Traced, TracedMessage};

pub(crate) use audit::Audit;
pub(crate) use desk::{Desk, Floor};
pub(crate) use measure::{MeasuredLine, Unmeasured};
pub(crate) use socket::AdminSocket;

use crate::api::{self, Api, Area, Role, Way, Who};
use crate::limits::{CONTROL_CONNECTIONS, CONTROL_IDLE};
use rustix::net::RecvFlags;
use std::io;
use std::sync::Arc;
use talk::{Gone, Heard, Talk};
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch as channel};
use tokio::time::timeout;

/// Serve until the appliance stops. The socket's file is removed then.
pub(crate) async fn run(
    socket: AdminSocket,
    api: Arc<Api>,
    mut stop: channel::Receiver<bool>,
) -> io::Result<()> {
    let listener = UnixListener::from_std(socket.listener.try_clone()?)?;
    let room = Arc::new(Semaphore::new(CONTROL_CONNECTIONS));
    let router = api::router(Arc::clone(&api));
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                    tokio::spawn(turn_away(stream));
                    continue;
                };
                let (api, router) = (Arc::clone(&api), router.clone());
                tokio::spawn(async move {
                    // Who has gone need not be told.
                    let _ = meet(&api, router, stream).await;
                    drop(permit);
                });
            }
        }
    }
    Ok(())
}

/// HTTP and lines share the socket: a method begins with a capital letter (RFC 9110 §9.1), a line does not.
async fn meet(api: &Arc<Api>, router: axum::Router, stream: UnixStream) -> io::Result<()> {
    let Ok(first) = timeout(CONTROL_IDLE, peek(&stream)).await else { return Ok(()) };
    let http = first?.is_ascii_uppercase();
    let peer = stream.peer_cred()?;
    let way = Way::Unix { uid: peer.uid(), gid: peer.gid() };
    if http {
        api::serve(router, stream, way).await;
        return Ok(());
    }
    let mut talk = Talk::new(stream);
    // Who has gone need not be told.
    let _ = match api.access.who(way, None) {
        Some(who) => serve(&api.desk, &who, &mut talk).await,
        None => talk.say(Answer::Error(nobody(peer.uid()))).await,
    };
    Ok(())
}

/// The first byte, which is left where it is; 0 of a connection that was closed.
async fn peek(stream: &UnixStream) -> io::Result<u8> {
    loop {
        stream.readable().await?;
        let mut first = [0];
        let peeked = stream.try_io(Interest::READABLE, || {
            rustix::net::recv(stream, &mut first[..], RecvFlags::PEEK).map_err(io::Error::from)
        });
        match peeked {
            Ok(_) => return Ok(first[0]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

fn nobody(uid: u32) -> Words {
    Words {
        message: format!("the access file knows no user {uid}"),
        advice: "be root or the service's user, or have an entry with your `uid` or `gid` added".to_owned(),
    }
}

/// A drain or a drill of somebody who came another way: the other end of this connection speaks for them.
pub(crate) async fn carry(desk: &Arc<Desk>, who: &Who, stream: UnixStream) {
    // Who has gone need not be told.
    let _ = serve(desk, who, &mut Talk::new(stream)).await;
}

/// The role that a request needs.
fn needs(request: &Request) -> Role {
    match request {
        Request::Stop => Role::View(Area::Edge),
        Request::Drain(_) | Request::Drill(_) => Role::Edit(Area::Edge),
    }
}

/// One request after the other.
async fn serve(desk: &Arc<Desk>, who: &Who, talk: &mut Talk) -> Result<(), Gone> {
    while let Ok(heard) = timeout(CONTROL_IDLE, talk.hear()).await {
        match heard? {
            Heard::Request(request) if !who.roles.allow(needs(&request)) => {
                let message = format!("`{}` may not do that", who.name);
                let advice = format!("it needs the role {}", needs(&request));
                talk.say(Answer::Error(Words { message, advice })).await?;
            }
            Heard::Request(Request::Drain(request)) => {
                let Some(change) = written(desk, who, "drain", &request, talk).await? else { continue };
                let over = drain::run(desk, request, talk).await;
                ended(desk, change, talk).await;
                over?;
            }
            Heard::Request(Request::Drill(request)) => {
                let Some(change) = written(desk, who, "drill", &request, talk).await? else { continue };
                let over = drill::run(desk, request, talk).await;
                ended(desk, change, talk).await;
                over?;
            }
            Heard::Request(Request::Stop) => {
                let message = "nothing is under way on this connection".to_owned();
                let advice = "stop a drain or a drill where it was begun".to_owned();
                talk.say(Answer::Error(Words { message, advice })).await?;
            }
            Heard::Nonsense(words) => talk.say(Answer::Error(words)).await?,
            Heard::TooLong => {
                let message = "the line is longer than any request".to_owned();
                let advice =
                    r#"write one JSON object on a line, such as {"do":"drain","place":"north"}"#.to_owned();
                talk.say(Answer::Error(Words { message, advice })).await?;
                return Err(Gone);
            }
        }
    }
    Ok(())
}

/// In the audit log; `None` if it could not be written there, which the client has been told.
async fn written(
    desk: &Desk,
    who: &Who,
    what: &'static str,
    on: &impl serde::Serialize,
    talk: &mut Talk,
) -> Result<Option<audit::Change>, Gone> {
    talk.refused = None;
    match desk.asked(&who.name, what, on, audit::overrides(&desk.snapshot())).await {
        Ok(change) => Ok(Some(change)),
        Err(words) => talk.say(Answer::Error(words)).await.map(|()| None),
    }
}

async fn ended(desk: &Desk, change: audit::Change, talk: &mut Talk) {
    match talk.refused.take() {
        Some(why) => change.refused(&why).await,
        None => change.done(audit::overrides(&desk.snapshot())).await,
    }
}

async fn turn_away(stream: UnixStream) {
    let message = format!("{CONTROL_CONNECTIONS} connections are open");
    let advice = "close one of them and try again".to_owned();
    let _ = Talk::new(stream).say(Answer::Error(Words { message, advice })).await;
}
