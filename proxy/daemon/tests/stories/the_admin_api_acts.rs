//! What is changed over the admin API: drains, drills, reloads; and who follows what happens.

use super::http::{Events, Http};
use super::operators::{socket, takes};
use super::the_admin_api::{bearer, file, get, start_with_tokens};
use super::world::{Place, call, eventually, hang_up, metric};
use crate::audited::Audited;
use bascule::config;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn lines(body: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn audited(path: &Path) -> Vec<Value> {
    lines(&std::fs::read(path).unwrap())
}

#[test]
fn a_region_is_drained_and_opened_by_whom_a_role_permits_it_and_by_nobody_else() {
    let place = Place(75);
    let audit = file(place, "audit");
    let _ = std::fs::remove_file(&audit);
    let (appliance, at) = start_with_tokens(place, &format!("audit = \"{}\"\n", audit.display()));
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    let up = call(place, &carrier, &north, "moves", "+4930123456");
    for path in ["/v1/regions/north/drain", "/v1/regions/north/drill", "/v1/edges/north-1/undrain"] {
        let refused = Http::tcp(at).ask("POST", path, &bearer("view"), "{}");
        assert_eq!((refused.status, &refused.json()["reason"]), (403, &json!("role")), "{path}");
    }
    assert_eq!(metric(&appliance, "bascule_admin_refused_total{reason=\"role\"}"), 3.0);
    for (path, body, status) in [
        ("/v1/regions/nowhere/drain", "", 404),
        ("/v1/regions/north-1/drain", "", 404),
        ("/v1/edges/north/drain", "", 404),
        ("/v1/regions/north/drain", r#"{"share":0}"#, 409),
        ("/v1/regions/north/drain", r#"{"shar":1}"#, 400),
        ("/v1/regions/north/drill", r#"{"share":1,"cut":"all","for_ms":100}"#, 400),
    ] {
        let refused = Http::tcp(at).ask("POST", path, &bearer("admin"), body);
        assert_eq!(refused.status, status, "{path} {body}");
    }
    let mut drain = Http::tcp(at);
    drain.begin("POST", "/v1/regions/north/drain", &bearer("admin"), r#"{"deadline_ms":20000}"#);
    takes(place, &south, 41_002, 1);
    let bye = north.request("BYE");
    north.send(north.answer(&bye, 200, None), place.tier());
    let reply = drain.reply();
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/x-ndjson")));
    let told = lines(&reply.body);
    let last = told.last().unwrap();
    assert_eq!((&last["is"], &last["moved"], &last["drained"]), (&json!("summary"), &json!(1), &json!(true)));
    assert_eq!(get(place, "/v1/regions")["regions"][0]["drained"], json!(true));
    let opened = Http::tcp(at).ask("POST", "/v1/regions/north/undrain", &bearer("admin"), "");
    let last = lines(&opened.body).pop().unwrap();
    assert_eq!((&last["end"], &last["drained"]), (&json!("finished"), &json!(false)));
    assert_eq!(get(place, "/v1/regions")["regions"][0]["drained"], json!(false));
    hang_up(place, &carrier, &south, &up);
    let log = audited(&audit);
    let done: Vec<_> = log.iter().filter(|line| line["is"] == "done").collect();
    assert_eq!(done.len(), 2, "{log:?}");
    assert_eq!((&done[0]["who"], &done[0]["after"]["drained"]), (&json!("admin"), &json!(["north"])));
    assert_eq!(done[1]["after"]["drained"], json!([]));
}

#[test]
fn scanners_are_forgotten_by_whom_a_role_permits_it_and_that_is_written_down() {
    let place = Place(160);
    let audit = file(place, "audit");
    let _ = std::fs::remove_file(&audit);
    let (_appliance, at) = start_with_tokens(place, &format!("audit = \"{}\"\n", audit.display()));
    let ask = |method, who| Http::tcp(at).ask(method, "/v1/scanners", &bearer(who), "");
    assert_eq!((ask("GET", "calls").status, ask("DELETE", "view").status), (403, 403));
    assert_eq!(ask("GET", "view").json()["forgotten"], json!(false));
    assert_eq!(ask("DELETE", "admin").json()["forgotten"], json!(true));
    let log = audited(&audit);
    assert_eq!((log.len(), &log[0]["is"], &log[1]["is"]), (2, &json!("asked"), &json!("done")), "{log:?}");
    assert_eq!((&log[0]["who"], &log[0]["what"]), (&json!("admin"), &json!("forget_scanners")));
}

#[test]
fn a_client_that_leaves_its_drill_has_ended_it() {
    let place = Place(76);
    let (appliance, at) = start_with_tokens(place, "");
    let (carrier, north) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &north, "stays", "+4930123456");
    let drills = || appliance.snapshot().overrides.drill.is_some();
    let mut drill = Http::tcp(at);
    let wish = r#"{"share":1,"cut":"media","for_ms":600000}"#;
    drill.begin("POST", "/v1/regions/north/drill", &bearer("admin"), wish);
    eventually("the drill is under way", drills);
    let second = Http::tcp(at).ask("POST", "/v1/regions/south/drill", &bearer("admin"), wish);
    assert_eq!(second.status, 409, "one at a time");
    drop(drill);
    eventually("it is over", || !drills());
    hang_up(place, &carrier, &north, &up);
}

#[test]
fn who_follows_hears_of_calls_regions_and_generations_as_they_change() {
    let place = Place(77);
    let (appliance, at) = start_with_tokens(place, "");
    let (carrier, north) = (place.carrier(), place.edge(1));
    let mut all = Events::tcp(at, "/v1/events", &bearer("admin"));
    let mut few = Events::tcp(at, "/v1/events", &bearer("view"));
    let mut calls = Events::tcp(at, "/v1/calls?follow=true", &bearer("calls"));
    let first = all.until("service", |_| true);
    assert_eq!((&first["regions"][0]["state"], &first["regions"][0]["edges_up"]), (&json!("up"), &json!(1)));
    calls.until("calls", |data| data["whole"] == true);
    let up = call(place, &carrier, &north, "watched", "+4930123456");
    let said = calls.until("calls", |data| data["calls"][0]["state"] == "answered");
    assert_eq!(said["calls"][0]["a_call_id"], json!("watched"));
    let name = said["calls"][0]["call"].clone();
    all.until("service", |data| data["regions"][0]["answered"] == 1);
    all.until("trunks", |data| data["trunks"][0]["calls"] == 1);
    hang_up(place, &carrier, &north, &up);
    calls.until("calls", |data| data["gone"].as_array().unwrap().contains(&name));
    let over = all.until("finished", |data| data["a_call_id"] == "watched");
    assert_eq!(over["close"], json!("bye_from_a"));
    appliance.drain_regions(&["south"]).unwrap();
    let changed =
        |data: &Value| data["changes"][0]["name"] == "south" && data["changes"][0]["to"] == "drained";
    all.until("generation", changed);
    few.until("generation", changed);
    few.until("service", |data| data["regions"][1]["drained"] == true);
    assert!(few.heard.iter().all(|event| event == "service" || event == "generation"), "{:?}", few.heard);
    // Places for those who follow are bounded, and come back.
    let held: Vec<_> = (0..13).map(|_| Events::tcp(at, "/v1/events", &bearer("view"))).collect();
    let refused = Http::tcp(at).ask("GET", "/v1/events", &bearer("view"), "");
    assert_eq!((refused.status, &refused.json()["reason"]), (503, &json!("followers")));
    drop(held);
    eventually("there is room again", || Events::try_tcp(at, "/v1/events", &bearer("view")).is_some());
}

/// An appliance that was started from a file, and the file.
fn from_file(place: Place) -> (Audited, PathBuf) {
    let path = file(place, "config");
    std::fs::write(&path, text(place, "+49")).unwrap();
    (Audited::start(config::read(&path).unwrap()).unwrap(), path)
}

fn text(place: Place, prefix: &str) -> String {
    let admin = format!("[admin]\nsocket = \"{}\"\n", socket(place).display());
    place.config(&admin).replace("+49", prefix)
}

fn post(place: Place, path: &str, body: &str) -> (u16, Value) {
    let reply = Http::unix(&socket(place)).ask("POST", path, "", body);
    (reply.status, reply.json())
}

fn prefix(place: Place) -> Value {
    get(place, "/v1/routes")["inbound"][0]["prefix"].clone()
}

#[test]
fn a_configuration_that_nobody_confirms_is_undone_and_a_confirmed_one_stays() {
    let place = Place(78);
    let (_appliance, path) = from_file(place);
    std::fs::write(&path, text(place, "+31")).unwrap();
    let (status, dry) = post(place, "/v1/reload", r#"{"dry_run":true}"#);
    assert_eq!((status, &dry["taken"], prefix(place)), (200, &json!(false), json!("+49")));
    let (status, taken) = post(place, "/v1/reload", r#"{"confirm":1}"#);
    assert_eq!((status, &taken["taken"]), (200, &json!(true)), "{taken}");
    assert!(taken["confirm_until"].is_string(), "{taken}");
    eventually("it is undone by itself", || prefix(place) == "+49");
    assert_eq!(post(place, "/v1/reload/confirm", "").0, 409, "too late");

    assert_eq!(post(place, "/v1/reload", r#"{"confirm":600}"#).0, 200);
    assert_eq!((post(place, "/v1/reload", "").0, prefix(place)), (409, json!("+31")), "one trial at a time");
    assert!(get(place, "/v1/reload")["confirm_until"].is_string());
    assert_eq!(post(place, "/v1/reload/undo", "").0, 200);
    assert_eq!(prefix(place), json!("+49"));

    assert_eq!(post(place, "/v1/reload", r#"{"confirm":600}"#).0, 200);
    let (status, kept) = post(place, "/v1/reload/confirm", "");
    assert_eq!((status, &kept["confirm_until"], prefix(place)), (200, &Value::Null, json!("+31")));
    assert_eq!(post(place, "/v1/reload/undo", "").0, 409);

    std::fs::write(&path, text(place, "+49").replace("site = \"main\"", "site = \"mian\"")).unwrap();
    let (status, bad) = post(place, "/v1/reload", "");
    assert!(status == 422 && bad["complaints"][0].as_str().unwrap().contains("mian"), "{status} {bad}");
    std::fs::write(&path, text(place, "+49").replace("30000-30399", "30000-30799")).unwrap();
    assert_eq!((post(place, "/v1/reload", "").0, prefix(place)), (409, json!("+31")));
}

#[test]
fn another_configuration_in_between_ends_the_trial() {
    let place = Place(79);
    let (appliance, path) = from_file(place);
    std::fs::write(&path, text(place, "+31")).unwrap();
    assert_eq!(post(place, "/v1/reload", r#"{"confirm":2}"#).0, 200);
    std::fs::write(&path, text(place, "+32")).unwrap();
    appliance.reload(&config::read(&path).unwrap()).unwrap();
    assert_eq!(get(place, "/v1/reload")["confirm_until"], Value::Null);
    assert_eq!(post(place, "/v1/reload/undo", "").0, 409);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(prefix(place), json!("+32"), "what was taken last stays");
}

#[test]
fn only_a_file_can_be_read_again_and_only_a_log_of_ours_can_be_changed() {
    let place = Place(138);
    let (_appliance, at) = start_with_tokens(place, "");
    for (method, path, body) in [
        ("POST", "/v1/reload", ""),
        ("POST", "/v1/reload/confirm", ""),
        ("PUT", "/v1/log-level", r#"{"level":"info"}"#),
    ] {
        assert_eq!(Http::tcp(at).ask(method, path, &bearer("view"), body).status, 403, "{path}");
        assert_eq!(Http::tcp(at).ask(method, path, &bearer("admin"), body).status, 409, "{path}");
    }
}
