//! Names and numbers in all that is not a report: descriptions, farewells, extended reports, feedback.

mod common;
use common::compounds::*;
use common::{BOB, Shell, rtp};
use relay_values::DropReason;

const CNAME: u8 = 1;
const TOOL: u8 = 6;
const BOBS: &[u8] = b"bob@203.0.113.1";
const CAROLS: &[u8] = b"TGlrZSBhIGhhc2gu-and-longer-than-his";

/// What Alice hears of Carol's `bytes`.
fn from_carol(s: &mut Shell, b: u16, bytes: &[u8]) -> Vec<u8> {
    s.packet(b + 1, CAROL_RTCP, bytes).unwrap().bytes
}

/// What Carol hears of Alice's `bytes`.
fn from_alice(s: &mut Shell, a: u16, bytes: &[u8]) -> Vec<u8> {
    s.packet(a + 1, ALICE_RTCP, bytes).unwrap().bytes
}

/// The line of Bob, who is known by name, taken over by Carol: her 300 to 349 are Alice's 64 to 113.
fn moved_with_name() -> (Shell, u16, u16) {
    let (mut s, a, b) = talking();
    speak(&mut s, b, BOB, LINE, 65_500, 100, 0);
    let introduction = [packet(201, 0, &[LINE]), description(LINE, CNAME, BOBS)].concat();
    assert_eq!(s.packet(b + 1, BOB_RTCP, &introduction).unwrap().bytes, introduction);
    retarget(&mut s, CAROL);
    speak(&mut s, b, CAROL, SOURCE, 300, 50, 9_000_000);
    (s, a, b)
}

#[test]
fn the_line_keeps_the_name_under_which_it_was_introduced() {
    let (mut s, _, b) = moved_with_name();
    for of_carol in [CAROLS, b"c", b""] {
        let bytes = [packet(201, 0, &[SOURCE]), description(SOURCE, CNAME, of_carol)].concat();
        let expected = [packet(201, 0, &[LINE]), description(LINE, CNAME, BOBS)].concat();
        assert_eq!(from_carol(&mut s, b, &bytes), expected);
    }
    // The length has changed, and goes to the same place from the same port.
    let bytes = [packet(201, 0, &[SOURCE]), description(SOURCE, CNAME, CAROLS)].concat();
    let sent = s.packet(b + 1, CAROL_RTCP, &bytes).unwrap();
    assert_eq!((sent.to.to_string(), sent.from.port() % 2), (ALICE_RTCP.to_owned(), 1));
}

#[test]
fn a_line_that_was_not_introduced_takes_the_name_of_the_first_who_says_one() {
    let (mut s, _, b) = moved();
    let carols = [packet(201, 0, &[SOURCE]), description(SOURCE, CNAME, CAROLS)].concat();
    let expected = [packet(201, 0, &[LINE]), description(LINE, CNAME, CAROLS)].concat();
    assert_eq!(from_carol(&mut s, b, &carols), expected);
    retarget(&mut s, BOB);
    speak(&mut s, b, BOB, 0xb0b2, 7, 3, 5);
    let bobs = [packet(201, 0, &[0xb0b2]), description(0xb0b2, CNAME, BOBS)].concat();
    assert_eq!(s.packet(b + 1, BOB_RTCP, &bobs).unwrap().bytes, expected);
}

#[test]
fn what_else_a_participant_says_of_itself_passes() {
    let (mut s, _, b) = moved_with_name();
    let bytes = [packet(201, 0, &[SOURCE]), description(SOURCE, TOOL, b"phone")].concat();
    let expected = [packet(201, 0, &[LINE]), description(LINE, TOOL, b"phone")].concat();
    assert_eq!(from_carol(&mut s, b, &bytes), expected);
}

#[test]
fn one_participant_is_described_once() {
    let (mut s, _, b) = moved_with_name();
    retarget(&mut s, BOB);
    // Who is not on the line yet has no name but the line's; thirty-one of them would not fit.
    let chunk = [0xb0b2, 0x0101_6100];
    let crowd = packet(202, 31, &chunk.repeat(31));
    let heard = s.packet(b + 1, BOB_RTCP, &[packet(201, 0, &[0xb0b2]), crowd].concat()).unwrap().bytes;
    assert_eq!(heard, [packet(201, 0, &[LINE]), description(LINE, CNAME, BOBS)].concat());
}

