//! Records reach their receiver, whatever becomes of it, of us, and of the disk.

use super::receiver::{Mood, Receiver};
use super::tls_ca::{Ca, Holder};
use super::world::{PATIENCE, Place, Ua, call, eventually, hang_up, metric};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn receiver_of(place: Place) -> SocketAddr {
    (place.ip(3), 8080).into()
}

fn delivery(place: Place, spool: &Path) -> String {
    let at = receiver_of(place);
    format!(
        "[records.delivery]\nurl = \"http://{at}/records?from=x\"\nspool = {spool:?}\nbatch = 4\ntimeout = \"500ms\"\n\
         retry_at_most = \"200ms\"\n"
    )
}

/// Calls that are placed, answered and hung up; their Call-IDs.
fn calls(place: Place, (carrier, edge): (&Ua, &Ua), name: &str, n: usize) -> Vec<String> {
    let one = |i| {
        let call_id = format!("{name}-{i}");
        let up = call(place, carrier, edge, &call_id, "+4930123456");
        hang_up(place, carrier, edge, &up);
        call_id
    };
    (0..n).map(one).collect()
}

fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all
}

#[test]
fn a_receiver_that_is_dead_refuses_hangs_or_forgets_to_answer_has_every_call_once_in_the_end() {
    let (place, folder) = (Place(102), folder("delivery"));
    let appliance = place.start(&delivery(place, &folder.join("spool")));
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let ends = (&carrier, &edge);
    let retries =
        |reason| metric(&appliance, &format!("bascule_records_retries_total{{reason=\"{reason}\"}}"));

    let mut made = calls(place, ends, "dead", 2);
    eventually("nobody is there", || retries("unreachable") > 0.0);
    eventually("what waits has an age", || metric(&appliance, "bascule_records_lag_seconds") > 0.0);

    let receiver = Receiver::at(receiver_of(place), Mood::Answers(500));
    made.extend(calls(place, ends, "refused", 2));
    eventually("it was refused", || retries("answer") > 0.0);
    receiver.becomes(Mood::Hangs);
    made.extend(calls(place, ends, "hung", 2));
    eventually("it has hung", || retries("silent") > 0.0);
    assert_eq!(receiver.records(), 0);

    receiver.becomes(Mood::TakesAndGoes);
    eventually("some came twice", || receiver.again() > 0);
    receiver.becomes(Mood::Takes);
    made.extend(calls(place, ends, "taken", 3));
    eventually("all are there", || receiver.records() == made.len());
    eventually("nothing waits", || metric(&appliance, "bascule_records_lag_seconds") == 0.0);
    assert_eq!(metric(&appliance, "bascule_records_delivered_total"), made.len() as f64);
    assert_eq!(receiver.call_ids(), sorted(made));
    appliance.stop();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_record_that_the_receiver_never_wants_is_set_aside_and_the_others_are_not_held_up() {
    let (place, folder) = (Place(103), folder("aside"));
    let spool = folder.join("spool");
    let receiver = Receiver::at(receiver_of(place), Mood::Answers(503));
    let appliance = place.start(&delivery(place, &spool));
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let mut made = calls(place, (&carrier, &edge), "good", 2);
    let _bad = calls(place, (&carrier, &edge), "bad", 1);
    made.extend(calls(place, (&carrier, &edge), "well", 3));
    receiver.becomes(Mood::Dislikes("bad-0"));
    eventually("the others are there", || receiver.records() == made.len());
    eventually("one is set aside", || metric(&appliance, "bascule_records_set_aside_total") == 1.0);
    let aside = std::fs::read_to_string(spool.join("set-aside.jsonl")).unwrap();
    let aside: serde_json::Value = serde_json::from_str(aside.trim()).unwrap();
    assert_eq!(aside["a_call_id"], "bad-0");
    assert_eq!(receiver.call_ids(), sorted(made));
    appliance.stop();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn over_tls_only_the_receiver_that_is_meant_has_records_and_another_one_costs_nothing_but_time() {
    let (place, folder) = (Place(118), folder("delivery-tls"));
    let (ca, others) = (Ca::new("ours"), Ca::new("strangers"));
    let file = ca.write(&folder, "ca");
    let at = receiver_of(place);
    let name = at.ip().to_string();
    let more = delivery(place, &folder.join("spool")).replacen("http://", "https://", 1);
    let appliance = place.start(&format!("{more}ca = {file:?}\n"));
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let refused = || metric(&appliance, "bascule_records_retries_total{reason=\"tls\"}");

    let mut made = Vec::new();
    let badges = [
        ("stranger", others.signs(Holder::of(&[&name]))),
        ("elsewhere", ca.signs(Holder::of(&["billing.example"]))),
        ("expired", ca.signs(Holder::of(&[&name]).expired())),
    ];
    for (who, badge) in badges {
        let receiver = Receiver::over_tls(at, Mood::Takes, &badge);
        let before = refused();
        made.extend(calls(place, (&carrier, &edge), who, 1));
        eventually(who, || refused() >= before + 2.0);
        assert_eq!(receiver.requests(), 0, "{who} has seen a record");
        assert!(metric(&appliance, "bascule_records_lag_seconds") > 0.0);
    }
    let receiver = Receiver::over_tls(at, Mood::Takes, &ca.signs(Holder::of(&[&name])));
    made.extend(calls(place, (&carrier, &edge), "meant", 2));
    eventually("all are there", || receiver.records() == made.len());
    eventually("nothing waits", || metric(&appliance, "bascule_records_lag_seconds") == 0.0);
    assert_eq!(receiver.call_ids(), sorted(made));
    appliance.stop();
    std::fs::remove_dir_all(&folder).unwrap();
}

/// `bascule run`, to be killed.
struct Service {
    child: Child,
    admin: SocketAddr,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    fn start(mut command: Command, admin: SocketAddr) -> Self {
        let child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let service = Self { child, admin };
        eventually("it answers", || service.page().is_some_and(|p| p.contains("bascule_uptime_seconds")));
        service
    }

    fn page(&self) -> Option<String> {
        let mut http = TcpStream::connect(self.admin).ok()?;
        http.set_read_timeout(Some(PATIENCE)).ok()?;
        http.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut text = String::new();
        http.read_to_string(&mut text).ok()?;
        Some(text)
    }

    fn metric(&self, name: &str) -> f64 {
        let page = self.page().unwrap_or_default();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}

fn bascule(place: Place, folder: &Path, more: &str) -> (Command, SocketAddr) {
    let admin: SocketAddr = (place.ip(4), 9090).into();
    let config = folder.join("bascule.toml");
    let text = place.config(&format!("[admin]\nlisten = \"{admin}\"\n{more}"));
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
    command.args(["run", "--config"]).arg(config);
    (command, admin)
}

#[test]
fn a_daemon_that_is_killed_again_and_again_loses_no_record_that_it_has_written_down() {
    let (place, folder) = (Place(104), folder("killed"));
    let spool = folder.join("spool");
    let receiver = Receiver::at(receiver_of(place), Mood::Answers(503));
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let mut made = Vec::new();
    // Before anything is taken, after something was taken and not noted, and between.
    for (life, mood) in [Mood::Answers(503), Mood::TakesAndGoes, Mood::Hangs].into_iter().enumerate() {
        receiver.becomes(mood);
        let (command, admin) = bascule(place, &folder, &delivery(place, &spool));
        let mut service = Service::start(command, admin);
        let before = receiver.requests();
        made.extend(calls(place, (&carrier, &edge), &format!("life-{life}"), 5));
        eventually("all are written down", || service.metric("bascule_records_spooled_total") == 5.0);
        eventually("delivery is under way", || receiver.requests() > before);
        // SIGKILL.
        service.child.kill().unwrap();
        service.child.wait().unwrap();
    }
    receiver.becomes(Mood::Takes);
    let (command, admin) = bascule(place, &folder, &delivery(place, &spool));
    let service = Service::start(command, admin);
    eventually("all of all lives are there", || receiver.records() == made.len());
    eventually("nothing waits", || service.metric("bascule_records_lag_seconds") == 0.0);
    assert_eq!(receiver.call_ids(), sorted(made));
    assert!(receiver.again() > 0, "what was taken and not noted came again, under the same key");
    drop(service);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_full_disk_costs_records_and_says_so_and_calls_go_on() {
    if !Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|done| done.success()) {
        eprintln!("not tried: it takes root to have a disk of its own");
        return;
    }
    let (place, folder) = (Place(105), folder("full"));
    let disk = folder.join("disk");
    std::fs::create_dir_all(&disk).unwrap();
    let receiver = Receiver::at(receiver_of(place), Mood::Takes);
    let (inner, admin) = bascule(place, &folder, &delivery(place, &disk.join("spool")));
    // A disk of 64 KiB that only the service sees, full but for what names its files.
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c"]).arg(
        "mount -t tmpfs -o size=64k tmpfs \"$0\" && mkdir \"$0/spool\" && { cat /dev/zero > \"$0/fill\"; exec \"$@\"; }",
    );
    command.arg(&disk).arg(inner.get_program()).args(inner.get_args());
    let mut service = Service::start(command, admin);
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let lost = calls(place, (&carrier, &edge), "lost", 3);
    let refused = "bascule_records_refused_total{reason=\"disk\"}";
    eventually("they are counted", || service.metric(refused) == lost.len() as f64);
    assert_eq!(receiver.records(), 0);

    // Somebody makes room.
    let seen = PathBuf::from(format!("/proc/{}/root", service.child.id()));
    let fill = seen.join(disk.join("fill").strip_prefix("/").unwrap());
    std::fs::remove_file(fill).unwrap();
    let made = calls(place, (&carrier, &edge), "kept", 3);
    eventually("they are delivered", || receiver.records() == made.len());
    assert_eq!(receiver.call_ids(), sorted(made));
    assert_eq!(service.metric(refused), lost.len() as f64);

    // It ends by itself, and soon.
    let done = Command::new("kill").arg(service.child.id().to_string()).status().unwrap();
    assert!(done.success());
    let deadline = Instant::now() + PATIENCE;
    while service.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    drop(service);
    std::fs::remove_dir_all(&folder).unwrap();
}
