//! `bascule check`, as a person runs it: every file under conf/ and what is said of it.
//!
//! `BLESS=1 cargo test -p bascule` writes the expectations anew; read the difference before keeping it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn check(file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bascule"))
        .args(["check", "--config"])
        .arg(file)
        .current_dir(root())
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .map(|path| Path::new(folder).join(path.file_name().unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_bad_file_gets_exactly_the_complaints_that_are_written_beside_it() {
    let mut wrong = Vec::new();
    for file in files("conf/bad") {
        let output = check(&file);
        let said = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code().unwrap();
        let said = format!("{said}exit status {code}\n");
        let beside = root().join(&file).with_extension("expected");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&beside, &said).unwrap();
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if said != expected {
            wrong.push(format!("{}:\n{said}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}

#[test]
fn the_exit_status_is_2_for_errors_and_1_for_warnings_only() {
    assert_eq!(check(Path::new("conf/bad/names.toml")).status.code(), Some(2));
    assert_eq!(check(Path::new("conf/bad/warnings.toml")).status.code(), Some(1));
    assert_eq!(check(Path::new("conf/nowhere.toml")).status.code(), Some(2));
}

#[test]
fn every_shipped_configuration_is_good() {
    for file in files("conf") {
        let output = check(&file);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{}:\n{said}", file.display());
    }
}
