//! `bascule scanners`.

use super::args::ScannersArgs;
use super::http::{ask, line, read, watched};
use super::report::{print, table};
use super::{Ended, Failure};
use bascule::api::shapes::{Scanner, Scanners};
use hyper::Method;
use std::fmt::Write;

pub(super) async fn run(args: &ScannersArgs) -> Result<Ended, Failure> {
    let method = if args.forget { Method::DELETE } else { Method::GET };
    watched(false, async || {
        let body = ask(&args.at, method.clone(), "/v1/scanners").await?;
        let told: Scanners = read(&body)?;
        if args.at.json {
            print(&line("scanners", &told));
        } else if args.nft {
            print(nft(&told.scanners, &told.ports).trim_end());
        } else {
            show(&told.scanners, told.forgotten);
        }
        Ok(Ended::Done)
    })
    .await
}

fn show(scanners: &[Scanner], forgotten: bool) {
    let head = ["address", "known by", "messages", "first", "last", "forgotten in"];
    let rows = scanners.iter().map(|scanner| {
        [
            scanner.address.clone(),
            scanner.known_by.clone(),
            scanner.messages.to_string(),
            scanner.first.clone(),
            scanner.last.clone(),
            format!("{} s", scanner.forgotten_in_s),
        ]
    });
    table(&head, rows);
    let what = if forgotten { "scanners, forgotten now" } else { "scanners" };
    print(&format!("{} {what}", scanners.len()));
}

/// A table of nftables(8) that takes the place of an earlier one in one transaction. Each element leaves it by itself when we
/// would have forgotten it.
fn nft(scanners: &[Scanner], ports: &[(String, u16)]) -> String {
    let (v6, v4): (Vec<&Scanner>, Vec<&Scanner>) = scanners.iter().partition(|s| s.address.contains(':'));
    let mut out = String::from(
        "table inet bascule_scanners\ndelete table inet bascule_scanners\ntable inet bascule_scanners {\n",
    );
    for (name, kind, flags, list) in
        [("v4", "ipv4_addr", "timeout", v4), ("v6", "ipv6_addr", "interval, timeout", v6)]
    {
        let _ = writeln!(out, "\tset {name} {{\n\t\ttype {kind}\n\t\tflags {flags}");
        let each: Vec<_> =
            list.iter().map(|s| format!("{} timeout {}s", s.address, s.forgotten_in_s)).collect();
        if !each.is_empty() {
            let _ = writeln!(out, "\t\telements = {{ {} }}", each.join(", "));
        }
        out.push_str("\t}\n");
    }
    // Before connection tracking: what is dropped here costs no entry there.
    out.push_str("\tchain drop_scanners {\n\t\ttype filter hook prerouting priority raw; policy accept;\n");
    for transport in ["udp", "tcp"] {
        let of = ports.iter().filter(|(of, _)| of == transport);
        let list: Vec<_> = of.map(|(_, port)| port.to_string()).collect();
        if !list.is_empty() {
            for (family, set) in [("ip", "v4"), ("ip6", "v6")] {
                let list = list.join(", ");
                let _ = writeln!(out, "\t\t{family} saddr @{set} {transport} dport {{ {list} }} drop");
            }
        }
    }
    out.push_str("\t}\n}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_scanner_with_its_time_and_our_ports_alone() {
        let scanner = |address: &str| Scanner {
            address: address.to_owned(),
            known_by: "tries".to_owned(),
            messages: 10,
            first: String::new(),
            last: String::new(),
            forgotten_in_s: 77,
        };
        let ports = [("udp".to_owned(), 5060), ("udp".to_owned(), 5070)];
        let text = nft(&[scanner("192.0.2.1"), scanner("2001:db8::/64"), scanner("192.0.2.2")], &ports);
        for part in [
            "table inet bascule_scanners\ndelete table inet bascule_scanners\n",
            "elements = { 192.0.2.1 timeout 77s, 192.0.2.2 timeout 77s }",
            "elements = { 2001:db8::/64 timeout 77s }",
            "ip saddr @v4 udp dport { 5060, 5070 } drop",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("tcp"));
        assert!(!nft(&[], &ports).contains("elements"), "an empty list of elements is no nft");
    }
}
