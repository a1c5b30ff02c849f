//! What is in the package, and where.

use super::said;
use crate::step::{Failed, root};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// From the repository into the package.
const FILES: [(&str, &str); 25] = [
    ("systemd/bascule.service", "usr/lib/systemd/system/bascule.service"),
    ("systemd/bascule-detach.service", "usr/lib/systemd/system/bascule-detach.service"),
    ("systemd/sysusers.conf", "usr/lib/sysusers.d/bascule.conf"),
    ("systemd/tmpfiles.conf", "usr/lib/tmpfiles.d/bascule.conf"),
    ("systemd/sysctl.conf", "usr/lib/sysctl.d/60-bascule.conf"),
    // Debian 12's systemd wants it; later ones do not mind.
    ("systemd/before-253.conf", "usr/lib/systemd/system/bascule.service.d/before-253.conf"),
    ("systemd/kernel-media.conf", "usr/share/doc/bascule/kernel-media.conf"),
    ("conf/production.toml", "etc/bascule/bascule.toml"),
    ("conf/bascule.toml", "usr/share/doc/bascule/loopback.toml"),
    ("conf/bascule.schema.json", "usr/share/doc/bascule/bascule.schema.json"),
    ("conf/prometheus/rules.yml", "usr/share/doc/bascule/prometheus/rules.yml"),
    ("conf/prometheus/alerts.yml", "usr/share/doc/bascule/prometheus/alerts.yml"),
    ("conf/grafana/bascule.json", "usr/share/doc/bascule/grafana/bascule.json"),
    ("docs/configuration.md", "usr/share/doc/bascule/configuration.md"),
    ("conf/production.toml", "usr/share/doc/bascule/examples/production.toml"),
    ("conf/answers.toml", "usr/share/doc/bascule/examples/answers.toml"),
    ("conf/tiers/kamailio.cfg", "usr/share/doc/bascule/examples/tiers/kamailio.cfg"),
    ("conf/tiers/dispatcher.list", "usr/share/doc/bascule/examples/tiers/dispatcher.list"),
    ("conf/tiers/asterisk-pjsip.conf", "usr/share/doc/bascule/examples/tiers/asterisk-pjsip.conf"),
    ("conf/keepalived/keepalived.conf", "usr/share/doc/bascule/examples/keepalived.conf"),
    ("docs/troubleshooting.md", "usr/share/doc/bascule/troubleshooting.md"),
    ("docs/security.md", "usr/share/doc/bascule/security.md"),
    ("docs/sizing.md", "usr/share/doc/bascule/sizing.md"),
    ("docs/operations.md", "usr/share/doc/bascule/operations.md"),
    ("CHANGELOG.md", "usr/share/doc/bascule/CHANGELOG.md"),
];

/// Files that are an administrator's: an upgrade asks before it changes one.
const CONFFILES: &str = "/etc/bascule/bascule.toml\n";

