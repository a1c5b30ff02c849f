//! Calls over TLS: who is believed, who is known by what he shows, and what becomes of the others.

use super::tls_ca::{Badge, Ca, Holder, client, client_showing, folder, server};
use super::tls_line::{Secure, dial};
use super::world::{PATIENCE, Place, Ua, eventually, load, metric};
use crate::audited::Audited;
use proxy_core::{TargetId, TargetState};
use sip_wire::{HeaderName, Message, Method};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Whatever moves a call on, it is not that an edge has said nothing.
const PATIENT: &str = "[hunt]\nno_response = \"60s\"\nno_progress = \"60s\"\n";

/// One place with authorities: one signs us and our neighbours, the other signs strangers.
struct Town {
    place: Place,
    ca: Ca,
    others: Ca,
    folder: PathBuf,
}

impl Town {
    fn new(n: u8) -> Self {
        let folder = folder(&format!("tls-{n}"));
        let town = Self { place: Place(n), ca: Ca::new("neighbours"), others: Ca::new("strangers"), folder };
        town.ca.write(&town.folder, "ca");
        town.badge(&["sip.us.example"]).write(&town.folder, "us");
        town
    }

    fn badge(&self, names: &[&str]) -> Badge {
        self.ca.signs(Holder::of(names))
    }

    fn at(&self) -> SocketAddr {
        (self.place.ip(1), 5061).into()
    }

    /// The listener, with more lines of its own.
    fn listener(&self, more: &str) -> String {
        let (ip, folder) = (self.place.ip(1), self.folder.display());
        format!(
            "\n[[listener]]\nname = \"secure\"\ntransport = \"tls\"\nbind = \"{ip}:5061\"\ncertificate = \"{folder}/us.pem\"\n\
             key = \"{folder}/us.key\"\nclient_ca = \"{folder}/ca.pem\"\n{more}\n"
        )
    }

    fn ca_file(&self) -> String {
        format!("tls = {{ ca = \"{}/ca.pem\" }}", self.folder.display())
    }

    /// The north edge is reached over TLS and has to be `north.example`.
    fn north_over_tls(&self, more: &str) -> String {
        let edge = format!("address = \"127.77.{}.11:5060\"", self.place.0);
        let secure =
            format!("address = \"127.77.{}.11:5061\", server_name = \"north.example\"", self.place.0);
        let text = self.place.config(&(self.listener("") + more)).replacen(&edge, &secure, 1);
        text.replacen("listener = \"tier\"", &format!("listener = \"secure\"\n{}", self.ca_file()), 1)
    }

    fn north(&self) -> TcpListener {
        TcpListener::bind((self.place.ip(11), 5061)).unwrap()
    }

    fn starts(&self, text: &str) -> Audited {
        Audited::start(load(text)).unwrap()
    }

    /// Calls us from an address, and shows a badge if there is one.
    fn calls(&self, host: u8, badge: Option<&Badge>) -> std::io::Result<(Secure, Vec<u8>)> {
        let stream = dial(self.place.ip(host), self.at());
        Secure::call(stream, "sip.us.example", &client(&self.ca, badge))
    }
}

fn failed(appliance: &Audited, reason: &str) -> f64 {
    metric(appliance, &format!("bascule_tls_handshakes_failed_total{{reason=\"{reason}\"}}"))
}

/// As the peer would say it over its connection.
fn invite(line: &Secure, call_id: &str, number: &str) -> String {
    over_tls(&Ua::invite_from(line.at(), call_id, number, 40_000))
}

fn over_tls(text: &str) -> String {
    text.replacen("SIP/2.0/UDP", "SIP/2.0/TLS", 1)
}

fn is_final(message: &Message) -> bool {
    message.code().is_some_and(|code| code >= 200)
}

