//! Operators at the admin socket, and at the command line that speaks to it.

use super::http::Http;
use super::the_admin_api::{file, get};
use super::world::{Place, Ua, call, eventually, hang_up, load, media, metric, patient};
use crate::audited::Audited;
use bascule::Appliance;
use proxy_core::RegionId;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) fn socket(place: Place) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("admin-{}.sock", place.0))
}

/// An appliance with an admin socket.
pub(crate) fn start(place: Place, more: &str) -> Audited {
    place.start(&format!("[admin]\nsocket = \"{}\"\n{more}", socket(place).display()))
}

/// A drain or a drill that was given over the admin API: `regions/north/drain`.
struct Order(Http);

impl Order {
    fn give(place: Place, path: &str, wish: &str) -> Self {
        let mut http = Http::unix(&socket(place));
        http.begin("POST", &format!("/v1/{path}"), "", wish);
        Self(http)
    }

    /// The line that ends it.
    fn last(mut self) -> Value {
        let reply = self.0.reply();
        let text = String::from_utf8(reply.body).unwrap();
        let last = serde_json::from_str::<Value>(text.lines().last().expect("a line")).unwrap();
        assert_eq!((reply.status, &last["done"]), (200, &json!(true)), "{last}");
        last
    }
}

fn post(place: Place, path: &str, wish: &str) -> (u16, Value) {
    let reply = Http::unix(&socket(place)).ask("POST", &format!("/v1/{path}"), "", wish);
    (reply.status, reply.json())
}

pub(crate) fn bascule(place: Place, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
    command.args(args).arg("--socket").arg(socket(place)).env("NO_COLOR", "1");
    command
}

pub(crate) fn text(output: &Output) -> (i32, String, String) {
    let utf8 = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), utf8(&output.stdout), utf8(&output.stderr))
}

fn is_drained(appliance: &Appliance, region: u16) -> bool {
    appliance.snapshot().overrides.drained.contains(&RegionId(region))
}

/// An edge takes so many calls that are offered to it, in whatever order their messages come.
pub(crate) fn takes(place: Place, edge: &Ua, port: u16, calls: usize) {
    let mut confirmed = 0;
    while confirmed < calls {
        let message = edge.next();
        match message.method().as_bytes() {
            b"INVITE" => edge.send(edge.answer(&message, 200, Some(port)), place.tier()),
            b"ACK" => confirmed += 1,
            _ => {}
        }
    }
}

/// An edge is told that the call goes on without it.
fn is_left(place: Place, edge: &Ua) {
    let bye = edge.request("BYE");
    edge.send(edge.answer(&bye, 200, None), place.tier());
}

