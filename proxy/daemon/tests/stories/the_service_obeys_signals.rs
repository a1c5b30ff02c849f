use super::http::Http;
use super::operators::socket;
use super::world::{PATIENCE, Place, call, hang_up, load};
use crate::tap;
use sip_tap::Tap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that does not outlive a story that failed.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail on a process that has ended, as it should have.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `bascule run` as a service manager runs it: with a socket for its notices.
struct Service {
    _tap: Tap,
    child: Running,
    notices: UnixDatagram,
    config: PathBuf,
    log: std::thread::JoinHandle<String>,
}

impl Service {
    fn start(place: Place, more: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("service-{}", place.0));
        std::fs::create_dir_all(&folder).unwrap();
        let (config, at) = (folder.join("bascule.toml"), folder.join("notify"));
        std::fs::write(&config, place.config(more)).unwrap();
        let loaded = load(&place.config(more));
        let tap = Tap::on(tap::ours(&loaded), tap::timing(&loaded));
        let _ = std::fs::remove_file(&at);
        let notices = UnixDatagram::bind(&at).unwrap();
        notices.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_bascule"))
            .args(["run", "--config"])
            .arg(&config)
            .env("NOTIFY_SOCKET", &at)
            .env("WATCHDOG_USEC", "1000000")
            .env("RUST_LOG", "trace")
            .env_remove("JOURNAL_STREAM")
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let service = Self { _tap: tap, child: Running(child), notices, config, log };
        service.hears("READY=1");
        service
    }

    /// Wait for a notice that says this; the whole notice.
    fn hears(&self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = [0; 4_096];
        while Instant::now() < deadline {
            let n = self.notices.recv(&mut buffer).expect("no notice came");
            let notice = String::from_utf8_lossy(&buffer[..n]).into_owned();
            if notice.contains(wanted) {
                return notice;
            }
        }
        panic!("never said: {wanted}");
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([name, &self.child.0.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Wait for its end; exit status, log and standard output.
    fn end(mut self) -> (Option<i32>, String, String) {
        let mut stdout = String::new();
        self.child.0.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.child.0.wait().unwrap().code();
        (code, self.log.join().unwrap(), stdout)
    }
}

#[test]
fn a_good_reload_is_taken_a_bad_one_refused_and_the_old_configuration_stays() {
    let place = Place(50);
    let service = Service::start(place, "");
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    let old = call(place, &carrier, &north, "old", "+4930123456");

    std::fs::write(
        &service.config,
        place.config("").replace("[\"north\", \"south\"]", "[\"south\", \"north\"]"),
    )
    .unwrap();
    service.signal("-HUP");
    assert!(service.hears("RELOADING=1").contains("MONOTONIC_USEC="));
    assert!(service.hears("READY=1").contains("generation 2"));
    let new = call(place, &carrier, &south, "new", "+4930123456");

    std::fs::write(&service.config, place.config("").replace("site = \"main\"", "site = \"mian\"")).unwrap();
    service.signal("-HUP");
    assert!(service.hears("READY=1").contains("refused"));
    let newer = call(place, &carrier, &south, "newer", "+4930123456");

    for (edge, call) in [(&north, &old), (&south, &new), (&south, &newer)] {
        hang_up(place, &carrier, edge, call);
    }
    service.signal("-TERM");
    service.hears("STOPPING=1");
    let (code, log, _) = service.end();
    assert_eq!(code, Some(0));
    assert!(log.contains("did you mean `main`?"), "{log}");
}

#[test]
fn a_stop_waits_for_the_call_that_is_up_and_the_watchdog_is_fed_meanwhile() {
    let place = Place(51);
    let service = Service::start(place, "[process]\ndrain = \"20s\"");
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &edge, "up", "+4930123456");
    service.signal("-TERM");
    service.hears("STOPPING=1");
    service.hears("WATCHDOG=1");
    hang_up(place, &carrier, &edge, &up);
    assert_eq!(service.end().0, Some(0));
}

#[test]
fn a_second_signal_does_not_wait() {
    let place = Place(52);
    let service = Service::start(place, "[process]\ndrain = \"600s\"");
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let _up = call(place, &carrier, &edge, "up", "+4930123456");
    service.signal("-INT");
    service.hears("STOPPING=1");
    service.signal("-INT");
    assert_eq!(service.end().0, Some(0));
}

/// Hundredths of a second that a process has computed (proc_pid_stat(5)).
fn computed(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[test]
fn who_comes_while_descriptors_are_short_is_let_in_later_and_nothing_spins_meanwhile() {
    let place = Place(162);
    let at = (place.ip(1), 9090).into();
    let admin = format!("[admin]\nsocket = \"{}\"\nlisten = \"{at}\"", socket(place).display());
    let service = Service::start(place, &admin);
    let pid = service.child.0.id();
    let limit = |most: usize| {
        let (pid, most) = (format!("--pid={pid}"), format!("--nofile={most}:"));
        assert!(Command::new("prlimit").args([pid, most]).status().unwrap().success());
    };
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    limit(open + 2);
    // They say nothing: two have a descriptor for a while, the others wait to be let in.
    let _some: Vec<_> = (0..4).map(|_| (Http::unix(&socket(place)), Http::tcp(at))).collect();
    let mut waiting = (Http::unix(&socket(place)), Http::tcp(at));
    let before = computed(pid);
    std::thread::sleep(Duration::from_secs(1));
    let spent = computed(pid) - before;
    assert!(spent < 30, "{spent} hundredths of a second were computed in one");
    limit(4_096);
    assert_eq!((waiting.0.get("/v1/status").status, waiting.1.get("/healthz").status), (200, 200));
    service.signal("-TERM");
    let (code, log, _) = service.end();
    assert_eq!(code, Some(0));
    for listener in ["admin socket", "admin listener"] {
        let complaint = |line: &&str| line.contains("nobody can be let in") && line.contains(listener);
        let complaints = log.lines().filter(complaint).count();
        assert!((1..4).contains(&complaints), "{complaints} complaints of the {listener}: {log}");
    }
}

#[test]
fn how_much_is_logged_is_changed_while_it_runs() {
    let place = Place(116);
    let service = Service::start(place, &format!("[admin]\nsocket = \"{}\"", socket(place).display()));
    let set = |level: &str| {
        Http::unix(&socket(place)).ask("PUT", "/v1/log-level", "", &format!("{{\"level\":\"{level}\"}}"))
    };
    assert_eq!(Http::unix(&socket(place)).get("/v1/log-level").json()["level"], "trace");
    assert_eq!(set("loud=quiet").status, 400);
    assert_eq!(set("error").status, 200);
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let quiet = call(place, &carrier, &edge, "quiet", "+4930123456");
    hang_up(place, &carrier, &edge, &quiet);
    assert_eq!(set("info").status, 200);
    service.signal("-TERM");
    let (code, log, _) = service.end();
    assert_eq!(code, Some(0));
    let changes = log.matches("an operator's change").count();
    assert_eq!(changes, 1, "the change to `error` is the first that is not told of: {log}");
}

#[test]
fn logs_never_show_a_whole_number_and_records_do() {
    let place = Place(53);
    let service = Service::start(place, "[records]\nfile = \"-\"\n[admin]\nlisten = \"127.77.53.1:9090\"");
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let call = call(place, &carrier, &edge, "private", "+4930987654");
    hang_up(place, &carrier, &edge, &call);

    let mut http = TcpStream::connect("127.77.53.1:9090").unwrap();
    http.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut lines = BufReader::new(http).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "HTTP/1.1 200 OK");
    assert!(lines.any(|l| l == "bascule_calls_answered_total 1"));

    // The stop waits for the record, which waits for the relay's statistics.
    service.signal("-TERM");
    let (code, log, records) = service.end();
    assert_eq!(code, Some(0));
    let record: serde_json::Value = serde_json::from_str(records.trim()).unwrap();
    assert_eq!((&record["called"], &record["calling"]), (&"+4930987654".into(), &"+4917012345".into()));
    assert!(log.contains("called=54…(11)"), "the call is in the log at all:\n{log}");
    for number in ["30987654", "17012345"] {
        assert!(!log.contains(number), "a number is in the log:\n{log}");
    }
}
