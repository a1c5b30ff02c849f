//! `cargo xtask audit FILE`: the auditor of the tests, over a capture of somebody's.

use crate::step::Failed;
use sip_tap::{Ending, Ours, Packet, Rule, Timing, Trace, Verdict, capture};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::net::IpAddr;
use std::path::Path;

/// One side of the capture, and what it has broken.
struct Judged {
    whose: String,
    verdict: Verdict,
}

/// Reads the file, judges what these addresses have sent, each by itself what any address has sent if none is named, and
/// prints a table. It fails where a rule was broken.
#[allow(clippy::print_stdout, reason = "the table is the command's output")]
pub(crate) fn run(file: &Path, ours: &[IpAddr], json: bool) -> Result<(), Failed> {
    let packets = packets(file)?;
    let judged = match ours {
        [] => speakers(&packets).into_iter().map(|ip| judge(&packets, &[ip])).collect(),
        ours => vec![judge(&packets, ours)],
    };
    match json {
        true => println!("{}", as_json(&judged)),
        false => print!("{}", as_table(&judged)),
    }
    let broken: usize = judged.iter().map(|judged| judged.verdict.found.len()).sum();
    match broken {
        0 => Ok(()),
        broken => Err(format!("{broken} findings in {}", file.display())),
    }
}

fn packets(file: &Path) -> Result<Vec<capture::Captured>, Failed> {
    let failed = |why: &dyn std::fmt::Display| -> Failed { format!("{}: {why}", file.display()) };
    let open = File::open(file).map_err(|why| failed(&why))?;
    let mut packets = Vec::new();
    capture::read(BufReader::new(open), &mut |packet| packets.push(packet)).map_err(|why| failed(&why))?;
    Ok(packets)
}

/// Whoever has sent a packet.
fn speakers(packets: &[capture::Captured]) -> BTreeSet<IpAddr> {
    let from = packets.iter().map(|captured| match &captured.packet {
        Packet::Udp { from, .. } => from.ip(),
        Packet::Tcp(segment) => segment.from.ip(),
        Packet::Unreachable { from, .. } => from.ip(),
    });
    from.collect()
}

fn judge(packets: &[capture::Captured], ours: &[IpAddr]) -> Judged {
    let mut trace = Trace::new(Ours::hosts(ours.iter().copied()), Timing::rfc());
    for captured in packets {
        trace.packet(captured.at, captured.frame, captured.packet.clone());
    }
    let end = packets.last().map(|captured| captured.at).unwrap_or_default();
    let whose: Vec<String> = ours.iter().map(ToString::to_string).collect();
    Judged { whose: whose.join(", "), verdict: trace.finish(Ending::At(end)) }
}

/// Findings of one rule: how many, and the packets.
fn by_rule(verdict: &Verdict) -> BTreeMap<Rule, Vec<&sip_tap::Found>> {
    let mut by_rule: BTreeMap<Rule, Vec<_>> = BTreeMap::new();
    for found in &verdict.found {
        by_rule.entry(found.finding.rule).or_default().push(found);
    }
    by_rule
}

fn as_table(judged: &[Judged]) -> String {
    let mut text = String::new();
    let mut line = |said: String| text += &(said + "\n");
    for Judged { whose, verdict } in judged.iter().filter(|judged| judged.verdict.messages > 0) {
        line(format!("{whose}: {} messages, {} findings", verdict.messages, verdict.found.len()));
        if verdict.streams_lost > 0 {
            line(format!("  {} directions of connections are incomplete", verdict.streams_lost));
        }
        for (rule, found) in by_rule(verdict) {
            line(format!("  {:<16} {:>5}  {}", rule.name(), found.len(), rule.source()));
            for found in found {
                let frame =
                    found.frame.map_or_else(|| "at the end".to_owned(), |frame| format!("frame {frame}"));
                line(format!("    {frame:<12} {} [{}]", found.finding.text, found.finding.call));
            }
        }
        for found in verdict.found.iter().filter(|found| !found.ladder.is_empty()) {
            line(format!("\n  {}\n{}", found.finding, found.ladder));
        }
    }
    text
}

fn as_json(judged: &[Judged]) -> serde_json::Value {
    let found = |found: &sip_tap::Found| {
        serde_json::json!({
            "rule": found.finding.rule.name(),
            "source": found.finding.rule.source(),
            "at_s": found.finding.at.as_secs_f64(),
            "frame": found.frame,
            "call_id": found.finding.call,
            "text": found.finding.text,
        })
    };
    let sides: Vec<_> = judged
        .iter()
        .map(|Judged { whose, verdict }| {
            serde_json::json!({
                "ours": whose,
                "messages": verdict.messages,
                "streams_lost": verdict.streams_lost,
                "findings": verdict.found.iter().map(found).collect::<Vec<_>>(),
            })
        })
        .collect();
    serde_json::Value::Array(sides)
}
