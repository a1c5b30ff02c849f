//! The package in a clean Debian: installed, its unit read by systemd, its daemon started, upgraded, removed.

use super::said;
use crate::step::{self, Failed};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A Debian in a folder, with nothing but what the package asks for. Its name is this process's.
struct Clean(PathBuf);

/// How long the daemon may take to serve.
const PATIENCE: Duration = Duration::from_secs(30);

/// A configuration that runs where nothing is but loopback, put in place of the example as an administrator would.
const EDITED: &str = r#"# edited by hand
[[listener]]
name = "main"
bind = "127.0.0.1:25060"

[media]
v4 = "127.0.0.1"
ports = "30000-30199"
datapath = "sockets"

[[region]]
name = "here"

[[edge_group]]
name = "here"
region = "here"
edges = [{ address = "127.0.0.11:25070" }]

[[site]]
name = "main"
groups = ["here"]

[[trunk]]
name = "carrier"
sources = ["127.0.0.2"]

[[route.inbound]]
site = "main"

[admin]
socket = "/run/bascule/admin.sock"
"#;

pub(super) fn run(folder: &Path, package: &Path, upgrade: &Path) -> Result<(), Failed> {
    let clean = Clean::new(folder)?;
    clean.install(package)?;
    clean.has_everything()?;
    clean.unit_is_good()?;
    let edited = clean.0.join("etc/bascule/bascule.toml");
    std::fs::write(&edited, EDITED).map_err(|e| format!("{}: {e}", edited.display()))?;
    clean.daemon_starts()?;
    clean.install(upgrade)?;
    let kept = std::fs::read_to_string(&edited).map_err(|e| format!("{}: {e}", edited.display()))?;
    if kept != EDITED {
        return Err("the upgrade has changed the configuration".to_owned());
    }
    clean.daemon_starts()?;
    clean.inside(&["dpkg", "--purge", "bascule"])?;
    if clean.0.join("usr/bin/bascule").exists() || edited.exists() {
        return Err("something is left after the purge".to_owned());
    }
    eprintln!("── installed, started, upgraded with its configuration kept, purged: all in a clean Debian");
    Ok(())
}

impl Clean {
    /// Of this machine's release, from where this machine has its packages. The folder is kept for the next trial.
    fn new(folder: &Path) -> Result<Self, Failed> {
        let archive = folder.join("debian.tar");
        if !archive.exists() {
            let sources = sources()?;
            let mut make = Command::new("mmdebstrap");
            make.args(["--variant=minbase", "--include=systemd,procps"]);
            // Its own scratch room is beside the archive, and holds nothing that a trial does not read.
            make.env("TMPDIR", folder);
            for unread in ["locale", "doc", "man", "info"] {
                make.arg(format!("--dpkgopt=path-exclude=/usr/share/{unread}/*"));
            }
            make.arg(release()?).arg(&archive).arg(&sources);
            step::run_aside("a clean Debian", &mut make)?;
        }
        let at = folder.join(format!("clean-{}", std::process::id()));
        let clean = Self(at);
        std::fs::create_dir_all(&clean.0).map_err(|e| format!("{}: {e}", clean.0.display()))?;
        said(Command::new("tar").arg("-C").arg(&clean.0).arg("-xf").arg(&archive).arg("--exclude=./dev/*"))?;
        // `dpkg` and the daemon want these, and no other device.
        for (name, minor) in [("null", "3"), ("zero", "5"), ("random", "8"), ("urandom", "9")] {
            let device = clean.0.join("dev").join(name);
            said(Command::new("mknod").args(["-m", "666"]).arg(device).args(["c", "1", minor]))?;
        }
        Ok(clean)
    }

    fn inside(&self, command: &[&str]) -> Result<String, Failed> {
        said(&mut self.command(command))
    }

    fn command(&self, command: &[&str]) -> Command {
        self.as_user("root", command)
    }

    /// With /proc, in a mount namespace that ends with the command. The command is the process itself.
    fn as_user(&self, user: &str, command: &[&str]) -> Command {
        let mut inside = Command::new("unshare");
        let script = r#"mount -t proc proc "$1/proc" && root=$1 && user=$2 && shift 2 && exec chroot --userspec="$user:$user" "$root" "$@""#;
        inside
            .args(["--mount", "--propagation", "private", "sh", "-ec", script, "sh"])
            .arg(&self.0)
            .arg(user);
        inside.args(command).env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
        inside.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        inside
    }