fn options(line: &Secure, n: u32, via: &str) -> String {
    let at = line.at();
    format!(
        "OPTIONS sip:us SIP/2.0\r\nVia: SIP/2.0/TLS {at};branch=z9hG4bKo{n}{via}\r\nFrom: <sip:x@{at}>;tag=1\r\n\
         To: <sip:us>\r\nCall-ID: o{n}\r\nCSeq: {n} OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

fn is_request(method: Method<'static>) -> impl Fn(&Message) -> bool {
    move |message| message.is_request() && message.method().as_bytes() == method.as_bytes()
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// Two carriers behind one address, told apart by what they show.
#[test]
fn a_call_is_of_the_trunk_that_its_certificate_names() {
    let town = Town::new(170);
    let more = town.listener("")
        + "[[trunk]]\nname = \"globex\"\ncertificates = [\"globex.example\"]\n\
           [[route.inbound]]\ntrunk = \"globex\"\nprefix = \"+31\"\nsite = \"main\"\n";
    let text_of = town.place.config(&more).replacen(
        &format!("sources = [\"127.77.{}.2\"]", town.place.0),
        "certificates = [\"ACME.example\"]",
        1,
    );
    let appliance = town.starts(&text_of);
    let edge = town.place.edge(1);
    let acme = town.badge(&["sip:acme.example", "host7.acme.example"]);
    let globex = town.ca.signs(Holder::of(&["globex.example"]).for_servers_only());

    let (mut line, _) = town.calls(2, Some(&acme)).unwrap();
    line.send(invite(&line, "acme", "+4930123456"));
    let request = edge.request("INVITE");
    edge.send(edge.answer(&request, 486, None), town.place.tier());
    assert_eq!(line.until(is_final).code(), Some(486));

    let (mut line, _) = town.calls(2, Some(&globex)).unwrap();
    line.send(invite(&line, "globex", "+31201234567"));
    let request = edge.request("INVITE");
    assert!(text(request.uri()).contains("+31201234567"));
    edge.send(edge.answer(&request, 486, None), town.place.tier());
    assert_eq!(line.until(is_final).code(), Some(486));

    // Whoever shows the certificate of neither is nobody, wherever he calls from.
    for nobody in [Some(town.badge(&["host7.acme.example"])), None] {
        let (mut line, _) = town.calls(2, nobody.as_ref()).unwrap();
        assert!(line.is_closed_in_good_order());
    }
    eventually("both are counted", || {
        metric(&appliance, "bascule_streams_closed_total{reason=\"stranger\"}") == 2.0
    });
    // Nor does a datagram from the carrier's address say anything.
    let forged = town.place.carrier();
    forged.send(forged.invite("forged", "+4930123456", 40_000), town.place.appliance());
    forged.hears_nothing();
}

#[test]
fn a_call_goes_out_to_an_edge_that_has_the_right_certificate_and_sees_ours() {
    let town = Town::new(171);
    let _appliance = town.starts(&town.north_over_tls(""));
    let north = town.north();
    let carrier = town.place.carrier();
    carrier.send(carrier.invite("out", "+4930123456", 40_000), town.place.appliance());
    let badge = town.badge(&["sip:north.example"]);
    let (stream, from) = north.accept().unwrap();
    assert_eq!(from.ip(), town.place.ip(1), "we come from the listener's address");
    let (mut line, shown) = Secure::answer(stream, &server(&town.ca, &badge)).unwrap();
    assert!(shown.windows(14).any(|part| part == b"sip.us.example"), "our own certificate is shown");
    let invite = line.until(is_request(Method::Invite));
    let via = text(invite.header(HeaderName::Via).unwrap());
    assert!(via.starts_with(&format!("SIP/2.0/TLS {}", town.at())) && via.contains(";alias"), "{via}");
    let contact = text(invite.contact().unwrap().unwrap().uri);
    assert!(contact.ends_with(";transport=tls") && contact.starts_with("sip:"), "{contact}");
    let edge = town.place.edge(1);
    line.send(edge.answer(&invite, 180, None));
    carrier.response(180);
    line.send(edge.answer(&invite, 200, Some(41_000)));
    let ok = carrier.response(200);
    carrier.send(carrier.in_dialog("ACK", 1, &ok), town.place.appliance());
    line.until(is_request(Method::Ack));
    // Keep-alives, both ways (RFC 5626 §3.5.1).
    line.send("\r\n\r\n");
    assert_eq!(line.read(2), b"\r\n");
    carrier.send(carrier.in_dialog("BYE", 2, &ok), town.place.appliance());
    let bye = line.until(is_request(Method::Bye));
    line.send(edge.answer(&bye, 200, None));
    carrier.response(200);
}

/// Each of these is at the edge's address, and none of them is the edge.
#[test]
fn an_edge_that_cannot_prove_its_name_gets_no_call_and_the_next_one_gets_it_at_once() {
    let town = Town::new(172);
    let south = town.place.edge(2);
    for (badge, reason) in [
        (town.badge(&["sip.north.example", "example"]), "wrong_name"),
        (town.badge(&["*.example"]), "wrong_name"),
        (town.badge(&["sip:alice@north.example"]), "wrong_name"),
        (town.ca.signs(Holder::of(&["north.example"]).expired()), "expired"),
        (town.others.signs(Holder::of(&["north.example"])), "unknown_issuer"),
    ] {
        let appliance = town.starts(&town.north_over_tls(PATIENT));
        let north = town.north();
        let carrier = town.place.carrier();
        carrier.send(carrier.invite(reason, "+4930123456", 40_000), town.place.appliance());
        let (stream, _) = north.accept().unwrap();
        assert!(Secure::answer(stream, &server(&town.ca, &badge)).is_err(), "{reason}");
        let invite = south.request("INVITE");
        south.send(south.answer(&invite, 486, None), town.place.tier());
        carrier.response(486);
        south.request("ACK");
        assert_eq!(failed(&appliance, reason), 1.0);
    }
}

#[test]
fn a_reload_brings_a_new_certificate_and_leaves_connections_and_calls_alone() {
    let town = Town::new(173);
    let acme = town.badge(&["acme.example"]);
    let source = format!("sources = [\"127.77.{}.2\"]", town.place.0);
    let config = town.place.config(&town.listener("require_client = true"));
    let config = config.replacen(&source, "certificates = [\"acme.example\"]", 1);
    let appliance = town.starts(&config);
    let edge = town.place.edge(1);
    let (mut line, first) = town.calls(2, Some(&acme)).unwrap();
    line.send(invite(&line, "up", "+4930123456"));
    let request = edge.request("INVITE");
    edge.send(edge.answer(&request, 200, Some(41_000)), town.place.tier());
    let ok = line.until(is_final);
    line.send(over_tls(&Ua::in_dialog_from(line.at(), "ACK", 1, &ok)));
    edge.request("ACK");

    // A key that belongs to another certificate is not taken, and nothing changes.
    let next = town.badge(&["sip.us.example"]);
    let (pem, key) = next.write(&town.folder, "next");
    let us = |kind: &str| town.folder.join(format!("us.{kind}"));
    std::fs::copy(&key, us("key")).unwrap();
    let error = bascule::config::parse("story.toml", &config).unwrap_err();
    assert!(error.to_string().contains("1 error"), "{error}");
    std::fs::copy(&pem, us("pem")).unwrap();
    appliance.reload(&load(&config)).unwrap();

    let (mut late, second) = town.calls(2, Some(&acme)).unwrap();
    assert_eq!(second, next.chain()[0].to_vec());
    assert_ne!(first, second);
    late.send(options(&late, 1, ""));
    assert_eq!(late.next().code(), Some(200));
    line.send(over_tls(&Ua::in_dialog_from(line.at(), "BYE", 2, &ok)));
    let bye = edge.request("BYE");
    edge.send(edge.answer(&bye, 200, None), town.place.tier());
    assert_eq!(line.until(is_final).code(), Some(200), "on the connection that was up all the time");
    // Who stops says so.
    appliance.stop();
    assert!(line.is_closed_in_good_order() && late.is_closed_in_good_order());
}

/// Only the break can be what moves the call on: the edge has a minute to answer.
#[test]
fn a_connection_that_breaks_is_evidence_at_once() {
    let town = Town::new(174);
    let appliance = town.starts(&town.north_over_tls(PATIENT));
    let (north, south, carrier) = (town.north(), town.place.edge(2), town.place.carrier());
    carrier.send(carrier.invite("break", "+4930123456", 40_000), town.place.appliance());
    let badge = town.badge(&["north.example"]);
    let (mut line, _) = Secure::answer(north.accept().unwrap().0, &server(&town.ca, &badge)).unwrap();
    line.until(is_request(Method::Invite));
    line.breaks();
    let invite = south.request("INVITE");
    south.send(south.answer(&invite, 486, None), town.place.tier());
    carrier.response(486);
    eventually("the edge is down", || appliance.snapshot().state(TargetId(0)) == TargetState::Down);
}

#[test]
fn a_handshake_in_pieces_is_a_handshake() {
    let town = Town::new(175);
    let _appliance = town.starts(&town.place.config(&town.listener("")));
    for (n, most) in (1..).zip([1, 7, 421]) {
        let stream = dial(town.place.ip(2), town.at());
        let client = client(&town.ca, Some(&town.badge(&["acme.example"])));
        let (mut line, _) = Secure::call_in_pieces(stream, most, "sip.us.example", &client).unwrap();
        line.send(options(&line, n, ""));
        assert_eq!(line.next().code(), Some(200), "{most} bytes at a time");
    }
}

#[test]
fn what_is_no_tls_or_an_old_one_is_refused_and_counted() {
    let town = Town::new(176);
    let appliance = town.starts(&town.place.config(&town.listener("require_client = true")));
    let mut plain = dial(town.place.ip(2), town.at());
    plain.write_all(b"OPTIONS sip:us SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\n\r\n").unwrap();
    eventually("plain SIP is told apart", || failed(&appliance, "not_tls") == 1.0);

    // A ClientHello of TLS 1.1 (RFC 4346 §7.4.1.2), with one cipher suite.
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    let mut old = dial(town.place.ip(2), town.at());
    old.set_read_timeout(Some(PATIENCE)).unwrap();
    old.write_all(&hello).unwrap();
    let mut alert = [0; 7];
    old.read_exact(&mut alert).unwrap();
    assert_eq!((alert[0], alert[5]), (0x15, 2), "a fatal alert (RFC 8446 §6.2)");
    eventually("it is counted", || failed(&appliance, "version") == 1.0);

    // Nor does anybody get in who shows nothing, or what a stranger has signed.
    let nobody = town.others.signs(Holder::of(&["acme.example"]));
    for (badge, reason) in [(None, "no_certificate"), (Some(&nobody), "unknown_issuer")] {
        let refused = match town.calls(2, badge) {
            // In TLS 1.3 who calls hears of it after his own handshake.
            Ok((mut line, _)) => !line.is_closed_in_good_order(),
            Err(_) => true,
        };
        assert!(refused, "{reason}");
        eventually(reason, || failed(&appliance, reason) == 1.0);
    }
}

/// Each is counted, and the carrier that shows a sound one calls meanwhile.
#[test]
fn what_is_shown_as_a_certificate_and_is_none_lets_nobody_in() {
    let town = Town::new(179);
    let source = format!("sources = [\"127.77.{}.2\"]", town.place.0);
    let config = town.place.config(&town.listener("require_client = true"));
    let appliance = town.starts(&config.replacen(&source, "certificates = [\"acme.example\"]", 1));
    let (edge, acme) = (town.place.edge(1), town.badge(&["acme.example"]));
    let sound = acme.chain().remove(0).to_vec();
    let mut other_signature = sound.clone();
    *other_signature.last_mut().unwrap() ^= 1;
    let shown = [
        ("one byte", vec![0x30]),
        ("words", b"-----BEGIN CERTIFICATE-----".to_vec()),
        ("a length beyond the end", vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
        ("a sequence in a sequence without end", [0x30, 0x80].repeat(10_000)),
        ("zeros", vec![0; 30_000]),
        ("a half", sound[..sound.len() / 2].to_vec()),
        ("one with more behind it", [&sound[..], &[0; 100]].concat()),
        ("one whose signature is another", other_signature),
    ];
    for (n, (name, shown)) in (1..).zip(shown) {
        let stream = dial(town.place.ip(3), town.at());
        let called = Secure::call(stream, "sip.us.example", &client_showing(&town.ca, shown, &acme));
        // In TLS 1.3 who calls hears of it after his own handshake.
        assert!(
            called.is_err() || called.is_ok_and(|(mut line, _)| !line.is_closed_in_good_order()),
            "{name}"
        );
        eventually(name, || failed(&appliance, "bad_certificate") == f64::from(n));
        let (mut line, _) = town.calls(2, Some(&acme)).unwrap();
        line.send(invite(&line, &format!("after{n}"), "+4930123456"));
        let request = edge.request("INVITE");
        edge.send(edge.answer(&request, 486, None), town.place.tier());
        assert_eq!(line.until(is_final).code(), Some(486), "{name}");
    }
}

/// The carrier is known by its certificate alone, so that it is one of many until it has shown it.
#[test]
fn a_thousand_handshakes_that_never_end_do_not_keep_a_carrier_out() {
    let town = Town::new(177);
    let source = format!("sources = [\"127.77.{}.2\"]", town.place.0);
    let config = town.place.config(&town.listener(""));
    let appliance = town.starts(&config.replacen(&source, "certificates = [\"acme.example\"]", 1));
    let (edge, acme) = (town.place.edge(1), town.badge(&["acme.example"]));
    let half_open: Vec<_> = (0..1_000).map(|n| dial(town.place.ip(3 + (n / 4) as u8), town.at())).collect();
    let (mut line, _) = town.calls(2, Some(&acme)).unwrap();
    line.send(invite(&line, "beside", "+4930123456"));
    let request = edge.request("INVITE");
    edge.send(edge.answer(&request, 486, None), town.place.tier());
    assert_eq!(line.until(is_final).code(), Some(486));
    drop(half_open);
    assert!(metric(&appliance, "bascule_streams_closed_total{reason=\"crowded\"}") > 0.0);
    eventually("nothing is left of them", || metric(&appliance, "bascule_streams") == 1.0);
}

/// Nobody listens at the carrier's own address.
#[test]
fn calls_to_a_carrier_take_the_connection_that_it_has_begun_if_it_asks_for_that() {
    let town = Town::new(178);
    let carrier = SocketAddr::from((town.place.ip(2), 5061));
    let more = town.listener("")
        + &format!(
            "[[trunk]]\nname = \"globex\"\ncertificates = [\"globex.example\"]\nlistener = \"secure\"\n\
             probe = {{ enabled = false }}\n{}\n\
             targets = [{{ name = \"g\", address = \"{carrier}\", server_name = \"globex.example\" }}]\n\
             [[route.outbound]]\ntrunks = [\"globex\"]\n",
            town.ca_file()
        );
    let _appliance = town.starts(&town.place.config(&more));
    let edge = town.place.edge(1);
    let asks = format!(";alias;x={carrier}");
    // The address is the carrier's, but the certificate is another's: acme's calls come from there too.
    let (mut other, _) = town.calls(2, Some(&town.badge(&["acme.example"]))).unwrap();
    let (mut line, _) = town.calls(2, Some(&town.badge(&["globex.example"]))).unwrap();
    for (n, line) in (1..).zip([&mut other, &mut line]) {
        let said =
            options(line, n, &asks).replacen(&format!("TLS {}", line.at()), &format!("TLS {carrier}"), 1);
        line.send(said);
        assert_eq!(line.next().code(), Some(200));
    }
    edge.send(edge.invite("out", "+4930123456", 40_000), town.place.tier());
    let request = line.until(is_request(Method::Invite));
    assert!(text(request.uri()).contains(&carrier.to_string()), "it is said to whom it is");
    line.send(edge.answer(&request, 486, None));
    edge.response(486);
}

#[test]
fn openssl_agrees() {
    let town = Town::new(190);
    let source = format!("sources = [\"127.77.{}.2\"]", town.place.0);
    let config = town.place.config(&town.listener("require_client = true"));
    let _appliance = town.starts(&config.replacen(&source, "certificates = [\"acme.example\"]", 1));
    let (pem, key) = town.badge(&["sip:acme.example"]).write(&town.folder, "acme");
    for version in ["-tls1_2", "-tls1_3"] {
        let mut openssl = Command::new("openssl")
            .args(["s_client", "-quiet", "-nocommands", "-verify_return_error", version])
            .args(["-verify_hostname", "sip.us.example", "-connect", &town.at().to_string(), "-CAfile"])
            .arg(town.folder.join("ca.pem"))
            .arg("-cert")
            .arg(&pem)
            .arg("-key")
            .arg(&key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut asks = openssl.stdin.take().unwrap();
        asks.write_all(
            b"OPTIONS sip:us SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKs\r\nFrom: <sip:x@acme.example>;tag=1\r\n\
              To: <sip:us>\r\nCall-ID: s\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        )
        .unwrap();
        let mut line = String::new();
        BufReader::new(openssl.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("SIP/2.0 200 "), "{version}: {line:?}");
        drop(asks);
        openssl.kill().unwrap();
        openssl.wait().unwrap();
    }
}
