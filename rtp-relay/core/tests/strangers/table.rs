//! Who is heard, who is answered: the whole matrix, for any engine.
//!
//! A row is one call. Its leg under test is described, its peer speaks, signalling says something, then somebody sends one
//! packet (the probe) and the other leg's peer sends one (the answer). The table says who of whom is heard. All rows run at
//! the same time, stage by stage, so that an engine needs to wait for its windows once.

use relay_values::{
    Carries, Connect, Direction, Duration, Latching, Leg, LegSpec, Open, RegionId, RelayCommand, Remote,
    SessionId,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;

/// Somebody with a socket for RTP and one for RTCP, the next port up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// Where the SDP says.
    Sdp,
    /// On the same host, at another port.
    Side,
    /// On the same host, at yet another port.
    Port,
    /// On another host: the outside of a NAT.
    Nat,
    /// On yet another one.
    Thief,
    /// Where the next SDP says, on a host of its own.
    New,
}

impl Who {
    pub(crate) const ALL: [Self; 6] = [Self::Sdp, Self::Side, Self::Port, Self::Nat, Self::Thief, Self::New];

    /// Host (0 to 3) and RTP port.
    pub(crate) const fn place(self) -> (u8, u16) {
        match self {
            Self::Sdp => (0, 4000),
            Self::Side => (0, 4100),
            Self::Port => (0, 4200),
            Self::Nat => (1, 4000),
            Self::Thief => (2, 4000),
            Self::New => (3, 4600),
        }
    }
}

/// A socket: on which leg's side, whose, and whether it is the one for RTCP.
pub(crate) type Socket = (Leg, Who, bool);

/// A packet that somebody has received.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) by: Socket,
    /// The relay's port that it came from.
    pub(crate) port: u16,
    pub(crate) bytes: Vec<u8>,
}

/// What is under test.
pub(crate) trait Engine {
    fn local(&self, leg: Leg) -> std::net::IpAddr;
    fn address(&self, socket: Socket) -> SocketAddr;
    /// Open a session; its RTP ports.
    fn open(&mut self, open: Open) -> (u16, u16);
    fn command(&mut self, command: RelayCommand);
    /// Everything that was commanded has been done.
    fn settle(&mut self);
    fn pass(&mut self, time: Duration);
    /// Time since some moment in the past.
    fn elapsed(&self) -> Duration;
    fn send(&mut self, from: Socket, port: u16, bytes: &[u8]);
    /// What has been received since it was last asked, once nothing more comes.
    fn heard(&mut self) -> Vec<Heard>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Rtp,
    Rtcp,
    /// RTCP on the RTP port (RFC 5761).
    Mux,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Nothing is described.
    Before,
    /// Described; nobody has come.
    Described,
    /// The peer has begun.
    During,
    /// It has gone on for longer than it takes to learn it.
    After,
    /// … and was described again as before.
    Same,
    /// … and was put on hold.
    OnHold,
    /// … and was taken out of it.
    Resumed,
    /// … and was described elsewhere.
    Changed,
    /// … and is gone, and nobody is described.
    Vacant,
    /// … and then the next one is.
    Given,
    /// … and moves to the next one.
    Moving,
    /// … who has spoken.
    Moved,
}

/// A rule, and where its peer really is.
const COLUMNS: [(Latching, Who); 5] = [
    (Latching::Exact, Who::Sdp),
    (Latching::Address, Who::Sdp),
    (Latching::Address, Who::Side),
    (Latching::Learn, Who::Sdp),
    (Latching::Learn, Who::Nat),
];

/// Who sends the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Prober {
    /// The peer, where it really is.
    Peer,
    /// Somebody at the SDP's place, where the peer is not.
    Described,
    /// The right address and a wrong port.
    WrongPort,
    /// A wrong address, with the right SSRC and the next sequence number.
    Thief,
    /// The next peer.
    New,
}

use Kind::{Mux, Rtcp, Rtp};
use Phase::{
    After, Before, Changed, Described as Told, During, Given, Moved, Moving, OnHold, Resumed, Same, Vacant,
};
use Prober::{Described, New, Peer, Thief, WrongPort};

/// Who probes, and what becomes of it in each column.
type Verdicts = &'static [(Prober, &'static str)];

