//! A region of SIPp's is stopped with calls up. The carrier's side is captured and checked packet by packet.

use crate::line::{Packet, Voice, Voices, is_unbroken, lines_to, voices_in};
use crate::peer::PATIENCE;
use crate::place::{Place, other_tone, tone};
use crate::wire::{Datagram, Wire};
use proxy_core::{CallRecord, CloseReason, Direction, MoveOutcome, MoveReason};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Calls that speak: enough for their silence to be a region's (`media.silence.min_flows` is 8).
pub(crate) const CALLS: usize = 12;
pub(crate) const TWELVE: [&str; 4] = ["-m", "12", "-r", "12"];
/// Packets by which a flow is known as regular: a second and a half.
pub(crate) const REGULAR: usize = 75;
/// Packets of the new region that are waited for: half a second.
pub(crate) const AGAIN: usize = 25;
const SIP: u16 = 5060;

/// Wait until every one of so many lines to this address has so many packets of a voice.
pub(crate) fn hears(wire: &Wire, ip: Ipv4Addr, lines: usize, voice: Voice, packets: usize) {
    let voices = Voices::new(&tone(), &other_tone());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let heard: Vec<usize> = wire.seen(|seen| {
            let of = |line: &Vec<Packet>| line.iter().filter(|p| p.voice == voice).count();
            lines_to(seen, ip, &voices).values().map(of).collect()
        });
        if heard.len() == lines && heard.iter().all(|n| *n >= packets) {
            return;
        }
        assert!(Instant::now() < deadline, "{voice:?} was heard so often in {lines} lines: {heard:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// SIP of this address between two moments.
fn sip_of(seen: &[Datagram], ip: Ipv4Addr, from: Instant, to: Instant) -> Vec<String> {
    let ends = |d: &Datagram| {
        (*d.from.ip() == ip && d.from.port() == SIP) || (*d.to.ip() == ip && d.to.port() == SIP)
    };
    let meanwhile = seen.iter().filter(|d| d.at > from && d.at < to && ends(d));
    meanwhile.map(|d| String::from_utf8_lossy(&d.payload).into_owned()).collect()
}

/// Each of so many lines is unbroken, begins in the north and ends in the south, with nobody's voice in between at most.
pub(crate) fn all_went_over(seen: &[Datagram], ip: Ipv4Addr, lines: usize) {
    let found = lines_to(seen, ip, &Voices::new(&tone(), &other_tone()));
    assert_eq!(found.len(), lines, "one line for each call, before and after");
    for (ends, line) in &found {
        is_unbroken(line).unwrap_or_else(|why| panic!("{ends:?}: {why}"));
        let voices = voices_in(line);
        let fills = [Voice::North, Voice::Nobody, Voice::South];
        assert!(voices == fills || voices == [Voice::North, Voice::South], "{ends:?}: {voices:?}");
    }
}

/// Each call ended in order and was moved once, for the region's sake, as who it was.
pub(crate) fn all_were_moved(records: &[Arc<CallRecord>], direction: Direction, close: CloseReason) {
    for record in records {
        assert_eq!((record.direction, record.code, record.close), (direction, 200, close), "{record:#?}");
        let [receipt] = &record.moves[..] else { panic!("one move: {record:#?}") };
        assert_eq!(
            (receipt.reason, receipt.outcome),
            (MoveReason::RegionDown, MoveOutcome::Moved),
            "{receipt:#?}"
        );
        assert_eq!((receipt.from.1.as_str(), receipt.to.1.as_str()), ("north", "south"), "{receipt:#?}");
        assert_eq!(receipt.identity_before, receipt.identity_after, "{receipt:#?}");
    }
}

#[test]
fn a_region_freezes_and_its_calls_go_on_in_the_other_without_a_word_to_the_carrier() {
    let mut place = Place::probed(31);
    let carrier_at = place.v4(2);
    let wire = Wire::of(&[carrier_at]);
    let north = place.north("uas_rtp", &[]);
    let south = place.south(&place.retuned("uas_rtp"), &[]);
    place.starts();
    let carrier = place.carrier_calls("uac_rtp", &[&TWELVE[..], &["-d", "10000"]].concat());
    hears(&wire, carrier_at, CALLS, Voice::North, REGULAR);

    let frozen = Instant::now();
    north.freezes();
    place.receipts(CALLS);
    hears(&wire, carrier_at, CALLS, Voice::South, AGAIN);
    let moved = Instant::now();
    north.thaws();

    carrier.succeeds(CALLS as u32);
    // Every leg has had its BYE: a scenario that still waits for it does not stop. Probes succeed there, too.
    assert!(north.stops() >= CALLS as u32 && south.stops() >= CALLS as u32);
    let seen = wire.stop();
    assert_eq!(sip_of(&seen, carrier_at, frozen, moved), [""; 0]);
    all_went_over(&seen, carrier_at, CALLS);
    all_were_moved(&place.ends_with(CALLS), Direction::Inbound, CloseReason::ByeFromA);
}

#[test]
fn calls_that_a_region_made_outlive_it_in_the_other_without_a_word_to_the_carrier() {
    let mut place = Place::probed(32);
    let carrier_at = place.v4(2);
    let wire = Wire::of(&[carrier_at]);
    let carrier = place.carrier("uas_rtp_ends", &["-m", "12", "-d", "10000"]);
    let south = place.south(&place.retuned("uas_rtp"), &[]);
    // It never comes back, and would not hang up for a minute.
    let north = place.north_calls("uac_rtp", &[&TWELVE[..], &["-d", "60000"]].concat());
    place.starts();
    hears(&wire, carrier_at, CALLS, Voice::North, REGULAR);

    let frozen = Instant::now();
    north.freezes();
    place.receipts(CALLS);
    hears(&wire, carrier_at, CALLS, Voice::South, AGAIN);
    let moved = Instant::now();

    carrier.succeeds(CALLS as u32);
    assert!(south.stops() >= CALLS as u32);
    let seen = wire.stop();
    assert_eq!(sip_of(&seen, carrier_at, frozen, moved), [""; 0]);
    all_went_over(&seen, carrier_at, CALLS);
    all_were_moved(&place.ends_with(CALLS), Direction::Outbound, CloseReason::ByeFromB);
    drop(north);
}

#[test]
fn a_call_on_hold_stays_on_hold_in_the_other_region_and_is_taken_back_there() {
    const HELD: usize = 2;
    let mut place = Place::probed(33);
    let (carrier_at, holder_at, south_at) = (place.v4(2), place.v4(3), place.v4(12));
    let wire = Wire::of(&[carrier_at, holder_at, south_at]);
    let north = place.north("uas_rtp", &[]);
    let south = place.south(&place.retuned("uas_rtp"), &[]);
    place.starts();
    let slow = place.changed("uac_reinvite_hold", r#"<pause milliseconds="300"/>"#, "<pause/>");
    let holder = place.carrier_calls_too(&slow, &["-m", "2", "-r", "2", "-d", "5000"]);
    let carrier = place.carrier_calls("uac_rtp", &[&TWELVE[..], &["-d", "13000"]].concat());
    hears(&wire, carrier_at, CALLS, Voice::North, REGULAR);

    // The re-INVITE to hold, its 200 and its ACK of each. A 200 that comes again has its ACK again.
    let holds = |seen: &[Datagram]| {
        let acks = seen.iter().filter(|d| *d.from.ip() == holder_at && d.payload.starts_with(b"ACK "));
        let calls = acks.filter(|d| has(d, "CSeq: 2 ACK")).map(call_of);
        calls.collect::<BTreeSet<_>>().len()
    };
    let deadline = Instant::now() + PATIENCE;
    while wire.seen(holds) < HELD {
        assert!(Instant::now() < deadline, "nobody holds");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    let frozen = Instant::now();
    north.freezes();
    place.receipts(CALLS + HELD);
    let moved = Instant::now();
    hears(&wire, carrier_at, CALLS, Voice::South, AGAIN);
    north.thaws();

    holder.succeeds(HELD as u32);
    carrier.succeeds(CALLS as u32);
    assert!(north.stops() >= (CALLS + HELD) as u32 && south.stops() >= (CALLS + HELD) as u32);
    let seen = wire.stop();
    for ip in [carrier_at, holder_at] {
        assert_eq!(sip_of(&seen, ip, frozen, moved), [""; 0]);
    }
    let invites = seen.iter().filter(|d| *d.to.ip() == south_at && d.payload.starts_with(b"INVITE "));
    let on_hold = invites.filter(|d| d.at < moved && has(d, "a=sendonly")).map(call_of);
    assert_eq!(on_hold.collect::<BTreeSet<_>>().len(), HELD, "the new leg begins on hold");
    let meanwhile = seen.iter().filter(|d| *d.to.ip() == holder_at && d.to.port() != SIP);
    let heard = meanwhile.filter(|d| d.at > frozen && d.at < moved && d.to.port() % 2 == 0).count();
    assert_eq!(heard, 0, "who holds hears nothing, noise included");
    all_went_over(&seen, carrier_at, CALLS);
    all_went_over(&seen, holder_at, HELD);
    all_were_moved(&place.ends_with(CALLS + HELD), Direction::Inbound, CloseReason::ByeFromA);
}

fn call_of(datagram: &Datagram) -> String {
    let text = String::from_utf8_lossy(&datagram.payload);
    text.lines().find(|line| line.starts_with("Call-ID:")).unwrap_or_default().to_owned()
}

fn has(datagram: &Datagram, text: &str) -> bool {
    String::from_utf8_lossy(&datagram.payload).contains(text)
}
