//! A region of SIPp's dies while a call says something: every flow goes on, or is put off in words that its sender knows.
//!
//! Carrier and edges play scenarios of their own. A director says to the carrier when its next line is due: an OPTIONS of the same
//! Call-ID from an address that is nobody's, which its scenario waits for.

use crate::flows::scenario::Scenario;
use crate::flows::table::sdp;
use crate::peer::{PATIENCE, Sipp};
use crate::place::Place;
use crate::wire::{Datagram, Wire};
use proxy_core::{CallRecord, CloseReason, MoveOutcome};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

const HELD: &str = "a=sendonly\n";
const RETURNED: &str = "a=recvonly\n";

/// What has crossed, one line a message, is printed where the story fails.
struct Ladder(Wire);

impl Drop for Ladder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.0.seen(|seen| {
            let Some(first) = seen.first().map(|d| d.at) else { return };
            for d in seen.iter().filter(|d| d.to.port() < 6_000) {
                let (text, ms) = (String::from_utf8_lossy(&d.payload), (d.at - first).as_millis());
                let fields = ["CSeq:", "Reason:", "Session-Expires:", "Call-ID:"];
                let said: Vec<_> = text.lines().filter(|l| fields.iter().any(|f| l.starts_with(f))).collect();
                eprintln!(
                    "{ms} ms {} > {} {} {said:?}",
                    d.from,
                    d.to,
                    text.lines().next().unwrap_or_default()
                );
            }
        });
    }
}

/// One call of the carrier, which begins in the north.
struct Scene {
    place: Place,
    wire: Ladder,
    carrier: Sipp,
    north: Sipp,
    south: Sipp,
    cues: u32,
}

impl Scene {
    fn begins(n: u8, more: &'static str, carrier: Scenario, north: Scenario, south: Scenario) -> Self {
        let mut place = Place::probed_with(n, more);
        let wire = Wire::of(&[place.v4(2), place.v4(11), place.v4(12)]);
        let file = |scenario: Scenario| scenario.write(&place.folder()).display().to_string();
        let north = place.north(&file(north.probed()), &[]);
        let south = place.south(&file(south.probed()), &[]);
        let carrier = file(carrier);
        place.starts();
        let carrier = place.carrier_calls(&carrier, &["-m", "1", "-cid_str", "call-%u"]);
        Self { place, wire: Ladder(wire), carrier, north, south, cues: 0 }
    }

    fn carriers(&self) -> Ipv4Addr {
        self.place.v4(2)
    }

