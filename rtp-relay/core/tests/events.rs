//! A digit (RFC 4733) in the middle of a move ends once, neither lost nor doubled.

mod common;
use common::{ALICE, BOB, Header, Shell, at, config, connect, header, open, rtp};
use relay_values::{Connect, DropReason, Duration, Fill, Law, Leg, RegionId, RelayCommand, SessionId, Sound};

const ID: SessionId = SessionId::new(0, 0);
const CAROL: &str = "203.0.113.77:7000";
const EVENT: u8 = 101;
const DIGIT: u8 = 5;
const END: u8 = 0x80;
const VOLUME: u8 = 10;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn talker(rtp: &str) -> Connect {
    Connect { event: Some(EVENT), ..connect(rtp) }
}

fn report(ssrc: u32, sequence: u16, timestamp: u32, flags: u8, duration: u16) -> Vec<u8> {
    let mut b = rtp(ssrc, sequence, timestamp);
    b.truncate(12);
    b[1] = EVENT;
    b.extend([DIGIT, flags | VOLUME]);
    b.extend(duration.to_be_bytes());
    b
}

fn bridge(s: &mut Shell, fill: bool) {
    let sound = Sound::Noise(Law::A);
    let fill = fill.then_some(Fill { payload_type: 8, clock_rate: 8000, packet_time: ms(20), sound });
    s.command(RelayCommand::Bridge { session: ID, leg: Leg::B, fill });
}

fn retarget(s: &mut Shell, to: Option<&str>) {
    let to = to.map(talker);
    s.command(RelayCommand::Retarget { session: ID, leg: Leg::B, region: RegionId(2), to });
}

/// Bob has sent ten packets of sound and, in the eleventh to thirteenth, the begin of a digit.
fn pressed() -> (Shell, u16, u16) {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = s.call(open(0), talker(ALICE), talker(BOB));
    for n in 0..10 {
        s.packet(b, BOB, &rtp(2, n, u32::from(n) * 160)).unwrap();
        s.pass(ms(20));
    }
    for n in 0..3 {
        s.packet(b, BOB, &report(2, 10 + n, 1600, 0, 160 * (n + 1))).unwrap();
        s.pass(ms(20));
    }
    (s, a, b)
}

/// The end of that digit in three packets, from `sequence` on.
fn ends(sequence: u16) -> Vec<(Header, Vec<u8>)> {
    let end = |n| {
        let header =
            Header { marker: false, payload_type: EVENT, sequence: sequence + n, timestamp: 1600, ssrc: 2 };
        (header, vec![DIGIT, END | VOLUME, 480_u16.to_be_bytes()[0], 480_u16.to_be_bytes()[1]])
    };
    (0..3).map(end).collect()
}

fn events(s: &Shell) -> Vec<(Header, Vec<u8>)> {
    let own = s.own.iter().map(|p| (header(&p.bytes), p.bytes[12..].to_vec()));
    own.filter(|(h, _)| h.payload_type == EVENT).collect()
}

#[test]
fn a_digit_of_a_lost_peer_is_ended_with_its_last_duration() {
    for fill in [false, true] {
        let (mut s, _, b) = pressed();
        s.pass(ms(60));
        bridge(&mut s, fill);
        s.pass(ms(300));
        assert_eq!(events(&s), ends(13));
        // What still comes of it is not passed on; what comes after it is.
        assert_eq!(s.packet(b, BOB, &report(2, 13, 1600, 0, 640)), Err(DropReason::Late));
        assert_eq!(s.packet(b, BOB, &report(2, 14, 1600, END, 800)), Err(DropReason::Late));
        s.packet(b, BOB, &rtp(2, 20, 5600)).unwrap();
        s.packet(b, BOB, &report(2, 21, 5760, 0, 160)).unwrap();
        bridge(&mut s, fill);
        s.pass(ms(100));
        assert_eq!(events(&s).len(), 6, "the next digit is ended likewise");
    }
}

/// When each of our packets of that digit was sent, in milliseconds after the first.
fn spacing(s: &mut Shell) -> Vec<u64> {
    let (begin, mut at) = (s.now, vec![]);
    for _ in 0..300 {
        at.extend(events(s).iter().map(|_| s.now.since(begin).as_millis() as u64));
        s.own.clear();
        s.pass(ms(1));
    }
    at
}

