//! What the kernel lets through to the tap: a classic BPF program (`linux/filter.h`), since a filter in user space would have to be
//! run for every packet of media and of every other test.

use crate::ours::Ours;
use socket2::SockFilter;
use std::net::IpAddr;

/// Load a word, a half word or a byte from the packet; from behind the IPv4 header; and that header's length.
const WORD: u16 = 0x20;
const HALF: u16 = 0x28;
const BYTE: u16 = 0x30;
const HALF_BEHIND: u16 = 0x48;
const HEADER_LENGTH: u16 = 0xb1;
/// Compare with a number, go on elsewhere, return.
const EQUALS: u16 = 0x15;
const GO: u16 = 0x05;
const RETURN: u16 = 0x06;

/// SKF_AD_OFF + SKF_AD_PKTTYPE, and PACKET_OUTGOING.
const PACKET_TYPE: u32 = 0xffff_f004;
const OUTGOING: u32 = 4;
/// SKF_AD_OFF + SKF_AD_HATYPE, and ARPHRD_LOOPBACK: it shows each packet as it goes out and as it comes in, any other link once.
const LINK_TYPE: u32 = 0xffff_f01c;
const LOOPBACK: u32 = 772;

/// Offsets behind 14 bytes of Ethernet.
const ETHER_TYPE: u32 = 12;
const IP: u32 = 14;
const V4: u32 = 0x0800;
const V6: u32 = 0x86dd;
const V4_PROTOCOL: u32 = IP + 9;
const V4_FROM: u32 = IP + 12;
const V4_TO: u32 = IP + 16;
const V6_PROTOCOL: u32 = IP + 6;
const V6_PORTS: u32 = IP + 40;
/// IANA's protocol numbers.
const ICMP: u32 = 1;
const TCP: u32 = 6;
const UDP: u32 = 17;
const ICMPV6: u32 = 58;

/// A place in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Once,
    V6,
    V4Ports,
    V4Hosts,
    V6Ports,
    Pass,
    Drop,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Do(u16, u32),
    /// Go there if it is this number.
    If(u32, Place),
    /// Go there unless it is.
    Unless(u32, Place),
    Go(Place),
    Here(Place),
}

/// What has one of our ports and, over IPv4, one of our addresses; ICMP; and what goes to `marker`.
pub(crate) fn program(ours: &Ours, marker: u16) -> Vec<SockFilter> {
    use Step::{Do, Go, Here, If, Unless};
    let v4 = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => Some(u32::from(*ip)),
        IpAddr::V6(_) => None,
    };
    let hosts: Vec<u32> = ours.hosts.iter().filter_map(v4).collect();
    let ports = |to: Place| ours.ports.iter().map(move |port| If(u32::from(*port), to));
    let mut steps = vec![
        Do(WORD, PACKET_TYPE),
        If(OUTGOING, Place::Once),
        Do(WORD, LINK_TYPE),
        If(LOOPBACK, Place::Drop),
        Here(Place::Once),
        Do(HALF, ETHER_TYPE),
        If(V6, Place::V6),
        Unless(V4, Place::Drop),
        Do(BYTE, V4_PROTOCOL),
        If(ICMP, Place::V4Hosts),
        If(UDP, Place::V4Ports),
        Unless(TCP, Place::Drop),
        Here(Place::V4Ports),
        Do(HEADER_LENGTH, IP),
        Do(HALF_BEHIND, IP + 2),
        If(u32::from(marker), Place::Pass),
    ];
    steps.extend(ports(Place::V4Hosts));
    steps.push(Do(HALF_BEHIND, IP));
    steps.extend(ports(Place::V4Hosts));
    steps.extend([Go(Place::Drop), Here(Place::V4Hosts), Do(WORD, V4_FROM)]);
    steps.extend(ours.unheard.iter().filter_map(v4).map(|ip| If(ip, Place::Drop)));
    if ours.hosts.is_empty() {
        steps.push(Go(Place::Pass));
    }
    steps.extend(hosts.iter().map(|ip| If(*ip, Place::Pass)));
    steps.push(Do(WORD, V4_TO));
    steps.extend(hosts.iter().map(|ip| If(*ip, Place::Pass)));
    steps.extend([
        Go(Place::Drop),
        Here(Place::V6),
        Do(BYTE, V6_PROTOCOL),
        If(ICMPV6, Place::Pass),
        If(UDP, Place::V6Ports),
        Unless(TCP, Place::Drop),
        Here(Place::V6Ports),
        Do(HALF, V6_PORTS + 2),
    ]);
    steps.extend(ports(Place::Pass));
    steps.push(Do(HALF, V6_PORTS));
    steps.extend(ports(Place::Pass));
    steps.extend([
        Go(Place::Drop),
        Here(Place::Pass),
        Do(RETURN, u32::MAX),
        Here(Place::Drop),
        Do(RETURN, 0),
    ]);
    assembled(&steps)
}

/// A conditional jump reaches 255 instructions and no further, so that it only ever leaps over the jump behind it.
fn assembled(steps: &[Step]) -> Vec<SockFilter> {
    let length = |step: &Step| match step {
        Step::Do(..) | Step::Go(_) => 1,
        Step::If(..) | Step::Unless(..) => 2,
        Step::Here(_) => 0,
    };
    let place = |wanted: Place| -> u32 {
        let is_it = |step: &&Step| !matches!(step, Step::Here(place) if *place == wanted);
        steps.iter().take_while(is_it).map(length).sum()
    };
    let mut program = Vec::new();
    for step in steps {
        let at = program.len() as u32;
        let go = |to: Place, from: u32| SockFilter::new(GO, 0, 0, place(to) - from - 1);
        match *step {
            Step::Do(code, k) => program.push(SockFilter::new(code, 0, 0, k)),
            Step::If(k, to) => program.extend([SockFilter::new(EQUALS, 0, 1, k), go(to, at + 1)]),
            Step::Unless(k, to) => program.extend([SockFilter::new(EQUALS, 1, 0, k), go(to, at + 1)]),
            Step::Go(to) => program.push(go(to, at)),
            Step::Here(_) => {}
        }
    }
    program
}
