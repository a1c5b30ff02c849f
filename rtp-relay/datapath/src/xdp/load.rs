//! Bringing the program into the kernel.

mod pinned;

pub(crate) use pinned::Inherited;

use super::attach::{AttachError, Attached, Rung};
use super::bpf;
use super::pins::{Pins, tables};
use super::tables::{Setup, Tables};
use aya::maps::Map;
use aya::pin::PinError;
use aya::programs::links::LinkError;
use aya::programs::{ProgramError, SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfError, EbpfLoader};
use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// The program as it was built from `rtp-relay/xdp` by `cargo xtask xdp`.
pub(crate) static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../xdp/relay.bpf.o");

/// Names in the object.
const XDP: &str = "relay_xdp";
const TCX: &str = "relay_tcx";

/// Least and most flows of a table. Above, `by_port`'s numbers would still fit; below, it would be no table.
const FLOWS: std::ops::RangeInclusive<usize> = 2..=1 << 24;

/// Why the kernel engine cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not all of CAP_BPF, CAP_PERFMON (the program computes with packet pointers) and CAP_NET_ADMIN are there.
    #[error("the kernel does not let us load programs: {0}")]
    Permission(Lacks),
    /// The verifier did not accept the program.
    #[error("the kernel's verifier refuses the program: {0}")]
    Verifier(String),
    /// The kernel is too old for something, or out of something.
    #[error("loading the program: {0}")]
    Kernel(String),
    /// A table could not be mapped.
    #[error("mapping the program's tables: {0}")]
    Tables(#[from] io::Error),
}

/// What a process needs for the kernel engine, and which of it is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacks(Vec<&'static str>);

impl fmt::Display for Lacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str(
                "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are there, but not of the first user namespace",
            ),
            [one] => write!(f, "{one} is missing"),
            [more @ .., last] => write!(f, "{} and {last} are missing", more.join(", ")),
        }
    }
}

/// What the calling thread may not. All three exist since Linux 5.8; what CAP_SYS_ADMIN did before, it still does.
fn lacks() -> Lacks {
    let may = bpf::effective_capabilities().unwrap_or(u64::MAX);
    let has = |number: u32| may & 1 << number != 0;
    let needs =
        [("CAP_BPF", has(39) || has(21)), ("CAP_PERFMON", has(38) || has(21)), ("CAP_NET_ADMIN", has(12))];
    Lacks(needs.into_iter().filter_map(|(name, has)| (!has).then_some(name)).collect())
}

/// The loaded program and its tables. Dropping it detaches it from every interface.
#[derive(Debug)]
pub struct Program {
    ebpf: Ebpf,
    tables: Arc<Tables>,
}

/// A frame for [`Program::run`].
#[derive(Debug, Clone, Copy)]
pub struct Frame<'f> {
    /// From its Ethernet header on.
    pub bytes: &'f [u8],
    /// Which of the two entries of the program judges it.
    pub rung: Rung,
}

/// What the program has made of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// Sent on; the frame as it would leave.
    Forwarded(Vec<u8>),
    /// Left to the sockets; the frame as they would get it.
    Passed(Vec<u8>),
}

impl Program {
    /// Load the program with room for so many flows.
    ///
    /// # Errors
    ///
    /// [`LoadError`]: media then stays with the sockets.
    pub fn load(setup: &Setup, flows: usize) -> Result<Self, LoadError> {
        Self::load_object(OBJECT, setup, flows)
    }

    pub(crate) fn load_object(object: &[u8], setup: &Setup, flows: usize) -> Result<Self, LoadError> {
        Self::bring(object, setup, flows, None)
    }

    fn bring(object: &[u8], setup: &Setup, flows: usize, pins: Option<&Pins>) -> Result<Self, LoadError> {
        let lacks = lacks();
        if !lacks.0.is_empty() {
            return Err(LoadError::Permission(lacks));
        }
        let flows = flows.clamp(*FLOWS.start(), *FLOWS.end());
        let entries = u32::try_from(flows).unwrap_or(u32::MAX);
        let mut loader = EbpfLoader::new();
        loader.map_max_entries("flows", entries).map_max_entries("alternates", entries.saturating_mul(2));
        for name in pins.iter().flat_map(|_| tables()) {
            loader.map_pin_path(name, pins.map(|p| p.path(name)).unwrap_or_default());
        }
        let mut ebpf = loader.load(object)?;
        loaded::<Xdp>(&mut ebpf, XDP)?.load()?;
        loaded::<SchedClassifier>(&mut ebpf, TCX)?.load()?;
        let tables = Tables::map(setup, flows, |name| match ebpf.map(name)? {
            Map::Array(map) => Some(map.fd().as_fd()),
            _ => None,
        })?;
        Ok(Self { tables: Arc::new(tables), ebpf })
    }