/// `+`: the probe is passed on. `-`: it is not. `.`: there is no such case.
///
/// Columns: Exact; Address with the peer at its place, and at another port; Learn with the peer at its place, and elsewhere.
#[rustfmt::skip]
const TABLE: &[(Kind, Phase, Verdicts)] = &[
    (Rtp, Before,   &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Rtp, Told,     &[(Peer, "+++++"), (Described, "..+.+"), (WrongPort, "-++++"), (Thief, "---++")]),
    (Rtp, During,   &[(Peer, "+++++"), (Described, "..+.+"), (WrongPort, "----+"), (Thief, "-----")]),
    (Rtp, After,    &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Rtp, Same,     &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Rtp, OnHold,   &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Rtp, Resumed,  &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Rtp, Changed,  &[(Peer, "---++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "+++++")]),
    (Rtp, Vacant,   &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "-----")]),
    (Rtp, Given,    &[(Peer, "---++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "+++++")]),
    (Rtp, Moving,   &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "+++++")]),
    (Rtp, Moved,    &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "+++++")]),

    (Rtcp, Before,  &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Rtcp, Told,    &[(Peer, "++++-"), (Described, "..+.+"), (WrongPort, "-++--"), (Thief, "-----")]),
    (Rtcp, During,  &[(Peer, "++++-"), (Described, "..+.+"), (WrongPort, "-+++-"), (Thief, "-----")]),
    (Rtcp, After,   &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Rtcp, Same,    &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Rtcp, OnHold,  &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Rtcp, Resumed, &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Rtcp, Changed, &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "+++++")]),
    (Rtcp, Vacant,  &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "-----")]),
    (Rtcp, Given,   &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "+++++")]),
    (Rtcp, Moving,  &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "+++++")]),
    (Rtcp, Moved,   &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "+++++")]),

    (Mux, Before,   &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Mux, Told,     &[(Peer, "++-+-"), (Described, "..+.+"), (WrongPort, "-----"), (Thief, "-----")]),
    (Mux, During,   &[(Peer, "+++++"), (Described, "..+.+"), (WrongPort, "-----"), (Thief, "-----")]),
    (Mux, After,    &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Mux, Same,     &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Mux, OnHold,   &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Mux, Resumed,  &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----")]),
    (Mux, Changed,  &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "+++++")]),
    (Mux, Vacant,   &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "-----")]),
    (Mux, Given,    &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "+++++")]),
    (Mux, Moving,   &[(Peer, "+++++"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "+++++")]),
    (Mux, Moved,    &[(Peer, "-----"), (Described, "..-.-"), (WrongPort, "-----"), (Thief, "-----"), (New, "+++++")]),
];

/// One case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    kind: Kind,
    phase: Phase,
    rule: Latching,
    peer: Who,
    prober: Prober,
    heard: bool,
    leg: Leg,
}

/// Every case of the table, from either leg.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for &(kind, phase, probes) in TABLE {
        for &(prober, verdicts) in probes {
            for (verdict, (rule, peer)) in verdicts.bytes().zip(COLUMNS) {
                if verdict != b'.' {
                    let heard = verdict == b'+';
                    rows.extend([Leg::A, Leg::B].map(|leg| Row {
                        kind,
                        phase,
                        rule,
                        peer,
                        prober,
                        heard,
                        leg,
                    }));
                }
            }
        }
    }
    assert!(rows.len() > 1000, "{} rows", rows.len());
    rows
}

/// What is sent and who has to send it.
const PEER: u32 = 0x0a11_ce00;
const NEXT: u32 = 0x0ca4_0100;
const BOB: u32 = 0x0b0b_0000;

impl Row {
    fn prober(&self) -> Who {
        match self.prober {
            Peer => self.peer,
            Described => Who::Sdp,
            WrongPort => Who::Port,
            Thief => Who::Thief,
            New => Who::New,
        }
    }

    /// Whether the story goes on so far.
    fn reaches(&self, phase: Phase) -> bool {
        self.phase >= phase
    }

    /// Where RTP for the leg under test goes, after the probe.
    fn answered(&self) -> Option<Who> {
        let described = match self.phase {
            Before | Vacant => return None,
            Told | During | After | Same | OnHold | Resumed => Who::Sdp,
            Changed | Given | Moving | Moved => Who::New,
        };
        if self.rule != Latching::Learn {
            return Some(described);
        }
        let probed = (self.kind == Rtp && self.heard).then(|| self.prober());
        Some(match self.phase {
            Before | Vacant => return None,
            Told | Changed | Given => probed.unwrap_or(described),
            During => probed.unwrap_or(self.peer),
            After | Same | OnHold | Resumed => self.peer,
            // The old peer is heard and not answered.
            Moving | Moved => Who::New,
        })
    }

