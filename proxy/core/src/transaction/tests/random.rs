//! Whatever comes in whatever order: no panic, no timer in the past, and in the end nothing is left.

use super::*;
use crate::TransportFailure;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Call(bool),
    Answer(usize, u16, u8),
    Cancel(usize),
    Abandon(usize),
    Ask(u8, u8),
    Respond(usize, u16),
    Acked(usize),
    Unreachable,
    Wait(u64),
}

const METHODS: [&str; 5] = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"];

fn step() -> impl Strategy<Value = Step> {
    let code = prop_oneof![Just(100), Just(180), Just(200), Just(302), Just(487), Just(503), 100u16..700];
    prop_oneof![
        2 => any::<bool>().prop_map(Step::Call),
        6 => (0usize..64, code.clone(), 0u8..3).prop_map(|(i, c, m)| Step::Answer(i, c, m)),
        1 => (0usize..64).prop_map(Step::Cancel),
        1 => (0usize..64).prop_map(Step::Abandon),
        4 => (0u8..5, 0u8..6).prop_map(|(m, b)| Step::Ask(m, b)),
        4 => (0usize..64, code).prop_map(|(i, c)| Step::Respond(i, c)),
        1 => (0usize..64).prop_map(Step::Acked),
        1 => Just(Step::Unreachable),
        4 => (0u64..20_000).prop_map(Step::Wait),
    ]
}

fn pick<T: Copy>(of: &[T], index: usize) -> Option<T> {
    of.get(index % of.len().max(1)).copied()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn any_history_ends_with_an_empty_table(
        reliable in any::<bool>(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut bench = Bench::new(if reliable { Transport::Tcp } else { Transport::Udp });
        let (mut clients, mut servers) = (Vec::new(), Vec::new());
        let (mut told, mut started) = (0, 0);
        for step in steps {
            let received = match step {
                Step::Call(invite) => {
                    clients.push(bench.call(if invite { "INVITE" } else { "BYE" }));
                    started += 1;
                    None
                }
                Step::Answer(i, code, method) => {
                    let method = ["INVITE", "BYE", "CANCEL"][usize::from(method)];
                    pick(&clients, i).map(|key| bench.answer(key, code, method))
                }
                Step::Ask(method, branch) => {
                    Some(bench.ask(METHODS[usize::from(method)], &branch.to_string()))
                }
                Step::Cancel(i) => {
                    pick(&clients, i).map(|key| bench.txns.cancel(bench.now, key, None));
                    None
                }
                Step::Abandon(i) => {
                    if let Some(key) = pick(&clients, i) {
                        bench.txns.abandon(bench.now, key);
                    }
                    None
                }
                Step::Respond(i, code) => {
                    if let Some(key) = pick(&servers, i) {
                        bench.respond(key, code);
                    }
                    None
                }
                Step::Acked(i) => {
                    if let Some(key) = pick(&servers, i) {
                        bench.txns.acked(bench.now, key);
                    }
                    None
                }
                Step::Unreachable => {
                    bench.txns.transport_error(bench.now, bench.peer, TransportFailure::Unreachable);
                    None
                }
                Step::Wait(delay) => {
                    let until = bench.now + Duration::from_millis(delay);
                    bench.run_to(until);
                    None
                }
            };
            match received {
                Some(Received::Request { server, .. } | Received::Cancel { server, .. }) => servers.push(server),
                Some(Received::NoRoom) => prop_assert!(false, "a handful of transactions fills no table"),
                Some(Received::Absorbed
                    | Received::Ack { .. }
                    | Received::Response { .. }
                    | Received::Challenged(_)
                    | Received::Stray,
                )
                | None => {}
            }
            bench.sent();
            told += bench.events().iter().filter(|e| !matches!(e, TxnEvent::NoAck { .. })).count();
            let TxnCounts { invite_client, client, invite_server, server } = TxnCounts::of(&bench.txns);
            prop_assert_eq!(invite_client + client + invite_server + server, bench.txns.len());
            prop_assert!(told <= started, "more ends told than requests begun");
        }
        // The TU finishes what it has: then time alone must empty the table.
        for key in clients {
            bench.txns.cancel(bench.now, key, None);
        }
        for key in servers {
            bench.respond(key, 500);
        }
        let until = bench.now + Duration::from_secs(100);
        bench.run_to(until);
        prop_assert_eq!(bench.txns.len(), 0);
        prop_assert!(bench.txns.waiting.is_empty());
        prop_assert_eq!(bench.txns.next_timeout(), Time::NEVER);
    }
}
