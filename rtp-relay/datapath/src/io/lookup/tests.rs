//! The program and its gate, with nobody behind it.

use super::layout::{DEPTH, DEPTH_PRESSED};
use super::slice::Slice;
use super::slots::{BATCH, Slots};
use super::steering::Steering;
use super::tables::place;
use crate::config::EngineConfig;
use relay_core::RelayConfig;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How long something that has been sent is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A range on an address of loopback that no other story has, and the socket that all of it comes to. Needs root.
fn steered(host: u8, ports: std::ops::RangeInclusive<u16>) -> Option<(Steering, Slice, OwnedFd)> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not run: steering needs root");
        return None;
    }
    let addresses = vec![[127, 0, 9, host].into()];
    let relay = RelayConfig { addresses, ports, ..RelayConfig::default() };
    let config = EngineConfig { relay, ..EngineConfig::default() };
    let steering = Steering::start(&config).unwrap();
    let socket = steering.socket(0, false).unwrap().unwrap();
    Some((steering, Slice::new(&config.relay), socket))
}

/// How many wait, by the port that they came to.
fn waiting(socket: &OwnedFd, port: SocketAddr) -> (usize, usize) {
    let (mut to_it, mut to_others) = (0, 0);
    let mut slots = Slots::new();
    while let Ok(n) = slots.receive(socket.as_fd(), 0..BATCH) {
        for slot in 0..n {
            let to = slots.received(slot).unwrap().to;
            if to == port { to_it += 1 } else { to_others += 1 }
        }
    }
    (to_it, to_others)
}

#[test]
fn a_flood_on_one_port_leaves_room_for_the_others_and_none_for_ports_without_a_session() {
    let Some((steering, slice, socket)) = steered(1, 26_000..=26_019) else { return };
    let tables = steering.tables();
    let [flooded, calm, closed] =
        [26_000, 26_002, 26_004].map(|port| SocketAddr::from(([127, 0, 9, 1], port)));
    for at in [flooded, calm] {
        tables.open(&slice, 0, slice.port(at).unwrap(), true);
    }
    for pressed in [false, true] {
        let room = if pressed { DEPTH_PRESSED } else { DEPTH } as usize;
        tables.press(place(0, false), pressed);
        let turned_away = steering.turned_away();
        let phone = UdpSocket::bind("127.0.0.2:0").unwrap();
        for _ in 0..2 * DEPTH {
            phone.send_to(&[0x80; 172], flooded).unwrap();
        }
        for _ in 0..3 {
            phone.send_to(&[0x80; 172], calm).unwrap();
            phone.send_to(&[0x80; 172], closed).unwrap();
        }
        let (in_vain, others) = waiting(&socket, flooded);
        // Half of the room for whoever comes first, and then its share of each turn.
        assert!((room / 2..room).contains(&in_vain), "{in_vain} of a flood wait in room for {room}");
        assert_eq!(others, 3, "those of the other call");
        let away = 2 * DEPTH as usize - in_vain + 3;
        assert_eq!((steering.turned_away() - turned_away) as usize, away);
        tables.take(place(0, false), tables.let_in(place(0, false)));
        phone.send_to(&[], closed).unwrap();
        assert_eq!(waiting(&socket, closed), (1, 0), "where there is room, everything is looked at");
        tables.take(place(0, false), tables.let_in(place(0, false)));
    }
}

#[test]
fn a_port_without_a_session_is_not_answered_and_no_port_outside_the_range_is_taken() {
    let Some((_steering, _, socket)) = steered(2, 26_020..=26_039) else { return };
    let phone = UdpSocket::bind("127.0.0.2:0").unwrap();
    let neighbour = UdpSocket::bind("127.0.9.2:26019").unwrap();
    let elsewhere = UdpSocket::bind("127.0.9.3:26020").unwrap();
    for (at, steered) in
        [("127.0.9.2:26020", 1), ("127.0.9.2:26039", 1), ("127.0.9.2:26019", 0), ("127.0.9.3:26020", 0)]
    {
        phone.send_to(&[1], at).unwrap();
        assert_eq!(waiting(&socket, at.parse().unwrap()), (steered, 0), "{at}");
    }
    for other in [neighbour, elsewhere] {
        other.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(other.recv(&mut [0; 4]).unwrap(), 1);
    }
}
