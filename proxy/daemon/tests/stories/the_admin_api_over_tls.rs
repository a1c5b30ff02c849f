//! The admin API over TLS: what an address that others reach is served with.

use super::http::Http;
use super::the_admin_api::{bearer, tokens};
use super::tls_ca::{Badge, Ca, Holder, client, folder};
use super::tls_line::dial;
use super::world::{Place, eventually, load, metric, patient};
use crate::audited::Audited;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// An appliance whose admin listener has a certificate.
struct House {
    place: Place,
    ca: Ca,
    folder: PathBuf,
}

impl House {
    fn new(n: u8) -> Self {
        let house =
            Self { place: Place(n), ca: Ca::new("operators"), folder: folder(&format!("admin-tls-{n}")) };
        house.ca.write(&house.folder, "ca");
        house.badge().write(&house.folder, "us");
        house
    }

    fn badge(&self) -> Badge {
        let address = self.place.ip(1).to_string();
        self.ca.signs(Holder::of(&["bascule.example", &address]).for_servers_only())
    }

    fn at(&self) -> SocketAddr {
        (self.place.ip(1), 9090).into()
    }

    fn config(&self, certificate: bool) -> String {
        let (folder, at, access) = (self.folder.display(), self.at(), tokens(self.place));
        let pair = format!("certificate = \"{folder}/us.pem\"\nkey = \"{folder}/us.key\"\n");
        let pair = if certificate { pair } else { String::new() };
        let admin = format!("[admin]\nlisten = \"{at}\"\naccess = \"{}\"\n{pair}", access.display());
        patient(&self.place.config(&admin))
    }

    fn starts(&self) -> Audited {
        Audited::start(load(&self.config(true))).unwrap()
    }

    /// From an address, as a host of this name is called.
    fn calls(&self, host: u8, name: &str) -> std::io::Result<(Http, Vec<u8>)> {
        Http::tls(dial(self.place.ip(host), self.at()), name, &client(&self.ca, None))
    }

    fn asks(&self, path: &str, more: &str) -> super::http::Reply {
        self.calls(2, "bascule.example").unwrap().0.ask("GET", path, more, "")
    }
}

fn refused(appliance: &Audited, reason: &str) -> f64 {
    metric(appliance, &format!("bascule_admin_refused_total{{reason=\"{reason}\"}}"))
}

/// All that comes until it is closed.
fn rest(mut stream: &TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut all = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut all);
    all
}

#[test]
fn a_token_over_tls_opens_the_api_by_name_and_by_address_and_what_speaks_in_clear_is_closed() {
    let house = House::new(121);
    let appliance = house.starts();
    assert!(appliance.listens().contains(&format!("admin https://{}/metrics", house.at())));
    for (path, more, status) in [
        ("/v1/status", bearer("view"), 200),
        ("/v1/trunks", bearer("view"), 403),
        ("/v1/status", String::new(), 401),
        ("/v1/status", format!("{}Origin: https://bascule.example:9090\r\n", bearer("view")), 200),
        ("/v1/status", format!("{}Origin: https://evil.example\r\n", bearer("view")), 403),
        ("/", String::new(), 200),
        ("/healthz", String::new(), 200),
    ] {
        assert_eq!(house.asks(path, &more).status, status, "{path} with {more:?}");
    }
    let (mut by_address, _) = house.calls(2, &house.place.ip(1).to_string()).unwrap();
    assert_eq!(by_address.ask("GET", "/v1/me", &bearer("calls"), "").json()["name"], json!("calls"));

    let curl = Command::new("curl")
        .args(["--silent", "--fail", "--cacert"])
        .arg(house.folder.join("ca.pem"))
        .args(["-H", bearer("view").trim(), &format!("https://{}/v1/regions", house.at())])
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&curl.stdout).expect("JSON from curl");
    assert_eq!(said["regions"][0]["region"], json!("north"));

    let mut clear = dial(house.place.ip(2), house.at());
    clear.write_all(format!("GET /v1/me HTTP/1.1\r\n{}\r\n", bearer("admin")).as_bytes()).unwrap();
    let said = rest(&clear);
    assert!(!said.windows(4).any(|part| part == b"HTTP"), "{}", String::from_utf8_lossy(&said));
    // Whoever does not believe our authority goes away himself.
    let stranger = client(&Ca::new("somebody else's"), None);
    assert!(Http::tls(dial(house.place.ip(2), house.at()), "bascule.example", &stranger).is_err());
    eventually("both are counted", || {
        refused(&appliance, "not_tls") == 1.0 && refused(&appliance, "handshake") == 1.0
    });
    assert_eq!(house.asks("/healthz", "").status, 200);
}

#[test]
fn handshakes_that_never_end_keep_out_nobody_but_their_own_address_and_that_for_a_while() {
    let house = House::new(122);
    let appliance = house.starts();
    let mut stuck: Vec<_> = (0..8).map(|_| dial(house.place.ip(3), house.at())).collect();
    // Half a record, and nothing.
    stuck.iter().skip(4).for_each(|mut stream| stream.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap());
    stuck.extend((0..3).map(|_| dial(house.place.ip(3), house.at())));
    eventually("those beyond the bound are closed and counted", || refused(&appliance, "handshakes") == 3.0);
    assert_eq!(house.asks("/v1/status", &bearer("view")).status, 200, "from another address");
    for stream in &stuck {
        assert!(rest(stream).is_empty(), "it is closed without a word");
    }
    eventually("each is counted", || refused(&appliance, "handshake_timeout") == 8.0);
    let (mut again, _) = house.calls(3, "bascule.example").unwrap();
    assert_eq!(again.get("/healthz").status, 200, "there is room again");
}

#[test]
fn a_reload_brings_a_new_certificate_and_leaves_connections_alone() {
    let house = House::new(123);
    let appliance = house.starts();
    let (mut line, first) = house.calls(2, "bascule.example").unwrap();
    assert_eq!(line.ask("GET", "/v1/me", &bearer("view"), "").status, 200);
    let next = house.badge();
    next.write(&house.folder, "us");
    appliance.reload(&load(&house.config(true))).unwrap();
    let (mut late, second) = house.calls(2, "bascule.example").unwrap();
    assert_eq!(second, next.chain()[0].to_vec());
    assert_ne!(first, second);
    assert_eq!(late.ask("GET", "/v1/me", &bearer("view"), "").status, 200);
    assert_eq!(line.ask("GET", "/v1/me", &bearer("view"), "").status, 200, "it was up all the time");
    // Without a certificate it is a listener in clear, and back.
    appliance.reload(&load(&house.config(false))).unwrap();
    assert_eq!(Http::tcp(house.at()).ask("GET", "/v1/me", &bearer("view"), "").status, 200);
    appliance.reload(&load(&house.config(true))).unwrap();
    assert_eq!(house.asks("/v1/me", &bearer("view")).status, 200);
}
