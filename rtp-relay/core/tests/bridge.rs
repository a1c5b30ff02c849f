//! What the other leg hears while a leg's peer is lost, and how the next one takes over.

mod common;
use common::{ALICE, BOB, Header, Shell, at, config, connect, header, open, rtp};
use relay_core::Prompt;
use relay_values::{
    Connect, Direction, DropReason, Duration, Fill, Gap, Law, Leg, RegionId, RelayCommand, RelayEvent,
    SessionId, Sound, Time,
};

const ID: SessionId = SessionId::new(0, 0);
const CAROL: &str = "203.0.113.77:7000";
const DAVE: &str = "203.0.113.88:8000";
const SOURCE: u32 = 0xb0b;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn ago(s: &Shell, n: u64) -> Time {
    Time::from_millis(s.now.as_millis() - n)
}

fn fill(sound: Sound) -> Option<Fill> {
    let payload_type = if sound == Sound::ComfortNoise { 13 } else { 8 };
    Some(Fill { payload_type, clock_rate: 8000, packet_time: ms(20), sound })
}

fn noise() -> Option<Fill> {
    fill(Sound::Noise(Law::A))
}

fn bridge(s: &mut Shell, fill: Option<Fill>) {
    s.command(RelayCommand::Bridge { session: ID, leg: Leg::B, fill });
}

fn retarget(s: &mut Shell, to: &str) {
    let to = Some(connect(to));
    s.command(RelayCommand::Retarget { session: ID, leg: Leg::B, region: RegionId(2), to });
}

fn resumed(s: &mut Shell) -> Vec<Gap> {
    let gaps = s.events().into_iter().filter_map(|e| match e {
        RelayEvent::Resumed { session: ID, leg: Leg::B, gap } => Some(gap),
        _ => None,
    });
    gaps.collect()
}

/// A call in which Bob has sent packets 0 to 9, every 20 ms; the ports of both legs.
fn lively(s: &mut Shell) -> (u16, u16) {
    let (a, b) = s.call(open(0), connect(ALICE), connect(BOB));
    for n in 0..10 {
        s.packet(b, BOB, &rtp(SOURCE, n, u32::from(n) * 160)).unwrap();
        s.pass(ms(20));
    }
    s.events();
    (a, b)
}

fn shell() -> Shell {
    Shell::new(config(10_000..=10_099))
}

#[test]
fn a_lost_peer_is_followed_by_noise_under_the_same_line() {
    let mut s = shell();
    let (a, _) = lively(&mut s);
    s.pass(ms(55));
    bridge(&mut s, noise());
    s.pass(ms(100));
    let own = std::mem::take(&mut s.own);
    // Bob's last packet was number 9, 75 ms before. Its beat: 60, 80, 100, 120, 140 and 160 ms after it.
    let expected: Vec<_> = (0..6)
        .map(|n| Header {
            marker: n == 0,
            payload_type: 8,
            ssrc: SOURCE,
            sequence: 10 + n as u16,
            timestamp: 9 * 160 + (3 + n) * 160,
        })
        .collect();
    assert_eq!(own.iter().map(|p| header(&p.bytes)).collect::<Vec<_>>(), expected);
    assert!(own.iter().all(|p| (p.from.port(), p.to, p.bytes.len()) == (a, at(ALICE), 172)));
    assert!(own.windows(2).all(|w| w[0].bytes[12..] != w[1].bytes[12..]), "noise does not repeat itself");
    let c = s.relay.counters();
    assert_eq!((c.bridged, c.filled, c.fill_failed), (1, 6, 0));
}

#[test]
fn while_the_lost_peer_speaks_the_fill_is_silent() {
    let mut s = shell();
    let (_, b) = lively(&mut s);
    bridge(&mut s, noise());
    for n in 10..20 {
        s.packet(b, BOB, &rtp(SOURCE, n, u32::from(n) * 160)).unwrap();
        s.pass(ms(20));
    }
    assert_eq!(s.own, []);
    s.pass(ms(60));
    assert_eq!(s.own.len(), 3, "due 40, 60 and 80 ms after the last packet");
    let last = header(&s.own[2].bytes);
    // It comes back: numbers and time go on from the fill.
    s.pass(ms(5));
    let back = header(&s.packet(b, BOB, &rtp(SOURCE, 24, 24 * 160)).unwrap().bytes);
    assert_eq!((back.ssrc, back.sequence, back.timestamp), (SOURCE, last.sequence + 1, last.timestamp + 40));
    s.own.clear();
    s.pass(ms(45));
    assert_eq!(s.own.len(), 1);
    assert!(header(&s.own[0].bytes).marker, "a new talkspurt");
    assert_eq!(s.packet(b, BOB, &rtp(SOURCE, 23, 23 * 160)), Err(DropReason::Late), "it has been gone past");
}

