//! The files under systemd/, as systemd itself reads them.

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systemd").canonicalize().unwrap()
}

/// systemd's version; `None`, said aloud, where there is no systemd to ask.
fn systemd() -> Option<u32> {
    let Ok(output) = Command::new("systemd-analyze").arg("--version").output() else {
        eprintln!("systemd-analyze is not installed here: the unit was NOT checked");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.split_whitespace().nth(1).and_then(|v| v.parse().ok())
}

/// The unit in a place of its own, with the program that was built here.
fn unit(name: &str) -> PathBuf {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&to).unwrap();
    let text = std::fs::read_to_string(folder().join("bascule.service")).unwrap();
    let file = to.join("bascule.service");
    std::fs::write(&file, text.replace("/usr/bin/bascule", env!("CARGO_BIN_EXE_bascule"))).unwrap();
    file
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let Some(version) = systemd() else { return };
    let output =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(unit("verify")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let complaints: Vec<_> = said
        .lines()
        .filter(|line| line.contains("bascule"))
        // Known and provided for: see the unit.
        .filter(|line| {
            version >= 253 || !line.contains("Failed to parse service type, ignoring: notify-reload")
        })
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn systemd_finds_nothing_wrong_with_what_lets_the_kernel_carry_media() {
    let Some(version) = systemd() else { return };
    let unit = unit("kernel-media");
    let drop_in = unit.with_file_name("bascule.service.d");
    std::fs::create_dir_all(&drop_in).unwrap();
    std::fs::copy(folder().join("kernel-media.conf"), drop_in.join("kernel-media.conf")).unwrap();
    let text = std::fs::read_to_string(folder().join("bascule-detach.service")).unwrap();
    let detach = unit.with_file_name("bascule-detach.service");
    std::fs::write(&detach, text.replace("/usr/bin/bascule", env!("CARGO_BIN_EXE_bascule"))).unwrap();
    let units = [&unit, &detach];
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(units).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let known = |line: &str| version < 253 && line.contains("ignoring: notify-reload");
    let complaints: Vec<_> = said.lines().filter(|l| l.contains("bascule") && !known(l)).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn the_exposure_is_what_the_unit_says_it_is() {
    if systemd().is_none() {
        return;
    }
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=13", "--no-pager"])
        .arg(unit("security"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let stated = std::fs::read_to_string(folder().join("bascule.service")).unwrap();
    assert!(stated.contains("gives an exposure of 1.3 (OK)"));
    assert!(said.contains("Overall exposure level for bascule.service: 1.3 OK"), "{said}");
}

#[test]
fn users_folders_and_kernel_settings_are_read_without_complaint() {
    for (tool, args) in [
        ("systemd-sysusers", vec!["--dry-run", "sysusers.conf"]),
        ("systemd-tmpfiles", vec!["--cat-config", "tmpfiles.conf"]),
    ] {
        let Ok(output) = Command::new(tool).args(&args).current_dir(folder()).output() else {
            eprintln!("{tool} is not installed here: its file was NOT checked");
            continue;
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // An old tool that lacks the option says so, and says nothing of the file.
        if !said.contains("unrecognized option") {
            assert!(!said.contains("sysusers.conf:") && !said.contains("tmpfiles.conf:"), "{tool}: {said}");
        }
    }
    let sysctl = std::fs::read_to_string(folder().join("sysctl.conf")).unwrap();
    for line in sysctl.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (key, value) = line.split_once(" = ").unwrap();
        assert!(value.chars().all(|c| c.is_ascii_digit() || c == '-'), "{line}");
        let known = Path::new("/proc/sys").join(key.replace('.', "/"));
        if !known.exists() {
            eprintln!("{key} is not known to this kernel or namespace: NOT checked");
        }
    }
}
