//! README.md and docs/*.md: every command that they show is run as it stands there, one document after the other.
//!
//! A document's blocks of `sh` run in order in a network, a set of mounts and a set of processes of their own, so that
//! `/etc/bascule`, `pidof` and the ports mean what they mean on a host that has nothing else on it. There `bascule` is on the path,
//! a configuration is at `/etc/bascule/bascule.toml`, and a service runs with it, with two regions and a carrier that answer OPTIONS. Words
//! after `sh` change that:
//!
//! - `service`: the block is the service, which goes on for the rest of the document; there is no other.
//! - `exit=N`: the block's last command ends with N.
//! - `requires=WHAT`: not run here, because of what it needs ([`NOT_HERE`]).
//!
//! Needs root; says so and does nothing where it may not.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File, read_link};
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What a block may need that a test cannot give it, and what stands in for it.
const NOT_HERE: [(&str, &str); 5] = [
    ("build", "compiles the workspace; CI does so in its other steps"),
    ("systemd", "needs a booted system; `cargo xtask deb --try` installs, starts and upgrades the package"),
    (
        "terminal",
        "asks questions at a terminal; tests/a_first_configuration_is_asked_for.rs types the answers",
    ),
    ("calls", "needs calls that are up; `bascule demo` and tests/stories/operators.rs have them"),
    ("elsewhere", "is typed on another host, or needs another network"),
];

/// Nobody has to wait for this long; a busy machine may.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a block of a document is.
#[derive(Debug)]
struct Block {
    document: String,
    line: usize,
    words: Vec<String>,
    text: String,
}

impl Block {
    fn word(&self, name: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn is_service(&self) -> bool {
        self.words.iter().any(|word| word == "service")
    }

    fn place(&self) -> String {
        format!("{}:{}", self.document, self.line)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// README.md and docs/*.md, with their blocks of `sh`.
fn documents() -> Vec<(String, Vec<Block>)> {
    let mut names = vec!["README.md".to_owned()];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            names.push(format!("docs/{name}"));
        }
    }
    names.sort();
    names.into_iter().map(|name| (name.clone(), blocks(&name))).collect()
}

fn blocks(document: &str) -> Vec<Block> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (Some(_), Some(_)) => {
                blocks.extend(open.take().filter(|block| block.words.first().is_some_and(|w| w == "sh")))
            }
            (Some(block), None) => block.text.extend([line, "\n"]),
            (None, Some(words)) => {
                let words = words.split_whitespace().map(str::to_owned).collect();
                open =
                    Some(Block { document: document.to_owned(), line: number, words, text: String::new() });
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{document}: a block without an end");
    blocks
}

/// A host that has nothing on it but what a document asks for. Whatever runs there ends with it.
struct Host {
    holder: Child,
    folder: PathBuf,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A service inside of one.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Host {
    fn new(document: &str) -> Self {
        let name = document.replace(['/', '.'], "-");
        let folder = std::env::temp_dir().join(format!("bascule-documented-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for inner in ["bin", "target/release", "etc", "work", "log"] {
            fs::create_dir_all(folder.join(inner)).unwrap();
        }
        let program = Path::new(env!("CARGO_BIN_EXE_bascule"));
        symlink(program, folder.join("bin/bascule")).unwrap();
        symlink(program, folder.join("target/release/bascule")).unwrap();
        symlink(root().join("conf"), folder.join("conf")).unwrap();
        let holder = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sleep", "900"])
            .spawn()
            .expect("unshare(1), of util-linux, starts");
        let host = Self { holder, folder };
        let until = Instant::now() + PATIENCE;
        while host.init().is_none() {
            assert!(Instant::now() < until, "no namespace came");
            std::thread::sleep(Duration::from_millis(5));
        }
        let set_up = format!(
            "ip link set lo up
             mount -t tmpfs none /run && mkdir /run/bascule
             mount -t tmpfs none '{at}/etc' && mkdir '{at}/etc/up' '{at}/etc/work'
             mount -t overlay -o lowerdir=/etc,upperdir='{at}/etc/up',workdir='{at}/etc/work' none /etc
             mkdir -p /etc/bascule
             mount -t tmpfs none /var/log && mkdir /var/log/bascule",
            at = host.folder.display()
        );
        let done = host.bash(&set_up).output().unwrap();
        assert!(done.status.success(), "a host for {document}: {}", said(&done));
        host
    }

    /// The first process of the namespaces, once it is in all of them and has its own /proc.
    fn init(&self) -> Option<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.holder.id());
        let child = fs::read_to_string(children).ok()?.trim().parse().ok()?;
        let sleeps = fs::read_to_string(format!("/proc/{child}/comm")).ok()?.trim() == "sleep";
        let theirs = read_link(format!("/proc/{child}/ns/net")).ok()?;
        (sleeps && theirs != read_link("/proc/self/ns/net").ok()?).then_some(child)
    }

