//! Clients of the admin API that are wrong, slow, stuck or somebody else's: each is met as it deserves, and a call goes
//! through afterwards.

use super::http::Http;
use super::operators::socket;
use super::the_admin_api::{bearer, start_with_tokens};
use super::world::{Place, call, eventually, hang_up, metric};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A call goes through.
fn probe(place: Place, name: &str) {
    let (carrier, north) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &north, name, "+4930123456");
    hang_up(place, &carrier, &north, &up);
}

#[test]
fn requests_of_other_sites_and_other_names_are_refused_whatever_token_they_bring() {
    let place = Place(143);
    let (appliance, at) = start_with_tokens(place, "");
    let admin = bearer("admin");
    for (more, status, reason) in [
        (String::new(), 200, ""),
        ("Sec-Fetch-Site: same-origin\r\n".to_owned(), 200, ""),
        (format!("Origin: http://{at}\r\n"), 200, ""),
        ("Sec-Fetch-Site: cross-site\r\n".to_owned(), 403, "cross_site"),
        ("Sec-Fetch-Site: same-site\r\n".to_owned(), 403, "cross_site"),
        ("Origin: http://evil.example\r\n".to_owned(), 403, "cross_site"),
        ("Origin: null\r\n".to_owned(), 403, "cross_site"),
    ] {
        let reply = Http::tcp(at).ask("GET", "/v1/status", &format!("{admin}{more}"), "");
        assert_eq!(reply.status, status, "{more}");
        assert!(status == 200 || reply.json()["reason"] == reason, "{more}");
    }
    for (host, status) in [("localhost", 200), ("evil.example", 403), ("127.0.0.1.evil.example:9090", 403)] {
        let reply = Http::tcp(at).ask("GET", "/v1/status", &format!("Host: {host}\r\n{admin}"), "");
        assert_eq!(reply.status, status, "{host}");
    }
    assert_eq!(metric(&appliance, "bascule_admin_refused_total{reason=\"cross_site\"}"), 4.0);
    assert_eq!(metric(&appliance, "bascule_admin_refused_total{reason=\"host\"}"), 2.0);
    for (token, status) in [("", 401), ("Bearer", 401), ("Bearer ", 401), ("bearer token-of-admin", 200)] {
        let reply = Http::tcp(at).ask("GET", "/v1/me", &format!("Authorization: {token}\r\n"), "");
        assert_eq!(reply.status, status, "{token}");
    }
    let long = format!("Authorization: Bearer {}\r\n", "x".repeat(4_000));
    assert_eq!(Http::tcp(at).ask("GET", "/v1/me", &long, "").status, 401);
    probe(place, "after-strangers");
}

#[test]
fn bodies_of_20_megabytes_are_not_read() {
    let place = Place(144);
    let (_appliance, at) = start_with_tokens(place, "");
    let said = format!("{}Content-Length: 20000000\r\n", bearer("admin"));
    let reply = Http::tcp(at).ask("POST", "/v1/reload", &said, "");
    assert_eq!(reply.status, 413, "it is refused before a byte of it has come");
    let unsaid = format!("{}Transfer-Encoding: chunked\r\n", bearer("admin"));
    for (more, status) in [(&unsaid, 413), (&"Transfer-Encoding: chunked\r\n".to_owned(), 401)] {
        let mut http = Http::tcp(at);
        http.begin("POST", "/v1/reload", more, "");
        let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
        // It closes when it has heard enough.
        let taken = (0..20).take_while(|_| http.try_send(&chunk).is_ok()).count();
        assert!(taken < 20, "20 MB were taken");
        let mut all = Vec::new();
        let _ = http.0.read_to_end(&mut all);
        // A reset may overtake the answer.
        let text = String::from_utf8_lossy(&all);
        assert!(all.is_empty() || text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
    }
    probe(place, "after-bodies");
}

/// A connection that has said a little.
fn half(at: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(b"GET /v1/status HTTP/1.1\r\nX-Slow: ").unwrap();
    stream
}

#[test]
fn heads_that_never_end_have_their_places_for_a_while_and_the_admin_socket_is_another_door() {
    let place = Place(145);
    let (appliance, at) = start_with_tokens(place, "");
    let mut slow: Vec<_> = (0..40).map(|_| half(at)).collect();
    eventually("those beyond the bound are counted", || {
        metric(&appliance, "bascule_admin_refused_total{reason=\"connections\"}") >= 8.0
    });
    assert_eq!(Http::unix(&socket(place)).get("/v1/status").status, 200);
    probe(place, "among-slow-heads");
    for stream in &mut slow {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut all = Vec::new();
        // A reset, or the end after 408 or nothing: it is cut off.
        let _ = stream.read_to_end(&mut all);
        assert!(all.is_empty() || all.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&all));
    }
    eventually("there is room again", || {
        TcpStream::connect(at).is_ok_and(|mut stream| {
            let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n");
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all);
            all.starts_with(b"HTTP/1.1 200")
        })
    });
}

#[test]
fn a_client_that_does_not_read_is_cut_off_and_no_call_waits_for_it() {
    let place = Place(146);
    let (_appliance, at) = start_with_tokens(place, "");
    let mut stuck = TcpStream::connect(at).unwrap();
    // Some 60 KiB each, which nobody reads: more than the kernel holds.
    let many = "GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(400);
    let mut writer = stuck.try_clone().unwrap();
    let writing = std::thread::spawn(move || drop(writer.write_all(many.as_bytes())));
    let begun = Instant::now();
    for i in 0..5 {
        probe(place, &format!("beside-stuck-{i}"));
    }
    // Its time runs while it does not read.
    std::thread::sleep(Duration::from_secs(12).saturating_sub(begun.elapsed()));
    stuck.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut all = Vec::new();
    let _ = stuck.read_to_end(&mut all);
    let answers = all.windows(15).filter(|w| w == b"HTTP/1.1 200 OK").count();
    assert!(answers < 400, "all were answered, nothing was cut");
    writing.join().unwrap();
    assert_eq!(Http::tcp(at).get("/healthz").status, 200);
}
