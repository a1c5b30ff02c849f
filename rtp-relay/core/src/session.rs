//! A session: two legs, each with an RTP and an RTCP flow, and the way of a packet from one leg to the other.

use crate::leg::{Component, LegState, Onward, Succession, Taken, Whose};
use crate::offload::{self, Flow, Unfit};
use crate::own::{Own, OwnRtp};
use crate::packet::Packet;
use crate::ports::PortRef;
use crate::random::SplitMix;
use crate::regions::Counted;
use crate::rtcp::{Draft, Once, OwnReport, Translation};
use crate::strangers::{Attempt, Strangers};
use crate::watch::Watch;
use relay_values::{
    Carries, Connect, DropCounts, DropReason, Duration, Fill, Leg, Measured, Open, SessionId, SessionStats,
    SilenceKind, Time,
};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// The flows of one call.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) tier_leg: Leg,
    inactivity: Option<Duration>,
    /// It has a turn on the wheel.
    pub(crate) on_wheel: bool,
    /// A drill cuts the tier leg off.
    cut: bool,
    /// Somebody watches its packets.
    watched: bool,
    a: LegState,
    b: LegState,
    drops: DropCounts,
    /// What strangers have tried, if any have.
    strangers: Option<Box<Strangers>>,
}

/// How a packet goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// Where it is, rewritten.
    Here(Onward),
    /// Written anew, among the packets of our own making.
    Anew,
}

impl Session {
    pub(crate) fn new(open: &Open) -> Self {
        Self {
            id: open.session,
            tier_leg: open.tier_leg,
            inactivity: open.inactivity,
            on_wheel: false,
            cut: false,
            watched: false,
            a: LegState::new(&open.a),
            b: LegState::new(&open.b),
            drops: DropCounts::default(),
            strangers: None,
        }
    }

    pub(crate) fn leg(&self, leg: Leg) -> &LegState {
        match leg {
            Leg::A => &self.a,
            Leg::B => &self.b,
        }
    }

    pub(crate) fn leg_mut(&mut self, leg: Leg) -> &mut LegState {
        match leg {
            Leg::A => &mut self.a,
            Leg::B => &mut self.b,
        }
    }

    /// Take signalling's word about a leg's peer.
    pub(crate) fn connect(&mut self, now: Time, leg: Leg, to: &Connect) {
        let state = self.leg_mut(leg);
        state.describe(to);
        // Whoever was taken for lost is there.
        state.bridge = None;
        self.watch_again(now);
    }

    /// Move a leg to another peer.
    pub(crate) fn retarget(&mut self, now: Time, leg: Leg, to: Option<&Connect>, outbox: &mut VecDeque<Own>) {
        let alive = self.leg(leg).bridge.is_none() && !self.is_cut(leg);
        self.leg_mut(leg.other()).hand_over();
        match to {
            Some(to) => {
                if alive && let Some(timestamp) = self.leg(leg.other()).event.under_way() {
                    self.leg_mut(leg).detour(timestamp);
                }
                if self.is_cut(leg) {
                    // What is cut off is not heard, so there is nothing to overlap with.
                    self.leg_mut(leg).peer = Default::default();
                    self.leg_mut(leg).succession = Succession::Settled;
                }
                self.leg_mut(leg).succeed(to);
            }
            None => {
                self.cut_event(now, leg, outbox);
                self.leg_mut(leg).vacate();
            }
        }
        if leg == self.tier_leg {
            self.cut = false;
        }
        self.watch_again(now);
    }

    /// Take the peer of a leg for lost. When there is something to send, if that is news.
    pub(crate) fn bridge(
        &mut self,
        now: Time,
        leg: Leg,
        fill: Option<Fill>,
        outbox: &mut VecDeque<Own>,
    ) -> Option<Time> {
        self.cut_event(now, leg, outbox);
        // Nobody can speak in the place of a stream that is not RTP in the clear.
        let plain = [&self.a, &self.b].into_iter().all(|leg| leg.peer.carries() == Carries::Rtp);
        let fill = fill.filter(|_| plain);
        let state = self.leg_mut(leg);
        state.bridge.get_or_insert_default().play(now, fill, state.spoke)
    }

