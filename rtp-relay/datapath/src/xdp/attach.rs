//! Which way the program stands before an interface, and why.

use super::load::LoadError;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{SchedClassifierLink, TcAttachOptions};
use aya::programs::xdp::XdpLink;
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, Xdp, XdpMode};
use std::fmt;
use std::path::{Path, PathBuf};

/// A way to stand before an interface, fastest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rung {
    /// In the driver, before the packet has a buffer of the stack's.
    NativeXdp,
    /// Behind the driver: any driver, at three times the cost.
    GenericXdp,
    /// At the traffic control hook, where the kernel says whether a checksum is still to be made.
    Tcx,
}

impl Rung {
    /// Every rung, fastest first.
    pub const ALL: [Self; 3] = [Self::NativeXdp, Self::GenericXdp, Self::Tcx];

    /// A short name for logs and the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NativeXdp => "xdp_native",
            Self::GenericXdp => "xdp_generic",
            Self::Tcx => "tcx",
        }
    }
}

/// A rung that did not hold, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rung.
    pub rung: Rung,
    /// Why.
    pub why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rung.as_str(), self.why)
    }
}

/// The program stands before an interface until this is dropped.
#[derive(Debug)]
pub struct Attached {
    /// The interface.
    pub interface: String,
    /// How.
    pub rung: Rung,
    /// What was tried before, and why it did not hold.
    pub refused: Vec<Refusal>,
    /// It has stood there since an earlier run.
    pub(crate) inherited: bool,
    link: Link,
}

/// The kernel detaches the program when the link is closed and not pinned.
#[derive(Debug)]
pub(super) enum Link {
    Xdp(XdpLink),
    Tcx(SchedClassifierLink),
    #[expect(dead_code, reason = "held, not read")]
    Pinned(PinnedLink, Pin),
}

/// The file of a pinned link. A clean end removes it; a process that is killed does not.
#[derive(Debug)]
pub(super) struct Pin(PathBuf);

impl Drop for Pin {
    fn drop(&mut self) {
        // Who has removed it already has done what is to be done.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Attached {
    /// A link of an earlier run, pinned at `path`.
    pub(super) fn inherited(interface: &str, rung: Rung, link: PinnedLink, path: PathBuf) -> Self {
        let interface = interface.to_owned();
        Self { interface, rung, refused: Vec::new(), inherited: true, link: Link::Pinned(link, Pin(path)) }
    }

    /// Let it outlive the process, as the file `path`.
    pub(crate) fn pin(self, path: PathBuf) -> Result<Self, LoadError> {
        let link = match self.link {
            Link::Xdp(link) => FdLink::try_from(link)?,
            Link::Tcx(link) => FdLink::try_from(link)?,
            Link::Pinned(..) => return Ok(self),
        };
        // A link that nobody holds any more may be in the way.
        let _ = std::fs::remove_file(&path);
        let link = link.pin(&path)?;
        Ok(Self { link: Link::Pinned(link, Pin(path)), ..self })
    }
}

/// No rung held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachError {
    /// The interface.
    pub interface: String,
    /// Every rung, and why it did not hold.
    pub refused: Vec<Refusal>,
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the program cannot stand before {}", self.interface)?;
        for refusal in &self.refused {
            write!(f, "; {refusal}")?;
        }
        Ok(())
    }
}

impl std::error::Error for AttachError {}

/// The rungs to try on an interface, and those that are left out with the reason.
///
/// An interface without a device below it (veth, bridge, loopback) carries packets of this host whose checksum nobody has made
/// yet. XDP cannot see that and would send a wrong one on; at the traffic control hook the kernel knows.
pub fn ladder(interface: &str) -> (Vec<Rung>, Vec<Refusal>) {
    let device = Path::new("/sys/class/net").join(interface).join("device");
    if device.exists() {
        return (vec![Rung::NativeXdp, Rung::GenericXdp, Rung::Tcx], Vec::new());
    }
    let why = "no device below this interface: senders on this host leave checksums unmade";
    let left_out = [Rung::NativeXdp, Rung::GenericXdp].map(|rung| Refusal { rung, why: why.to_owned() });
    (vec![Rung::Tcx], left_out.to_vec())
}

/// The first rung that holds.
pub(super) fn climb(
    interface: &str,
    rungs: &[Rung],
    mut attach: impl FnMut(Rung) -> Result<Link, LoadError>,
) -> Result<Attached, AttachError> {
    let interface = interface.to_owned();
    let mut refused = Vec::new();
    for &rung in rungs {
        match attach(rung) {
            Ok(link) => return Ok(Attached { interface, rung, refused, inherited: false, link }),
            Err(why) => refused.push(Refusal { rung, why: why.to_string() }),
        }
    }
    Err(AttachError { interface, refused })
}

pub(super) fn xdp(program: &mut Xdp, interface: &str, rung: Rung) -> Result<Link, ProgramError> {
    let mode = if rung == Rung::NativeXdp { XdpMode::Driver } else { XdpMode::Skb };
    let id = program.attach(interface, mode)?;
    Ok(Link::Xdp(program.take_link(id)?))
}

pub(super) fn tcx(program: &mut SchedClassifier, interface: &str) -> Result<Link, ProgramError> {
    let order = TcAttachOptions::TcxOrder(LinkOrder::default());
    let id = program.attach_with_options(interface, TcAttachType::Ingress, order)?;
    Ok(Link::Tcx(program.take_link(id)?))
}

/// Put our program behind a link, in the place of the one that is there.
pub(super) fn replace_xdp(program: &mut Xdp, link: FdLink) -> Result<(), LoadError> {
    let id = program.attach_to_link(link.try_into()?)?;
    // The file holds it.
    drop(program.take_link(id)?);
    Ok(())
}

/// The same at the traffic control hook.
pub(super) fn replace_tcx(program: &mut SchedClassifier, link: FdLink) -> Result<(), LoadError> {
    let id = program.attach_to_link(link.try_into()?)?;
    // The file holds it.
    drop(program.take_link(id)?);
    Ok(())
}
