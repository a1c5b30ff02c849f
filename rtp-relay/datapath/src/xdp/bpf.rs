//! The few system calls about BPF's objects that the library does not offer.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// What the calling thread may do, a bit for each capability by its number (linux/capability.h).
pub(super) fn effective_capabilities() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/thread-self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("CapEff:"));
    let bits = line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    bits.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Whether a directory is in a file system that holds objects of BPF.
pub(super) fn is_bpffs(dir: &Path) -> io::Result<bool> {
    let path = c_path(dir)?;
    let mut found = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: path and structure are live for the call.
    check(unsafe { libc::statfs(path.as_ptr(), found.as_mut_ptr()) })?;
    // SAFETY: the call has succeeded and filled it.
    Ok(unsafe { found.assume_init() }.f_type as u64 == libc::BPF_FS_MAGIC as u64)
}

/// Mount such a file system on a directory, for its owner alone.
pub(super) fn mount_bpffs(dir: &Path) -> io::Result<()> {
    let path = c_path(dir)?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: strings that live for the call.
    check(unsafe {
        libc::mount(c"bascule".as_ptr(), path.as_ptr(), c"bpf".as_ptr(), flags, c"mode=0700".as_ptr().cast())
    })?;
    Ok(())
}

/// A link of BPF that is pinned at a path: the interface that it stands before (0: none any more) and the number of its
/// program.
pub(super) fn pinned_link(path: &Path) -> io::Result<(u32, u32)> {
    /// `union bpf_attr` for BPF_OBJ_GET, and for BPF_OBJ_GET_INFO_BY_FD (linux/bpf.h).
    #[repr(C)]
    struct Get {
        path: u64,
        fd: u32,
        flags: u32,
    }
    #[repr(C)]
    struct Ask {
        fd: u32,
        len: u32,
        info: u64,
    }
    /// `struct bpf_link_info`, as XDP and TCX fill it.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        kind: u32,
        id: u32,
        program: u32,
        gap: u32,
        ifindex: u32,
        attach_type: u32,
    }
    const OBJ_GET: libc::c_int = 7;
    const INFO_BY_FD: libc::c_int = 15;
    const XDP: u32 = 6;
    const TCX: u32 = 11;
    let path = c_path(path)?;
    let mut get = Get { path: path.as_ptr() as u64, fd: 0, flags: 0 };
    // SAFETY: the path is live for the call, and the structure has the stated size.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, OBJ_GET, &raw mut get, size_of::<Get>()) };
    let fd = check(fd as libc::c_int)?;
    // SAFETY: a descriptor that the kernel has just given us and nobody else owns.
    let link = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut info = Info::default();
    let mut ask =
        Ask { fd: link.as_raw_fd() as u32, len: size_of::<Info>() as u32, info: (&raw mut info) as u64 };
    // SAFETY: both structures are live for the call and have the stated sizes.
    let done = unsafe { libc::syscall(libc::SYS_bpf, INFO_BY_FD, &raw mut ask, size_of::<Ask>()) };
    check(done as libc::c_int)?;
    if info.kind != XDP && info.kind != TCX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok((info.ifindex, info.program))
}