    /// Where RTCP for it goes.
    fn reported_to(&self) -> Option<Who> {
        let described = match self.phase {
            Before | Vacant => return None,
            Told | During | After | Same | OnHold | Resumed => Who::Sdp,
            Changed | Given | Moving | Moved => Who::New,
        };
        match (self.kind, self.rule, self.phase) {
            (Mux, ..) => self.answered(),
            // It has learnt where the peer's own reports come from.
            (Rtcp, Latching::Learn, After | Same | OnHold | Resumed) => Some(self.peer),
            (Rtcp, Latching::Learn, Told | During) if self.heard => Some(self.prober()),
            (Rtp | Rtcp, ..) => Some(described),
        }
    }
}

fn tag(row: usize, stage: u8) -> [u8; 8] {
    let [a, b, c, d] = (row as u32).to_be_bytes();
    [0xfa, 0xce, a, b, c, d, stage, 0x5a]
}

fn rtp(ssrc: u32, sequence: u16, tag: [u8; 8]) -> Vec<u8> {
    let mut bytes = vec![0x80, 0];
    bytes.extend(sequence.to_be_bytes());
    bytes.extend((u32::from(sequence) * 160).to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend(tag);
    bytes.extend([0xd5; 152]);
    bytes
}

/// An empty receiver report and a packet of our own application (RFC 3550 §6.4.2, §6.7).
fn rtcp(ssrc: u32, tag: [u8; 8]) -> Vec<u8> {
    let mut bytes = vec![0x80, 201, 0, 1];
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([0x80, 204, 0, 4]);
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend(b"test");
    bytes.extend(tag);
    bytes
}

fn carries(bytes: &[u8], tag: [u8; 8]) -> bool {
    bytes.windows(tag.len()).any(|w| w == tag)
}

/// All rows on one engine.
struct Run<'a, E> {
    engine: &'a mut E,
    rows: Vec<(Row, SessionId, u16, u16)>,
    stage: u8,
}

const PROBE: u8 = 100;
const ANSWER: u8 = 101;

/// Packets of the peer while it is learnt, and after.
const BEGIN: u16 = 2;
const TALK: u16 = 12;