#[test]
fn the_farewell_of_a_source_that_was_spliced_away_does_not_end_the_line() {
    let (mut s, _, b) = moved_with_name();
    // The line's own name, from who is not its source, and a contributing source.
    let others = 0x0000_0bad;
    let bytes = [packet(201, 0, &[SOURCE]), packet(203, 2, &[LINE, others])].concat();
    let expected = [packet(201, 0, &[LINE]), packet(203, 1, &[others])].concat();
    assert_eq!(from_carol(&mut s, b, &bytes), expected);
    let bytes = [packet(201, 0, &[SOURCE]), packet(203, 1, &[LINE])].concat();
    assert_eq!(from_carol(&mut s, b, &bytes), packet(201, 0, &[LINE]));
    // Its present source's does.
    let bytes = [packet(201, 0, &[SOURCE]), packet(203, 1, &[SOURCE, 0x0362_7965])].concat();
    let expected = [packet(201, 0, &[LINE]), packet(203, 1, &[LINE, 0x0362_7965])].concat();
    assert_eq!(from_carol(&mut s, b, &bytes), expected);
}

#[test]
fn what_is_of_an_unknown_type_passes_before_a_move_and_not_after_it() {
    let (mut s, _, b) = talking();
    s.packet(b, BOB, &rtp(LINE, 1, 1)).unwrap();
    let unknown = [packet(201, 0, &[LINE]), packet(209, 3, &[LINE, 1, 2])].concat();
    assert_eq!(s.packet(b + 1, BOB_RTCP, &unknown).unwrap().bytes, unknown);
    let (mut s, _, b) = moved();
    let unknown = [packet(201, 0, &[SOURCE]), packet(209, 3, &[SOURCE, 1, 2])].concat();
    assert_eq!(from_carol(&mut s, b, &unknown), packet(201, 0, &[LINE]));
}

/// A block of an extended report.
fn block(kind: u8, flags: u8, body: &[u32]) -> Vec<u32> {
    let head = u32::from(kind) << 24 | u32::from(flags) << 16 | body.len() as u32;
    [&[head][..], body].concat()
}

/// First number and one past the last.
fn range(first: u16, end: u16) -> u32 {
    u32::from(first) << 16 | u32::from(end)
}

fn extended(of: u32, blocks: &[Vec<u32>]) -> Vec<u8> {
    packet(207, 0, &[&[of][..], &blocks.concat()].concat())
}

#[test]
fn blocks_about_ranges_are_about_the_sources_numbers() {
    let (mut s, a, _) = moved();
    for kind in [1, 2, 3, 6] {
        let rest = [0x7fff_0000; 7];
        let of = |name, range| block(kind, 0, &[&[name, range][..], &rest[..]].concat());
        let bytes = extended(CALLER, &[of(LINE, range(70, 114))]);
        assert_eq!(from_alice(&mut s, a, &bytes), extended(CALLER, &[of(SOURCE, range(306, 350))]), "{kind}");
        // It begins in Bob's time; it ends after what was sent; it is about another stream; it goes backward.
        for (name, range) in
            [(LINE, range(63, 114)), (LINE, range(70, 116)), (0xbad, range(70, 114)), (LINE, range(100, 80))]
        {
            let bytes = [packet(201, 0, &[CALLER]), extended(CALLER, &[of(name, range)])].concat();
            assert_eq!(from_alice(&mut s, a, &bytes), packet(201, 0, &[CALLER]), "{kind}: {range:x}");
        }
    }
}

#[test]
fn a_thinned_block_passes_if_the_shift_keeps_its_numbers() {
    let (mut s, a, _) = moved();
    // 236 is four times 59: what four divides stays so, what eight divides does not.
    for (thinning, passes) in [(2, true), (3, false), (15, false)] {
        let of = |name, range| block(1, thinning, &[name, range, 0x7fff_0000]);
        let bytes = [packet(201, 0, &[CALLER]), extended(CALLER, &[of(LINE, range(64, 112))])].concat();
        let mapped = extended(CALLER, &[of(SOURCE, range(300, 348))]);
        let expected = [packet(201, 0, &[CALLER]), if passes { mapped } else { Vec::new() }].concat();
        assert_eq!(from_alice(&mut s, a, &bytes), expected, "{thinning}");
    }
}

#[test]
fn reference_times_pass_and_are_answered_to_who_asked() {
    let (mut s, a, b) = moved();
    let asked = extended(SOURCE, &[block(4, 0, &[0x1111_2222, 0x3333_4444])]);
    let expected = extended(LINE, &[block(4, 0, &[0x1111_2222, 0x3333_4444])]);
    assert_eq!(from_carol(&mut s, b, &asked), expected);
    // Hers, one that was Bob's, and one to somebody else.
    let answers = block(5, 0, &[LINE, 0x2222_3333, 9, LINE, 0x7777_8888, 9, 0xbad, 0x2222_3333, 9]);
    let expected = extended(CALLER, &[block(5, 0, &[SOURCE, 0x2222_3333, 9])]);
    assert_eq!(from_alice(&mut s, a, &extended(CALLER, &[answers])), expected);
}