#[test]
fn the_first_packet_of_the_new_peer_ends_the_bridge() {
    let mut s = shell();
    let (a, b) = lively(&mut s);
    let last = ago(&s, 20);
    s.pass(ms(60));
    bridge(&mut s, noise());
    let filled = s.now;
    s.pass(ms(100));
    retarget(&mut s, CAROL);
    assert_eq!(
        s.packet(a, ALICE, &rtp(1, 1, 1)).unwrap().to,
        at(CAROL),
        "packets go to the new peer at once"
    );
    s.pass(ms(30));
    let own = header(&s.own.last().unwrap().bytes);
    let first = header(&s.packet(b, CAROL, &rtp(0xca401, 40_000, 5)).unwrap().bytes);
    assert_eq!((first.ssrc, first.sequence), (SOURCE, own.sequence + 1));
    assert!(first.timestamp > own.timestamp && first.timestamp <= own.timestamp + 160);
    let resumed_at = s.now;
    assert_eq!(resumed(&mut s), [Gap { last: Some(last), filled: Some(filled), resumed: resumed_at }]);
    let count = s.own.len();
    s.pass(ms(500));
    assert_eq!(s.own.len(), count, "nobody fills any more");
    assert_eq!(s.packet(b, BOB, &rtp(SOURCE, 99, 9)), Err(DropReason::Stranger));
    assert_eq!(resumed(&mut s), []);
    assert_eq!(s.relay.counters().resumed, 1);
}

#[test]
fn make_before_break_loses_nothing() {
    let mut s = shell();
    let (_, b) = lively(&mut s);
    retarget(&mut s, CAROL);
    for n in 10..15 {
        assert_eq!(header(&s.packet(b, BOB, &rtp(SOURCE, n, u32::from(n) * 160)).unwrap().bytes).sequence, n);
        s.pass(ms(20));
    }
    let last = ago(&s, 20);
    let first = header(&s.packet(b, CAROL, &rtp(7, 3, 1000)).unwrap().bytes);
    assert_eq!((first.ssrc, first.sequence, first.timestamp), (SOURCE, 15, 15 * 160));
    let gap = Gap { last: Some(last), filled: None, resumed: s.now };
    assert_eq!(resumed(&mut s), [gap]);
    assert_eq!((gap.media(), gap.conversation()), (Some(ms(20)), Some(ms(20))));
    assert_eq!(s.packet(b, BOB, &rtp(SOURCE, 15, 15 * 160)), Err(DropReason::Stranger));
    let stats = s.release(ID).from_b;
    assert_eq!((stats.packets, stats.lost), (16, 0));
}

#[test]
fn a_second_region_that_dies_before_it_spoke_is_passed_over() {
    let mut s = shell();
    let (_, b) = lively(&mut s);
    let last = ago(&s, 20);
    bridge(&mut s, noise());
    retarget(&mut s, CAROL);
    s.pass(ms(300));
    retarget(&mut s, DAVE);
    s.pass(ms(10));
    assert_eq!(s.packet(b, CAROL, &rtp(7, 1, 1)), Err(DropReason::Stranger));
    s.packet(b, DAVE, &rtp(8, 1, 1)).unwrap();
    let [gap] = resumed(&mut s)[..] else { panic!("told once") };
    assert_eq!((gap.last, gap.resumed), (Some(last), s.now));
    assert_eq!(gap.media(), Some(ms(40)), "filled after two packet times");
}

#[test]
fn a_peer_that_is_forgotten_is_bridged_until_somebody_comes() {
    let mut s = shell();
    let (_, b) = lively(&mut s);
    bridge(&mut s, noise());
    s.command(RelayCommand::Retarget { session: ID, leg: Leg::B, region: RegionId(2), to: None });
    s.pass(ms(100));
    let filled = s.own.len();
    assert!(filled >= 3);
    s.connect(ID, Leg::B, connect(CAROL));
    let first = header(&s.packet(b, CAROL, &rtp(7, 1, 1)).unwrap().bytes);
    assert_eq!(first.sequence, header(&s.own[filled - 1].bytes).sequence + 1);
    s.pass(ms(200));
    assert_eq!(s.own.len(), filled);
    assert_eq!(resumed(&mut s), [], "nobody was told of a successor");
}