    /// Wait until something has crossed the wire.
    fn sees(&self, what: &str, is_it: impl Fn(&Datagram, &str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !self.wire.0.seen(|seen| seen.iter().any(|d| is_it(d, &String::from_utf8_lossy(&d.payload)))) {
            assert!(Instant::now() < deadline, "{what} was never seen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Wait until a request has come to an edge or the carrier.
    fn sees_asked(&self, host: u8, method: &str) {
        let to = self.place.v4(host);
        let begins = format!("{method} ");
        self.sees(&format!("{method} to {to}"), |d, text| *d.to.ip() == to && text.starts_with(&begins));
    }

    /// The carrier says what it says next.
    fn cue(&mut self) {
        self.cues += 1;
        let (from, to, n) = (self.place.v4(9), self.carriers(), self.cues);
        let cue = format!(
            "OPTIONS sip:sipp@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from}:5060;branch=z9hG4bKcue{n}\r\nFrom: <sip:director@{from}>;tag=d\r\n\
             To: <sip:sipp@{to}>\r\nCall-ID: call-1\r\nCSeq: {n} OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        UdpSocket::bind((from, 0)).unwrap().send_to(cue.as_bytes(), (to, 5060)).unwrap();
    }

    /// The carrier's call and what the south had to say went as written, the north is gone for good.
    fn ends(self, close: CloseReason) -> CallRecord {
        let Self { place, carrier, north, south, wire, .. } = self;
        carrier.succeeds(1);
        assert!(south.stops() >= 1);
        drop(north);
        let records = place.ends_with(1);
        assert_eq!((records[0].code, records[0].close), (200, close), "{records:#?}");
        drop(wire);
        (*records[0]).clone()
    }
}

/// A plain call until it is up, on either side.
fn up(flow: &str) -> Scenario {
    Scenario::caller(flow)
        .calls(&["Allow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO, MESSAGE, OPTIONS, REFER"], &sdp(1, ""))
        .gets(200, "INVITE", &[])
        .acknowledges("")
}

fn north(flow: &str) -> Scenario {
    Scenario::answerer(&format!("{flow}_north"))
}

fn south(flow: &str) -> Scenario {
    Scenario::answerer(&format!("{flow}_south"))
}

/// An edge that takes the call and is never heard again.
fn takes(s: Scenario) -> Scenario {
    s.hears("INVITE", &[]).answers_invite(200, &[], &sdp(1, "")).hears("ACK", &[]).waits(60_000)
}

#[test]
fn a_prack_is_answered_though_whom_it_was_for_is_dead_and_the_next_region_takes_the_call() {
    let flow = "moved_prack";
    let carrier = Scenario::caller(flow)
        .calls(&["Supported: 100rel"], &sdp(1, ""))
        .gets(183, "INVITE", &["Require: 100rel", "RSeq:", "m=audio"])
        .acknowledges_early("")
        .gets(200, "PRACK", &[])
        .gets(180, "INVITE", &[])
        .gets(200, "INVITE", &[])
        .acknowledges("")
        .waits(200)
        .hangs_up();
    // It never answers.
    let north = north(flow)
        .hears("INVITE", &["100rel"])
        .answers_invite(183, &["Require: 100rel", "RSeq: 77"], &sdp(1, ""))
        .hears("PRACK", &["RAck: 77 1 INVITE"])
        .waits(60_000);
    let south = south(flow)
        .hears("INVITE", &["m=audio [1-9][0-9]* RTP/AVP 8"])
        .answers_invite(180, &[], "")
        .waits(100)
        .answers_invite(200, &[], &sdp(1, ""))
        .hears("ACK", &[])
        .hears_bye();
    let scene = Scene::begins(71, "", carrier, north, south);
    scene.sees_asked(11, "PRACK");
    scene.north.freezes();
    let record = scene.ends(CloseReason::ByeFromA);
    assert_eq!(record.steps.last().unwrap().target, "south-1", "{record:#?}");
}

#[test]
fn what_the_carrier_asks_for_in_the_middle_is_answered_or_put_off_and_done_when_asked_again() {
    let flow = "moved_asked";
    let put_off = |s: Scenario, method: &str, fields: &[&str], body: &str, code| {
        let s = s.asks(method, fields, body).gets(code, method, &[]);
        if method == "INVITE" { s.acknowledges_refusal() } else { s }
    };
    let text = ["Content-Type: text/plain"];
    let digit = ["Content-Type: application/dtmf-relay"];
    let refer = ["Refer-To: <sip:+4930654321@192.0.2.9>"];
    let s = up(flow).waits_for_cue().asks("OPTIONS", &[], "").gets(200, "OPTIONS", &[]);
    let s = put_off(s, "INVITE", &[], &sdp(2, HELD), 491);
    let s = put_off(s, "UPDATE", &[], &sdp(3, HELD), 491);
    let s = put_off(s, "INFO", &digit, "Signal=5\n", 500);
    let s = put_off(s, "MESSAGE", &text, "hello\n", 500);
    let s = put_off(s, "REFER", &refer, "", 500);
    let s = s
        .waits_for_cue()
        .asks("INVITE", &[], &sdp(4, HELD))
        .gets(200, "INVITE", &[RETURNED.trim()])
        .acknowledges("");
    let s = s.asks("UPDATE", &[], &sdp(5, "")).gets(200, "UPDATE", &["!a=recvonly"]);
    let s = s.asks("INFO", &digit, "Signal=6\n").gets(200, "INFO", &[]);
    let s = s.asks("MESSAGE", &text, "hello\n").gets(200, "MESSAGE", &[]);
    let carrier = s.asks("REFER", &refer, "").gets(202, "REFER", &[]).hangs_up();
    let south = south(flow)
        .hears("INVITE", &[])
        .answers_invite(180, &[], "")
        .waits(2500)
        .answers_invite(200, &["Allow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO, MESSAGE, REFER"], &sdp(1, ""))
        .hears("ACK", &[])
        .hears("INVITE", &[HELD.trim()])
        .answers_invite(200, &[], &sdp(2, RETURNED))
        .hears("ACK", &[])
        .hears("UPDATE", &["!a=sendonly"])
        .answers(200, &sdp(3, ""))
        .hears("INFO", &["Signal=6"])
        .answers(200, "")
        .hears("MESSAGE", &["hello"])
        .answers(200, "")
        .hears("REFER", &["Refer-To: .*4930654321@192.0.2.9"])
        .answers(202, "")
        .hears_bye();
    let mut scene = Scene::begins(72, "", carrier, takes(north(flow)), south);
    scene.sees_asked(11, "ACK");
    scene.north.freezes();
    scene.sees_asked(12, "INVITE");
    scene.cue();
    scene.sees_asked(12, "ACK");
    scene.cue();
    scene.ends(CloseReason::ByeFromA);
}

#[test]
fn an_update_on_the_heels_of_the_move_reaches_the_new_edge() {
    let flow = "moved_update";
    let carrier = up(flow)
        .waits_for_cue()
        .asks("UPDATE", &[], &sdp(2, HELD))
        .gets(200, "UPDATE", &[RETURNED.trim()])
        .hears("UPDATE", &["!a=sendonly"])
        .answers(200, &sdp(3, ""))
        .hangs_up();
    let south = south(flow)
        .hears("INVITE", &[])
        .answers_invite(200, &["Allow: INVITE, ACK, BYE, CANCEL, UPDATE"], &sdp(1, ""))
        .hears("ACK", &[])
        .hears("UPDATE", &[HELD.trim()])
        .answers(200, &sdp(2, RETURNED))
        .waits(50)
        .asks("UPDATE", &[], &sdp(3, ""))
        .gets(200, "UPDATE", &["m=audio"])
        .hears_bye();
    let mut scene = Scene::begins(73, "", carrier, takes(north(flow)), south);
    scene.sees_asked(11, "ACK");
    scene.north.freezes();
    scene.sees_asked(12, "ACK");
    scene.cue();
    scene.ends(CloseReason::ByeFromA);
}

#[test]
fn both_sessions_are_refreshed_while_a_region_dies_and_after() {
    const FIELDS: [&str; 2] = ["Supported: timer", "Session-Expires: 6;refresher=uac"];
    let flow = "moved_refresh";
    let mut s = Scenario::caller(flow)
        .calls(&FIELDS, &sdp(1, ""))
        .gets(200, "INVITE", &["Session-Expires: 6;refresher=uac"])
        .acknowledges("");
    let again = |s: Scenario| {
        s.asks("UPDATE", &FIELDS, "").gets(200, "UPDATE", &["Session-Expires: 6;refresher=uac"])
    };
    for _ in 0..4 {
        s = again(s.waits(1500));
    }
    s = again(s.waits_for_cue());
    let refreshed = ["Require: timer", "Session-Expires: 6;refresher=uac"];
    let south = south(flow)
        .hears("INVITE", &["Session-Expires: 6"])
        .answers_invite(
            200,
            &[refreshed[0], refreshed[1], "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"],
            &sdp(1, ""),
        )
        .hears("ACK", &[])
        .hears("UPDATE", &["Session-Expires: 6;refresher=uac", "!m=audio"])
        .answers_with(200, &refreshed, "")
        .hears_bye();
    let session = "[session]\nexpires = \"6s\"\nmin_se = \"4s\"\n";
    let mut scene = Scene::begins(74, session, s.hangs_up(), takes(north(flow)), south);
    scene.sees_asked(11, "ACK");
    scene.north.freezes();
    // The carrier's fourth refresh, and the new leg's first.
    scene.sees("the fourth refresh", |_, text| {
        text.contains("CSeq: 5 UPDATE") && text.starts_with("SIP/2.0 200")
    });
    scene.sees_asked(12, "UPDATE");
    std::thread::sleep(Duration::from_millis(50));
    scene.cue();
    let record = scene.ends(CloseReason::ByeFromA);
    assert_eq!(record.moves.len(), 1, "{record:#?}");
}

/// The carrier hangs up while the next edge's phone rings.
fn hangs_up_in_the_middle(n: u8, flow: &str, south: Scenario) {
    let carrier = up(flow).waits_for_cue().hangs_up();
    let mut scene = Scene::begins(n, "", carrier, takes(north(flow)), south);
    scene.sees_asked(11, "ACK");
    scene.north.freezes();
    scene.sees_asked(12, "INVITE");
    std::thread::sleep(Duration::from_millis(100));
    scene.cue();
    let record = scene.ends(CloseReason::ByeFromA);
    assert_eq!(record.moves[0].outcome, MoveOutcome::HungUp, "{record:#?}");
}

#[test]
fn a_carrier_that_hangs_up_in_the_middle_has_its_answer_and_the_next_edge_a_cancel() {
    let flow = "moved_bye";
    let south = south(flow)
        .hears("INVITE", &[])
        .answers_invite(180, &[], "")
        .hears("CANCEL", &[])
        .answers(200, "")
        .answers_invite(487, &[], "")
        .hears("ACK", &[]);
    hangs_up_in_the_middle(75, flow, south);
}

#[test]
fn an_edge_that_answers_against_that_cancel_has_its_ack_and_its_bye() {
    let flow = "moved_bye_late";
    let south = south(flow)
        .hears("INVITE", &[])
        .answers_invite(180, &[], "")
        .hears("CANCEL", &[])
        .answers(200, "")
        .answers_invite(200, &[], &sdp(1, ""))
        .hears("ACK", &[])
        .hears_bye();
    hangs_up_in_the_middle(76, flow, south);
}

/// The same in another codec, which the carrier has to be asked about.
fn mu_law(version: u32) -> String {
    sdp(version, "").replace("RTP/AVP 8 101", "RTP/AVP 0 101").replace("8 PCMA", "0 PCMU")
}

/// What the carrier's call began with: both codecs.
fn both_laws() -> String {
    sdp(1, "").replace("RTP/AVP 8 101", "RTP/AVP 8 0 101")
}

/// An edge whose media is not what the carrier has.
fn speaks_mu_law(flow: &str) -> Scenario {
    south(flow).hears("INVITE", &[]).answers_invite(200, &[], &mu_law(1)).hears("ACK", &[]).hears_bye()
}

#[test]
fn a_reinvite_that_crosses_the_moves_own_is_put_off_and_the_move_goes_on() {
    let flow = "moved_glare_theirs";
    let carrier = Scenario::caller(flow)
        .calls(&[], &both_laws())
        .gets(200, "INVITE", &[])
        .acknowledges("")
        .hears_and_keeps("INVITE", &["RTP/AVP 0 101"])
        .asks("INVITE", &[], &sdp(2, HELD))
        .gets(491, "INVITE", &[])
        .acknowledges_refusal()
        .answers_invite(200, &[], &mu_law(3))
        .hears("ACK", &[])
        .waits(500)
        .hangs_up();
    let scene = Scene::begins(77, "", carrier, takes(north(flow)), speaks_mu_law(flow));
    scene.sees_asked(11, "ACK");
    scene.north.freezes();
    let record = scene.ends(CloseReason::ByeFromA);
    assert_eq!(record.moves[0].outcome, MoveOutcome::Renegotiated, "{record:#?}");
}

#[test]
fn a_carrier_that_says_491_to_the_moves_reinvite_is_asked_again() {
    let flow = "moved_glare_ours";
    let carrier = Scenario::caller(flow)
        .calls(&[], &both_laws())
        .gets(200, "INVITE", &[])
        .acknowledges("")
        .hears("INVITE", &["RTP/AVP 0 101"])
        .answers_invite(491, &[], "")
        .hears("ACK", &[])
        .hears("INVITE", &["RTP/AVP 0 101"])
        .answers_invite(200, &[], &mu_law(2))
        .hears("ACK", &[])
        .waits(500)
        .hangs_up();
    let scene = Scene::begins(78, "", carrier, takes(north(flow)), speaks_mu_law(flow));
    scene.sees_asked(11, "ACK");
    scene.north.freezes();
    let record = scene.ends(CloseReason::ByeFromA);
    assert_eq!(record.moves[0].outcome, MoveOutcome::Renegotiated, "{record:#?}");
}