#[test]
fn metrics_are_about_the_source_and_unknown_blocks_are_left_out() {
    let (mut s, a, _) = moved();
    let metrics = |name| block(7, 0, &[name, 1, 2, 3, 4, 5, 6, 7]);
    let bytes = extended(CALLER, &[metrics(LINE), block(14, 0, &[LINE, 1, 2, 3, 4, 5, 6]), metrics(0xbad)]);
    assert_eq!(from_alice(&mut s, a, &bytes), extended(CALLER, &[metrics(SOURCE)]));
}

#[test]
fn feedback_names_the_source_and_its_packets() {
    let (mut s, a, _) = moved();
    let line = |kind, format, rest: &[u32]| packet(kind, format, &[&[CALLER][..], rest].concat());
    for (what, before, after) in [
        // Two numbers of Carol's, one of Bob's.
        (
            "NACK",
            line(205, 1, &[LINE, 70 << 16 | 5, 60 << 16 | 1, 113 << 16]),
            line(205, 1, &[SOURCE, 306 << 16 | 5, 349 << 16]),
        ),
        ("TMMBR", line(205, 3, &[0, LINE, 0x1234_5678]), line(205, 3, &[0, SOURCE, 0x1234_5678])),
        ("FIR", line(206, 4, &[0, LINE, 7 << 24, 0xbad, 8 << 24]), line(206, 4, &[0, SOURCE, 7 << 24])),
        ("PLI", line(206, 1, &[LINE]), line(206, 1, &[SOURCE])),
        ("SLI", line(206, 2, &[LINE, 0x0102_0304]), line(206, 2, &[SOURCE, 0x0102_0304])),
        (
            "VBCM",
            line(206, 7, &[0, LINE, 0x0100_0003, 0x6162_6300]),
            line(206, 7, &[0, SOURCE, 0x0100_0003, 0x6162_6300]),
        ),
        (
            "REMB",
            line(206, 15, &[0, 0x5245_4d42, 0x0100_ffff, LINE]),
            line(206, 15, &[0, 0x5245_4d42, 0x0100_ffff, SOURCE]),
        ),
    ] {
        assert_eq!(read(&from_alice(&mut s, a, &before)), read(&after), "{what}");
    }
    let here = packet(201, 0, &[CALLER]);
    for (what, bytes) in [
        ("NACK of Bob's only", line(205, 1, &[LINE, 60 << 16])),
        ("of another stream", line(206, 1, &[0xbad])),
        ("of an unknown format", line(205, 11, &[LINE, 1])),
    ] {
        assert_eq!(from_alice(&mut s, a, &[here.clone(), bytes].concat()), here, "{what}");
    }
}

#[test]
fn what_contradicts_itself_goes_nowhere_and_is_counted() {
    let (mut s, a, b) = moved();
    for (what, bytes) in [
        ("a sender report without room", packet(200, 0, &[1, 2, 3, 4, 5])),
        ("two blocks, room for one", packet(201, 2, &[1, 2, 3, 4, 5, 6, 7])),
        ("31 blocks in 1,500 bytes less one word", packet(201, 31, &[9; 31 * 6])),
        ("a chunk without SSRC", packet(202, 2, &[1, 0])),
        ("an item longer than its packet", packet(202, 1, &[1, 0x01ff_6100])),
        ("more sources than said goodbye", packet(203, 3, &[1, 2])),
        ("a reason longer than its packet", packet(203, 1, &[1, 0xff61_6161])),
        ("an application without name", packet(204, 0, &[1])),
        ("feedback about nobody", packet(205, 1, &[1])),
        ("a block longer than its report", packet(207, 0, &[1, 0x0100_0003, 1, 2])),
        ("half a block", packet(207, 0, &[1, 0x0100_0000, 0x0100_0001])),
        ("thirty-three packets", packet(203, 0, &[]).repeat(33)),
    ] {
        for (port, from) in [(a + 1, ALICE_RTCP), (b + 1, CAROL_RTCP)] {
            assert_eq!(s.packet(port, from, &bytes), Err(DropReason::Malformed), "{what}");
        }
    }
    let here = packet(203, 0, &[]).repeat(32);
    assert!(s.packet(a + 1, ALICE_RTCP, &here).is_ok());
    assert_eq!(s.relay.counters().drops.get(DropReason::Malformed), 24);
}

#[test]
fn thirty_one_blocks_about_one_line_are_one() {
    let (mut s, a, _) = moved();
    let block = [LINE, 3, 0x0001_0000 | 113, 7, 0, 0];
    let bytes = packet(201, 31, &[&[CALLER][..], &block.repeat(31)].concat());
    let heard = read(&from_alice(&mut s, a, &bytes));
    assert_eq!((heard.len(), heard[0], heard[2]), (8, 0x81c9_0007, SOURCE));
    let stats = s.release(ID);
    assert_eq!(stats.from_b.reported.reports, 1);
}
