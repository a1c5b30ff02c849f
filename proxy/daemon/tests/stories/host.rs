//! A host of its own for a story: needs root and `unshare`.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{File, read_link};
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A network namespace; this process keeps it.
pub(crate) struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Host {
    pub(crate) fn new() -> Self {
        let host = Self(Command::new("unshare").args(["--net", "sleep", "600"]).spawn().unwrap());
        let (ours, theirs) = ("/proc/self/ns/net".to_owned(), host.namespace());
        let until = Instant::now() + Duration::from_secs(10);
        while read_link(&theirs).is_ok_and(|theirs| theirs == read_link(&ours).unwrap()) {
            assert!(Instant::now() < until, "no namespace came");
            std::thread::sleep(Duration::from_millis(1));
        }
        host
    }

    pub(crate) fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id())
    }

    /// Do something in there, in a thread that is not used for anything else.
    pub(crate) fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(self.namespace()).unwrap();
        let inside = move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            f()
        };
        std::thread::scope(|scope| scope.spawn(inside).join().unwrap())
    }
}
