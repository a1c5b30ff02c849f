//! One line of a call: its place in every description, its session at the relay, and both ends.

use super::described::Described;
use super::hash;
use relay_values::{Connect, Leg, RegionId, RelayCommand, SessionId};

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    /// The relay's name for it.
    pub(super) session: SessionId,
    /// Which `m=` line it is, in the descriptions of both legs: a line keeps its place (RFC 3264 §8).
    place: u8,
    /// The tier leg's peer has another in its place, who does not take the line, and the other leg has not been told: it may
    /// send to its port, which is nobody else's meanwhile.
    untold: bool,
    a: End,
    b: End,
}

/// One leg's end of a line.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Our RTP port towards this leg; 0 until the relay has opened.
    pub(super) port: u16,
    /// The leg's own description, as agreed.
    pub(super) described: Option<Described>,
    /// The same while its offer or answer is not agreed yet.
    pub(super) pending: Option<Box<Described>>,
    /// Hash of what the relay was last told, 0 before: it hears only of changes.
    pub(super) told: u64,
}

impl Line {
    pub(super) fn new(session: SessionId, place: usize) -> Self {
        // There are no more than MAX_MEDIA.
        Self { session, place: place as u8, untold: false, a: End::default(), b: End::default() }
    }

    /// The call's first line has been found.
    pub(super) fn put(&mut self, place: usize) {
        self.place = place as u8;
    }

    pub(super) fn place(&self) -> usize {
        self.place.into()
    }

    pub(super) fn end(&self, leg: Leg) -> &End {
        match leg {
            Leg::A => &self.a,
            Leg::B => &self.b,
        }
    }

    pub(super) fn end_mut(&mut self, leg: Leg) -> &mut End {
        match leg {
            Leg::A => &mut self.a,
            Leg::B => &mut self.b,
        }
    }

    /// The relay has said which ports it has.
    pub(super) fn opened(&mut self, a_port: u16, b_port: u16) {
        (self.a.port, self.b.port) = (a_port, b_port);
    }

    pub(super) fn is_opened(&self) -> bool {
        self.a.port != 0 && self.b.port != 0
    }

    /// Whether both legs take it.
    pub(super) fn is_taken(&self) -> bool {
        let open = |end: &End| end.described.is_some_and(|described| described.is_open());
        open(&self.a) && open(&self.b)
    }

    /// Whether its ports are needed: both legs take it, or one of them was never told that the other does not.
    pub(super) fn is_kept(&self) -> bool {
        self.is_taken() || self.untold
    }

    /// The exchange is complete: what was pending holds.
    pub(super) fn agree(&mut self) {
        // Only one leg has spoken where a session was refreshed.
        if self.a.pending.is_some() && self.b.pending.is_some() {
            self.untold = false;
        }
        for end in [&mut self.a, &mut self.b] {
            if let Some(pending) = end.pending.take() {
                end.described = Some(*pending);
            }
        }
    }

    /// Tells the relay where both legs are and which way media flows.
    pub(super) fn connect(&mut self, out: &mut impl FnMut(RelayCommand)) {
        let (Some(a), Some(b)) = (self.a.described, self.b.described) else { return };
        self.tell(Leg::A, a.facing(b), out);
        self.tell(Leg::B, b.facing(a), out);
    }

    /// The leg's peer has another in its place, which describes the line like this.
    pub(super) fn succeed(
        &mut self,
        leg: Leg,
        described: Described,
        region: RegionId,
        out: &mut impl FnMut(RelayCommand),
    ) {
        let session = self.session;
        let stays = self.end(leg.other()).described.unwrap_or(Described::CLOSED);
        self.untold = stays.is_open() && !described.is_open();
        let end = self.end_mut(leg);
        (end.described, end.pending) = (Some(described), None);
        let to = Some(described.facing(stays)).filter(|_| described.is_open());
        end.told = to.as_ref().map_or(0, |to| hash(to) | 1);
        out(RelayCommand::Retarget { session, leg, region, to });
        self.tell(leg.other(), stays.facing(described), out);
    }

    fn tell(&mut self, leg: Leg, to: Connect, out: &mut impl FnMut(RelayCommand)) {
        let session = self.session;
        if self.end_mut(leg).is_news(&to) {
            out(RelayCommand::Connect { session, leg, to });
        }
    }
}

impl End {
    /// Whether the relay has not been told this last.
    fn is_news(&mut self, to: &Connect) -> bool {
        let told = hash(to) | 1;
        std::mem::replace(&mut self.told, told) != told
    }

    /// Whether this leg takes the line, by what it said last.
    pub(super) fn is_open(&self) -> bool {
        let pending = self.pending.as_deref().copied();
        pending.or(self.described).is_some_and(|described| described.is_open())
    }
}