    /// The tables, for everybody who has to do with flows.
    pub fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables)
    }

    /// Put the program in front of an interface, by the first of `rungs` that holds.
    ///
    /// # Errors
    ///
    /// [`AttachError`], with what each rung was refused for.
    pub fn attach(&mut self, interface: &str, rungs: &[Rung]) -> Result<Attached, AttachError> {
        super::attach::climb(interface, rungs, |rung| self.attach_by(interface, rung))
    }

    fn attach_by(&mut self, interface: &str, rung: Rung) -> Result<super::attach::Link, LoadError> {
        match rung {
            Rung::NativeXdp | Rung::GenericXdp => {
                let xdp = loaded::<Xdp>(&mut self.ebpf, XDP)?;
                super::attach::xdp(xdp, interface, rung)
            }
            Rung::Tcx => super::attach::tcx(loaded(&mut self.ebpf, TCX)?, interface),
        }
        .map_err(LoadError::from)
    }

    /// Let the program judge one frame without any network (BPF_PROG_TEST_RUN). It is as real to the tables as any other.
    ///
    /// # Errors
    ///
    /// The kernel's, for a frame that is shorter than an Ethernet header or longer than a page.
    pub fn run(&mut self, frame: Frame<'_>) -> Result<Tried, LoadError> {
        let mut out = vec![0; frame.bytes.len() + 64];
        let options =
            TestRunOptions { data_in: Some(frame.bytes), data_out: Some(&mut out), ..TestRunOptions::new() };
        let (result, pass) = match frame.rung {
            Rung::NativeXdp | Rung::GenericXdp => {
                (loaded::<Xdp>(&mut self.ebpf, XDP)?.test_run(options)?, XDP_PASS)
            }
            Rung::Tcx => (loaded::<SchedClassifier>(&mut self.ebpf, TCX)?.test_run(options)?, TCX_NEXT),
        };
        out.truncate(result.data_size_out as usize);
        Ok(if result.return_value == pass { Tried::Passed(out) } else { Tried::Forwarded(out) })
    }
}

/// The program's own words for "not mine".
const XDP_PASS: u32 = 2;
const TCX_NEXT: u32 = u32::MAX;

/// A program of an object by its name.
pub(crate) fn loaded<'e, P>(ebpf: &'e mut Ebpf, name: &str) -> Result<&'e mut P, LoadError>
where
    &'e mut P: TryFrom<&'e mut aya::programs::Program, Error = ProgramError>,
{
    let program = ebpf.program_mut(name).ok_or_else(|| LoadError::Kernel(format!("no program {name}")))?;
    Ok(program.try_into()?)
}

impl LoadError {
    /// What an error of the library's about maps means.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        if is_permission(error) { Self::Permission(lacks()) } else { Self::Kernel(told(error)) }
    }
}

impl From<EbpfError> for LoadError {
    fn from(error: EbpfError) -> Self {
        Self::of(&error)
    }
}

impl From<LinkError> for LoadError {
    fn from(error: LinkError) -> Self {
        Self::Kernel(told(&error))
    }
}

impl From<PinError> for LoadError {
    fn from(error: PinError) -> Self {
        Self::Kernel(told(&error))
    }
}

impl From<ProgramError> for LoadError {
    fn from(error: ProgramError) -> Self {
        match &error {
            _ if is_permission(&error) => Self::Permission(lacks()),
            // The last lines of the log say what was wrong.
            ProgramError::LoadError { verifier_log, .. } => {
                let log = verifier_log.to_string();
                let lines: Vec<&str> = log.lines().collect();
                Self::Verifier(lines[lines.len().saturating_sub(8)..].join(" | "))
            }
            _ => Self::Kernel(told(&error)),
        }
    }
}

/// Whether somewhere below an error the system said that we may not.
fn is_permission(error: &(dyn Error + 'static)) -> bool {
    let mut below = Some(error);
    while let Some(error) = below {
        let io = error.downcast_ref::<io::Error>();
        // The verifier says EACCES.
        if io.and_then(io::Error::raw_os_error) == Some(libc::EPERM) {
            return true;
        }
        below = error.source();
    }
    false
}

/// An error with everything below it.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        below = error.source();
    }
    text
}
