//! RTCP by words, and a call whose tier leg was moved.

use super::{ALICE, BOB, Shell, config, connect, open, rtp};
use relay_values::{Duration, Fill, Law, Leg, RegionId, RelayCommand, SessionId, Sound};

pub(crate) const ID: SessionId = SessionId::new(0, 0);
pub(crate) const CAROL: &str = "203.0.113.77:7000";
pub(crate) const ALICE_RTCP: &str = "192.0.2.1:4001";
pub(crate) const BOB_RTCP: &str = "203.0.113.1:5001";
pub(crate) const CAROL_RTCP: &str = "203.0.113.77:7001";
/// SSRCs: Bob's, which Alice knows the line by; Carol's; Alice's.
pub(crate) const LINE: u32 = 0xb0b;
pub(crate) const SOURCE: u32 = 0xca401;
pub(crate) const CALLER: u32 = 0xa11ce;

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_be_bytes()).collect()
}

/// A packet of a type, with its count and its words after the first.
pub(crate) fn packet(kind: u8, count: u8, body: &[u32]) -> Vec<u8> {
    let [hi, lo] = (body.len() as u16).to_be_bytes();
    [&[0x80 | count, kind, hi, lo][..], &words(body)].concat()
}

pub(crate) fn read(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks(4).map(|w| u32::from_be_bytes(w.try_into().unwrap())).collect()
}

/// NTP timestamp, RTP timestamp, packets, octets.
pub(crate) fn sender_report(ssrc: u32, ntp: [u32; 2], timestamp: u32, packets: u32, octets: u32) -> Vec<u8> {
    packet(200, 0, &[ssrc, ntp[0], ntp[1], timestamp, packets, octets])
}

/// `of`'s report about `about`: lost, highest, jitter 7, LSR, DLSR.
pub(crate) fn report_of(of: u32, about: u32, lost: u32, highest: u32, answer: [u32; 2]) -> Vec<u8> {
    packet(201, 1, &[of, about, lost, highest, 7, answer[0], answer[1]])
}

/// Alice's.
pub(crate) fn receiver_report(about: u32, lost: u32, highest: u32, last: u32, delay: u32) -> Vec<u8> {
    report_of(CALLER, about, lost, highest, [last, delay])
}

/// A description of one source by one item.
pub(crate) fn description(ssrc: u32, item: u8, text: &[u8]) -> Vec<u8> {
    let mut body = ssrc.to_be_bytes().to_vec();
    body.extend([item, text.len() as u8]);
    body.extend(text);
    body.push(0);
    body.resize(body.len().next_multiple_of(4), 0);
    packet(202, 1, &read(&body))
}

pub(crate) fn retarget(s: &mut Shell, to: &str) {
    let to = Some(connect(to));
    s.command(RelayCommand::Retarget { session: ID, leg: Leg::B, region: RegionId(2), to });
}

pub(crate) fn bridge(s: &mut Shell) {
    let sound = Sound::Noise(Law::A);
    let fill = Some(Fill { payload_type: 8, clock_rate: 8000, packet_time: ms(20), sound });
    s.command(RelayCommand::Bridge { session: ID, leg: Leg::B, fill });
}

/// Alice and Bob talk.
pub(crate) fn talking() -> (Shell, u16, u16) {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = s.call(open(0), connect(ALICE), connect(BOB));
    (s, a, b)
}

/// Bob sends packets of his numbers from `first` on.
pub(crate) fn speak(s: &mut Shell, port: u16, from: &str, ssrc: u32, first: u16, count: u16, clock: u32) {
    for n in 0..count {
        let sequence = first.wrapping_add(n);
        let timestamp = clock.wrapping_add(u32::from(n) * 160);
        s.packet(port, from, &rtp(ssrc, sequence, timestamp)).unwrap();
        s.pass(ms(20));
    }
}

/// Bob has sent 100 packets, from number 65,500 on, then Carol has taken over and sent 50 of hers, from 300 on.
pub(crate) fn moved() -> (Shell, u16, u16) {
    let (mut s, a, b) = talking();
    speak(&mut s, b, BOB, LINE, 65_500, 100, 0);
    retarget(&mut s, CAROL);
    speak(&mut s, b, CAROL, SOURCE, 300, 50, 9_000_000);
    (s, a, b)
}
