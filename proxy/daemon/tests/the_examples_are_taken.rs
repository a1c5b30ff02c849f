//! What stands beside the configuration in conf/: files of other programs, which those programs check.

use std::path::{Path, PathBuf};
use std::process::Command;

fn conf(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf").join(name)
}

/// Standard output and error of a command that has to succeed.
fn succeeds(command: &mut Command) -> String {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().unwrap_or_else(|error| panic!("{name}: {error}: `cargo xtask test` installs it"));
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{name}: {}: {said}", output.status);
    said
}

#[test]
fn kamailio_takes_the_edge_of_a_region() {
    let said = succeeds(Command::new("kamailio").args(["-c", "-f"]).arg(conf("tiers/kamailio.cfg")));
    assert!(said.contains("config file ok"), "{said}");
}

#[test]
fn keepalived_takes_the_pair_of_hosts() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: keepalived looks for interfaces that nobody could make");
        return;
    }
    // Two interfaces of the names that the file has, in a network of their own.
    let text = "ip link add eth0 type veth peer name eth1 && exec keepalived -t -f \"$0\"";
    let mut check = Command::new("unshare");
    let said = succeeds(check.args(["--net", "bash", "-c", text]).arg(conf("keepalived/keepalived.conf")));
    assert!(!said.contains("not found") && !said.contains("Unknown keyword"), "{said}");
}
