//! A network namespace of our own with one link into it: a place that can be cut off without a word.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Stdio};

/// Our end of the link.
pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 213, 77, 1));
/// The end inside.
pub const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 213, 77, 2));

/// A namespace; deleted when dropped, and the link with it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Make it, with a link from [`HERE`] to [`THERE`].
    ///
    /// # Errors
    ///
    /// Without root, or without the programs.
    pub fn new() -> io::Result<Self> {
        let id = std::process::id();
        let (name, link) = (format!("bascule-bench-{id}"), format!("bb{id}"));
        command("ip", &["netns", "add", &name])?;
        let made = Self { name };
        let name = made.name.as_str();
        command("ip", &["link", "add", &link, "type", "veth", "peer", "name", "inside", "netns", name])?;
        command("ip", &["address", "add", &format!("{HERE}/30"), "dev", &link])?;
        command("ip", &["link", "set", &link, "up"])?;
        made.inside(&["ip", "address", "add", &format!("{THERE}/30"), "dev", "inside"])?;
        made.inside(&["ip", "link", "set", "inside", "up"])?;
        made.inside(&["ip", "link", "set", "lo", "up"])?;
        Ok(made)
    }

    /// What runs a command inside.
    pub fn prefix(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(str::to_owned).to_vec()
    }

    /// What will drop every packet, both ways and at once, when it is [committed](Filter::commit): whoever is inside hears
    /// nothing then, and is not heard.
    ///
    /// # Errors
    ///
    /// Without iptables.
    pub fn cut(&self) -> io::Result<Filter> {
        self.restore("DROP")
    }

    /// What will let them pass again.
    ///
    /// # Errors
    ///
    /// Without iptables.
    pub fn mend(&self) -> io::Result<Filter> {
        self.restore("ACCEPT")
    }

    /// One table, committed whole (`iptables-restore(8)`): neither direction dies before the other. The program is started
    /// and waits for its last line, so that starting it takes no time from anybody when it matters.
    fn restore(&self, policy: &str) -> io::Result<Filter> {
        let mut restore = Command::new("ip");
        restore.args(["netns", "exec", &self.name, "iptables-restore"]);
        let mut child = restore.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        if let Some(input) = &mut child.stdin {
            let chains = ["INPUT", "FORWARD", "OUTPUT"].map(|chain| format!(":{chain} {policy} [0:0]\n"));
            input.write_all(format!("*filter\n{}", chains.concat()).as_bytes())?;
        }
        Ok(Filter(child))
    }

    fn inside(&self, args: &[&str]) -> io::Result<()> {
        let mut all = vec!["netns", "exec", &self.name];
        all.extend(args);
        command("ip", &all)
    }
}

/// A filter that waits for its moment.
#[derive(Debug)]
pub struct Filter(Child);

impl Filter {
    /// Now. The child ends when it is done.
    ///
    /// # Errors
    ///
    /// What the system says about the pipe to it.
    pub fn commit(mut self) -> io::Result<Child> {
        if let Some(mut input) = self.0.stdin.take() {
            input.write_all(b"COMMIT\n")?;
        }
        Ok(self.0)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = command("ip", &["netns", "delete", &self.name]);
    }
}

fn command(program: &str, args: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program} {}: {}", args.join(" "), said.trim())))
}
