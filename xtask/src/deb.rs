//! `cargo xtask deb`: a package for Debian, by `dpkg-deb` from a tree that is laid out here.
//!
//! The same commit and the same program give the same package, byte for byte: all files have the time of the commit, and
//! nothing of this machine is in them.

mod tree;
mod trial;

use crate::packages::{DPKG_SHLIBDEPS, MMDEBSTRAP, need};
use crate::step::{self, Failed, cargo, root};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Build the package; with `trial`, install it into a clean Debian, start the daemon from it, upgrade, remove.
pub(crate) fn run(debug: bool, trial: bool) -> Result<(), Failed> {
    need(&[DPKG_SHLIBDEPS])?;
    let program = program(debug)?;
    let folder = root().join("target/debian");
    let package = build(&program, &folder, "1")?;
    let again = build(&program, &folder.join("again"), "1")?;
    if read(&package)? != read(&again)? {
        return Err(format!(
            "{} and {} differ: the package is not reproducible",
            package.display(),
            again.display()
        ));
    }
    if trial {
        need(&[MMDEBSTRAP])?;
        let upgrade = build(&program, &folder.join("upgrade"), "2")?;
        trial::run(&folder, &package, &upgrade)?;
    }
    eprintln!("── the package: {}", package.display());
    Ok(())
}

/// The daemon, built. Paths of this machine are cut from what panics say.
fn program(debug: bool) -> Result<PathBuf, Failed> {
    let mut args = vec!["build", "-p", "bascule"];
    if !debug {
        args.push("--release");
    }
    step::run_aside("the daemon", &mut cargo(&args))?;
    Ok(root().join("target").join(if debug { "debug" } else { "release" }).join("bascule"))
}

/// One package, its tree laid out anew.
fn build(program: &Path, folder: &Path, revision: &str) -> Result<PathBuf, Failed> {
    let version = format!("{}-{revision}", env!("CARGO_PKG_VERSION"));
    let architecture = said(Command::new("dpkg").arg("--print-architecture"))?;
    let package = folder.join(format!("bascule_{version}_{architecture}.deb"));
    let epoch = said(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root()))?;
    let laid = tree::lay(program, &folder.join("tree"), &version, &architecture)?;
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "--uniform-compression", "--build"]).arg(&laid).arg(&package);
    // Also what `dpkg-deb` itself writes has the time of the commit, and every file that is younger (SOURCE_DATE_EPOCH).
    step::run_aside(&format!("{}", package.display()), pack.env("SOURCE_DATE_EPOCH", epoch))?;
    Ok(package)
}

/// What a command prints, without the line end.
fn said(command: &mut Command) -> Result<String, Failed> {
    let name = command.get_program().display().to_string();
    let output = command.output().map_err(|e| format!("{name}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{name}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn read(file: &Path) -> Result<Vec<u8>, Failed> {
    std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))
}