    /// A drill cuts the tier leg off, or does so no longer.
    pub(crate) fn cut(&mut self, cut: bool) {
        self.cut = cut;
    }

    /// Whether a drill has cut the tier leg off.
    pub(crate) fn has_cut(&self) -> bool {
        self.cut
    }

    /// Somebody watches its packets, or does so no longer.
    pub(crate) fn watch(&mut self, watched: bool) {
        self.watched = watched;
    }

    fn is_cut(&self, leg: Leg) -> bool {
        self.cut && leg == self.tier_leg
    }

    /// The beat of a leg's bridge. When to come again.
    pub(crate) fn beat(
        &mut self,
        now: Time,
        leg: Leg,
        at: Time,
        random: &mut SplitMix,
        outbox: &mut VecDeque<Own>,
    ) -> Option<Time> {
        self.lapse(now);
        let (source, sink) = self.both(leg);
        if source.end_at(at, sink, outbox) {
            return None;
        }
        let bridge = source.bridge.as_mut()?;
        if !bridge.waits_for(at) {
            return None;
        }
        // A digit is ended before anything else is heard.
        let may_speak = source.peer.may_send() && source.ending.is_none();
        let onward = sink.accept_rtp().ok().filter(|_| may_speak);
        let (piece, again) = bridge.turn(now, source.spoke, onward.is_some());
        if let (Some(piece), Some(Onward { port, to })) = (piece, onward) {
            if piece.marker {
                // It may have come back, begun an event and gone again.
                source.cut_event(now, sink, outbox);
                source.finish_event(sink, outbox);
            }
            source.reports.filled(piece.payload.len());
            outbox.push_back(Own::Rtp(OwnRtp {
                port,
                to,
                line: source.line.fill(piece.at, piece.clock_rate, random),
                marker: piece.marker,
                payload_type: piece.payload_type,
                payload: piece.payload,
            }));
            report(now, source, sink, piece.clock_rate, random, outbox);
        }
        again
    }

    /// Whether a leg's bridge will report at `at` of what the other leg sends, which a fast path carries.
    pub(crate) fn reports_of_carried(&self, leg: Leg, at: Time) -> bool {
        let reports = self.leg(leg).bridge.as_ref().is_some_and(|bridge| bridge.reports(at));
        reports && self.leg(leg.other()).fast.is_carried()
    }

    /// Every word of signalling starts the clock of both legs anew: ringing is not silence, and neither was hold.
    fn watch_again(&mut self, now: Time) {
        let connected = self.a.peer.is_described() && self.b.peer.is_described();
        for leg in [&mut self.a, &mut self.b] {
            let steady = leg.peer.carries() != Carries::Datagrams;
            let expected = connected && steady && leg.peer.should_send();
            leg.watch = if expected { Watch::Since(now) } else { Watch::Off };
        }
    }

    /// When the session wants its turn on the wheel.
    pub(crate) fn next_watch(&self) -> Option<Time> {
        let inactivity = self.inactivity?;
        let (a, b) = (self.a.watch.due(self.a.heard, inactivity), self.b.watch.due(self.b.heard, inactivity));
        a.into_iter().chain(b).min()
    }

    /// The leg that has fallen silent, if one has; ask until there is none.
    pub(crate) fn silence(&mut self, now: Time) -> Option<(Leg, Time, SilenceKind)> {
        let inactivity = self.inactivity?;
        [Leg::A, Leg::B].into_iter().find_map(|l| {
            let leg = self.leg_mut(l);
            let (since, kind) = leg.watch.check(now, leg.heard, inactivity)?;
            Some((l, since, kind))
        })
    }

