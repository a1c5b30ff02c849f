//! The programs in the kernel: their objects are committed, so that nobody needs a compiler for BPF to build the daemon.
//!
//! Beside each object stands a note: the compiler that has built it, and digests of the sources and of the object.
//! That sources have changed and the object has not is thus seen everywhere; that the object is what the sources give is
//! seen where that compiler is.

use crate::packages::{CLANG, LLVM, need};
use crate::step::{Failed, root, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One version builds the objects: others give other instructions.
const CLANG_NAME: &str = "clang-14";

/// `NAME.c` in a folder becomes `NAME.bpf.o`, and `NAME.bpf.txt` is the note.
struct Object {
    folder: &'static str,
    name: &'static str,
}

const OBJECTS: [Object; 3] = [
    Object { folder: "rtp-relay/xdp", name: "relay" },
    Object { folder: "rtp-relay/xdp", name: "lookup" },
    Object { folder: "benches/bpf", name: "traffic" },
];

/// Build the objects and the notes beside them.
pub(crate) fn build() -> Result<(), Failed> {
    need(&[CLANG, LLVM])?;
    for object in &OBJECTS {
        object.compile(&object.built())?;
        let text = object.note(&compiler()?)?;
        fs::write(object.noted(), text).map_err(|e| format!("{}: {e}", object.noted().display()))?;
    }
    Ok(())
}

/// Whether objects and sources belong together.
pub(crate) fn check() -> Result<(), Failed> {
    OBJECTS.iter().try_for_each(Object::check)
}

impl Object {
    fn folder(&self) -> PathBuf {
        root().join(self.folder)
    }

    fn built(&self) -> PathBuf {
        self.folder().join(format!("{}.bpf.o", self.name))
    }

    fn noted(&self) -> PathBuf {
        self.folder().join(format!("{}.bpf.txt", self.name))
    }

    fn check(&self) -> Result<(), Failed> {
        let is = fs::read_to_string(self.noted()).map_err(|e| format!("{}: {e}", self.noted().display()))?;
        let built_by = is.lines().next().unwrap_or_default();
        let folder = self.folder;
        if self.note(built_by)? != is {
            return Err(format!(
                "{folder}: object and sources do not belong together; type: cargo xtask xdp"
            ));
        }
        match compiler() {
            Ok(here) if here == built_by => {
                let target = root().join("target");
                fs::create_dir_all(&target).map_err(|e| format!("{}: {e}", target.display()))?;
                let again = target.join(format!("{}.bpf.o", self.name));
                self.compile(&again)?;
                if read(&again)? == read(&self.built())? {
                    Ok(())
                } else {
                    Err(format!("{folder}: the sources give another object; type: cargo xtask xdp"))
                }
            }
            _ => {
                eprintln!("not run: building the object of {folder} again needs {built_by}");
                Ok(())
            }
        }
    }

    fn compile(&self, to: &Path) -> Result<(), Failed> {
        let folder = self.folder();
        let mut clang = Command::new(CLANG_NAME);
        // mcpu=v3 has jumps on 32 bits: Linux 5.1. Warnings about packed structures would be about every header.
        clang.args(["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror"]);
        clang.args(["-Wno-unused-function", "-Wno-address-of-packed-member"]);
        clang.arg(format!("-ffile-prefix-map={}=.", folder.display()));
        clang.arg("-c").arg(format!("{}.c", self.name)).arg("-o").arg(to).current_dir(&folder);
        run(&format!("{} for the kernel", self.name), &mut clang)?;
        // BTF stays, which describes the tables; what a debugger wants goes.
        run("without what a debugger wants", Command::new("llvm-strip").arg("-g").arg(to))
    }

    fn note(&self, compiler: &str) -> Result<String, Failed> {
        let folder = self.folder();
        let own = format!("{}.c", self.name);
        let mut sources: Vec<PathBuf> = fs::read_dir(&folder)
            .map_err(|e| format!("{}: {e}", folder.display()))?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "h") || path.ends_with(&own))
            .collect();
        sources.sort();
        let mut all = Vec::new();
        for source in &sources {
            all.extend(read(source)?);
        }
        let object = digest(&read(&self.built())?);
        Ok(format!("{compiler}\nsources {:016x}\nobject {object:016x}\n", digest(&all)))
    }
}

/// The compiler that is here.
fn compiler() -> Result<String, Failed> {
    let said = Command::new(CLANG_NAME).arg("--version").output();
    let said = said.map_err(|e| format!("{CLANG_NAME}: {e}"))?;
    Ok(String::from_utf8_lossy(&said.stdout).lines().next().unwrap_or_default().to_owned())
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