#[test]
fn a_drain_moves_the_call_that_is_up_and_the_carrier_hears_nothing_of_it() {
    let place = Place(60);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("calls-60.jsonl");
    let _ = std::fs::remove_file(&file);
    let appliance = start(place, &format!("[records]\nfile = \"{}\"", file.display()));
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    let up = call(place, &carrier, &north, "stays-up", "+4930123456");
    let drain = Order::give(place, "regions/north/drain", r#"{"deadline_ms":8000}"#);
    takes(place, &south, 41_002, 1);
    let voice = Speaking::new((place.ip(12), 41_002).into(), vec![media(&up.invite)], 0x22);
    is_left(place, &north);
    let summary = drain.last();
    assert_eq!((&summary["is"], &summary["end"]), (&json!("summary"), &json!("finished")), "{summary}");
    assert_eq!(
        (&summary["chosen"], &summary["moved"], &summary["failed"]),
        (&json!(1), &json!(1), &json!(0))
    );
    carrier.hears_nothing();
    drop(voice);

    let regions = get(place, "/v1/regions");
    let of = |i: usize| (regions["regions"][i]["answered"].clone(), regions["regions"][i]["drained"].clone());
    assert_eq!((of(0), of(1)), ((json!(0), json!(true)), (json!(1), json!(false))), "{regions}");
    let fresh = call(place, &carrier, &south, "fresh", "+4930123457");
    hang_up(place, &carrier, &south, &fresh);
    hang_up(place, &carrier, &south, &up);
    assert_eq!(metric(&appliance, "bascule_moves_total{reason=\"drain\",outcome=\"moved\"}"), 1.0);
    assert_eq!(metric(&appliance, "bascule_gap_conversation_seconds_count"), 0.0, "nobody had spoken before");
    assert_eq!(metric(&appliance, "bascule_region_drained{region=\"north\"}"), 1.0);
    drop(appliance);
    assert!(!socket(place).exists(), "the socket goes with the service");

    let records = std::fs::read_to_string(&file).unwrap();
    let record = records.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let moved: Vec<_> = record.filter(|record| record["a_call_id"] == "stays-up").collect();
    let receipt = &moved[0]["moves"][0];
    assert_eq!((&receipt["from"], &receipt["to_region"]), (&json!("north-1"), &json!("south")), "{receipt}");
    assert_eq!((&receipt["reason"], &receipt["attempts"]), (&json!("drain"), &json!(1)));
    assert_eq!(receipt["identity_before"], receipt["identity_after"]);
    assert!(receipt["resumed_ms"].as_f64() >= receipt["answered_ms"].as_f64(), "{receipt}");
}

#[test]
fn what_cannot_be_done_is_refused_with_what_to_do() {
    let place = Place(61);
    let _appliance = start(place, "");
    for (path, wish, status, said) in [
        ("regions/north/dance", "", 404, "openapi"),
        ("regions/north/drain", "what?", 400, "openapi"),
        ("regions/north/drain", r#"{"back":true}"#, 400, "openapi"),
        ("regions/nroth/drain", "", 404, "north, south"),
        ("edges/nroth-1/drain", "", 404, "/v1/edges"),
        ("regions/north/stop", "", 409, "/v1/regions"),
        ("regions/north/drain", r#"{"share":0}"#, 409, "1 to 100"),
        ("regions/north/drain", r#"{"number":"+49x"}"#, 409, "digits"),
        ("regions/north/drain", r#"{"calls":0}"#, 409, "1 or more"),
        ("regions/north/undrain", r#"{"deadline_ms":1}"#, 409, "100ms"),
        ("regions/north-1/drill", r#"{"share":5,"cut":"both","for_ms":1000}"#, 404, "north, south"),
        (
            "regions/north/drill",
            r#"{"share":5,"cut":"both","for_ms":1000,"abort_if":["dead>0"]}"#,
            400,
            "openapi",
        ),
    ] {
        let (answered, words) = post(place, path, wish);
        assert_eq!(answered, status, "{path} {wish}: {words}");
        assert!(words["advice"].as_str().unwrap().contains(said), "{path} {wish}: {words}");
    }
    assert_eq!(get(place, "/v1/regions")["regions"][0]["drained"], json!(false));
}

/// The kernel says who has opened the socket. Needs root, to be somebody else; says so and does nothing where it may not.
#[test]
fn a_user_may_with_the_commands_what_the_access_file_gives_him_and_no_more() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: nobody else could be");
        return;
    }
    let place = Place(161);
    let [access, audit] = ["access", "audit"].map(|name| file(place, name));
    let entry = "[[access]]\nname = \"night\"\nuid = 4321\nroles = [\"telephony.edge.view\"]\n";
    std::fs::write(&access, entry).unwrap();
    let _ = std::fs::remove_file(&audit);
    let more = format!("access = \"{}\"\naudit = \"{}\"", access.display(), audit.display());
    let appliance = start(place, &more);
    let run = |uid, args: &[&str]| text(&bascule(place, args).uid(uid).gid(0).output().unwrap());
    for args in [&["regions"][..], &["status"], &["scanners"]] {
        let (code, out, error) = run(4_321, args);
        assert_eq!((code, error.as_str()), (0, ""), "{args:?}: {out}");
        let (code, _, error) = run(4_322, args);
        assert!(code == 2 && error.contains("nobody that we know") && error.contains("`uid`"), "{error}");
    }
    for (args, role) in [
        (&["drain", "north"][..], "telephony.edge.edit"),
        (&["drain", "north", "--back"], "telephony.edge.edit"),
        (&["drill", "north", "--share", "1%"], "telephony.edge.edit"),
        (&["scanners", "--forget"], "telephony.edge.edit"),
        (&["trace", "any"], "telephony.calls.view"),
        (&["calls"], "telephony.calls.view"),
    ] {
        let (code, _, error) = run(4_321, args);
        assert!(
            code == 2 && error.contains("`night (uid 4321)`") && error.contains(role),
            "{args:?}: {error}"
        );
    }
    assert!(!is_drained(&appliance, 0));
    assert_eq!(std::fs::read_to_string(&audit).unwrap(), "", "nothing was changed, nothing is written down");
    let (code, _, error) = run(0, &["drain", "north"]);
    assert_eq!((code, error.as_str(), is_drained(&appliance, 0)), (0, "", true));
    assert!(std::fs::read_to_string(&audit).unwrap().contains(r#""who":"uid 0""#));
}

#[test]
fn live_calls_are_listed_shown_and_ended_from_a_terminal() {
    let place = Place(132);
    let more = format!("[admin]\nsocket = \"{}\"\n", socket(place).display());
    let _appliance = Audited::start(load(&patient(&place.config(&more)))).unwrap();
    let (carrier, north) = (place.carrier(), place.edge(1));
    let _up = call(place, &carrier, &north, "typed", "+4930123456");
    let run = |args: &[&str]| text(&bascule(place, args).output().unwrap());
    let (code, out, _) = run(&["calls", "--number", "+4930", "--state", "answered"]);
    assert!(code == 0 && out.contains("+4930123456") && out.contains("north-1"), "{out}");
    let (code, out, _) = run(&["calls", "--region", "south"]);
    assert!(code == 0 && out.contains("0 calls"), "{out}");
    let (code, out, _) = run(&["calls", "--json"]);
    let name = serde_json::from_str::<Value>(&out).unwrap()["call"].as_str().unwrap().to_owned();
    assert_eq!(code, 0);
    let (code, out, _) = run(&["call", &name]);
    assert!(code == 0 && out.contains("typed") && out.contains("answered"), "{out}");
    let (code, _, error) = run(&["call", "../status"]);
    assert!(code == 2 && error.contains("no live call"), "{error}");
    let (code, _, error) = run(&["calls", "--state", "asleep"]);
    assert!(code == 2 && error.contains("ringing"), "{error}");
    let (code, out, _) = run(&["call", &name, "--end"]);
    assert!(code == 0 && out.contains("being ended"), "{out}");
    for (end, to) in [(&carrier, place.appliance()), (&north, place.tier())] {
        let bye = end.request("BYE");
        end.send(end.answer(&bye, 200, None), to);
    }
    eventually("it is gone", || run(&["call", &name]).0 == 2);
}

#[test]
fn a_client_that_goes_away_has_stopped_its_drain() {
    let place = Place(62);
    let appliance = start(place, "");
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    let up = call(place, &carrier, &north, "gone", "+4930123456");
    let drain = Order::give(place, "regions/north/drain", "");
    south.request("INVITE");
    assert!(is_drained(&appliance, 0));
    let (status, refused) = post(place, "regions/north/drain", "");
    assert!(status == 409 && refused["message"].as_str().unwrap().contains("somebody"), "{refused}");
    drop(drain);
    eventually("north gets new calls again", || !is_drained(&appliance, 0));
    hang_up(place, &carrier, &north, &up);
}

#[test]
fn control_c_stops_a_drain_and_leaves_everything_as_before() {
    let place = Place(63);
    let audit = file(place, "audit");
    let _ = std::fs::remove_file(&audit);
    let appliance = start(place, &format!("audit = \"{}\"", audit.display()));
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    let up = call(place, &carrier, &north, "interrupted", "+4930123456");
    let child = Running(
        bascule(place, &["drain", "north"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok(),
    );
    let offered = south.request("INVITE");
    assert!(is_drained(&appliance, 0));
    let pid = child.0.as_ref().unwrap().id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    eventually("north gets new calls again", || !is_drained(&appliance, 0));
    // The move that was under way ends by itself: nobody takes the call, so it stays.
    south.send(south.answer(&offered, 486, None), place.tier());
    let (code, said, _) = text(&child.end());
    assert_eq!(code, 130, "{said}");
    let log = std::fs::read_to_string(&audit).unwrap();
    assert!(log.contains(r#""what":"stop""#) && log.matches(r#""is":"done""#).count() == 2, "{log}");
    assert!(said.contains("stopped") && said.contains("north gets new calls as before"), "{said}");
    hang_up(place, &carrier, &north, &up);
}

#[test]
fn a_drain_that_finds_nobody_leaves_the_call_where_it_is_and_says_so() {
    let place = Place(69);
    let appliance = start(place, "");
    let (carrier, north) = (place.carrier(), place.edge(1));
    let _deaf = place.edge(2);
    let up = call(place, &carrier, &north, "stays", "+4930123456");
    let (code, said, _) = text(&bascule(place, &["drain", "north", "--deadline", "500ms"]).output().unwrap());
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("`bascule drain north --back`"), "and how to undo it: {said}");
    assert!(is_drained(&appliance, 0), "new calls still go elsewhere");
    hang_up(place, &carrier, &north, &up);
}

#[test]
fn as_many_calls_move_as_were_asked_for_whichever_shards_hold_them() {
    let place = Place(131);
    let _appliance = start(place, "[process]\nshards = 2");
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    let up = |i| call(place, &carrier, &north, &format!("one-of-eight-{i}"), "+4930123456");
    let _ups: Vec<_> = (0..8).map(up).collect();
    let drain = Order::give(place, "edges/north-1/drain", r#"{"calls":3}"#);
    takes(place, &south, 41_002, 3);
    let summary = drain.last();
    assert_eq!((&summary["chosen"], &summary["moved"]), (&json!(3), &json!(3)), "{summary}");
    let regions = get(place, "/v1/regions");
    assert_eq!(regions["regions"][0]["answered"], 5, "{regions}");
    assert_eq!(
        regions["regions"][0]["edges"][0]["drained"], true,
        "the edge is drained, not its region: {regions}"
    );
    assert_eq!(regions["regions"][0]["drained"], false);
}

#[test]
fn a_drain_is_lifted_and_the_call_comes_back() {
    let place = Place(64);
    let appliance = start(place, "[rehome]\nmin_interval = \"0s\"");
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    let up = call(place, &carrier, &north, "there-and-back", "+4930123456");
    let drain = Order::give(place, "regions/north/drain", "");
    takes(place, &south, 41_002, 1);
    let _south_speaks = Speaking::new((place.ip(12), 41_002).into(), vec![media(&up.invite)], 0x22);
    is_left(place, &north);
    assert_eq!(drain.last()["moved"], 1);
    let back = Order::give(place, "regions/north/undrain", r#"{"move_back":true,"share":100}"#);
    takes(place, &north, 41_004, 1);
    let _north_speaks = Speaking::new((place.ip(11), 41_004).into(), vec![media(&up.invite)], 0x22);
    is_left(place, &south);
    let summary = back.last();
    assert_eq!((&summary["moved"], &summary["drained"]), (&json!(1), &json!(false)), "{summary}");
    assert!(!is_drained(&appliance, 0));
    carrier.hears_nothing();
    hang_up(place, &carrier, &north, &up);
}

#[test]
fn the_table_shows_every_region_to_people_and_to_programs() {
    let place = Place(65);
    let appliance = start(place, "");
    let (carrier, north) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &north, "shown", "+4930123456");
    appliance.drain_regions(&["south"]).unwrap();
    let (code, shown, _) = text(&bascule(place, &["regions"]).output().unwrap());
    assert_eq!(code, 0);
    let lines: Vec<_> = shown.lines().collect();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        (&words(lines[1])[..2], &words(lines[1])[3..5]),
        (&["north".into(), "up".into()][..], &["1".into(), "0".into()][..]),
        "{shown}"
    );
    assert!(lines[2].starts_with("south") && lines[2].ends_with("drained"), "{shown}");

    let (_, json, _) = text(&bascule(place, &["regions", "--json"]).output().unwrap());
    let line: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(line["regions"][0]["edges"][0]["edge"], "north-1");
    assert_eq!((&line["is"], &line["done"]), (&json!("regions"), &json!(true)));
    hang_up(place, &carrier, &north, &up);
}

#[test]
fn the_status_says_what_runs_and_what_carries_media() {
    let place = Place(68);
    let _appliance = start(place, "");
    let (carrier, north) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &north, "status", "+4930123456");
    let (code, shown, _) = text(&bascule(place, &["status"]).output().unwrap());
    assert_eq!(code, 0, "{shown}");
    for said in [
        "running for 0 s, generation",
        "calls     1 answered, 0 being set up",
        "media     127.77.68.1 ports 30000 to 30399, room for 100 calls at a time",
        "sockets served by ",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let (_, json, _) = text(&bascule(place, &["status", "--json"]).output().unwrap());
    let line: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&line["is"], &line["calls"]["answered"]), (&json!("status"), &json!(1)), "{line}");
    assert_eq!(line["media"]["room"], 100, "{line}");
    hang_up(place, &carrier, &north, &up);
}

#[test]
fn nobody_at_the_socket_and_a_refusal_are_exit_status_2() {
    let place = Place(66);
    let (code, _, said) = text(&bascule(place, &["regions"]).output().unwrap());
    assert_eq!(code, 2);
    assert!(said.contains("admin-66.sock") && said.contains("is the service running"), "{said}");
    let _appliance = start(place, "");
    let (code, _, said) = text(&bascule(place, &["drain", "nowhere"]).output().unwrap());
    assert_eq!(code, 2);
    assert!(said.contains("known: north, south, north-1, south-1"), "{said}");
}

#[test]
fn a_drill_cuts_some_calls_off_and_they_live_on_elsewhere() {
    let place = Place(67);
    let appliance = start(place, "[media.silence]\nmin_flows = 2");
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    // Every call's tier leg sends from one socket: its port in the description is the same for all of them.
    let ups: Vec<_> = (0..4)
        .map(|i| call(place, &carrier, &north, &format!("drilled-{i}"), &format!("+493012345{i}")))
        .collect();
    let north_speaks =
        Speaking::new((place.ip(11), 41_000).into(), ups.iter().map(|up| media(&up.invite)).collect(), 0x11);
    std::thread::sleep(Duration::from_millis(600));

    let drill = Order::give(place, "regions/north/drill", r#"{"share":50,"cut":"both","for_ms":4000}"#);
    let south_speaks =
        Speaking::new((place.ip(12), 41_002).into(), ups.iter().map(|up| media(&up.invite)).collect(), 0x22);
    takes(place, &south, 41_002, 2);
    let (status, second) = post(place, "regions/south/drill", r#"{"share":5,"cut":"both","for_ms":1000}"#);
    assert!(
        status == 409 && second["message"].as_str().unwrap().contains("drill of region `north`"),
        "{second}"
    );
    assert_eq!(post(place, "regions/north/stop", ""), (200, json!({"place": "north"})));
    let summary = drill.last();
    assert_eq!(summary["end"], json!("stopped"), "{summary}");
    assert_eq!((&summary["moved"], &summary["dropped"]), (&json!(2), &json!(0)), "{summary}");
    assert!(summary["found_ms"].as_f64().is_some(), "the detector has found it: {summary}");
    assert_eq!(summary["gap_conversation_ms"]["calls"], 2, "{summary}");
    assert_eq!(appliance.snapshot().overrides.drill, None, "restored");
    carrier.hears_nothing();
    drop((north_speaks, south_speaks));
}

#[test]
fn a_client_that_goes_away_has_ended_its_drill() {
    let place = Place(130);
    let appliance = start(place, "");
    let (carrier, north) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &north, "spared", "+4930123456");
    let drill = Order::give(place, "regions/north/drill", r#"{"share":100,"cut":"media","for_ms":60000}"#);
    eventually("the drill has begun", || appliance.snapshot().overrides.drill.is_some());
    let (_, refused) = post(place, "edges/north-1/drain", "");
    assert!(refused["message"].as_str().unwrap().contains("drill"), "{refused}");
    drop(drill);
    eventually("and is over", || appliance.snapshot().overrides.drill.is_none());
    hang_up(place, &carrier, &north, &up);
}

/// A packet of RTP with 20 ms of G.711.
fn rtp(sequence: u16, voice: u8) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let head =
        [&[0x80, 0][..], &sequence.to_be_bytes(), &timestamp.to_be_bytes(), &[0, 0, 0, voice]].concat();
    [head, vec![voice; 160]].concat()
}

/// Speaks to several ports every 20 ms until it is dropped.
pub(crate) struct Speaking(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl Speaking {
    pub(crate) fn new(from: SocketAddr, to: Vec<SocketAddr>, voice: u8) -> Self {
        let socket = UdpSocket::bind(from).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            for sequence in 0.. {
                if told.load(Ordering::Relaxed) {
                    return;
                }
                for port in &to {
                    let _ = socket.send_to(&rtp(sequence, voice), port);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self(over, Some(thread))
    }
}

impl Drop for Speaking {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        let _ = self.1.take().map(std::thread::JoinHandle::join);
    }
}

/// A process that does not outlive a story that failed.
struct Running(Option<Child>);

impl Running {
    fn end(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn status_and_regions_are_shown_anew_until_somebody_has_seen_enough() {
    let place = Place(119);
    let appliance = start(place, "");
    for (command, begins) in [("status", "bascule "), ("regions", "region ")] {
        let mut child = bascule(place, &[command, "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..2 {
            let shown = lines.find(|line| line.as_ref().unwrap().starts_with(begins));
            assert!(shown.is_some(), "{command} has ended");
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
    appliance.stop();
}