impl<E: Engine> Run<'_, E> {
    fn each(&mut self, f: impl FnMut(&mut E, usize, &Row, SessionId, u16, u16)) {
        self.each_of(0..self.rows.len(), f);
        self.engine.settle();
    }

    fn each_of(&mut self, which: Range<usize>, mut f: impl FnMut(&mut E, usize, &Row, SessionId, u16, u16)) {
        for n in which {
            let (row, session, ours, theirs) = &self.rows[n];
            f(self.engine, n, row, *session, *ours, *theirs);
        }
    }

    fn describe(engine: &mut E, row: &Row, session: SessionId, leg: Leg, who: Who, direction: Direction) {
        let to = Self::connect(engine, row, leg, who, direction);
        engine.command(RelayCommand::Connect { session, leg, to });
    }

    fn connect(engine: &E, row: &Row, leg: Leg, who: Who, direction: Direction) -> Connect {
        let [rtp, rtcp] = [false, true].map(|rtcp| engine.address((leg, who, rtcp)));
        let mux = row.kind == Mux && leg == row.leg;
        let remote = Remote { rtp, rtcp, mux };
        Connect { remote, direction, clock_rate: 8000, event: None, carries: Carries::Rtp }
    }

    /// The peer sends so many packets; the other leg's peer, too.
    fn talk(&mut self, from: Phase, first: u16, packets: u16) {
        for sequence in first..first + packets {
            self.stage += 1;
            let stage = self.stage;
            self.each(|engine, n, row, _, ours, theirs| {
                if row.reaches(from) {
                    engine.send((row.leg, row.peer, false), ours, &rtp(PEER, sequence, tag(n, stage)));
                    let bob = (row.leg.other(), Who::Sdp, false);
                    engine.send(bob, theirs, &rtp(BOB, sequence, tag(n, stage)));
                }
            });
            self.engine.heard();
        }
    }

    fn tell(&mut self) {
        use Direction::{SendOnly, SendRecv};
        self.each(|engine, _, row, session, _, _| {
            let leg = row.leg;
            let retarget = |to| RelayCommand::Retarget { session, leg, region: RegionId(2), to };
            match row.phase {
                Before | Told | During | After => {}
                Same => Self::describe(engine, row, session, leg, Who::Sdp, SendRecv),
                OnHold => Self::describe(engine, row, session, leg, Who::Sdp, SendOnly),
                Resumed => {
                    Self::describe(engine, row, session, leg, Who::Sdp, SendOnly);
                    Self::describe(engine, row, session, leg, Who::Sdp, SendRecv);
                }
                Changed => Self::describe(engine, row, session, leg, Who::New, SendRecv),
                Vacant => engine.command(retarget(None)),
                Given => {
                    engine.command(retarget(None));
                    Self::describe(engine, row, session, leg, Who::New, SendRecv);
                }
                Moving | Moved => {
                    let to = Self::connect(engine, row, leg, Who::New, SendRecv);
                    engine.command(retarget(Some(to)));
                }
            }
        });
    }

    fn probe(&mut self, which: Range<usize>) -> BTreeMap<usize, Vec<Heard>> {
        self.each_of(which, |engine, n, row, _, ours, _| {
            let sequence = 1 + match row.phase {
                Before | Told => 0,
                During => BEGIN,
                After | Same | OnHold | Resumed | Changed | Vacant | Given | Moving | Moved => BEGIN + TALK,
            };
            let (who, tag) = (row.prober(), tag(n, PROBE));
            // The next peer has a stream of its own.
            let (ssrc, sequence) = if who == Who::New { (NEXT, 701) } else { (PEER, sequence) };
            match row.kind {
                Rtp => engine.send((row.leg, who, false), ours, &rtp(ssrc, sequence, tag)),
                Rtcp => engine.send((row.leg, who, true), ours + 1, &rtcp(ssrc, tag)),
                Mux => engine.send((row.leg, who, false), ours, &rtcp(ssrc, tag)),
            }
        });
        self.sorted()
    }

    fn answer(&mut self, which: Range<usize>) {
        self.each_of(which, |engine, n, row, _, _, theirs| {
            let bob = |rtcp| (row.leg.other(), Who::Sdp, rtcp);
            engine.send(bob(false), theirs, &rtp(BOB, 1 + BEGIN + TALK, tag(n, ANSWER)));
            engine.send(bob(true), theirs + 1, &rtcp(BOB, tag(n, ANSWER)));
        });
    }

    /// What is heard, by the row to whose ports it belongs.
    fn sorted(&mut self) -> BTreeMap<usize, Vec<Heard>> {
        let mut rows = BTreeMap::<usize, Vec<Heard>>::new();
        for heard in self.engine.heard() {
            let (leg, ..) = heard.by;
            let port = heard.port & !1;
            let from = |(row, _, ours, theirs): &(Row, SessionId, u16, u16)| {
                port == if leg == row.leg { *ours } else { *theirs }
            };
            let row = self.rows.iter().position(from).expect("from one of our ports");
            rows.entry(row).or_default().push(heard);
        }
        rows
    }
}

/// From a window's first packet to the last one that must come before it is over.
const KEPT: Duration = Duration::from_millis(490);

/// So many rows have their window at the same time.
const TOGETHER: usize = 40;

