//! `bascule scanners`: whom the shards meet with silence.

use super::desk::Desk;
use crate::api::shapes::{Scanner, Scanners, Words};
use crate::clock::Clock;
use crate::limits::REPORT_TIMEOUT;
use crate::shared::Mail;
use proxy_core::ScannerView;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::mpsc::sync_channel;

/// What the list is, or, if it is to be forgotten, what it was.
pub(super) async fn list(desk: &Desk, forget: bool) -> Result<Scanners, Words> {
    let mut views = Vec::new();
    for shard in 0..desk.shards() {
        let (answer, heard) = sync_channel(1);
        desk.post(shard, Mail::Scanners(answer)).await?;
        let told = tokio::task::spawn_blocking(move || heard.recv_timeout(REPORT_TIMEOUT).ok()).await;
        views.extend(told.ok().flatten().unwrap_or_default());
        if forget {
            desk.post(shard, Mail::ForgetScanners).await?;
        }
    }
    let clock = desk.clock();
    let mut together = together(views);
    together.sort_by_key(|view| view.until);
    let listeners = &desk.snapshot().config.listeners;
    let mut ports: Vec<(String, u16)> =
        listeners.iter().map(|l| (l.transport.as_str().to_ascii_lowercase(), l.bind.port())).collect();
    ports.sort();
    ports.dedup();
    let scanners = together.iter().map(|view| said(&clock, view)).collect();
    Ok(Scanners { scanners, ports, forgotten: forget })
}

/// The kernel spreads one address over the shards' sockets: one line for all of them.
fn together(views: Vec<ScannerView>) -> Vec<ScannerView> {
    let mut by_address: BTreeMap<IpAddr, ScannerView> = BTreeMap::new();
    for view in views {
        by_address
            .entry(view.address)
            .and_modify(|all| {
                all.by_name |= view.by_name;
                all.messages += view.messages;
                all.first = all.first.min(view.first);
                all.last = all.last.max(view.last);
                all.until = all.until.max(view.until);
            })
            .or_insert(view);
    }
    by_address.into_values().collect()
}

fn said(clock: &Clock, view: &ScannerView) -> Scanner {
    let network = if view.address.is_ipv6() { "/64" } else { "" };
    Scanner {
        address: format!("{}{network}", view.address),
        known_by: if view.by_name { "tool" } else { "tries" }.to_owned(),
        messages: view.messages,
        first: clock.rfc3339(view.first),
        last: clock.rfc3339(view.last),
        forgotten_in_s: view.until.since(clock.now()).as_secs().max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relay_values::Time;

    #[test]
    fn one_address_at_two_shards_is_one_line() {
        let view = |address: &str, messages, last| ScannerView {
            address: address.parse().unwrap(),
            by_name: false,
            messages,
            first: Time::from_millis(1),
            last: Time::from_millis(last),
            until: Time::from_millis(last + 60),
        };
        let all = together(vec![view("192.0.2.1", 3, 5), view("192.0.2.2", 1, 1), view("192.0.2.1", 4, 9)]);
        assert_eq!(all, vec![view("192.0.2.1", 7, 9), view("192.0.2.2", 1, 1)]);
    }
}
