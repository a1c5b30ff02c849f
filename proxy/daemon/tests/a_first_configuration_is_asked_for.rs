//! `bascule init`, as a person or a script runs it: what comes of every combination of answers passes the check and has a
//! way for a call.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder of one test's own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bascule-init-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bascule(folder: &Folder, args: &[&str], typed: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bascule"))
        .args(args)
        .current_dir(&folder.0)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who is not asked anything does not read: the pipe may be gone.
    let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The check is content with it, and a call each way has somewhere to go.
fn is_good(folder: &Folder, file: &str, group: &str, of: &str) {
    let check = bascule(folder, &["check", "--config", file], "");
    assert_eq!(check.status.code(), Some(0), "{of}: {}", said(&check));
    let numbers = ["--from", "+442079460123", "--to", "+4930123456"];
    for way in [&["--trunk", "acme"][..], &["--group", group]] {
        let route = bascule(folder, &[&["route", "--config", file], &numbers[..], way].concat(), "");
        assert_eq!(route.status.code(), Some(0), "{of}: {way:?}: {}", said(&route));
        assert!(said(&route).contains("\nINVITE sip:"), "{of}: {way:?}: {}", said(&route));
    }
}

/// Our certificate and its key, which is its own authority.
fn certificate(folder: &Folder) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["sip.us.example".to_owned()]).unwrap();
    (folder.put("sip.pem", &made.cert.pem()), folder.put("sip.key", &made.signing_key.serialize_pem()))
}

#[test]
fn every_combination_of_answers_makes_a_configuration_that_passes_the_check_and_routes_both_ways() {
    let folder = Folder::new("all");
    let (certificate, key) = certificate(&folder);
    let secret = folder.put("secret", "hunter2\n");
    let only_us = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&secret, only_us).unwrap();
    let tls = format!(
        "[tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\nca = \"{certificate}\"\nserver_name = \"sip.acme.example\"\n"
    );
    let account =
        format!("[account]\nrealm = \"acme.example\"\nusername = \"us\"\npassword_file = \"{secret}\"\n");
    let mut number = 0;
    for (address, public, tier, edge, network, target) in [
        ("10.0.0.5", "", "10.1.0.5:5060", "10.1", "192.0.2.0/28", "192.0.2.1"),
        ("10.0.0.5", "public = \"203.0.113.5\"", "10.0.0.5:5070", "10.1", "192.0.2.1", "192.0.2.1:5080"),
        ("2001:db8::5", "", "[2001:db8::5]:5070", "v6", "2001:db8:1::/48", "[2001:db8:1::1]:5060"),
    ] {
        for transport in ["udp", "tcp", "tls"] {
            for numbers in
                ["numbers = \"e164\"", "numbers = \"as_said\"", "numbers = \"national\"\ncountry = \"49\""]
            {
                for account in ["", &account] {
                    let tls = if transport == "tls" { tls.as_str() } else { "" };
                    let edge = |region: u8| match edge {
                        "v6" => format!("[2001:db8:2::{region}]:5060"),
                        v4 => format!("{v4}.{region}.11"),
                    };
                    let answers = format!(
                        "address = \"{address}\"\n{public}\ntier = \"{tier}\"\ncarrier = \"acme\"\n\
                         transport = \"{transport}\"\nsources = [\"{network}\"]\ntargets = [\"{target}\"]\n{numbers}\n\
                         calls = 1000\nemergency = [\"112\"]\n{tls}{account}\
                         [[region]]\nname = \"fra\"\nedges = [\"{}\"]\n[[region]]\nname = \"ams\"\nedges = [\"{}\"]\n",
                        edge(1),
                        edge(2)
                    );
                    number += 1;
                    let (from, file) =
                        (folder.put(&format!("{number}.answers"), &answers), format!("{number}.toml"));
                    let made = bascule(&folder, &["init", &file, "--answers", &from], "");
                    assert_eq!(made.status.code(), Some(0), "{answers}: {}", said(&made));
                    is_good(&folder, &file, "fra", &answers);
                }
            }
        }
    }
}

