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

// Rules: timer-min-90
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
    // Answers to `bascule init` are no configuration.
    for file in files("conf").into_iter().filter(|file| !file.ends_with("answers.toml")) {
        let output = check(&file);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{}:\n{said}", file.display());
    }
}

#[test]
fn a_good_configuration_is_told_how_many_calls_it_holds() {
    let output = check(Path::new("conf/bascule.toml"));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("20000 to 23999 are 4000 ports, 4 a call"), "{said}");
    assert!(said.contains("\nholds 1000 calls at a time, bounded by "), "{said}");
}

#[test]
fn a_prompt_is_read_where_it_is_named_and_a_good_one_is_no_complaint() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (prompt, file) = (folder.join("one-moment.wav"), folder.join("prompt.toml"));
    // A-law, mono, 8,000 samples a second: half a second of them.
    let format =
        [&[6, 0, 1, 0][..], &8_000_u32.to_le_bytes(), &8_000_u32.to_le_bytes(), &[1, 0, 8, 0]].concat();
    let sound = [&b"data"[..], &4_000_u32.to_le_bytes(), &[0xd5; 4_000]].concat();
    std::fs::write(&prompt, [&b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"[..], &format, &sound].concat()).unwrap();
    let text = std::fs::read_to_string(root().join("conf/bascule.toml")).unwrap();
    let text = format!("{text}\n[rehome]\nfill = \"prompt\"\nprompt = \"{}\"\n", prompt.display());
    std::fs::write(&file, text).unwrap();
    let output = check(&file);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(&prompt, "RIFF, said the file").unwrap();
    assert_eq!(check(&file).status.code(), Some(2));
}
