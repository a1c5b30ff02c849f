//! The house's rules, held by a test: who may know whom, who may touch the system, where `unsafe` may stand.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, TargetKind};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each crate with the crates of ours that it may use. Imports run one way.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("sip-wire", &[]),
    ("relay-values", &[]),
    ("sip-audit", &[]),
    ("sip-tap", &["sip-audit"]),
    ("stir", &[]),
    ("proxy-core", &["sip-wire", "relay-values"]),
    ("relay-core", &["relay-values"]),
    ("datapath", &["relay-values", "relay-core"]),
    ("bascule", &["sip-wire", "sip-tap", "stir", "proxy-core", "relay-values", "relay-core", "datapath"]),
    ("bascule-fuzz", &["sip-wire", "stir", "proxy-core", "relay-values", "relay-core"]),
    ("sim", &["sip-wire", "sip-audit", "proxy-core", "relay-values", "relay-core"]),
    (
        "bascule-benches",
        &["sip-wire", "stir", "proxy-core", "relay-values", "relay-core", "datapath", "bascule", "sim"],
    ),
    ("xtask", &["sip-tap"]),
];
/// They do no I/O, read no clock, draw no randomness.
const CORES: [&str; 4] = ["sip-wire", "relay-values", "proxy-core", "relay-core"];
/// What a core must not stand on, at any depth.
const NOT_IN_CORES: [&str; 9] =
    ["tokio", "serde", "serde_core", "toml", "mio", "socket2", "tracing", "async-trait", "futures-core"];
/// The one crate that may contain `unsafe`.
const UNSAFE: &str = "datapath";

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(vec!["--filter-platform".to_owned(), "x86_64-unknown-linux-gnu".to_owned()])
        .exec()
        .expect("cargo metadata runs")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the workspace").to_owned()
}

fn folder(package: &Package) -> PathBuf {
    package.manifest_path.parent().expect("a manifest stands in a folder").as_std_path().to_owned()
}

fn package<'m>(metadata: &'m Metadata, name: &str) -> &'m Package {
    metadata.workspace_packages().into_iter().find(|p| p.name.as_str() == name).expect("the crate is there")
}

/// Everything that a package stands on when it runs, by normal dependencies, except through `without`. Asked of
/// `cargo tree`, which turns on the features that this package wants; `cargo metadata` mixes in everyone else's.
fn below(name: &str, without: &[&str]) -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(root()).args(["tree", "-p", name, "-e", "normal,no-proc-macro"]);
    tree.args(["--prefix", "none", "--format", "{p}", "--target", "x86_64-unknown-linux-gnu"]);
    for package in without {
        tree.args(["--prune", package]);
    }
    let output = tree.output().expect("cargo tree runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|l| l.split(' ').next()).map(str::to_owned).collect()
}

/// Every Rust file under a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for path in entries.flatten().map(|e| e.path()) {
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

/// The lines of a file that are code, up to its tests, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().take_while(|(_, l)| !l.starts_with("#[cfg(test)]"));
    lines
        .map(|(n, l)| (n + 1, l.split("//").next().unwrap_or_default()))
        .filter(|(_, l)| !l.trim().is_empty())
}

#[test]
fn imports_run_one_way() {
    let metadata = metadata();
    let ours: BTreeSet<String> = metadata.workspace_packages().iter().map(|p| p.name.to_string()).collect();
    let known: BTreeSet<String> = MAY_USE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(ours, known, "a new crate needs its place in the house: say here what it may use");
    for (name, may_use) in MAY_USE {
        for dependency in &package(&metadata, name).dependencies {
            let to = dependency.name.as_str();
            let is_fine = !ours.contains(to) || may_use.contains(&to) || to == name;
            assert!(is_fine, "{name} must not depend on {to} ({:?})", dependency.kind);
        }
    }
}

#[test]
fn cores_stand_on_no_runtime_no_format_and_no_socket() {
    for core in CORES {
        let below = below(core, &[]);
        let found: Vec<_> = NOT_IN_CORES.iter().filter(|n| below.contains(**n)).collect();
        assert!(found.is_empty(), "{core} stands on {found:?}");
    }
}

#[test]
fn the_appliance_does_not_know_its_auditor() {
    let below = below("bascule", &[]);
    for name in ["sip-tap", "sip-audit"] {
        assert!(!below.contains(name), "{name} is for tests, and for people with a capture");
    }
}