/// What is done when the package comes. Nothing is started: the configuration is an example until somebody has edited it. Nor
/// is a service that runs restarted by an upgrade: calls go over it, and when they are moved is up to its operator.
const POSTINST: &str = "\
#!/bin/sh
set -e
[ \"$1\" = configure ] || exit 0
systemd-sysusers bascule.conf
systemd-tmpfiles --create bascule.conf || true
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    /usr/lib/systemd/systemd-sysctl /usr/lib/sysctl.d/60-bascule.conf || true
    if [ -n \"$2\" ] && systemctl -q is-active bascule.service; then
        echo 'bascule: the new version runs from the next restart on: bascule drain …, then systemctl restart bascule'
    fi
fi
";

const PRERM: &str = "\
#!/bin/sh
set -e
[ \"$1\" = remove ] || exit 0
if [ -d /run/systemd/system ]; then
    systemctl --no-reload disable --now bascule.service
fi
";

/// Records are a company's papers: they stay even when the package is purged.
const POSTRM: &str = "\
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
";

/// Lay the tree out, empty before.
pub(super) fn lay(program: &Path, tree: &Path, version: &str, architecture: &str) -> Result<PathBuf, Failed> {
    if tree.exists() {
        std::fs::remove_dir_all(tree).map_err(|e| format!("{}: {e}", tree.display()))?;
    }
    let bin = tree.join("usr/bin/bascule");
    put(&bin, &super::read(program)?, 0o755)?;
    strip(&bin)?;
    for (from, to) in FILES {
        let text = super::read(&root().join(from))?;
        put(&tree.join(to), &text, if to.starts_with("etc/") { 0o640 } else { 0o644 })?;
    }
    put(&tree.join("usr/share/doc/bascule/copyright"), copyright().as_bytes(), 0o644)?;
    pages(program, tree)?;
    let control = control(&bin, version, architecture, &tree.with_file_name("shlibs"))?;
    let debian = tree.join("DEBIAN");
    put(&debian.join("control"), control.as_bytes(), 0o644)?;
    put(&debian.join("conffiles"), CONFFILES.as_bytes(), 0o644)?;
    for (name, script) in [("postinst", POSTINST), ("prerm", PRERM), ("postrm", POSTRM)] {
        put(&debian.join(name), script.as_bytes(), 0o755)?;
    }
    Ok(tree.to_owned())
}

/// Manual pages and completions, from the program itself.
fn pages(program: &Path, tree: &Path) -> Result<(), Failed> {
    let made = tree.with_file_name("pages");
    said(Command::new(program).arg("pages").arg(&made))?;
    let entries = std::fs::read_dir(made.join("man1")).map_err(|e| format!("{}: {e}", made.display()))?;
    for entry in entries {
        let path = entry.map_err(|e| format!("{}: {e}", made.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let to = tree.join("usr/share/man/man1").join(&name);
        put(&to, &super::read(&path)?, 0o644)?;
        // Without the time in the file, so that it is the same tomorrow.
        said(Command::new("gzip").args(["-9", "-n", "-f"]).arg(&to))?;
    }
    for (name, to) in [
        ("bascule.bash", "usr/share/bash-completion/completions/bascule"),
        ("_bascule", "usr/share/zsh/vendor-completions/_bascule"),
        ("bascule.fish", "usr/share/fish/vendor_completions.d/bascule.fish"),
    ] {
        put(&tree.join(to), &super::read(&made.join("completions").join(name))?, 0o644)?;
    }
    Ok(())
}

fn control(program: &Path, version: &str, architecture: &str, scratch: &Path) -> Result<String, Failed> {
    // Which versions of which libraries, as Debian itself finds out. It wants to stand in a source package.
    put(&scratch.join("debian/control"), b"Source: bascule\n\nPackage: bascule\nArchitecture: any\n", 0o644)?;
    let mut ask = Command::new("dpkg-shlibdeps");
    let shlibs = said(ask.arg("-O").arg(program).current_dir(scratch))?;
    let libraries = shlibs.strip_prefix("shlibs:Depends=").unwrap_or("libc6").to_owned();
    Ok(format!(
        "Package: bascule\n\
         Version: {version}\n\
         Architecture: {architecture}\n\
         Maintainer: Bascule <bascule@localhost>\n\
         Depends: {libraries}, procps, systemd\n\
         Suggests: nftables\n\
         Section: comm\n\
         Priority: optional\n\
         Description: SIP back-to-back user agent and RTP relay at the carrier edge\n \
         Stands between carriers' trunks and the regional media tiers of a contact centre. When a region dies the\n \
         carrier's dialog and RTP stream go on: new calls hunt on, ringing calls are rescued, answered calls are\n \
         moved to another region with caller and trunk unchanged.\n"
    ))
}

fn copyright() -> String {
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
     Upstream-Name: Bascule\n\n\
     Files: *\n\
     Copyright: the authors of Bascule\n\
     License: Apache-2.0\n \
     On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.\n"
        .to_owned()
}

/// Symbols and debugging information stay where it was built.
fn strip(program: &Path) -> Result<(), Failed> {
    said(Command::new("strip").args(["--strip-unneeded", "--remove-section=.comment"]).arg(program)).map(drop)
}

fn put(to: &Path, bytes: &[u8], mode: u32) -> Result<(), Failed> {
    let said = |e: std::io::Error| format!("{}: {e}", to.display());
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(said)?;
        // Whatever the umask of whoever builds.
        for folder in folder.ancestors().take_while(|at| at.components().any(|c| c.as_os_str() == "tree")) {
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).map_err(said)?;
        }
    }
    std::fs::write(to, bytes).map_err(said)?;
    std::fs::set_permissions(to, PermissionsExt::from_mode(mode)).map_err(said)
}
