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
fn bytes_are_counted_while_they_are_kept_and_no_longer() {
    let mut bench = Bench::new(Transport::Udp);
    let kept = |bench: &Bench| -> usize {
        let one = |entry: &Entry<u32>| entry.bytes.len() + entry.body.key().map_or(0, <[u8]>::len);
        bench.txns.entries.iter().map(|(_, entry)| one(entry)).sum()
    };
    let (refusing, asked) = (bench.call("INVITE"), bench.asked("INVITE", "1"));
    assert!(bench.txns.held > 0);
    assert_eq!(bench.txns.held, kept(&bench));
    bench.answer(refusing, 486, "INVITE");
    bench.respond(asked, 180);
    bench.respond(asked, 486);
    assert_eq!(bench.txns.held, kept(&bench));
    bench.run_to(ms(200_000));
    assert_eq!((bench.txns.len(), bench.txns.held), (0, 0));
}

#[test]
fn a_table_that_is_full_of_long_messages_refuses_new_calls_too() {
    use crate::transaction::table::MAX_TRANSACTION_BYTES;
    let mut bench = Bench::new(Transport::Udp);
    bench.txns.held = MAX_TRANSACTION_BYTES;
    assert!(matches!(bench.ask("INVITE", "new"), Received::NoRoom));
    assert!(matches!(bench.ask("BYE", "new"), Received::Request { .. }));
    bench.txns.held += MAX_TRANSACTION_BYTES / 16;
    assert!(matches!(bench.ask("BYE", "another"), Received::NoRoom));
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