/// rsip (proxy-core writes probes with it) has its own need of random numbers for Call-IDs that we do not let it make.
#[test]
fn cores_reach_the_system_through_nothing_but_rsip() {
    let metadata = metadata();
    for core in CORES {
        let below = below(core, if core == "proxy-core" { &["rsip"] } else { &[] });
        for name in ["libc", "getrandom", "rand", "nix", "rustix"] {
            assert!(!below.contains(name), "{core} stands on {name}");
        }
    }
    let direct = |core| package(&metadata, core).dependencies.iter();
    for core in CORES {
        let names: Vec<_> =
            direct(core).filter(|d| d.kind == DependencyKind::Normal).map(|d| d.name.as_str()).collect();
        assert!(
            !names.contains(&"rsip") || core == "proxy-core",
            "rsip is for probes and for tests, not for {core}"
        );
    }
}

#[test]
fn every_crate_but_one_forbids_unsafe() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        // A fuzz target's entry point is a macro's, and that macro exports a C function.
        let ours = package.targets.iter().filter(|t| t.required_features.is_empty());
        let kinds = [TargetKind::Lib, TargetKind::Bin];
        for target in ours.filter(|t| t.kind.iter().any(|k| kinds.contains(k))) {
            let text = fs::read_to_string(&target.src_path).expect("a crate's root can be read");
            if text.contains("#![forbid(unsafe_code)]") == (package.name.as_str() == UNSAFE) {
                wrong.push(target.src_path.to_string());
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "roots that must say #![forbid(unsafe_code)] (and {UNSAFE}'s must not): {wrong:#?}"
    );
}

#[test]
fn no_lint_against_unsafe_is_lifted_outside_the_datapath() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    for package in packages.iter().filter(|p| p.name.as_str() != UNSAFE) {
        for file in sources(&folder(package)) {
            let text = fs::read_to_string(&file).expect("a source file can be read");
            for lift in ["allow", "expect", "warn"] {
                assert!(!text.contains(&format!("{lift}({})", "unsafe_code")), "{}", file.display());
            }
        }
    }
}

#[test]
fn cores_name_no_clock_no_thread_no_socket_and_no_randomly_seeded_map() {
    let metadata = metadata();
    let words = [
        "Instant",
        "SystemTime",
        "std::thread",
        "std::fs",
        "std::env",
        "std::process",
        "UdpSocket",
        "TcpStream",
        "TcpListener",
        "std::collections::HashMap",
        "std::collections::HashSet",
        "RandomState",
        "std::sync::Mutex",
        "RwLock",
        "println!",
    ];
    for core in CORES {
        for file in sources(&folder(package(&metadata, core)).join("src")) {
            let text = fs::read_to_string(&file).expect("a source file can be read");
            // A test may say how much it has tried.
            let is_test = file.components().any(|part| part.as_os_str() == "tests");
            for (line, code) in code(&text) {
                let mut found: Vec<_> = words.iter().filter(|w| names(code, w)).collect();
                found.retain(|word| !(is_test && **word == "println!"));
                assert!(found.is_empty(), "{}:{line} names {found:?}", file.display());
            }
        }
    }
}

/// Whether a line names a word, not a longer one.
fn names(code: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        !is_part(code[..at].chars().next_back()) && !is_part(code[at + word.len()..].chars().next())
    })
}

#[test]
fn every_core_has_clippy_watch_over_it() {
    let metadata = metadata();
    for core in CORES {
        let file = folder(package(&metadata, core)).join("clippy.toml");
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let rules: toml::Table = text.parse().expect("clippy.toml is TOML");
        let methods = rules["disallowed-methods"].as_array().expect("a list");
        let paths: Vec<&str> = methods.iter().filter_map(|m| m.get("path")?.as_str()).collect();
        for path in [
            "std::time::Instant::now",
            "std::time::SystemTime::now",
            "std::thread::spawn",
            "std::thread::sleep",
        ] {
            assert!(paths.contains(&path), "{} does not disallow {path}", file.display());
        }
    }
}

#[test]
fn no_two_stories_stand_in_one_place() {
    let folder = root().join("proxy/daemon/tests/stories");
    let mut taken = BTreeSet::new();
    for file in fs::read_dir(&folder).expect("the stories are there").flatten() {
        let text = fs::read_to_string(file.path()).expect("a story is text");
        for begun in ["Place(", "Town::new("].into_iter().flat_map(|begun| text.split(begun).skip(1)) {
            // They run side by side, and a place is an address of the loopback network with fixed ports.
            if let Some(number) = begun.split(')').next().and_then(|n| n.parse::<u8>().ok()) {
                assert!(taken.insert(number), "{}: place {number} is another story's", file.path().display());
            }
        }
    }
    assert!(taken.len() > 50, "{} places were found", taken.len());
}