#[test]
fn the_three_ends_keep_the_interval_of_the_reports() {
    // RFC 4733 §2.5.1.4: a burst that is lost is not to take all three.
    for (interval, expected) in [(5, 5), (10, 10), (20, 20), (30, 30), (50, 50), (60, 60), (2, 20), (200, 20)]
    {
        let mut s = Shell::new(config(10_000..=10_099));
        let (_, b) = s.call(open(0), talker(ALICE), talker(BOB));
        for n in 1..4 {
            s.packet(b, BOB, &report(2, n, 1600, 0, 8 * interval * n)).unwrap();
            s.pass(ms(interval.into()));
        }
        bridge(&mut s, true);
        assert_eq!(spacing(&mut s), [0, expected, 2 * expected], "reports every {interval} ms");
    }
}

#[test]
fn whoever_speaks_next_does_not_wait_for_them() {
    let (mut s, _, b) = pressed();
    bridge(&mut s, true);
    assert_eq!(events(&s).len(), 1);
    retarget(&mut s, Some(CAROL));
    s.pass(ms(5));
    let first = header(&s.packet(b, CAROL, &rtp(3, 900, 1)).unwrap().bytes);
    assert_eq!(events(&s), ends(13), "the others stand before her first packet");
    assert_eq!((first.sequence, first.ssrc), (16, 2));
    s.pass(ms(200));
    assert_eq!(events(&s).len(), 3);

    // Nor does the lost peer, when it is back.
    let (mut s, _, b) = pressed();
    bridge(&mut s, false);
    s.pass(ms(5));
    assert_eq!(s.packet(b, BOB, &report(2, 13, 1600, 0, 640)), Err(DropReason::Late));
    assert_eq!(events(&s).len(), 1, "what is of that digit still does not count");
    let next = header(&s.packet(b, BOB, &rtp(2, 20, 5600)).unwrap().bytes);
    assert_eq!((events(&s), next.sequence), (ends(13), 16));
}

#[test]
fn the_fill_after_a_digit_is_where_time_is() {
    let (mut s, _, _) = pressed();
    s.pass(ms(60));
    bridge(&mut s, true);
    s.pass(ms(100));
    let fill: Vec<_> = s.own.iter().map(|p| header(&p.bytes)).filter(|h| h.payload_type == 8).collect();
    // The digit began at 1,600, 120 ms before the bridge, and its end takes 40 ms.
    let since = fill[0].timestamp - 1600;
    assert!((960..=1280).contains(&since), "{since} units after the digit's begin");
    assert!(fill[0].marker && fill[0].sequence == 16);
}

#[test]
fn a_digit_that_was_ended_is_not_ended_again() {
    let (mut s, _, b) = pressed();
    for n in 0..3 {
        s.packet(b, BOB, &report(2, 13 + n, 1600, END, 640)).unwrap();
    }
    bridge(&mut s, true);
    s.pass(ms(200));
    assert_eq!(events(&s), []);
}

#[test]
fn a_late_report_of_the_digit_before_opens_nothing() {
    let (mut s, _, b) = pressed();
    s.packet(b, BOB, &report(2, 14, 1600, END, 640)).unwrap();
    s.packet(b, BOB, &rtp(2, 15, 2400)).unwrap();
    s.packet(b, BOB, &report(2, 13, 1600, 0, 560)).unwrap();
    bridge(&mut s, false);
    s.pass(ms(200));
    assert_eq!(events(&s), [], "its end had been passed on");
}

#[test]
fn a_digit_of_a_peer_that_is_left_alive_goes_on_until_the_next_one_speaks() {
    let (mut s, _, b) = pressed();
    retarget(&mut s, Some(CAROL));
    s.packet(b, BOB, &report(2, 13, 1600, 0, 480)).unwrap();
    assert_eq!(s.own, []);
    // Carol speaks before it has ended: the three ends stand before her first packet.
    let first = header(&s.packet(b, CAROL, &rtp(3, 900, 1)).unwrap().bytes);
    assert_eq!(events(&s), ends(14));
    assert_eq!((first.sequence, first.ssrc), (17, 2));
    assert_eq!(s.packet(b, BOB, &report(2, 14, 1600, END, 800)), Err(DropReason::Stranger));
}

#[test]
fn a_digit_of_a_peer_that_is_forgotten_is_ended() {
    let (mut s, _, _) = pressed();
    retarget(&mut s, None);
    assert_eq!(events(&s), ends(13)[..1]);
    s.pass(ms(40));
    assert_eq!(events(&s), ends(13));
}