#[test]
fn who_holds_hears_no_fill() {
    let mut s = shell();
    lively(&mut s);
    s.connect(ID, Leg::A, Connect { direction: Direction::RecvOnly, ..connect(ALICE) });
    bridge(&mut s, noise());
    s.pass(ms(200));
    assert_eq!(s.own, []);
    s.connect(ID, Leg::A, connect(ALICE));
    s.pass(ms(60));
    assert_eq!(s.own.len(), 3);
    assert!(header(&s.own[0].bytes).marker);
    assert_eq!(header(&s.own[0].bytes).sequence, 10, "numbers do not count what was not sent");
}

#[test]
fn what_was_not_to_be_heard_before_is_not_filled() {
    let mut s = shell();
    lively(&mut s);
    s.connect(ID, Leg::B, Connect { direction: Direction::SendOnly, ..connect(BOB) });
    bridge(&mut s, noise());
    s.pass(ms(200));
    assert_eq!(s.own, []);
}

#[test]
fn a_leg_that_never_heard_anything_gets_a_line_of_our_own_which_the_peer_then_continues() {
    let mut s = shell();
    let (_, b) = s.call(open(0), connect(ALICE), connect(BOB));
    bridge(&mut s, noise());
    s.pass(ms(50));
    let own: Vec<_> = s.own.iter().map(|p| header(&p.bytes)).collect();
    assert!(own.len() >= 3 && own[0].marker);
    assert!(own.windows(2).all(|w| w[1].sequence == w[0].sequence.wrapping_add(1)));
    assert!(own.windows(2).all(|w| w[1].timestamp == w[0].timestamp.wrapping_add(160)));
    s.pass(ms(5));
    let bob = header(&s.packet(b, BOB, &rtp(SOURCE, 4711, 1)).unwrap().bytes);
    assert_eq!((bob.ssrc, bob.sequence), (own[0].ssrc, own.last().unwrap().sequence.wrapping_add(1)));
}

#[test]
fn the_prompt_is_played_from_its_begin_and_over_again() {
    let mut c = config(10_000..=10_099);
    let samples: Vec<u8> = (0..=255).cycle().take(400).collect();
    c.prompt = Some(Prompt { mu: samples.clone().into(), a: vec![0; 400].into() });
    let mut s = Shell::new(c);
    lively(&mut s);
    bridge(&mut s, fill(Sound::Prompt(Law::Mu)));
    s.pass(ms(100));
    let heard: Vec<u8> = s.own.iter().flat_map(|p| p.bytes[12..].to_vec()).collect();
    assert!(heard.len() >= 480);
    assert!(heard.iter().zip(samples.iter().cycle()).all(|(a, b)| a == b));
}

#[test]
fn comfort_noise_is_told_in_one_byte() {
    let mut s = shell();
    lively(&mut s);
    bridge(&mut s, fill(Sound::ComfortNoise));
    s.pass(ms(50));
    assert!(s.own.len() >= 2 && s.own.iter().all(|p| p.bytes.len() == 13 && p.bytes[1] & 0x7f == 13));
}

#[test]
fn a_bridge_without_fill_is_silent_and_silences_one_with_fill() {
    let mut s = shell();
    lively(&mut s);
    bridge(&mut s, noise());
    s.pass(ms(50));
    let n = s.own.len();
    assert!(n > 0);
    bridge(&mut s, None);
    s.pass(ms(1000));
    assert_eq!(s.own.len(), n);
}

#[test]
fn after_a_stall_what_was_due_meanwhile_is_left_out() {
    let mut s = shell();
    lively(&mut s);
    bridge(&mut s, noise());
    s.pass(ms(40));
    s.own.clear();
    let before = s.now;
    s.now = before + ms(207);
    s.relay.timeout(s.now);
    s.drain();
    assert_eq!(s.own.len(), 1);
    assert!(header(&s.own[0].bytes).marker, "time has jumped");
    s.pass(ms(60));
    assert_eq!(s.own.len(), 4);
}

#[test]
fn what_could_not_be_sent_is_counted() {
    let mut s = shell();
    lively(&mut s);
    bridge(&mut s, noise());
    s.now += ms(45);
    s.relay.timeout(s.now);
    assert_eq!(s.relay.poll_send(&mut [0; 20]), None, "a buffer that is too small");
    assert_eq!((s.relay.counters().filled, s.relay.counters().fill_failed), (0, 1));
}

#[test]
fn a_bridge_ends_with_its_session() {
    let mut s = shell();
    lively(&mut s);
    bridge(&mut s, noise());
    s.release(ID);
    s.own.clear();
    s.pass(ms(100));
    assert_eq!(s.own, []);
}