    fn bash(&self, text: &str) -> Command {
        // Whoever enters another set of mounts stands at its root.
        let text = format!("cd '{}'\n{text}", self.folder.display());
        let mut command = Command::new("nsenter");
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(["--target", &self.init().expect("the host is there").to_string()])
            .args(["--net", "--mount", "--pid", "--", "bash", "-euo", "pipefail", "-c", &text])
            .env("PATH", format!("{}:{path}", self.folder.join("bin").display()))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Hosts that answer whatever asks them whether they are there: the carrier and the regions of conf/bascule.toml.
    fn neighbours(&self) {
        let namespace = File::open(format!("/proc/{}/ns/net", self.init().unwrap())).unwrap();
        let sockets: Vec<UdpSocket> = std::thread::scope(|scope| {
            let inside = || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                let bind = |ip: &str| UdpSocket::bind((ip, 5060)).unwrap();
                ["127.0.0.2", "127.0.0.11", "127.0.0.12"].map(bind).into()
            };
            scope.spawn(inside).join().unwrap()
        });
        for socket in sockets {
            // They live as long as the test does, and hold nothing else up.
            std::thread::spawn(move || {
                let mut buffer = [0; 4_096];
                while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    let _ = socket.send_to(ok(&String::from_utf8_lossy(&buffer[..length])).as_bytes(), from);
                }
            });
        }
    }

