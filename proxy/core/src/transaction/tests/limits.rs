//! What the table may cost.

use super::*;
use crate::transaction::entry::Entry;

/// A full table is a million entries; the arithmetic at `MAX_TRANSACTIONS` counts on this.
#[test]
fn an_entry_with_the_tus_reference_fits_into_144_bytes() {
    assert!(size_of::<Entry<[u32; 4]>>() <= 144, "{} bytes", size_of::<Entry<[u32; 4]>>());
}

#[test]
fn messages_are_let_go_as_soon_as_they_cannot_be_needed_again() {
    let mut bench = Bench::new(Transport::Udp);
    let (answered, asked) = (bench.call("INVITE"), bench.call("BYE"));
    bench.answer(answered, 200, "INVITE");
    bench.answer(asked, 200, "BYE");
    let (accepted, refused) = (bench.asked("INVITE", "1"), bench.asked("INVITE", "2"));
    bench.respond(accepted, 200);
    bench.txns.acked(bench.now, accepted);
    bench.respond(refused, 486);
    bench.ask("ACK", "2");
    assert_eq!(bench.txns.len(), 4);
    for (_, entry) in &bench.txns.entries {
        assert!(entry.bytes.is_empty(), "{entry:?}");
    }
}

#[test]
fn a_full_table_refuses_new_calls_and_still_takes_what_ends_calls() {
    use crate::transaction::table::{MAX_TRANSACTIONS, RESERVED_FOR_ENDS};
    let mut bench = Bench::new(Transport::Udp);
    let call = bench.asked("INVITE", "call");
    bench.txns.bind(call, 9);
    while bench.txns.len() < MAX_TRANSACTIONS {
        bench.txns.reserve(0);
    }
    assert!(matches!(bench.ask("INVITE", "new"), Received::NoRoom));
    assert!(matches!(bench.ask("OPTIONS", "new"), Received::NoRoom));
    assert!(matches!(bench.ask("BYE", "new"), Received::Request { .. }));
    assert!(matches!(bench.ask("CANCEL", "call"), Received::Cancel { invite: Some((_, 9)), .. }));
    assert!(absorbed(&bench.ask("INVITE", "call")), "a transaction that is there is no new one");
    while bench.txns.len() < MAX_TRANSACTIONS + RESERVED_FOR_ENDS {
        bench.txns.reserve(0);
    }
    assert!(matches!(bench.ask("BYE", "another"), Received::NoRoom));
}