#[test]
fn a_digit_for_a_peer_that_is_left_alive_ends_there_and_the_next_one_goes_to_the_new_peer() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = s.call(open(0), talker(ALICE), talker(BOB));
    s.packet(b, BOB, &rtp(2, 0, 0)).unwrap();
    let to = |s: &mut Shell, bytes: Vec<u8>| s.packet(a, ALICE, &bytes).unwrap().to;
    assert_eq!(to(&mut s, rtp(1, 1, 160)), at(BOB));
    assert_eq!(to(&mut s, report(1, 2, 320, 0, 160)), at(BOB));
    retarget(&mut s, Some(CAROL));
    assert_eq!(to(&mut s, report(1, 3, 320, 0, 320)), at(BOB));
    assert_eq!(to(&mut s, rtp(1, 4, 640)), at(CAROL), "sound goes to the new peer at once");
    s.packet(b, CAROL, &rtp(3, 0, 0)).unwrap();
    for n in 5..8 {
        assert_eq!(to(&mut s, report(1, n, 320, END, 480)), at(BOB), "also after the new peer has spoken");
    }
    assert_eq!(to(&mut s, report(1, 8, 1600, 0, 160)), at(CAROL));
}

#[test]
fn a_digit_for_a_dead_peer_goes_to_the_new_one() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = s.call(open(0), talker(ALICE), talker(BOB));
    s.packet(b, BOB, &rtp(2, 0, 0)).unwrap();
    s.packet(a, ALICE, &report(1, 2, 320, 0, 160)).unwrap();
    bridge(&mut s, true);
    retarget(&mut s, Some(CAROL));
    assert_eq!(s.packet(a, ALICE, &report(1, 3, 320, 0, 320)).unwrap().to, at(CAROL));
}

/// A little randomness that is the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[test]
fn whatever_overtakes_whatever_a_digit_that_was_heard_has_its_end() {
    let mut dice = Dice(1);
    for run in 0..3000 {
        let mut s = Shell::new(config(10_000..=10_099));
        let (_, b) = s.call(open(0), talker(ALICE), talker(BOB));
        // Two digits of eight reports and three ends each, somewhere in a second of sound. Bob dies, and some of what he has
        // sent is still on its way when he is taken for lost.
        let dies = 400 + dice.below(600);
        let keys = [dice.below(20), 22 + dice.below(20)];
        let mut packets = vec![];
        for (sequence, n) in (0..).zip((0..50).take_while(|n| n * 20 < dies)) {
            let key = keys.iter().find(|begin| (**begin..**begin + 11).contains(&n));
            let bytes = match key {
                Some(begin) => {
                    let (nth, timestamp) = (n - begin, (begin * 160) as u32);
                    let flags = if nth >= 8 { END } else { 0 };
                    report(2, sequence, timestamp, flags, 160 * (nth.min(7) as u16 + 1))
                }
                None => rtp(2, sequence, (n * 160) as u32),
            };
            if dice.below(12) == 0 {
                continue;
            }
            let late = if dice.below(10) == 0 { dice.below(800) } else { 0 };
            packets.push((n * 20 + 10 + dice.below(40) + late, bytes));
        }
        packets.sort_by_key(|(at, _)| *at);
        let (lost, moved) = (dies + 20 + dice.below(200), dies + 250 + dice.below(100));
        let (mut begun, mut at, mut new) = (vec![], 0, 0);
        let (mut is_lost, mut is_moved) = (false, false);
        let end = s.now + ms(1600);
        let mut heard = |packet: &[u8]| {
            let h = header(packet);
            if h.payload_type == EVENT {
                let ends = packet[13] & END != 0;
                match begun.iter_mut().find(|(timestamp, _)| *timestamp == h.timestamp) {
                    Some((_, ended)) => *ended |= ends,
                    None => begun.push((h.timestamp, ends)),
                }
            }
        };
        while s.now < end {
            while packets.first().is_some_and(|(due, _)| *due <= at) {
                let (_, bytes) = packets.remove(0);
                let sent = s.packet(b, BOB, &bytes);
                s.own.drain(..).for_each(|own| heard(&own.bytes));
                sent.iter().for_each(|sent| heard(&sent.bytes));
            }
            if at >= lost && !std::mem::replace(&mut is_lost, true) {
                bridge(&mut s, run % 2 == 0);
            }
            if at >= moved && !std::mem::replace(&mut is_moved, true) {
                retarget(&mut s, Some(CAROL));
            }
            if at > moved + 40 && at % 20 == 0 {
                new += 1;
                let sent = s.packet(b, CAROL, &rtp(3, new, u32::from(new) * 160));
                s.own.drain(..).for_each(|own| heard(&own.bytes));
                sent.iter().for_each(|sent| heard(&sent.bytes));
            }
            s.pass(ms(1));
            at += 1;
            s.own.drain(..).for_each(|own| heard(&own.bytes));
        }
        // What the network has taken is not ours to say, where another digit has followed.
        let last = begun.iter().map(|(timestamp, _)| *timestamp).max();
        for (timestamp, ended) in &begun {
            assert!(
                *ended || Some(*timestamp) != last,
                "run {run}: the digit at {timestamp} of {begun:?} has no end"
            );
        }
    }
}
