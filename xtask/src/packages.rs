//! Programs that are not Rust: found, installed as root, or named with the line to type.

use crate::step::{Failed, run_aside};
use std::path::Path;
use std::process::Command;

/// A program and the Debian package that has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
}

pub(crate) const SIPP: Program = Program { name: "sipp", package: "sip-tester" };
pub(crate) const KAMAILIO: Program = Program { name: "kamailio", package: "kamailio" };
/// A module of Kamailio's, in a package of its own.
pub(crate) const KAMAILIO_TLS: Program = Program {
    name: if cfg!(target_arch = "aarch64") {
        "/usr/lib/aarch64-linux-gnu/kamailio/modules/tls.so"
    } else {
        "/usr/lib/x86_64-linux-gnu/kamailio/modules/tls.so"
    },
    package: "kamailio-tls-modules",
};
pub(crate) const BARESIP: Program = Program { name: "baresip", package: "baresip-core" };
pub(crate) const RTPENGINE: Program = Program { name: "rtpengine", package: "rtpengine-daemon" };
pub(crate) const IP: Program = Program { name: "ip", package: "iproute2" };
pub(crate) const IPTABLES: Program = Program { name: "iptables", package: "iptables" };
pub(crate) const CLANG: Program = Program { name: "clang-14", package: "clang-14" };
pub(crate) const LLVM: Program = Program { name: "llvm-strip", package: "llvm" };
pub(crate) const ETHTOOL: Program = Program { name: "ethtool", package: "ethtool" };
pub(crate) const VALGRIND: Program = Program { name: "valgrind", package: "valgrind" };
/// Signs and verifies callers as we do.
pub(crate) const SECSIPIDX: Program = Program { name: "secsipidx", package: "secsipidx" };
pub(crate) const OPENSSL: Program = Program { name: "openssl", package: "openssl" };
pub(crate) const CURL: Program = Program { name: "curl", package: "curl" };
pub(crate) const KEEPALIVED: Program = Program { name: "keepalived", package: "keepalived" };
pub(crate) const NFT: Program = Program { name: "nft", package: "nftables" };
pub(crate) const TSHARK: Program = Program { name: "tshark", package: "tshark" };
pub(crate) const SNGREP: Program = Program { name: "sngrep", package: "sngrep" };
pub(crate) const PROMTOOL: Program = Program { name: "promtool", package: "prometheus" };
pub(crate) const DPKG_SHLIBDEPS: Program = Program { name: "dpkg-shlibdeps", package: "dpkg-dev" };
pub(crate) const MMDEBSTRAP: Program = Program { name: "mmdebstrap", package: "mmdebstrap" };
pub(crate) const CHROMIUM: Program = Program { name: "chromium", package: "chromium" };
pub(crate) const TASKSET: Program = Program { name: "taskset", package: "util-linux" };

/// Have all of these, whatever it takes.
pub(crate) fn need(programs: &[Program]) -> Result<(), Failed> {
    let missing: Vec<&str> = programs.iter().filter(|p| !is_here(p.name)).map(|p| p.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if !is_root() {
        return Err(format!("these are missing; type:\n\n    sudo {line}\n"));
    }
    let apt = |args: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    run_aside("apt-get update", &mut apt(&["update", "-q"]))?;
    let mut args = vec!["install", "-q", "-y", "--no-install-recommends"];
    args.extend(&missing);
    run_aside(&line, &mut apt(&args)).map_err(|e| format!("{e}; type:\n\n    {line}\n"))?;
    match programs.iter().find(|p| !is_here(p.name)) {
        None => Ok(()),
        Some(p) => Err(format!("{} was installed and has no program {}", p.package, p.name)),
    }
}

/// Whether a program is on the path, or where Debian keeps those of the administrator.
fn is_here(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
        || ["/usr/sbin", "/sbin"].iter().any(|folder| Path::new(folder).join(name).is_file())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n")
}
