//! What `bascule scanners --nft` prints is loaded by nft(8), and drops scanners and nobody else.
//!
//! Needs root, `ip`, `nft` and `unshare`; says so and does nothing where it may not.

use super::host::Host;
use super::operators::{bascule, start, text};
use super::world::{Place, Ua, eventually, metric};
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

fn succeeds(program: &str, args: &[&str], input: &str) {
    let mut command = Command::new(program);
    let mut child = command.args(args).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{program} {args:?}: {}\n{input}", String::from_utf8_lossy(&done.stderr));
}

/// Whether a datagram from one address reaches another.
fn reaches(from: SocketAddr, to: &UdpSocket) -> bool {
    let sender = UdpSocket::bind(from).unwrap();
    // A datagram that the kernel drops on its way in has been sent.
    sender.send_to(b"x", to.local_addr().unwrap()).unwrap();
    to.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    to.recv_from(&mut [0; 8]).is_ok()
}

#[test]
fn what_is_written_for_nftables_drops_a_scanner_in_the_kernel_and_nobody_else() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: nothing was loaded");
        return;
    }
    let place = Place(93);
    let appliance = start(place, "");
    let scanner = Ua::at((place.ip(99), 5060).into());
    for n in 0..12 {
        scanner.send(scanner.invite(&format!("scan{n}"), "+4930123456", 40_000), place.appliance());
    }
    eventually("the stranger is a scanner", || {
        metric(&appliance, "bascule_rejects_total{reason=\"scanner\"}") == 2.0
    });
    let (code, nft, _) = text(&bascule(place, &["scanners", "--nft"]).output().unwrap());
    assert_eq!(code, 0);
    Host::new().run(|| {
        succeeds("ip", &["link", "set", "lo", "up"], "");
        succeeds("nft", &["-c", "-f", "-"], &nft);
        let [signalling, tier, media] =
            [5060, 5070, 40_000].map(|port| UdpSocket::bind((place.ip(1), port)).unwrap());
        let scanner = SocketAddr::new(place.ip(99), 6_000);
        assert!(reaches(scanner, &signalling), "before");
        // Twice: the second takes the place of the first.
        for _ in 0..2 {
            succeeds("nft", &["-f", "-"], &nft);
            assert!(!reaches(scanner, &signalling) && !reaches(scanner, &tier));
            assert!(reaches(scanner, &media), "other ports are not ours to close");
            assert!(reaches(SocketAddr::new(place.ip(2), 6_000), &signalling), "the carrier");
        }
        // Where nobody is a scanner any more, nobody is dropped.
        let none = nft.lines().filter(|line| !line.contains("elements")).collect::<Vec<_>>().join("\n");
        succeeds("nft", &["-f", "-"], &format!("{none}\n"));
        assert!(reaches(scanner, &signalling));
    });
}