    /// A service, once it answers. `socket`: where, from the folder that it was started in.
    fn service(&self, text: &str, socket: &str) -> Service {
        let log = File::create(self.folder.join("service.log")).unwrap();
        let errors = log.try_clone().unwrap();
        let service = Service(self.bash(text).stdout(log).stderr(errors).spawn().unwrap());
        let asks = format!("bascule regions --socket {socket} --json");
        let until = Instant::now() + PATIENCE;
        loop {
            let output = self.bash(&asks).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            // All regions, and all edges.
            let up = text.matches("\"state\":\"up\"").count();
            if up > 0 && up == text.matches("\"state\":").count() {
                return service;
            }
            let log = fs::read_to_string(self.folder.join("service.log")).unwrap();
            assert!(Instant::now() < until, "no service came: {log}{}", said(&output));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// As the package has it, but on loopback.
    fn packaged_service(&self) -> Service {
        let config = fs::read_to_string(root().join("conf/bascule.toml")).unwrap();
        let config = config
            .replace("socket = \"bascule.sock\"", "socket = \"/run/bascule/admin.sock\"")
            .replace("file = \"-\"", "file = \"/var/log/bascule/calls.jsonl\"");
        fs::write(self.folder.join("bascule.toml"), config).unwrap();
        let copied =
            self.bash("cp bascule.toml /etc/bascule/ && touch /var/log/bascule/calls.jsonl").status();
        assert!(copied.unwrap().success());
        self.service("exec bascule run --config /etc/bascule/bascule.toml", "/run/bascule/admin.sock")
    }
}

/// 200 to a request, as RFC 3261 §8.2.6.2 has it.
fn ok(request: &str) -> String {
    let kept = ["via:", "from:", "to:", "call-id:", "cseq:"];
    let lines = request.split("\r\n").take_while(|line| !line.is_empty());
    let kept = lines.filter(|line| kept.iter().any(|name| line.to_ascii_lowercase().starts_with(name)));
    let lines: Vec<String> = kept
        .map(|line| {
            if line.to_ascii_lowercase().starts_with("to:") {
                format!("{line};tag=there")
            } else {
                line.to_owned()
            }
        })
        .collect();
    format!("SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n", lines.join("\r\n"))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_block_of_commands_runs_as_it_stands_in_its_document() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: no command was run");
        return;
    }
    let (mut run, mut failed) = (0, Vec::new());
    for (document, blocks) in documents() {
        let here: Vec<&Block> = blocks.iter().filter(|block| block.word("requires").is_none()).collect();
        if here.is_empty() {
            continue;
        }
        let host = Host::new(&document);
        host.neighbours();
        let mut services = Vec::new();
        if !here.iter().any(|block| block.is_service()) {
            services.push(host.packaged_service());
        }
        for block in here {
            run += 1;
            if block.is_service() {
                services.push(host.service(&block.text, "bascule.sock"));
                continue;
            }
            let output = host.bash(&block.text).output().unwrap();
            let expected = block.word("exit").map_or(0, |code| code.parse().unwrap());
            if output.status.code() != Some(expected) {
                failed.push(format!("{}: {}\n{}{}", block.place(), output.status, block.text, said(&output)));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(run >= 8, "only {run} blocks were run");
}

#[test]
fn what_is_not_run_says_what_it_needs_and_is_the_lesser_part() {
    let all: Vec<Block> = documents().into_iter().flat_map(|(_, blocks)| blocks).collect();
    let mut left = 0;
    for block in &all {
        let known = |word: &String| {
            word == "sh" || word == "service" || word.starts_with("exit=") || word.starts_with("requires=")
        };
        assert!(block.words.iter().all(known), "{}: {:?}", block.place(), block.words);
        let Some(what) = block.word("requires") else { continue };
        let why = NOT_HERE.iter().find(|(known, _)| *known == what);
        let (_, why) = why.unwrap_or_else(|| panic!("{}: `{what}` is no reason", block.place()));
        eprintln!("{}: not run, {what}: {why}", block.place());
        left += 1;
    }
    assert!(left * 2 < all.len(), "{left} of {} blocks are not run", all.len());
}

#[test]
fn commands_are_in_blocks_of_sh() {
    // A block without a word would be passed over.
    for (document, _) in documents() {
        let text = fs::read_to_string(root().join(&document)).unwrap();
        let mut inside = None;
        for (number, line) in (1..).zip(text.lines()) {
            match (inside.take(), line.trim_start().strip_prefix("```")) {
                (None, Some(words)) => inside = Some(words.to_owned()),
                (Some(words), None) => {
                    let command = ["bascule ", "curl ", "systemctl ", "kill ", "apt "];
                    let is_one = command.iter().any(|word| line.starts_with(word));
                    assert!(
                        !is_one || words.starts_with("sh"),
                        "{document}:{number} is in no block of sh: {line}"
                    );
                    inside = Some(words);
                }
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
    }
}

#[test]
fn every_metric_that_a_document_names_is_one() {
    let mut source = String::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                source.push_str(&fs::read_to_string(path).unwrap_or_default())
            }
        }
    }
    let mut named = 0;
    for (document, _) in documents() {
        let text = fs::read_to_string(root().join(&document)).unwrap();
        for (at, _) in text.match_indices("`bascule_") {
            let rest = &text[at + 1..];
            let end = rest
                .find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
                .unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            // `bascule_stir_*` means all that begin so.
            let found = if after.starts_with('*') {
                source.contains(&format!("\"{name}"))
            } else {
                source.contains(&format!("\"{name}\""))
            };
            assert!(found, "{document} names `{name}`, which is no metric");
            named += 1;
        }
    }
    assert!(named > 40, "only {named}");
}
