//! The admin socket: `bascule status`, `regions`, `scanners`, `drain` and `drill`, for whoever may open the file.
//!
//! [`Request`], [`Line`] and what is in them are the protocol. A drain or a drill lives as long as its connection: whoever
//! loses the connection has stopped it, and new calls flow as before.

mod desk;
mod drain;
mod drill;
mod gaps;
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
    NameAddress, NameStatus, Progress, Receipt, Region, Request, Scanner, Scanners, Status, Summary, Words,
};

pub(crate) use desk::{Desk, Floor};
pub(crate) use socket::AdminSocket;

use crate::limits::{CONTROL_CONNECTIONS, CONTROL_IDLE};
use std::io;
use std::sync::Arc;
use talk::{Gone, Heard, Talk};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch as channel};
use tokio::time::timeout;

/// Serve until the appliance stops. The socket's file is removed then.
pub(crate) async fn run(
    socket: AdminSocket,
    floor: Arc<dyn Floor>,
    mut stop: channel::Receiver<bool>,
) -> io::Result<()> {
    let listener = UnixListener::from_std(socket.listener.try_clone()?)?;
    let room = Arc::new(Semaphore::new(CONTROL_CONNECTIONS));
    let desk = Arc::new(Desk::new(floor));
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                    tokio::spawn(turn_away(stream));
                    continue;
                };
                let desk = Arc::clone(&desk);
                tokio::spawn(async move {
                    // Who has gone need not be told.
                    let _ = serve(&desk, &mut Talk::new(stream)).await;
                    drop(permit);
                });
            }
        }
    }
    Ok(())
}

/// One request after the other.
async fn serve(desk: &Arc<Desk>, talk: &mut Talk) -> Result<(), Gone> {
    while let Ok(heard) = timeout(CONTROL_IDLE, talk.hear()).await {
        match heard? {
            Heard::Request(Request::Regions) => {
                let answer = regions::table(desk).await;
                talk.say(answer).await?;
            }
            Heard::Request(Request::Status) => {
                let answer = status::now(desk).await;
                talk.say(answer).await?;
            }
            Heard::Request(Request::Scanners(request)) => {
                let answer = scanners::list(desk, request).await;
                talk.say(answer).await?;
            }
            Heard::Request(Request::Drain(request)) => drain::run(desk, request, talk).await?,
            Heard::Request(Request::Drill(request)) => drill::run(desk, request, talk).await?,
            Heard::Request(Request::Stop) => {
                let message = "nothing is under way on this connection".to_owned();
                let advice = "stop a drain or a drill where it was begun".to_owned();
                talk.say(Answer::Error(Words { message, advice })).await?;
            }
            Heard::Nonsense(words) => talk.say(Answer::Error(words)).await?,
            Heard::TooLong => {
                let message = "the line is longer than any request".to_owned();
                let advice = r#"write one JSON object on a line, such as {"do":"regions"}"#.to_owned();
                talk.say(Answer::Error(Words { message, advice })).await?;
                return Err(Gone);
            }
        }
    }
    Ok(())
}

async fn turn_away(stream: UnixStream) {
    let message = format!("{CONTROL_CONNECTIONS} connections are open");
    let advice = "close one of them and try again".to_owned();
    let _ = Talk::new(stream).say(Answer::Error(Words { message, advice })).await;
}
