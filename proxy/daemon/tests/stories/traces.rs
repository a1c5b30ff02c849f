//! What went over the wire is seen afterwards: as a ladder, as a capture, at a collector.

use super::collector::{Packet, until};
use super::http::Http;
use super::operators;
use super::the_admin_api::{bearer, start_with_tokens};
use super::world::{Call, PATIENCE, Place, Ua, call, eventually, hang_up, media, metric};
use sip_wire::HeaderName;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Messages of a call that rings, is answered, and ends: seven on the caller's leg, and all but the 100 on the other.
const MESSAGES: usize = 13;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn b_call_id(call: &Call) -> String {
    String::from_utf8_lossy(call.invite.header(HeaderName::CallId).unwrap()).into_owned()
}

/// Exit status and standard output of `bascule trace`.
fn trace(socket: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
    let output = command.arg("trace").arg("--socket").arg(socket).args(args).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// All of the call is kept.
fn kept(socket: &Path, call_id: &str, messages: usize) -> serde_json::Value {
    let mut answer = serde_json::Value::Null;
    eventually("the watcher has seen it all", || {
        answer = serde_json::from_str(&trace(socket, &["--json", call_id]).1).unwrap();
        answer["messages"].as_array().is_some_and(|all| all.len() >= messages)
    });
    answer
}

#[test]
fn the_ladder_of_a_call_has_both_legs_and_no_numbers_whichever_call_id_is_asked_for() {
    let (place, folder) = (Place(106), folder("ladder"));
    let socket = folder.join("admin.sock");
    let appliance = place.start(&format!("[trace]\n[admin]\nsocket = {socket:?}"));
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let other = call(place, &carrier, &edge, "other", "+4930555555");
    let up = call(place, &carrier, &edge, "watched", "+4930123456");
    hang_up(place, &carrier, &edge, &up);
    let b_leg = b_call_id(&up);

    let by_a = kept(&socket, "watched", MESSAGES);
    let by_b = kept(&socket, &b_leg, MESSAGES);
    assert_eq!(by_a["messages"], by_b["messages"]);
    let all = by_a["messages"].as_array().unwrap();
    assert_eq!(all.len(), MESSAGES, "{by_a}");
    assert!(all.windows(2).all(|two| two[0]["at_us"].as_u64() <= two[1]["at_us"].as_u64()));
    let text = by_a.to_string();
    for hidden in ["30123456", "17012345"] {
        assert!(!text.contains(hidden), "a number is shown: {text}");
    }
    assert!(text.contains("m=audio"), "descriptions are shown");

    let (code, ladder) = trace(&socket, &["watched"]);
    assert_eq!(code, Some(0));
    let (head, lines) = ladder.split_once('\n').unwrap();
    let (caller, us, callee) =
        (head.find("127.77.106.2:5060"), head.find("bascule"), head.find("127.77.106.11:5060"));
    assert!(caller.is_some() && caller < us && us < callee, "{ladder}");
    assert_eq!(lines.lines().count(), MESSAGES, "{ladder}");
    assert!(lines.lines().next().unwrap().contains("INVITE sdp ───"), "{ladder}");
    for part in ["◀─ 200 OK INVITE sdp", "── ACK ──", "── BYE ──", "◀─ 180 Ringing INVITE"]
    {
        assert!(lines.matches(part).count() == 2, "{part} on both legs\n{ladder}");
    }
    let (code, _) = trace(&socket, &["nobody"]);
    assert_eq!(code, Some(2), "nothing is known of it");
    let (code, said) = trace(&socket, &["--json", "nobody"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &said["is"], &said["done"]), (Some(2), &"error".into(), &true.into()), "{said}");
    hang_up(place, &carrier, &edge, &other);
    appliance.stop();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_ladder_over_the_admin_api_is_that_of_the_command_for_whom_calls_are_shown_to() {
    let place = Place(124);
    let (appliance, at) = start_with_tokens(place, "[trace]\n");
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &edge, "lad%2Fder", "+4930123456");
    let ask =
        |call: &str, token: &str| Http::tcp(at).ask("GET", &format!("/v1/calls/{call}/ladder"), token, "");
    let calls = Http::tcp(at).ask("GET", "/v1/calls", &bearer("calls"), "").json();
    let name = calls["calls"][0]["call"].as_str().unwrap().to_owned();
    eventually("it is found by the name of the call", || ask(&name, &bearer("calls")).status == 200);
    assert_eq!(ask(&name, &bearer("calls")).json()["call_id"], "lad%2Fder");
    assert_eq!((ask(&name, &bearer("view")).status, ask(&name, "").status), (403, 401));
    hang_up(place, &carrier, &edge, &up);

    let told = kept(&operators::socket(place), "lad%2Fder", MESSAGES);
    for call_id in ["lad%252Fder", &b_call_id(&up)] {
        let ladder = ask(call_id, &bearer("calls"));
        assert_eq!(ladder.json()["messages"], told["messages"], "{call_id}");
        assert!(!String::from_utf8_lossy(&ladder.body).contains("30123456"), "no number is shown");
    }
    eventually("the call is over", || ask(&name, &bearer("calls")).status == 404);
    let words = ask("nobody", &bearer("admin"));
    assert!(words.status == 404 && words.json()["message"].as_str().unwrap().contains("`nobody`"));
    appliance.stop();

    let place = Place(125);
    let (_appliance, at) = start_with_tokens(place, "");
    let words = Http::tcp(at).ask("GET", "/v1/calls/any/ladder", &bearer("calls"), "");
    assert!(words.status == 404 && words.json()["advice"].as_str().unwrap().contains("[trace]"));
}

#[test]
fn tshark_reads_the_capture_of_a_call_as_the_call_that_it_was() {
    let (place, folder) = (Place(107), folder("capture"));
    let (socket, file) = (folder.join("admin.sock"), folder.join("call.pcap"));
    // With its numbers: those that are hidden are no numbers to a dissector.
    let appliance = place.start(&format!("[trace]\nredact = []\n[admin]\nsocket = {socket:?}"));
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &edge, "captured", "+4930123456");
    hang_up(place, &carrier, &edge, &up);
    kept(&socket, "captured", MESSAGES);
    let (code, said) = trace(&socket, &["captured", "--pcap", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");

    let fields = ["ip.src", "udp.dstport", "sip.Method", "sip.Status-Code", "sip.Call-ID"];
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&file).args(["-d", "udp.port==5070,sip", "-T", "fields", "-E", "separator=,"]);
    for field in fields {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().expect("tshark is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), MESSAGES, "{text}{}", String::from_utf8_lossy(&output.stderr));
    let mut malformed = Command::new("tshark");
    malformed.arg("-r").arg(&file).args(["-d", "udp.port==5070,sip", "-Y", "_ws.malformed"]);
    assert!(malformed.output().unwrap().stdout.is_empty(), "nothing is malformed");
    let leg = |call_id: &str| {
        let of = rows.iter().filter(|row| row[4] == call_id);
        of.map(|row| format!("{}{}", row[2], row[3])).collect::<Vec<_>>()
    };
    assert_eq!(leg("captured"), ["INVITE", "100", "180", "200", "ACK", "BYE", "200"]);
    assert_eq!(leg(&b_call_id(&up)), ["INVITE", "180", "200", "ACK", "BYE", "200"]);
    appliance.stop();
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A call with a second of sound from the carrier.
fn audible(place: Place, carrier: &Ua, edge: &Ua, call_id: &str) -> Call {
    let up = call(place, carrier, edge, call_id, "+4930123456");
    let sound = UdpSocket::bind((place.ip(2), 40_000)).unwrap();
    for n in 0_u16..60 {
        let mut packet = vec![0x80, 0];
        packet.extend_from_slice(&n.to_be_bytes());
        packet.extend_from_slice(&(u32::from(n) * 160).to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 9]);
        packet.extend_from_slice(&[0xff; 160]);
        sound.send_to(&packet, media(&up.ok)).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    hang_up(place, carrier, edge, &up);
    up
}

/// Both legs of a call under its caller's Call-ID, and a report of what was heard.
fn judge(place: Place, packets: &[Packet], up: &Call, call_id: &str) {
    let of_call: Vec<_> = packets.iter().filter(|p| p.call == call_id).collect();
    let sip: Vec<_> = of_call.iter().filter(|p| p.kind == 1).collect();
    let named = |id: &str| sip.iter().filter(|p| p.payload.contains(&format!("Call-ID: {id}\r\n"))).count();
    assert_eq!((named(call_id), named(&b_call_id(up))), (7, 6), "{sip:#?}");
    assert_eq!(sip.len(), 13);
    let first = sip[0];
    assert!(
        first.payload.starts_with("INVITE ") && first.payload.contains("+4930123456"),
        "nothing is hidden from Homer here"
    );
    assert_eq!((first.from, first.to), ((place.ip(2), 5060).into(), place.appliance()));
    assert!(sip.iter().any(|p| p.from == place.tier() && p.payload.starts_with("INVITE ")));
    for packet in &of_call {
        assert_eq!((packet.protocol, packet.agent, packet.key.as_deref()), (17, 4_077, Some("secret")));
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(sip.iter().all(|p| now.as_micros().abs_diff(p.at_us.into()) < 600_000_000), "the time of day");
    let reports: Vec<_> = of_call.iter().filter(|p| p.kind == 5).collect();
    assert_eq!(reports.len(), 1, "who said nothing has no report");
    let report: serde_json::Value = serde_json::from_str(&reports[0].payload).unwrap();
    assert_eq!((&report["type"], &report["ssrc"]), (&200.into(), &9.into()));
    assert!(report["sender_information"]["packets"].as_u64().is_some_and(|n| n > 0), "{report}");
}

#[test]
fn a_collector_gets_both_legs_of_a_call_under_one_name_by_datagram() {
    let place = Place(108);
    let collector = UdpSocket::bind((place.ip(3), 9060)).unwrap();
    collector.set_read_timeout(Some(PATIENCE)).unwrap();
    let appliance = place.start("[hep]\nto = \"127.77.108.3:9060\"\ncapture_id = 4077\nkey = \"secret\"");
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let up = audible(place, &carrier, &edge, "reported");
    let mut buffer = [0; 65_535];
    let read = || {
        let n = collector.recv(&mut buffer).expect("nothing came");
        let (packet, length) = Packet::read(&buffer[..n]).unwrap();
        assert_eq!(length, n, "a packet is a datagram");
        vec![packet]
    };
    // The report comes last.
    let packets = until("the report", read, |all| all.iter().any(|p| p.kind == 5));
    judge(place, &packets, &up, "reported");
    eventually("what was sent is counted", || {
        metric(&appliance, "bascule_hep_packets_total{outcome=\"sent\"}") == packets.len() as f64
    });
    appliance.stop();
}

#[test]
fn what_the_ends_of_a_call_report_to_each_other_is_told_to_a_collector_under_its_callers_name() {
    let place = Place(117);
    let collector = UdpSocket::bind((place.ip(3), 9060)).unwrap();
    collector.set_read_timeout(Some(PATIENCE)).unwrap();
    let appliance = place.start("[hep]\nto = \"127.77.117.3:9060\"");
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &edge, "measured", "+4930123456");
    let ends = [
        (SocketAddr::from((place.ip(2), 40_001)), media(&up.ok), 9_u32),
        (SocketAddr::from((place.ip(11), 41_001)), media(&up.invite), 10),
    ];
    let mut buffer = [0; 65_535];
    for (from, to, ssrc) in ends {
        let at = SocketAddr::new(to.ip(), to.port() + 1);
        // A receiver's report of one block: 16 of 256 lost, three in all, jitter 40.
        let words = [ssrc, 7, 0x1000_0003, 500, 40, 0, 0];
        let mut report = vec![0x81, 201, 0, 7];
        words.iter().for_each(|word| report.extend(word.to_be_bytes()));
        let end = UdpSocket::bind(from).unwrap();
        let read = || {
            end.send_to(&report, at).unwrap();
            let n = collector.recv(&mut buffer).expect("nothing came");
            vec![Packet::read(&buffer[..n]).unwrap().0]
        };
        let is_told = |p: &&Packet| p.kind == 5 && p.from == from;
        let packets = until("a report", read, |all| all.iter().any(|p| is_told(&p)));
        let told = packets.iter().find(is_told).unwrap();
        assert_eq!((told.from, told.to, told.call.as_str()), (from, at, "measured"));
        let said: serde_json::Value = serde_json::from_str(&told.payload).unwrap();
        assert_eq!((&said["type"], &said["ssrc"]), (&201.into(), &ssrc.into()));
        let block = &said["report_blocks"][0];
        assert_eq!((&block["fraction_lost"], &block["packets_lost"]), (&16.into(), &3.into()));
    }
    hang_up(place, &carrier, &edge, &up);
    appliance.stop();
}

/// A program that is ended with its story.
struct Beside(Child);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn sngrep_takes_what_is_sent_to_a_collector_and_tshark_reads_from_it_the_call_that_it_was() {
    let (place, folder) = (Place(99), folder("sngrep"));
    let (at, file) = (SocketAddr::from((place.ip(3), 9060)), folder.join("heard.pcap"));
    let mut sngrep = Command::new("sngrep");
    sngrep.args(["-N", "-q", "-F", "-L", &format!("udp:{at}"), "-O"]).arg(&file);
    let silent = sngrep.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _sngrep = Beside(silent.spawn().expect("sngrep is installed"));
    // Taken: it listens.
    eventually("sngrep listens", || UdpSocket::bind(at).is_err());
    let appliance = place.start(&format!("[hep]\nto = \"{at}\"\ncapture_id = 4077"));
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &edge, "passed-on", "+4930123456");
    hang_up(place, &carrier, &edge, &up);

    let ends = [format!("{}", place.ip(2)), format!("{}", place.ip(11))];
    let mut rows: Vec<Vec<String>> = Vec::new();
    eventually("all of the call is in its file", || {
        let mut tshark = Command::new("tshark");
        tshark.arg("-r").arg(&file).args(["-d", "udp.port==5070,sip", "-T", "fields", "-E", "separator=,"]);
        for field in ["ip.src", "ip.dst", "sip.Method", "sip.Status-Code", "sip.Call-ID"] {
            tshark.args(["-e", field]);
        }
        let text = String::from_utf8(tshark.output().expect("tshark is installed").stdout).unwrap();
        rows = text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
        rows.len() == MESSAGES
    });
    let leg = |call_id: &str, end: &str| {
        let of = rows.iter().filter(|row| row[4] == call_id);
        assert!(of.clone().all(|row| row[0] == end || row[1] == end), "{rows:?}");
        of.map(|row| format!("{}{}", row[2], row[3])).collect::<Vec<_>>()
    };
    assert_eq!(leg("passed-on", &ends[0]), ["INVITE", "100", "180", "200", "ACK", "BYE", "200"]);
    assert_eq!(leg(&b_call_id(&up), &ends[1]), ["INVITE", "180", "200", "ACK", "BYE", "200"]);
    appliance.stop();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_collector_on_tcp_that_comes_late_is_found_and_calls_did_not_wait_for_it() {
    let place = Place(109);
    let appliance = place
        .start("[hep]\nto = \"127.77.109.3:9060\"\ntransport = \"tcp\"\ncapture_id = 4077\nkey = \"secret\"");
    let (carrier, edge) = (place.carrier(), place.edge(1));
    audible(place, &carrier, &edge, "unseen");
    let dropped = "bascule_hep_packets_total{outcome=\"dropped\"}";
    eventually("nobody is there, and that is counted", || metric(&appliance, dropped) > 0.0);

    let collector = TcpListener::bind((place.ip(3), 9060)).unwrap();
    collector.set_nonblocking(true).unwrap();
    // Until it is found again, what goes by is lost; then a whole call is there.
    let mut stream = None;
    let mut n = 0;
    eventually("a connection", || {
        let probe = call(place, &carrier, &edge, &format!("probe-{n}"), "+4930123456");
        hang_up(place, &carrier, &edge, &probe);
        n += 1;
        stream = collector.accept().ok();
        // Not more often than its trunk may call.
        std::thread::sleep(std::time::Duration::from_millis(100));
        stream.is_some()
    });
    let (mut stream, _) = stream.unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let up = audible(place, &carrier, &edge, "seen");
    let (mut bytes, mut buffer) = (Vec::new(), [0; 65_535]);
    let read = || {
        let n = stream.read(&mut buffer).expect("nothing came");
        bytes.extend_from_slice(&buffer[..n]);
        let mut packets = Vec::new();
        while let Some((packet, length)) = Packet::read(&bytes) {
            packets.push(packet);
            bytes.drain(..length);
        }
        packets
    };
    let packets = until("the report", read, |all| all.iter().any(|p| p.kind == 5 && p.call == "seen"));
    judge(place, &packets, &up, "seen");
    appliance.stop();
}
