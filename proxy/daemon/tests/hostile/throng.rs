//! Connections and connections.

use crate::agent::{self, Agent};
use crate::line::Line;
use crate::process::Daemon;
use crate::rows::{OPTIONS, fill};

fn answers(line: &mut Line, id: &str) -> Option<u16> {
    let question = fill(OPTIONS.as_bytes(), b"", line.at, "TCP", id);
    if line.send(question) { line.code(id) } else { None }
}

#[test]
fn ten_thousand_idle_connections_cost_some_memory_and_no_call() {
    // One in eight is kept for connections of our own.
    let more = "[limits]\ntcp_connections = 12_000\ntcp_connections_per_peer = 12_000";
    let daemon = Daemon::start(7, more);
    let (carrier, edge) = (Agent::at(daemon.carrier(5060)), Agent::at(daemon.edge()));
    agent::call(&daemon, &carrier, &edge, "first");
    let before = daemon.memory();
    let mut lines: Vec<_> = (0..10_000).map(|_| Line::connect(carrier.at, daemon.sip())).collect();
    agent::call(&daemon, &carrier, &edge, "beside");
    for n in [0, 5_000, 9_999] {
        assert_eq!(answers(&mut lines[n], &format!("idle{n}")), Some(200));
    }
    daemon.keeps(10_000);
    let full = daemon.memory();
    assert!(full <= before + 10_000 * 16, "16 KiB for each at most: {before} KiB, then {full}");
    drop(lines);
    daemon.keeps(0);
    agent::call(&daemon, &carrier, &edge, "after");
}

#[test]
fn one_peer_has_its_share_of_connections_and_no_more() {
    let daemon = Daemon::start(8, "[limits]\ntcp_connections_per_peer = 10");
    let (carrier, edge) = (Agent::at(daemon.carrier(5060)), Agent::at(daemon.edge()));
    let mut lines: Vec<_> = (0..10).map(|_| Line::connect(carrier.at, daemon.sip())).collect();
    for (n, line) in lines.iter_mut().enumerate() {
        assert_eq!(answers(line, &format!("share{n}")), Some(200));
    }
    let mut beyond = Line::connect(carrier.at, daemon.sip());
    assert_eq!(answers(&mut beyond, "beyond"), None);
    // Who gives one back may have another.
    drop((lines.pop(), beyond));
    daemon.keeps(9);
    let mut again = Line::connect(carrier.at, daemon.sip());
    assert_eq!(answers(&mut again, "again"), Some(200));
    agent::call(&daemon, &carrier, &edge, "after");
}