/// Some rows of the table on `engine`; `before`: called when all peers have been learnt and nobody has probed. The rows that
/// took longer than their window, of which nothing can be said.
pub(crate) fn run<E: Engine>(engine: &mut E, rows: Vec<Row>, before: impl FnOnce(&mut E)) -> Vec<Row> {
    let mut opened = Vec::new();
    for (n, row) in rows.into_iter().enumerate() {
        let session = SessionId::new(0, n as u64 + 1);
        let spec = |leg: Leg, latching| LegSpec { local: engine.local(leg), latching };
        let rule = |leg| if leg == row.leg { row.rule } else { Latching::Exact };
        let [a, b] = [Leg::A, Leg::B].map(|leg| spec(leg, rule(leg)));
        let (region, tier_leg, inactivity) = (RegionId(1), Leg::B, None);
        let (a, b) = engine.open(Open { session, a, b, region, tier_leg, inactivity });
        let (ours, theirs) = if row.leg == Leg::A { (a, b) } else { (b, a) };
        opened.push((row, session, ours, theirs));
    }
    // Whoever comes at once after that is not believed to be new.
    engine.pass(Duration::from_millis(100));
    let mut run = Run { engine, rows: opened, stage: 0 };
    run.each(|engine, _, row, session, _, _| {
        Run::describe(engine, row, session, row.leg.other(), Who::Sdp, Direction::SendRecv);
        if row.reaches(Told) {
            Run::describe(engine, row, session, row.leg, Who::Sdp, Direction::SendRecv);
        }
    });
    run.learn();
    before(run.engine);
    run.tell();
    run.next_speaks();
    let (mut late, mut wrong) = (Vec::new(), Vec::new());
    for from in (0..run.rows.len()).step_by(TOGETHER) {
        let which = from..run.rows.len().min(from + TOGETHER);
        let begun = run.engine.elapsed();
        run.begin(which.clone());
        let probed = run.probe(which.clone());
        run.answer(which.clone());
        let answered = run.sorted();
        let taken = run.engine.elapsed() - begun;
        if taken > KEPT {
            late.extend(run.rows[which].iter().map(|(row, ..)| *row));
        } else {
            which.for_each(|n| run.judge(n, &probed, &answered, &mut wrong));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), run.rows.len(), wrong.join("\n"));
    late
}

/// By row.
type AllHeard = BTreeMap<usize, Vec<Heard>>;

impl<E: Engine> Run<'_, E> {
    /// Peers speak for longer than it takes to learn them.
    fn learn(&mut self) {
        self.talk(After, 1, BEGIN);
        self.engine.pass(Duration::from_millis(600));
        self.talk(After, 1 + BEGIN, TALK);
        self.each(|engine, n, row, _, ours, _| {
            let tag = tag(n, 99);
            match row.kind {
                Rtcp if row.reaches(After) => {
                    engine.send((row.leg, row.peer, true), ours + 1, &rtcp(PEER, tag));
                }
                Mux if row.reaches(After) => {
                    engine.send((row.leg, row.peer, false), ours, &rtcp(PEER, tag));
                }
                Rtp | Rtcp | Mux => {}
            }
        });
        self.engine.heard();
    }

    fn judge(&self, n: usize, probed: &AllHeard, answered: &AllHeard, wrong: &mut Vec<String>) {
        let (row, none) = (&self.rows[n].0, Vec::new());
        let probed = probed.get(&n).unwrap_or(&none);
        let bob = |heard: &&Heard| heard.by.0 != row.leg && carries(&heard.bytes, tag(n, PROBE));
        let heard = probed.iter().filter(bob).count();
        if heard != usize::from(row.heard) {
            wrong.push(format!("{row:?}: passed on {heard} times"));
        }
        if let Some(back) = probed.iter().find(|heard| heard.by.0 == row.leg) {
            wrong.push(format!("{row:?}: a probe brought something back: {back:?}"));
        }
        let answered = answered.get(&n).unwrap_or(&none);
        for (rtcp, expected) in [(false, row.answered()), (true, row.reported_to())] {
            let this = |heard: &&Heard| heard.by.0 == row.leg && (200..224).contains(&heard.bytes[1]) == rtcp;
            let reached: Vec<Who> = answered.iter().filter(this).map(|h| h.by.1).collect();
            if reached != Vec::from_iter(expected) {
                let what = if rtcp { "RTCP" } else { "RTP" };
                wrong.push(format!("{row:?}: {what} went to {reached:?}, not to {expected:?}"));
            }
        }
    }
}

impl<E: Engine> Run<'_, E> {
    /// Peers that are being learnt when the probe comes.
    fn begin(&mut self, which: Range<usize>) {
        for sequence in 1..=BEGIN {
            self.each_of(which.clone(), |engine, n, row, _, ours, _| {
                if row.phase == During {
                    engine.send((row.leg, row.peer, false), ours, &rtp(PEER, sequence, tag(n, 98)));
                }
            });
        }
        self.engine.heard();
    }

    /// The next peer speaks, where that is told.
    fn next_speaks(&mut self) {
        self.each(|engine, n, row, _, ours, _| {
            if row.phase == Moved {
                engine.send((row.leg, Who::New, false), ours, &rtp(NEXT, 700, tag(n, 97)));
            }
        });
        self.engine.heard();
    }
}
