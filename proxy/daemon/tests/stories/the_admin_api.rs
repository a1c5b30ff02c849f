//! The admin API, over the admin socket and over TCP.

use super::http::Http;
use super::operators::{socket, start};
use super::world::{Place, call, hang_up, load, patient};
use crate::audited::Audited;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// SHA-256 of `token-of-view` and so on.
const TOKENS: [(&str, &str, &str); 3] = [
    ("view", "02b9f1b85c5c4d85737488d2ee16c9f5070229c6093fc381c90e5a30b28a0da3", "telephony.edge.view"),
    ("calls", "049353ed7eea0f514c0b550d8790ef73cbc89f1f6e98315acb880f4aad510a39", "telephony.calls.edit"),
    ("admin", "47736f3a2b34f7f36ba93874745efa96c67707390dc74443d38defa81b58535d", "telephony.admin"),
];

pub(crate) fn bearer(name: &str) -> String {
    format!("Authorization: Bearer token-of-{name}\r\n")
}

pub(crate) fn file(place: Place, name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", place.0))
}

/// An access file.
pub(crate) fn tokens(place: Place) -> PathBuf {
    let entries = TOKENS.map(|(name, sha256, role)| {
        format!("[[access]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\nroles = [\"{role}\"]\n")
    });
    let access = file(place, "access");
    std::fs::write(&access, entries.concat()).unwrap();
    access
}

/// An appliance with an admin socket, a TCP listener and an access file.
pub(crate) fn start_with_tokens(place: Place, more: &str) -> (Audited, SocketAddr) {
    let at = (place.ip(1), 9090).into();
    let (socket, access) = (socket(place), tokens(place));
    let access = access.display();
    let more = format!(
        "[admin]\nsocket = \"{}\"\nlisten = \"{at}\"\naccess = \"{access}\"\n{more}",
        socket.display()
    );
    (Audited::start(load(&patient(&place.config(&more)))).unwrap(), at)
}

pub(crate) fn get(place: Place, path: &str) -> Value {
    let reply = Http::unix(&socket(place)).get(path);
    assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
    reply.json()
}

#[test]
fn what_is_configured_and_what_lives_is_told_in_json() {
    let place = Place(70);
    let _appliance = start(place, "");
    let (carrier, north) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &north, "told", "+4930123456");
    assert_eq!(get(place, "/v1/status")["calls"], json!({"hunting": 0, "answered": 1, "closing": 0}));
    let regions = get(place, "/v1/regions");
    assert_eq!(
        (&regions["regions"][0]["region"], &regions["regions"][0]["answered"]),
        (&json!("north"), &json!(1))
    );
    let edges = get(place, "/v1/edges");
    let first = &edges["edges"][0];
    assert_eq!((&first["edge"], &first["edge_group"]), (&json!("north-1"), &json!("north")));
    assert_eq!(first["address"], json!("127.77.70.11:5060"));
    let groups = get(place, "/v1/edge-groups");
    assert_eq!(groups["edge_groups"][1]["sites"], json!(["main"]), "{groups}");
    assert_eq!(
        get(place, "/v1/sites")["sites"],
        json!([{"site": "main", "edge_groups": ["north", "south"], "usable": 2}])
    );
    let trunks = get(place, "/v1/trunks");
    assert_eq!((&trunks["trunks"][0]["trunk"], &trunks["trunks"][0]["calls"]), (&json!("acme"), &json!(1)));
    assert_eq!(get(place, "/v1/routes")["inbound"], json!([{"prefix": "+49", "site": "main"}]));
    assert_eq!(get(place, "/v1/me")["roles"].as_array().map(Vec::len), Some(9));
    hang_up(place, &carrier, &north, &up);
}

