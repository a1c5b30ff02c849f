//! The admin socket as a file: made in one step, with its mode; taken over from a process that has died, never from one
//! that lives; removed at the end.

use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The service's user and group may order, others not even see.
const MODE: u32 = 0o660;

/// A listening socket and the file that leads to it. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and number of our file: at the end it may be another process's.
    identity: (u64, u64),
}

impl AdminSocket {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        make_room(path)?;
        // Under another name until it has its mode, then moved to where it is looked for: no client ever meets a socket
        // with other rights, and a stale one is replaced in the same step.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = path.with_file_name(format!(".{name}.{}", std::process::id()));
        let _ = std::fs::remove_file(&unfinished);
        let listener = UnixListener::bind(&unfinished)?;
        let placed = finish(&unfinished, path);
        if placed.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        let identity = identity(&placed?);
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.to_owned(), identity })
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|now| identity(&now) == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

fn finish(unfinished: &Path, path: &Path) -> io::Result<Metadata> {
    std::fs::set_permissions(unfinished, Permissions::from_mode(MODE))?;
    std::fs::rename(unfinished, path)?;
    std::fs::symlink_metadata(path)
}

/// Whether what is there may be replaced.
fn make_room(path: &Path) -> io::Result<()> {
    let there = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        there => there?,
    };
    if !there.file_type().is_socket() {
        return Err(io::Error::new(
            ErrorKind::AlreadyExists,
            "there is a file that is no socket; move it away",
        ));
    }
    let client = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    client.set_nonblocking(true)?;
    match client.connect(&SockAddr::unix(path)?) {
        // Nobody listens any more.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        // Somebody does, perhaps with a full queue.
        Ok(()) => Err(lives()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(lives()),
        Err(error) => Err(error),
    }
}

fn lives() -> io::Error {
    io::Error::new(
        ErrorKind::AddrInUse,
        "another process listens there; stop it, or give this one another path",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let place = std::env::temp_dir().join(format!("bascule-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&place);
        place
    }

    #[test]
    fn it_has_its_mode_and_is_gone_when_it_is_closed() {
        let path = place("mode");
        let socket = AdminSocket::open(&path).unwrap();
        assert_eq!(std::fs::symlink_metadata(&path).unwrap().mode() & 0o777, MODE);
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_one_is_replaced_and_one_that_is_listened_to_is_not() {
        let path = place("stale");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the standard library leaves the file where it is");
        let socket = AdminSocket::open(&path).unwrap();
        assert_eq!(AdminSocket::open(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok(), "the first one still answers");
        drop(socket);
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let path = place("file");
        std::fs::write(&path, "somebody's").unwrap();
        assert_eq!(AdminSocket::open(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's");
        std::fs::remove_file(&path).unwrap();
    }
}
