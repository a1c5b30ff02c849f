//! The programs in the kernel: their objects are committed, so that nobody needs a compiler for BPF to build the daemon.
//!
//! Beside each object stands a note, such as `relay.bpf.txt`: the compiler that has built it, and digests of the sources and of the object.
//! That sources have changed and the object has not is thus seen everywhere; that the object is what the sources give is
//! seen where that compiler is.

use crate::packages::{CLANG, LLVM, need};
use crate::step::{Failed, root, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One version builds the object: others give other instructions.
const CLANG_NAME: &str = "clang-14";
/// Each has its source beside it, `relay.c` for `relay.bpf.o`, and a note, `relay.bpf.txt`.
const OBJECTS: [&str; 2] = ["relay", "lookup"];

/// Build the objects and the notes beside them.
pub(crate) fn build() -> Result<(), Failed> {
    need(&[CLANG, LLVM])?;
    let folder = folder();
    for name in OBJECTS {
        compile(name, &folder.join(object(name)))?;
        let text = note(&folder, name, &compiler()?)?;
        let to = folder.join(format!("{name}.bpf.txt"));
        fs::write(&to, text).map_err(|e| format!("{}: {e}", to.display()))?;
    }
    Ok(())
}

/// Whether objects and sources belong together.
pub(crate) fn check() -> Result<(), Failed> {
    OBJECTS.into_iter().try_for_each(check_one)
}

fn check_one(name: &str) -> Result<(), Failed> {
    let folder = folder();
    let beside = folder.join(format!("{name}.bpf.txt"));
    let is = fs::read_to_string(&beside).map_err(|e| format!("{}: {e}", beside.display()))?;
    let built_by = is.lines().next().unwrap_or_default();
    if note(&folder, name, built_by)? != is {
        return Err(
            "rtp-relay/xdp: object and sources do not belong together; type: cargo xtask xdp".to_owned()
        );
    }
    match compiler() {
        Ok(here) if here == built_by => {
            let target = root().join("target");
            fs::create_dir_all(&target).map_err(|e| format!("{}: {e}", target.display()))?;
            let again = target.join(object(name));
            compile(name, &again)?;
            if read(&again)? == read(&folder.join(object(name)))? {
                Ok(())
            } else {
                Err(format!(
                    "rtp-relay/xdp: the sources give another {}; type: cargo xtask xdp",
                    object(name)
                ))
            }
        }
        _ => {
            eprintln!("not run: building rtp-relay/xdp/{} again needs {built_by}", object(name));
            Ok(())
        }
    }
}

fn folder() -> PathBuf {
    root().join("rtp-relay/xdp")
}

fn object(name: &str) -> String {
    format!("{name}.bpf.o")
}

fn compile(name: &str, to: &Path) -> Result<(), Failed> {
    let folder = folder();
    let mut clang = Command::new(CLANG_NAME);
    // mcpu=v3 has jumps on 32 bits: Linux 5.1. Warnings about packed structures would be about every header.
    clang.args(["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror"]);
    clang.args(["-Wno-unused-function", "-Wno-address-of-packed-member"]);
    clang.arg(format!("-ffile-prefix-map={}=.", folder.display()));
    clang.arg("-c").arg(format!("{name}.c")).arg("-o").arg(to).current_dir(&folder);
    run(&format!("{name}.c for the kernel"), &mut clang)?;
    // BTF stays, which describes the tables; what a debugger wants goes.
    run("without what a debugger wants", Command::new("llvm-strip").arg("-g").arg(to))
}

/// The compiler that is here.
fn compiler() -> Result<String, Failed> {
    let said = Command::new(CLANG_NAME).arg("--version").output();
    let said = said.map_err(|e| format!("{CLANG_NAME}: {e}"))?;
    Ok(String::from_utf8_lossy(&said.stdout).lines().next().unwrap_or_default().to_owned())
}

fn note(folder: &Path, name: &str, compiler: &str) -> Result<String, Failed> {
    let mut sources: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(|e| format!("{}: {e}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "h") || path.ends_with(format!("{name}.c")))
        .collect();
    sources.sort();
    let mut all = Vec::new();
    for source in &sources {
        all.extend(read(source)?);
    }
    let object = digest(&read(&folder.join(object(name)))?);
    Ok(format!("{compiler}\nsources {:016x}\nobject {object:016x}\n", digest(&all)))
}

fn read(file: &Path) -> Result<Vec<u8>, Failed> {
    fs::read(file).map_err(|e| format!("{}: {e}", file.display()))
}

/// FNV-1a: against mistakes, not against malice.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
