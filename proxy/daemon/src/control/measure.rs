//! What the relay measures of a live call at this moment. The shard says which sessions are the call's; the relay's workers
//! are asked past it, so that nobody's curiosity costs a call its turn.

use super::desk::Desk;
use crate::api::shapes::Words;
use crate::limits::{CALL_LOOKS, RELAY_ANSWER};
use datapath::{Engine, NotAsked};
use proxy_core::{CallDetail, CallMedia, CallName, CallQuery, MediaLine};
use relay_values::{Measured, SessionId};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// Why nothing is measured of a call, or of a line of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmeasured {
    /// Its media goes past us.
    Bypass,
    /// It has no media yet.
    NoMedia,
    /// The relay has no session of it: none yet, or none any more.
    NoSession,
    /// Too many questions wait for the relay worker.
    Busy,
    /// The relay worker has not answered in time.
    NoAnswer,
    /// There is no relay, or its worker has ended.
    NoRelay,
}

impl Unmeasured {
    /// A short name for whoever is told.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::NoMedia => "no_media",
            Self::NoSession => "no_session",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::NoRelay => "no_relay",
        }
    }
}

impl From<NotAsked> for Unmeasured {
    fn from(why: NotAsked) -> Self {
        match why {
            NotAsked::Busy => Self::Busy,
            NotAsked::Ended => Self::NoRelay,
        }
    }
}

/// A line of a call, and what is measured of it.
pub(crate) type MeasuredLine = (MediaLine, Result<Box<Measured>, Unmeasured>);

impl Desk {
    /// A live call by its name, or by the Call-ID of either leg; where its media is, is among what is known of it.
    pub(crate) async fn call_of(&self, text: &str) -> Result<Option<Box<CallDetail>>, Words> {
        let name = match text.parse::<CallName>() {
            Ok(name) => Some(name),
            Err(()) => self.name_of(text).await?,
        };
        match name {
            Some(name) => self.call(name).await,
            None => Ok(None),
        }
    }

    /// The name of the live call one of whose legs has this Call-ID.
    async fn name_of(&self, call_id: &str) -> Result<Option<CallName>, Words> {
        let query = CallQuery { call_id: Some(call_id.to_owned()), ..CallQuery::default() };
        let mut from = (0, 0);
        for _ in 0..CALL_LOOKS {
            let (found, next) = self.calls(query.clone(), from, 1).await?;
            match (found.first(), next) {
                (Some(view), _) => return Ok(Some(view.name)),
                (None, Some(next)) => from = next,
                (None, None) => break,
            }
        }
        Ok(None)
    }

    /// What is measured of a call's lines at this moment. The relay is waited for, though not for long.
    pub(crate) async fn measure(&self, media: &CallMedia) -> Result<Vec<MeasuredLine>, Unmeasured> {
        let lines = match media {
            CallMedia::None => return Err(Unmeasured::NoMedia),
            CallMedia::Bypass => return Err(Unmeasured::Bypass),
            CallMedia::Relayed(lines) => lines,
        };
        let (engine, _) = self.media().ok_or(Unmeasured::NoRelay)?;
        // All are asked before one is waited for.
        let asked: Vec<_> = lines.iter().map(|line| (*line, ask(engine, line.session))).collect();
        let until = Instant::now() + RELAY_ANSWER;
        let mut measured = Vec::new();
        for (line, answer) in asked {
            let answer = match answer {
                Ok(answer) => match timeout_at(until, answer).await {
                    Ok(Ok(Some(measured))) => Ok(Box::new(measured)),
                    Ok(Ok(None)) => Err(Unmeasured::NoSession),
                    Ok(Err(_)) => Err(Unmeasured::NoRelay),
                    Err(_) => Err(Unmeasured::NoAnswer),
                },
                Err(why) => Err(why.into()),
            };
            measured.push((line, answer));
        }
        Ok(measured)
    }
}

fn ask(engine: &Engine, session: SessionId) -> Result<oneshot::Receiver<Option<Measured>>, NotAsked> {
    let (answer, answered) = oneshot::channel();
    // Who asked may have stopped waiting.
    engine.measure(session, move |measured| drop(answer.send(measured)))?;
    Ok(answered)
}
