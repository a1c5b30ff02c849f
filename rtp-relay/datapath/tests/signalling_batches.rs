//! Batched I/O of signalling sockets, over loopback.

use bytes::Bytes;
use datapath::mmsg::{RecvBatch, SendBatch, enable_gro, enable_recverr, recv_errors};
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

fn socket(at: &str) -> UdpSocket {
    let s = UdpSocket::bind(at).unwrap();
    s.set_nonblocking(true).unwrap();
    s
}

fn eventually(mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(5);
    while !done() {
        assert!(Instant::now() < until, "nothing came within five seconds");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_hundred_datagrams_arrive_in_order_and_whole() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let (a, b) = (socket(at), socket(at));
        let mut out = SendBatch::new(100);
        for i in 0..100_u8 {
            out.push(b.local_addr().unwrap(), Bytes::from(vec![i; usize::from(i)])).unwrap();
        }
        assert_eq!(out.flush(&a).unwrap(), 100);
        assert!(out.is_empty());
        let mut batch = RecvBatch::new(16, 2048);
        let mut got = Vec::new();
        eventually(|| {
            match batch.recv(&b) {
                Ok(_) => got.extend(batch.iter().map(|d| (d.from, d.bytes.to_vec(), d.truncated))),
                Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock),
            }
            got.len() == 100
        });
        for (i, (from, bytes, truncated)) in got.into_iter().enumerate() {
            assert_eq!(from, a.local_addr().unwrap());
            assert_eq!(bytes, vec![i as u8; i]);
            assert!(!truncated);
        }
    }
}

#[test]
fn runs_of_one_length_to_one_peer_arrive_as_the_datagrams_that_they_are() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let (a, b, c) = (socket(at), socket(at), socket(at));
        // To one that leaves them in one piece, and to one that does not.
        enable_gro(&b).unwrap();
        let (to_b, to_c) = (b.local_addr().unwrap(), c.local_addr().unwrap());
        // More than one run holds, too few for one, lengths that change, another peer in between, and some that are too long.
        let lengths =
            [[300; 150].as_slice(), &[301; 2], &[10, 9, 9, 9, 8], &[1; 3], &[0; 4], &[1_400; 5], &[7]];
        let mut out = SendBatch::new(1_000);
        let (mut for_b, mut for_c) = (Vec::new(), Vec::new());
        for (i, length) in lengths.concat().into_iter().enumerate() {
            let bytes = vec![i as u8; length];
            let (to, list) = if i % 40 == 39 { (to_c, &mut for_c) } else { (to_b, &mut for_b) };
            out.push(to, Bytes::from(bytes.clone())).unwrap();
            list.push(bytes);
        }
        let all = for_b.len() + for_c.len();
        assert_eq!(out.flush(&a).unwrap(), all);
        assert!(out.is_empty() && out.take_errors().is_empty());
        for (socket, wanted) in [(&b, for_b), (&c, for_c)] {
            let mut batch = RecvBatch::new(64, 65_535);
            let mut got = Vec::new();
            eventually(|| {
                if batch.recv(socket).is_ok() {
                    for datagram in batch.iter() {
                        assert_eq!(datagram.from, a.local_addr().unwrap());
                        assert!(!datagram.truncated);
                        got.push(datagram.bytes.to_vec());
                    }
                }
                got.len() >= wanted.len()
            });
            assert_eq!(got, wanted);
        }
    }
}

#[test]
fn what_was_sent_in_one_piece_takes_one_buffer_of_who_asked_for_that() {
    let (a, b) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    enable_gro(&b).unwrap();
    let mut out = SendBatch::new(100);
    for i in 0..60_u8 {
        out.push(b.local_addr().unwrap(), Bytes::from(vec![i; 500])).unwrap();
    }
    assert_eq!(out.flush(&a).unwrap(), 60);
    let mut batch = RecvBatch::new(64, 65_535);
    let mut pieces = 0;
    eventually(|| {
        pieces = batch.recv(&b).unwrap_or(0);
        pieces > 0
    });
    assert_eq!((pieces, batch.iter().count()), (1, 60));
    // A buffer that is too short for all of them says so of the one that it cuts.
    for i in 0..3_u8 {
        out.push(b.local_addr().unwrap(), Bytes::from(vec![i; 500])).unwrap();
    }
    assert_eq!(out.flush(&a).unwrap(), 3);
    let mut short = RecvBatch::new(4, 1_200);
    eventually(|| short.recv(&b).is_ok());
    let got: Vec<_> = short.iter().map(|d| (d.bytes.len(), d.truncated)).collect();
    assert_eq!(got, [(500, false), (500, false), (200, true)]);
}

