//! A network namespace of a story's own: hosts whose address is theirs alone, which a loopback cannot give to everybody. It has a
//! link to the appliance's.

use std::net::IpAddr;
use std::process::Command;

/// Deleted when dropped, and its link with it.
pub(crate) struct Space {
    name: String,
}

impl Space {
    /// `ours` is our end of the link, `theirs` the hosts at the other one. `n` is the story's own number.
    pub(crate) fn with(n: u8, ours: IpAddr, theirs: &[IpAddr]) -> Self {
        let id = std::process::id();
        let (name, link) = (format!("bascule-hostile-{id}-{n}"), format!("h{id}-{n}"));
        ip(&["netns", "add", &name]);
        let space = Self { name };
        let name = space.name.as_str();
        ip(&["link", "add", &link, "type", "veth", "peer", "name", "inside", "netns", name]);
        ip(&address(ours, &link));
        ip(&["link", "set", &link, "up"]);
        theirs.iter().for_each(|theirs| space.inside(&address(*theirs, "inside")));
        space.inside(&["link", "set", "lo", "up"].map(str::to_owned));
        space.inside(&["link", "set", "inside", "up"].map(str::to_owned));
        space
    }

    /// A way from inside to another address of ours.
    pub(crate) fn knows(&self, ours: IpAddr, by: IpAddr) {
        self.inside(&["route", "add", &ours.to_string(), "via", &by.to_string()].map(str::to_owned));
    }

    /// Runs a program inside. It has the process that the command gets.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    fn inside(&self, args: &[String]) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        ip(&[&["-n", &self.name][..], &args].concat());
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// Without the wait for others who may have the address: there are none.
fn address(address: IpAddr, link: &str) -> Vec<String> {
    let words = match address {
        IpAddr::V4(ip) => vec!["address".to_owned(), "add".to_owned(), format!("{ip}/28")],
        IpAddr::V6(ip) => ["address", "add", &format!("{ip}/64"), "nodad"].map(str::to_owned).to_vec(),
    };
    [words, ["dev", link].map(str::to_owned).to_vec()].concat()
}

fn ip<T: AsRef<std::ffi::OsStr>>(args: &[T]) {
    let output = Command::new("ip").args(args).output();
    let output =
        output.unwrap_or_else(|error| panic!("ip(8) does not start, type apt-get install iproute2: {error}"));
    let words: Vec<_> = args.iter().map(AsRef::as_ref).collect();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words:?}: {why}; these stories need root");
}