    /// Take a packet from `leg`'s side, if it is its peer's.
    pub(crate) fn take(
        &mut self,
        now: Time,
        leg: Leg,
        component: Component,
        from: SocketAddr,
        bytes: &[u8],
        outbox: &mut VecDeque<Own>,
    ) -> Result<Taken, DropReason> {
        self.lapse(now);
        if self.is_cut(leg) {
            return Err(DropReason::Cut);
        }
        let taken = self.leg_mut(leg).take(now, component, from, bytes)?;
        if let Whose::First(_) = taken.whose {
            self.cut_event(now, leg, outbox);
            let (source, sink) = self.both(leg);
            source.finish_event(sink, outbox);
            source.line.moved();
        }
        let source = self.leg_mut(leg);
        match taken.packet {
            Packet::Rtp(header) => {
                source.spoke = Some(now);
                source.meter.packet(now, &header, bytes.len());
            }
            Packet::Datagram => {
                source.spoke = Some(now);
                source.meter.datagram(bytes.len());
            }
            Packet::Dtls => source.meter.datagram(bytes.len()),
            Packet::Rtcp | Packet::Sealed => source.rtcp_packets += 1,
        }
        Ok(taken)
    }

    /// A packet from `leg`'s side was a stranger's: what he tried.
    pub(crate) fn tried(
        &mut self,
        now: Time,
        leg: Leg,
        component: Component,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Option<Attempt> {
        let attempt = self.leg_mut(leg).attempt(now, component, bytes)?;
        self.strangers.get_or_insert_default().count(from, attempt);
        Some(attempt)
    }

    /// Time has passed: windows in which peers are learnt may be over.
    fn lapse(&mut self, now: Time) {
        self.a.lapse(now);
        self.b.lapse(now);
    }

    /// A leg whose peer has been learnt, and where; ask until there is none.
    pub(crate) fn learnt(&mut self) -> Option<(Leg, SocketAddr)> {
        [Leg::A, Leg::B].into_iter().find_map(|leg| Some((leg, self.leg_mut(leg).learnt()?)))
    }

    /// Pass a packet that was taken from `leg` on to the other leg, rewritten in place.
    pub(crate) fn pass(
        &mut self,
        now: Time,
        leg: Leg,
        taken: &Taken,
        bytes: &mut [u8],
        outbox: &mut VecDeque<Own>,
    ) -> Result<Passed, DropReason> {
        if self.is_cut(leg.other()) {
            return Err(DropReason::Cut);
        }
        let (source, sink) = self.both(leg);
        let header = match taken.packet {
            Packet::Rtp(header) => header,
            Packet::Sealed => return sink.accept_rtcp().map(Passed::Here),
            Packet::Datagram => {
                let onward = sink.accept_rtp()?;
                source.meter.forwarded();
                return Ok(Passed::Here(onward));
            }
            Packet::Dtls => {
                let onward = sink.accept_dtls()?;
                source.meter.forwarded();
                return Ok(Passed::Here(onward));
            }
            Packet::Rtcp => return pass_rtcp(now, source, sink, taken.whose, bytes, outbox),
        };
        let event = source.is_event(taken.whose, &header);
        if !event {
            source.meter.sounds(header.payload_type);
        }
        let onward = match sink.accept_event(header.timestamp).filter(|_| event) {
            Some(detour) => detour,
            None => sink.accept_rtp()?,
        };
        if event && source.event.is_over(&header) {
            return Err(DropReason::Late);
        }
        if source.ending.is_some() {
            source.finish_event(sink, outbox);
        }
        if source.peer.carries() == Carries::Sealed {
            source.line.leave();
        }
        let onset = source.line.pass(now, source.meter.clock_rate(), &header, bytes)?;
        source.reports.passed(onset, header.payload);
        if event {
            source.event.reported(&header, bytes, source.line.heard_as(header.timestamp));
        }
        source.meter.forwarded();
        Ok(Passed::Here(onward))
    }

    /// The RTP from `leg`, if there is nothing more to decide about its next packets.
    pub(crate) fn flow(&self, at: PortRef, leg: Leg, counted: Option<Counted<'_>>) -> Result<Flow, Unfit> {
        if self.cut {
            return Err(Unfit::Cut);
        }
        if self.watched {
            return Err(Unfit::Watched);
        }
        offload::flow(at, self.leg(leg), self.leg(leg.other()), counted)
    }

    pub(crate) fn count_drop(&mut self, reason: DropReason) {
        self.drops.count(reason);
    }

    /// A packet that was to go out on `leg`'s side could not be sent.
    pub(crate) fn send_failed(&mut self, leg: Leg, component: Component) {
        self.drops.count(DropReason::SendFailed);
        if component == Component::Rtp {
            self.leg_mut(leg.other()).meter.not_forwarded();
        }
    }

    /// The session as it is now.
    pub(crate) fn measure(&self, now: Time) -> Measured {
        Measured { at: now, stats: self.stats(), a: self.a.incoming(), b: self.b.incoming() }
    }

    pub(crate) fn stats(&self) -> SessionStats {
        SessionStats {
            from_a: self.a.stats(),
            from_b: self.b.stats(),
            rtcp_from_a: self.a.rtcp_packets,
            rtcp_from_b: self.b.rtcp_packets,
            drops: self.drops,
            strangers: self.strangers.as_ref().map(|s| s.stats()).unwrap_or_default(),
        }
    }

    /// The event that comes from `leg`, if there is one, will not be ended by its peer.
    fn cut_event(&mut self, now: Time, leg: Leg, outbox: &mut VecDeque<Own>) {
        let (source, sink) = self.both(leg);
        source.cut_event(now, sink, outbox);
    }

    /// When to come back for the end of an event, and for which leg's; ask until there is none.
    pub(crate) fn await_end(&mut self) -> Option<(Leg, Time)> {
        [Leg::A, Leg::B].into_iter().find_map(|leg| Some((leg, self.leg_mut(leg).await_end()?)))
    }

    /// A leg as source, and the other one as sink.
    fn both(&mut self, leg: Leg) -> (&mut LegState, &mut LegState) {
        match leg {
            Leg::A => (&mut self.a, &mut self.b),
            Leg::B => (&mut self.b, &mut self.a),
        }
    }
}

/// Pass RTCP of the peer of `source` on.
fn pass_rtcp(
    now: Time,
    source: &mut LegState,
    sink: &mut LegState,
    whose: Whose,
    bytes: &mut [u8],
    outbox: &mut VecDeque<Own>,
) -> Result<Passed, DropReason> {
    let onward = sink.accept_rtcp();
    let (speaker, farewell) = source.introduces(whose);
    let mut draft = Draft::new();
    let as_it_is = Translation {
        now,
        speaker,
        farewell,
        hears: source.hears(whose),
        own_ssrc: source.line.ssrc(),
        own: &mut source.reports,
        line: &sink.answerable(),
        other: &mut sink.reports,
        once: Once::default(),
    }
    .compound(bytes, &mut draft)?;
    // It was listened to, wherever it goes.
    let onward = onward?;
    let written = if as_it_is { None } else { draft.written() };
    match written {
        None => Ok(Passed::Here(onward)),
        Some(anew) if anew.len() == bytes.len() => {
            bytes.copy_from_slice(anew);
            Ok(Passed::Here(onward))
        }
        Some(anew) => {
            let Onward { port, to } = onward;
            outbox.push_back(Own::Rtcp { port, to, bytes: anew.into() });
            Ok(Passed::Anew)
        }
    }
}

/// We have spoken on the line from `source`: report of it, if it is time to.
fn report(
    now: Time,
    source: &mut LegState,
    sink: &mut LegState,
    clock_rate: u32,
    random: &mut SplitMix,
    outbox: &mut VecDeque<Own>,
) {
    let Some((first, due)) = source.bridge.as_mut().map(|b| b.spoken(now, random)) else { return };
    if first && let Some(standing) = sink.meter.standing() {
        sink.reports.hearing.begin_own(standing.lost, standing.newest);
    }
    let (true, Ok(Onward { port, to })) = (due, sink.accept_rtcp()) else { return };
    let mut draft = Draft::new();
    let own = OwnReport {
        now,
        line: &source.line,
        clock_rate,
        reports: &mut source.reports,
        from: sink.meter.standing(),
        heard: &mut sink.reports,
    };
    if own.write(random, &mut draft)
        && let Some(bytes) = draft.written()
    {
        outbox.push_back(Own::Rtcp { port, to, bytes: bytes.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_held_in_little_memory() {
        let bytes = size_of::<Session>();
        // 20 MB in ten thousand calls.
        assert!(bytes <= 2048, "{bytes} bytes");
    }
}
