//! A program that outlives the process, and that is gone on with.

use super::{FLOWS, LoadError, Program, TCX, XDP, loaded};
use crate::xdp::attach::{Attached, Rung, replace_tcx, replace_xdp};
use crate::xdp::bpf;
use crate::xdp::pins::{Left, Pins};
use crate::xdp::tables::Setup;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::{ProgramInfo, SchedClassifier, Xdp};
use std::{fs, io};

/// The files of the program's two entries.
const PINNED_XDP: &str = "program-xdp";
const PINNED_TCX: &str = "program-tcx";

/// What was found of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inherited {
    /// Nothing.
    Nothing,
    /// Something that this program cannot go on with, and why. It is gone.
    Replaced(String),
    /// Its tables.
    Tables {
        /// The program is the same, too.
        kept: bool,
    },
}

impl Program {
    /// Load a program that outlives the process: it is pinned, and what an earlier one has pinned is gone on with, if it
    /// fits. What does not fit is taken away.
    ///
    /// # Errors
    ///
    /// [`LoadError`]: media then stays with the sockets, and nothing is pinned.
    pub(crate) fn load_pinned(
        object: &[u8],
        setup: &Setup,
        flows: usize,
        pins: &Pins,
    ) -> Result<(Self, Inherited), LoadError> {
        let flows = flows.clamp(*FLOWS.start(), *FLOWS.end());
        let left = pins.look(setup, flows);
        if let Left::Foreign(_) = left {
            pins.wipe()?;
        }
        let loaded = Self::bring(object, setup, flows, Some(pins)).and_then(|mut program| {
            let inherited = match left {
                Left::Nothing => Inherited::Nothing,
                Left::Foreign(why) => Inherited::Replaced(why),
                Left::Tables => Inherited::Tables { kept: program.is_kept(pins)? },
            };
            if !matches!(inherited, Inherited::Tables { kept: true }) {
                program.pin(pins)?;
            }
            Ok((program, inherited))
        });
        if loaded.is_err() {
            // Tables that nobody watches forward for ever.
            let _ = pins.wipe();
        }
        loaded
    }

    /// Whether both entries that are pinned are, instruction by instruction, those that we have loaded.
    fn is_kept(&mut self, pins: &Pins) -> Result<bool, LoadError> {
        let xdp = loaded::<Xdp>(&mut self.ebpf, XDP)?.info()?.tag();
        let tcx = loaded::<SchedClassifier>(&mut self.ebpf, TCX)?.info()?.tag();
        let pinned = |name| ProgramInfo::from_pin(pins.path(name)).map(|info| info.tag()).ok();
        Ok((pinned(PINNED_XDP), pinned(PINNED_TCX)) == (Some(xdp), Some(tcx)))
    }

    fn pin(&mut self, pins: &Pins) -> Result<(), LoadError> {
        for name in [PINNED_XDP, PINNED_TCX] {
            match fs::remove_file(pins.path(name)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
                Ok(()) | Err(_) => {}
            }
        }
        loaded::<Xdp>(&mut self.ebpf, XDP)?.pin(pins.path(PINNED_XDP))?;
        Ok(loaded::<SchedClassifier>(&mut self.ebpf, TCX)?.pin(pins.path(PINNED_TCX))?)
    }

    /// Go on with a link of an earlier run, if it stands before `ifindex` by one of `rungs`; the program behind it is then
    /// ours, with no packet in between. Links that are no use are taken away.
    pub(crate) fn inherit(
        &mut self,
        pins: &Pins,
        interface: &str,
        ifindex: u32,
        rungs: &[Rung],
    ) -> Result<Option<Attached>, LoadError> {
        for (before, rung, path) in pins.links() {
            if before != ifindex {
                continue;
            }
            let stands =
                bpf::pinned_link(&path).ok().filter(|(on, _)| *on == ifindex && rungs.contains(&rung));
            let Some((_, behind)) = stands else {
                fs::remove_file(&path)?;
                continue;
            };
            let entry = if rung == Rung::Tcx { PINNED_TCX } else { PINNED_XDP };
            let ours = ProgramInfo::from_pin(pins.path(entry)).is_ok_and(|info| info.id() == behind);
            let mut link = PinnedLink::from_pin(&path)?;
            if !ours {
                let fd = FdLink::from(link);
                link = match rung {
                    Rung::NativeXdp | Rung::GenericXdp => {
                        replace_xdp(loaded::<Xdp>(&mut self.ebpf, XDP)?, fd)
                    }
                    Rung::Tcx => replace_tcx(loaded::<SchedClassifier>(&mut self.ebpf, TCX)?, fd),
                }
                .and_then(|()| Ok(PinnedLink::from_pin(&path)?))?;
            }
            return Ok(Some(Attached::inherited(interface, rung, link, path)));
        }
        Ok(None)
    }
}