#[test]
fn a_token_opens_what_its_roles_name_and_nothing_else() {
    let place = Place(71);
    let (_appliance, at) = start_with_tokens(place, "");
    for (token, path, status) in [
        ("", "/v1/status", 401),
        ("Authorization: Bearer wrong\r\n", "/v1/status", 401),
        ("Authorization: Basic dG9rZW4tb2Ytdmlldw==\r\n", "/v1/status", 401),
        (&bearer("view"), "/v1/status", 200),
        (&bearer("view"), "/v1/me", 200),
        (&bearer("view"), "/v1/trunks", 403),
        (&bearer("calls"), "/v1/status", 403),
        (&bearer("admin"), "/v1/trunks", 200),
        (&format!("{}Sec-Fetch-Site: cross-site\r\n", bearer("admin")), "/v1/status", 403),
        ("", "/v1/openapi.json", 200),
        ("", "/v1/schema.json", 200),
        ("", "/healthz", 200),
        ("", "/metrics", 200),
    ] {
        let reply = Http::tcp(at).ask("GET", path, token, "");
        assert_eq!(reply.status, status, "{path} with {token:?}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert!(reply.header("content-security-policy").unwrap().contains("default-src 'none'"));
        assert!(
            reply.header("set-cookie").is_none() && reply.header("access-control-allow-origin").is_none()
        );
        if status >= 400 {
            let words = reply.json();
            assert!(words["message"].is_string() && words["advice"].is_string(), "{words}");
        }
    }
    let schema = Http::tcp(at).ask("GET", "/v1/schema.json", "", "").json();
    assert!(schema["properties"]["admin"].is_object(), "the sections of a configuration: {schema}");
    let whoami = Http::tcp(at).ask("GET", "/v1/me", &bearer("view"), "").json();
    assert_eq!(whoami, json!({"name": "view", "roles": ["telephony.edge.view"]}));
}

#[test]
fn a_token_that_is_taken_away_is_worth_nothing_soon_after() {
    let place = Place(72);
    let (_appliance, at) = start_with_tokens(place, "");
    let status = || Http::tcp(at).ask("GET", "/v1/status", &bearer("view"), "").status;
    assert_eq!(status(), 200);
    std::fs::write(file(place, "access"), "nonsense").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(status(), 200, "a slip of the pen locks nobody out");
    std::fs::write(file(place, "access"), "").unwrap();
    super::world::eventually("the token is not taken any more", || status() == 401);
}

#[test]
fn what_is_no_request_of_the_api_is_refused_and_hurts_nobody() {
    let place = Place(73);
    let (_appliance, at) = start_with_tokens(place, "");
    let (carrier, north) = (place.carrier(), place.edge(1));
    let admin = bearer("admin");
    for (method, path, status) in [
        ("GET", "/v1/../../../etc/passwd", 404),
        ("GET", "/v1/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET", "/v1//status", 404),
        ("GET", "/v1/status/", 404),
        ("GET", "/V1/STATUS", 404),
        ("POST", "/v1/status", 405),
        ("DELETE", "/metrics", 405),
        ("OPTIONS", "/v1/status", 405),
        ("TRACE", "/v1/status", 405),
        ("BREW", "/v1/status", 405),
    ] {
        let reply = Http::tcp(at).ask(method, path, &admin, "");
        assert_eq!(reply.status, status, "{method} {path}");
        assert!(reply.json()["advice"].is_string());
    }
    let long = format!("GET /v1/{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET /v1/status HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(5_000));
    for text in ["\0\0\0\0\r\n\r\n", "INVITE sip:x SIP/2.0\r\n\r\n", "GET\r\n\r\n", &long, &many] {
        let mut http = Http::tcp(at);
        // It may be closed before all is written.
        let _ = http.try_send(text);
        assert!(http.refuses(), "{}", &text[..text.len().min(60)]);
    }
    let up = call(place, &carrier, &north, "unhurt", "+4930123456");
    hang_up(place, &carrier, &north, &up);
}

#[test]
fn a_live_call_is_found_looked_at_and_ended_and_the_audit_log_says_by_whom() {
    let place = Place(74);
    let audit = file(place, "audit");
    let _ = std::fs::remove_file(&audit);
    let (_appliance, at) = start_with_tokens(place, &format!("audit = \"{}\"\n", audit.display()));
    let (carrier, north) = (place.carrier(), place.edge(1));
    let _up = call(place, &carrier, &north, "to-be-ended", "+4930123456");
    for wanted in [
        "number=%2B4930",
        "number=4917",
        "trunk=acme&state=answered",
        "call_id=to-be-ended",
        "region=north&site=main",
    ] {
        let found = get(place, &format!("/v1/calls?{wanted}"));
        assert_eq!(found["calls"][0]["a_call_id"], json!("to-be-ended"), "{wanted}: {found}");
    }
    for wanted in ["number=%2B31", "trunk=other", "state=ringing", "region=south"] {
        assert_eq!(get(place, &format!("/v1/calls?{wanted}"))["calls"], json!([]), "{wanted}");
    }
    for slip in ["numbr=1", "state=up", "limit=0", "limit=9999", "cursor=x"] {
        assert_eq!(Http::unix(&socket(place)).get(&format!("/v1/calls?{slip}")).status, 400, "{slip}");
    }
    let name = get(place, "/v1/calls")["calls"][0]["call"].as_str().unwrap().to_owned();
    let path = format!("/v1/calls/{name}");
    assert_eq!(get(place, &path)["steps"][0]["target"], json!("north-1"));
    assert_eq!(Http::tcp(at).ask("DELETE", &path, &bearer("view"), "").status, 403);
    let large = "x".repeat(20_000);
    assert_eq!(Http::tcp(at).ask("DELETE", &path, &bearer("calls"), &large).status, 413);
    assert_eq!(Http::tcp(at).ask("DELETE", &path, &bearer("calls"), r#"{"wy":"slip"}"#).status, 400);
    let ended = Http::tcp(at).ask("DELETE", &path, &bearer("calls"), r#"{"why":"fraud"}"#);
    assert_eq!((ended.status, ended.json()), (200, json!({ "call": name })));
    for (end, to) in [(&carrier, place.appliance()), (&north, place.tier())] {
        let bye = end.request("BYE");
        let reason = String::from_utf8_lossy(bye.header(sip_wire::HeaderName::Reason).unwrap()).into_owned();
        assert!(reason.contains("operator"), "{reason}");
        end.send(end.answer(&bye, 200, None), to);
    }
    super::world::eventually("the call is gone", || Http::unix(&socket(place)).get(&path).status == 404);
    let log = std::fs::read_to_string(&audit).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert_eq!((&lines[0]["is"], &lines[1]["is"]), (&json!("asked"), &json!("done")));
    assert_eq!((&lines[0]["who"], &lines[0]["what"]), (&json!("calls"), &json!("end_call")));
    assert_eq!((&lines[0]["on"]["why"], &lines[0]["before"]["state"]), (&json!("fraud"), &json!("answered")));
}