#[test]
fn a_datagram_longer_than_the_buffer_is_marked() {
    let (a, b) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    a.send_to(&[7; 600], b.local_addr().unwrap()).unwrap();
    let mut batch = RecvBatch::new(4, 512);
    eventually(|| batch.recv(&b).is_ok());
    let d = batch.iter().next().unwrap();
    assert!(d.truncated);
    assert_eq!(d.bytes, [7; 512]);
}

#[test]
fn a_queue_takes_no_more_than_it_was_given_room_for() {
    let b = socket("127.0.0.1:0");
    let mut out = SendBatch::new(1);
    out.push(b.local_addr().unwrap(), Bytes::from_static(b"one")).unwrap();
    assert!(out.push(b.local_addr().unwrap(), Bytes::from_static(b"two")).is_err());
    assert_eq!(out.len(), 1);
}

#[test]
fn a_datagram_that_cannot_be_sent_does_not_hold_up_the_next() {
    let (a, b) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    let mut out = SendBatch::new(8);
    out.push("[::1]:9".parse().unwrap(), Bytes::from_static(b"wrong family")).unwrap();
    out.push(b.local_addr().unwrap(), Bytes::from_static(b"right")).unwrap();
    assert_eq!(out.flush(&a).unwrap(), 1);
    let errors = out.take_errors();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].to, "[::1]:9".parse().unwrap());
    let mut batch = RecvBatch::new(4, 512);
    eventually(|| batch.recv(&b).is_ok());
    assert_eq!(batch.iter().next().unwrap().bytes, b"right");
}

#[test]
fn icmp_names_the_dead_destination_and_spares_the_living() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let (a, live) = (socket(at), socket(at));
        enable_recverr(&a).unwrap();
        let dead = socket(at).local_addr().unwrap(); // bound and closed again: nobody listens there
        let mut out = SendBatch::new(8);
        out.push(dead, Bytes::from_static(b"anybody?")).unwrap();
        out.flush(&a).unwrap();
        let mut errors = Vec::new();
        eventually(|| {
            errors.extend(recv_errors(&a).unwrap());
            !errors.is_empty()
        });
        assert_eq!((errors[0].to, errors[0].error().kind()), (dead, ErrorKind::ConnectionRefused));
        out.push(dead, Bytes::from_static(b"again")).unwrap();
        out.push(live.local_addr().unwrap(), Bytes::from_static(b"hello")).unwrap();
        out.push(live.local_addr().unwrap(), Bytes::from_static(b"hello")).unwrap();
        let mut sent = 0;
        eventually(|| {
            sent += out.flush(&a).unwrap();
            out.is_empty()
        });
        assert_eq!(sent, 3, "the error of an earlier datagram was blamed on a later one");
        assert!(out.take_errors().is_empty());
    }
}

#[test]
fn a_pending_icmp_error_does_not_hide_a_datagram() {
    let (a, peer) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    enable_recverr(&a).unwrap();
    let dead = socket("127.0.0.1:0").local_addr().unwrap();
    a.send_to(b"anybody?", dead).unwrap();
    peer.send_to(b"hello", a.local_addr().unwrap()).unwrap();
    let mut batch = RecvBatch::new(4, 512);
    eventually(|| batch.recv(&a).is_ok());
    assert_eq!(batch.iter().next().unwrap().bytes, b"hello");
    assert_eq!(batch.recv(&a).unwrap_err().kind(), ErrorKind::WouldBlock);
}