#[test]
fn the_example_of_answers_makes_a_good_configuration() {
    let folder = Folder::new("example");
    let answers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf/answers.toml").display().to_string();
    let made = bascule(&folder, &["init", "bascule.toml", "--answers", &answers], "");
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    is_good(&folder, "bascule.toml", "ams", "conf/answers.toml");
}

#[test]
fn answers_that_are_typed_count_and_nonsense_is_asked_for_again() {
    let folder = Folder::new("typed");
    let typed = "not-an-address\n10.0.0.5\n\n\nacme\n\n192.0.2.0/28\n192.0.2.1, sip.acme.example:5060\n\n\n\
                 a lot\n500\n112\nfra\n10.1.1.11\nams\n10.1.2.11\n\n";
    let made = bascule(&folder, &["init"], typed);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    assert!(said(&made).contains("`not-an-address`: "), "{}", said(&made));
    let text = fs::read_to_string(folder.0.join("bascule.toml")).unwrap();
    for line in
        ["bind = \"10.0.0.5:5070\"", "max_calls = 500", "    { address = \"sip.acme.example:5060\" },"]
    {
        assert!(text.lines().any(|l| l == line), "no {line}:\n{text}");
    }
}

#[test]
fn a_file_that_is_there_is_never_written_over() {
    let folder = Folder::new("there");
    let answers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf/answers.toml").display().to_string();
    folder.put("bascule.toml", "# mine\n");
    let refused = bascule(&folder, &["init", "bascule.toml", "--answers", &answers], "");
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert_eq!(fs::read_to_string(folder.0.join("bascule.toml")).unwrap(), "# mine\n");
}

#[test]
fn answers_that_make_no_good_configuration_are_complained_of_and_nothing_is_written() {
    let folder = Folder::new("bad");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf/answers.toml");
    let example = fs::read_to_string(example).unwrap();
    for (from, to, word) in [
        ("192.0.2.0/28\"]", "10.1.1.11\"]", "10.1.1.11"),
        ("calls = 1000", "calls = 100000", "`calls`"),
        ("country = \"49\"", "", "country"),
    ] {
        let answers = folder.put("answers", &example.replace(from, to));
        let refused = bascule(&folder, &["init", "bascule.toml", "--answers", &answers], "");
        assert_eq!(refused.status.code(), Some(2), "{to}: {}", said(&refused));
        assert!(said(&refused).contains(word), "{to}: {}", said(&refused));
        assert!(!folder.0.join("bascule.toml").exists(), "{to}");
    }
    let gone = bascule(&folder, &["init"], "10.0.0.5\n");
    assert_eq!(gone.status.code(), Some(2), "the answers end: {}", said(&gone));
    assert!(!folder.0.join("bascule.toml").exists());
}

#[test]
fn the_firewall_table_names_every_edge_of_every_region_and_every_carrier() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = Folder::new("firewall");
    let file = root.join("conf/production.toml").display().to_string();
    let output = bascule(&folder, &["check", "--config", &file, "--firewall"], "");
    let said = said(&output);
    let table: Vec<Vec<&str>> = said
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|c| !c.is_empty()).collect())
        .collect();
    for (way, here, there, over, who) in [
        ("in", "10.0.0.5:5060", "192.0.2.0/28", "udp", "trunk acme"),
        ("out", "10.0.0.5:5060", "192.0.2.2:5060", "udp", "trunk acme"),
        ("out", "10.0.0.5", "198.51.100.17:5060", "tcp", "trunk globex"),
        ("out", "10.1.0.5:5060", "10.1.1.13:5060", "udp", "region fra"),
        ("in", "10.1.0.5:5060", "10.1.2.0/24", "udp", "region ams"),
        ("in", "10.0.0.5 port 20000-59999", "media of carriers and of every region", "udp", "RTP"),
    ] {
        let found = table
            .iter()
            .any(|row| row.len() == 5 && row[..4] == [way, here, there, over] && row[4].starts_with(who));
        assert!(found, "no {way} {here} {there} {over} for {who}:\n{said}");
    }
}
