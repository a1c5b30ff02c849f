//! Live calls as operators see them: values, read off the hot path.

use crate::{Direction, Receipt, Step};
use relay_values::{SessionId, Time};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Names a live call. A call that is over leaves its name to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallName {
    /// Its shard.
    pub shard: u8,
    /// Its place there.
    pub slot: u32,
    /// Tells it from earlier calls in the same place.
    pub nonce: u32,
}

impl fmt::Display for CallName {
    /// 18 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}{:08x}{:08x}", self.shard, self.slot, self.nonce)
    }
}

impl FromStr for CallName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 18 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(());
        }
        let part = |from, to| text.get(from..to).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let shard = part(0, 2).and_then(|shard| u8::try_from(shard).ok()).ok_or(())?;
        Ok(Self { shard, slot: part(2, 10).ok_or(())?, nonce: part(10, 18).ok_or(())? })
    }
}

/// How far a live call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallPhase {
    /// Being set up; nobody has said that it rings.
    Hunting,
    /// It rings.
    Ringing,
    /// Up.
    Answered,
    /// Up, and its tier leg is on its way to another edge.
    Moving,
    /// Over for its legs; statistics or an ACK are awaited.
    Closing,
}

impl CallPhase {
    /// Every value.
    pub const ALL: [Self; 5] = [Self::Hunting, Self::Ringing, Self::Answered, Self::Moving, Self::Closing];

    /// As operators read and write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hunting => "hunting",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Moving => "moving",
            Self::Closing => "closing",
        }
    }
}

/// Which live calls are wanted: those that fit all that is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallQuery {
    /// How the calling or the called number begins, a leading `+` aside.
    pub number: Option<String>,
    /// Name of the trunk.
    pub trunk: Option<String>,
    /// Name of the site.
    pub site: Option<String>,
    /// Name of the region that the tier leg is in.
    pub region: Option<String>,
    /// How far they have come.
    pub phase: Option<CallPhase>,
    /// Call-ID of either leg, whole.
    pub call_id: Option<String>,
}

/// A live call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallView {
    /// Its name.
    pub name: CallName,
    /// How far it has come.
    pub phase: CallPhase,
    /// Which way.
    pub direction: Direction,
    /// Calling number or user, as the A-leg said it.
    pub calling: String,
    /// Called number or user.
    pub called: String,
    /// Where the INVITE came from.
    pub source: SocketAddr,
    /// The trunk's name; empty if none was chosen yet.
    pub trunk: String,
    /// The site's name.
    pub site: String,
    /// The region that the tier leg is in.
    pub region: String,
    /// The target that was tried last, or since a move the edge that the tier leg sits at.
    pub target: String,
    /// The A-leg's Call-ID.
    pub a_call_id: String,
    /// The B-leg's Call-ID; empty if there is none.
    pub b_call_id: String,
    /// INVITE received.
    pub started: Time,
    /// First response above 100 sent to the A-leg.
    pub ringing: Option<Time>,
    /// 2xx sent to the A-leg.
    pub answered: Option<Time>,
    /// Generation that it was admitted under.
    pub generation: u64,
    /// How often its tier leg has been moved, or was to be.
    pub moves: usize,
}

/// A live call, and what has happened to it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallDetail {
    /// The call.
    pub call: CallView,
    /// The hunt, step by step.
    pub steps: Vec<Step>,
    /// Every move of its tier leg after the answer that has ended.
    pub moves: Vec<Receipt>,
    /// Where its media is.
    pub media: CallMedia,
}

/// Where a live call's media is, for whoever asks the relay about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallMedia {
    /// It has none yet.
    None,
    /// It goes past us.
    Bypass,
    /// At the relay, line by line in order of the descriptions; most calls have one. When the call is closing the relay may have
    /// released them.
    Relayed(Vec<MediaLine>),
}

/// One `m=` line of a call at the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaLine {
    /// Its session there.
    pub session: SessionId,
    /// Which `m=` line it is, from 0, in the descriptions of both legs.
    pub place: usize,
    /// The call is measured by it.
    pub leads: bool,
}

/// Some of a shard's calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallPage {
    /// In order of their place.
    pub calls: Vec<CallView>,
    /// Where to go on; `None` at the end.
    pub next: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written_and_nothing_else_is_a_name() {
        let name = CallName { shard: 3, slot: 77, nonce: 0xdead_beef };
        assert_eq!(name.to_string().parse(), Ok(name));
        for text in [
            "",
            "03",
            "0300000004ddeadbeez",
            "03000000+4ddeadbeef",
            "../../../etc/passwd",
            "é300000004ddeadbee",
        ] {
            assert_eq!(text.parse::<CallName>(), Err(()), "{text}");
        }
    }
}