    fn install(&self, package: &Path) -> Result<(), Failed> {
        let inside = self.0.join("package.deb");
        std::fs::copy(package, &inside).map_err(|e| format!("{}: {e}", inside.display()))?;
        // Keeps what an administrator has edited, as `dpkg` would propose to him.
        let install = ["dpkg", "--force-confold", "-i", "/package.deb"];
        step::run_aside(&format!("dpkg -i {}", package.display()), &mut self.command(&install))
    }

    fn has_everything(&self) -> Result<(), Failed> {
        let user = self.inside(&["id", "bascule"])?;
        eprintln!("── {user}");
        let owner = self.inside(&["stat", "-c", "%U:%G %a", "/var/log/bascule", "/etc/bascule"])?;
        if owner != "bascule:bascule 750\nroot:bascule 750" {
            return Err(format!("the directories are not whose they should be:\n{owner}"));
        }
        let version = self.inside(&["bascule", "--version"])?;
        if !version.ends_with(env!("CARGO_PKG_VERSION")) {
            return Err(format!("another version: {version}"));
        }
        for page in ["bascule.1.gz", "bascule-drain.1.gz", "bascule-route.1.gz"] {
            // A minimal Debian keeps no manual pages on disk: ask the package.
            if !self.inside(&["dpkg", "-L", "bascule"])?.contains(page) {
                return Err(format!("no manual page {page}"));
            }
        }
        Ok(())
    }

    fn unit_is_good(&self) -> Result<(), Failed> {
        let output = self
            .command(&["systemd-analyze", "verify", "--man=no", "bascule.service"])
            .output()
            .map_err(|e| format!("systemd-analyze: {e}"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // systemd 252 keeps the line before and has its drop-in (systemd/before-253.conf).
        let known = |line: &&str| !line.contains("ignoring: notify-reload");
        let complaints: Vec<_> = said.lines().filter(|line| line.contains("bascule")).filter(known).collect();
        if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
    }

    /// As the unit starts it, by the service's user; there is no systemd that runs in a folder.
    fn daemon_starts(&self) -> Result<(), Failed> {
        let unit = self.inside(&["cat", "/usr/lib/systemd/system/bascule.service"])?;
        let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap_or_default();
        self.inside(&["install", "-d", "-o", "bascule", "-g", "bascule", "/run/bascule"])?;
        let mut start = Command::new("chroot");
        start.arg("--userspec=bascule:bascule").arg(&self.0).args(line.split(' '));
        let child =
            start.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map_err(|e| format!("{line}: {e}"))?;
        let mut running = Running(child);
        let until = Instant::now() + PATIENCE;
        let shown = loop {
            if let Ok(Some(status)) = running.0.try_wait() {
                return Err(format!("{line}: {status}"));
            }
            match self.inside(&["bascule", "status"]) {
                Ok(shown) => break shown,
                Err(why) if Instant::now() > until => return Err(format!("{line}: does not answer: {why}")),
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        };
        eprintln!("── {line}: {}", shown.lines().next().unwrap_or_default());
        running.ends()
    }
}

impl Drop for Clean {
    fn drop(&mut self) {
        // Nothing is mounted there.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process that does not outlive us.
struct Running(Child);

impl Running {
    /// As systemd ends it; a service that was asked to end says 0.
    fn ends(&mut self) -> Result<(), Failed> {
        said(Command::new("kill").arg("-TERM").arg(self.0.id().to_string()))?;
        let status = self.0.wait().map_err(|e| e.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("the daemon ended with {status}")) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// This machine's release, such as `bookworm`.
fn release() -> Result<String, Failed> {
    let text = std::fs::read_to_string("/etc/os-release").map_err(|e| format!("/etc/os-release: {e}"))?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.map(str::to_owned).ok_or_else(|| "/etc/os-release names no release: this is not Debian".to_owned())
}

/// Where this machine has its packages from.
fn sources() -> Result<PathBuf, Failed> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/etc/apt/sources.list.d")
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    found.push("/etc/apt/sources.list".into());
    let is_debian = |path: &PathBuf| {
        std::fs::read_to_string(path).is_ok_and(|text| text.contains("debian") && text.contains("main"))
    };
    found
        .into_iter()
        .find(is_debian)
        .ok_or_else(|| "no sources of Debian's packages under /etc/apt".to_owned())
}
