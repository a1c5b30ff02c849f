//! A ladder: the caller, us, and whoever was called, a line for each message.

use bascule::api::{Traced, TracedMessage};
use std::collections::HashSet;
use std::fmt::Write;
use std::net::SocketAddr;

/// From one rail to the next, in characters.
const GAP: usize = 36;

/// What stands before the ladder: `18:52:17.123    +12.345 `.
const LEFT: usize = 24;

pub(super) fn draw(traced: &Traced) -> String {
    let rails = rails(&traced.messages);
    let mut out = head(&rails);
    let mut before = None;
    let mut seen = HashSet::new();
    for message in &traced.messages {
        let time = message.at.get(11..23).unwrap_or(&message.at);
        let since = message.at_us.saturating_sub(*before.get_or_insert(message.at_us)) as f64 / 1_000.0;
        before = Some(message.at_us);
        let is_new = seen.insert((message.sent, message.peer, &message.text));
        let label = label(message, !is_new);
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{time} {:>10} {}", format!("+{since:.1}"), arrow(message, &label, &rails));
    }
    out
}

/// The caller to the left of us, the others to the right. `None` is us.
fn rails(messages: &[TracedMessage]) -> Vec<Option<SocketAddr>> {
    let mut rails = Vec::new();
    for message in messages {
        if !rails.contains(&Some(message.peer)) {
            rails.push(Some(message.peer));
        }
        if rails.len() == 1 {
            rails.push(None);
        }
    }
    rails
}

fn head(rails: &[Option<SocketAddr>]) -> String {
    let mut line = vec![' '; LEFT + GAP * rails.len() + 64];
    for (n, rail) in rails.iter().enumerate() {
        let name = rail.map_or("bascule".to_owned(), |peer| peer.to_string());
        // Above its rail; the first one's left half would stand above the times.
        let half = if n == 0 { 0 } else { name.chars().count() / 2 };
        put(&mut line, LEFT + n * GAP - half, &name);
    }
    put(&mut line, LEFT - "ms ".len(), "ms");
    format!("{}\n", line.iter().collect::<String>().trim_end())
}

fn arrow(message: &TracedMessage, label: &str, rails: &[Option<SocketAddr>]) -> String {
    let place = |wanted| rails.iter().position(|rail| *rail == wanted).unwrap_or_default() * GAP;
    let (us, peer) = (place(None), place(Some(message.peer)));
    let (left, right) = (us.min(peer), us.max(peer));
    let mut line = vec![' '; rails.len().saturating_sub(1) * GAP + 1];
    for n in 0..rails.len() {
        put(&mut line, n * GAP, "│");
    }
    put(&mut line, left + 1, &"─".repeat((right - left).saturating_sub(1)));
    let goes_right = (us < peer) == message.sent;
    if goes_right {
        put(&mut line, right - 1, "▶");
    } else {
        put(&mut line, left + 1, "◀");
    }
    // Beside us, so that what goes past another rail is read where it begins or ends.
    let at = if us < peer { us + 3 } else { peer + 3 };
    put(&mut line, at, &format!(" {label} "));
    line.into_iter().collect::<String>()
}

fn put(line: &mut [char], at: usize, text: &str) {
    for (place, c) in line.iter_mut().skip(at).zip(text.chars()) {
        *place = c;
    }
}

/// `INVITE sdp`, `200 OK INVITE`.
fn label(message: &TracedMessage, is_again: bool) -> String {
    let start = message.text.lines().next().unwrap_or_default();
    let what = match start.strip_prefix("SIP/2.0 ") {
        Some(status) => {
            let method = message.text.lines().skip(1).find_map(method).unwrap_or_default();
            let status: String = status.chars().filter(|c| !c.is_control()).take(16).collect();
            format!("{} {method}", status.trim_end())
        }
        None => {
            start.split(' ').next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(16).collect()
        }
    };
    let body = message.text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let sdp = if body.is_empty() { "" } else { " sdp" };
    let again = if is_again { " again" } else { "" };
    // With its two spaces, and an end of the arrow on each side.
    format!("{what}{sdp}{again}").chars().take(GAP - 8).collect()
}

fn method(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.trim().eq_ignore_ascii_case("cseq").then(|| value.split_whitespace().nth(1))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(at_us: u64, peer: &str, sent: bool, text: &str) -> TracedMessage {
        TracedMessage {
            at: format!("2026-11-23T18:52:17.{:03}Z", at_us / 1_000),
            at_us,
            us: "192.0.2.1:5060".parse().unwrap(),
            peer: peer.parse().unwrap(),
            transport: "UDP".to_owned(),
            sent,
            text: text.to_owned(),
            hex: None,
        }
    }

    #[test]
    fn the_caller_stands_on_the_left_and_every_arrow_ends_at_whom_it_goes_to() {
        let (carrier, first, second) = ("192.0.2.2:5060", "10.0.0.11:5060", "10.0.0.12:5060");
        let messages = vec![
            message(0, carrier, false, "INVITE sip:1@x SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\nv=0"),
            message(1_500, first, true, "INVITE sip:1@y SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\nv=0"),
            message(201_500, second, true, "INVITE sip:1@z SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\nv=0"),
            message(202_000, second, false, "SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n"),
            message(203_000, carrier, true, "SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n"),
            message(703_000, carrier, true, "SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n"),
        ];
        let text = draw(&Traced { call_id: "x".to_owned(), messages, cut: false });
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let expected = [
            ("18:52:17.000       +0.0 │── INVITE sdp ──", "─▶│", 4),
            ("18:52:17.001       +1.5 │", "─▶│", 4),
            // Past the rail of the first edge.
            ("18:52:17.201     +200.0 │", "─▶│", 3),
            ("18:52:17.202       +0.5 │", "│◀─ 486 Busy Here INVITE ──", 3),
            ("18:52:17.203       +1.0 │◀─ 486 Busy Here INVITE ──", "──│", 4),
            ("18:52:17.703     +500.0 │◀─ 486 Busy Here INVITE again ──", "──│", 4),
        ];
        assert_eq!(lines.len(), expected.len(), "{text}");
        for (line, (start, part, rails)) in lines.into_iter().zip(expected) {
            assert!(line.starts_with(start) && line.contains(part), "{line}\n{text}");
            assert_eq!(line.matches('│').count(), rails, "{line}");
        }
        let names = text.lines().next().unwrap();
        let order: Vec<_> = [carrier, "bascule", first, second].map(|n| names.find(n).unwrap()).to_vec();
        assert!(order.is_sorted(), "{names}");
    }
}
