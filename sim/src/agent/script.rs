//! What a user agent of ours does in one call: habits, good and bad.

use super::Session;
use relay_values::Duration;

/// What the caller does.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// No SDP in the INVITE: the callee makes the offer.
    pub late_offer: bool,
    /// RFC 3262: what the INVITE says of reliable provisionals.
    pub reliable: Reliable,
    /// UPDATE with a new offer as soon as the first one has an answer that is certain, before the call is up.
    pub early_update: bool,
    /// CANCEL this long after the INVITE (once there was a provisional response).
    pub cancel: Option<Duration>,
    /// A proxy of his own stands in front of him.
    pub record_route: bool,
    /// 2xx that he leaves without an ACK before he sends one.
    pub deaf_to: u32,
    /// His media comes from another port than his SDP says.
    pub nat: bool,
    /// He offers a picture beside the speech.
    pub picture: bool,
    /// What he has of session timers.
    pub session: Session,
    /// What he does once the call is up, and how long after.
    pub acts: Vec<(Duration, Act)>,
}

/// Reliable provisionals, as the caller has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reliable {
    /// Not spoken of.
    #[default]
    No,
    /// `Supported: 100rel`.
    Supported,
    /// `Require: 100rel`.
    Required,
}

/// What the callee does, one for each INVITE that reaches him.
#[derive(Debug, Clone, Default)]
pub struct Callee {
    /// In order, each so long after the INVITE.
    pub steps: Vec<(Duration, Step)>,
    /// Answers CANCEL with 200 and goes on as if nothing had been said.
    pub ignores_cancel: bool,
    /// A proxy of his own stands in front of him.
    pub record_route: bool,
    /// How he describes his media.
    pub sdp: Sdp,
    /// Which of his provisionals are reliable ones.
    pub provisionals: Provisionals,
    /// He has no screen: a line for a picture is refused.
    pub blind: bool,
    /// His 200 comes twice, at once.
    pub twice: bool,
    /// What he has of session timers.
    pub session: Session,
    /// What he does once the call is up, and how long after.
    pub acts: Vec<(Duration, Act)>,
}

/// Reliable provisionals, as the callee has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Provisionals {
    /// Where the INVITE speaks of them.
    #[default]
    AsAsked,
    /// None.
    Plain,
    /// All, whether anybody knows them or not.
    Reliable,
}

/// How a callee describes his media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sdp {
    /// As everybody does.
    #[default]
    Same,
    /// Another codec than was offered.
    OtherCodec,
    /// Another payload type for telephone-event.
    OtherEvent,
    /// `inactive`, whatever was offered.
    Inactive,
    /// None at all.
    Missing,
}

/// One thing that a callee says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// 100.
    Trying,
    /// 101 to 199.
    Progress {
        /// The code.
        code: u16,
        /// With his answer: early media.
        media: bool,
    },
    /// UPDATE with an offer, where the first exchange is over.
    Update,
    /// 200.
    Answer,
    /// A 200 from another phone behind the same proxy: another To tag.
    Fork,
    /// 300 to 699.
    Refuse {
        /// The code.
        code: u16,
        /// Seconds in Retry-After.
        retry_after: Option<u32>,
    },
}

/// One thing that either side does in a call that is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Hangs up.
    Bye,
    /// re-INVITE with `sendonly`.
    Hold,
    /// re-INVITE with `sendrecv`.
    Resume,
    /// re-INVITE without SDP.
    Ask,
    /// re-INVITE with a fax in the place of the speech (ITU-T T.38).
    Fax,
    /// re-INVITE with speech in the place of the fax.
    Speak,
    /// INFO with a body.
    Info,
    /// MESSAGE with a body.
    Message,
    /// UPDATE with an offer.
    Update,
    /// No more RTP.
    Mute,
    /// RTP again.
    Unmute,
    /// From now on nothing is sent while nothing is said.
    Pause,
    /// A key is pressed (RFC 4733).
    Key(u8),
    /// REFER to somebody else.
    Refer,
}

impl Callee {
    /// 100, 180, 200, each so many milliseconds after the INVITE.
    pub fn answers(trying: u64, ringing: u64, answer: u64) -> Self {
        let steps = [
            (trying, Step::Trying),
            (ringing, Step::Progress { code: 180, media: false }),
            (answer, Step::Answer),
        ];
        Self { steps: at(&steps), ..Self::default() }
    }

    /// What a tier does with a call that is moved to it, if it is in good order: 200 at once.
    pub fn takes_over() -> Self {
        Self { steps: at(&[(5, Step::Trying), (20, Step::Answer)]), ..Self::default() }
    }

    /// Never a word.
    pub fn dead() -> Self {
        Self::default()
    }

    /// A refusal.
    pub fn refuses(after: u64, code: u16) -> Self {
        let steps = [(5, Step::Trying), (after, Step::Refuse { code, retry_after: None })];
        Self { steps: at(&steps), ..Self::default() }
    }

    /// The same, and then these acts.
    #[must_use]
    pub fn then(mut self, acts: &[(u64, Act)]) -> Self {
        self.acts = at(acts);
        self
    }
}

impl Caller {
    /// Offers, and does these things when the call is up.
    pub fn then(acts: &[(u64, Act)]) -> Self {
        Self { acts: at(acts), ..Self::default() }
    }
}

fn at<T: Copy>(list: &[(u64, T)]) -> Vec<(Duration, T)> {
    list.iter().map(|(ms, what)| (Duration::from_millis(*ms), *what)).collect()
}

/// One call of a run.
#[derive(Debug, Clone)]
pub struct CallPlan {
    /// The agent that calls.
    pub from: usize,
    /// When, after the start.
    pub at: Duration,
    /// The caller's habits.
    pub caller: Caller,
    /// The callees' habits: the first for the first INVITE that arrives anywhere, and so on; the last for all others.
    pub callees: Vec<Callee>,
    /// The same for the INVITEs that move the call once it was answered; none: [`Callee::takes_over`].
    pub movers: Vec<Callee>,
}
