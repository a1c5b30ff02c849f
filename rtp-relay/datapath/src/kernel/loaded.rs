//! The program, pinned if that can be had.

use crate::config::EngineConfig;
use crate::xdp::{Inherited, LoadError, Pins, Program, Setup};

/// The program in the kernel, and what is said of its survival.
pub(super) struct Loaded {
    pub(super) program: Program,
    pub(super) pins: Option<Pins>,
    pub(super) inherited: Inherited,
    pub(super) survival: String,
}

impl Loaded {
    pub(super) fn load(
        object: &[u8],
        config: &EngineConfig,
        setup: &Setup,
        flows: usize,
    ) -> Result<Self, LoadError> {
        let pins = match &config.pins {
            Some(dir) => Pins::open(dir),
            None => Err("no directory for pins is configured".to_owned()),
        };
        let why = match pins {
            Ok(pins) => match Program::load_pinned(object, setup, flows, &pins) {
                Ok((program, inherited)) => {
                    let at = format!("pinned under {}", pins.dir().display());
                    let survival = match &inherited {
                        Inherited::Nothing => at,
                        Inherited::Replaced(why) => {
                            format!("{at}; what an earlier run had left is replaced: {why}")
                        }
                        Inherited::Tables { kept: true } => {
                            format!("{at}; the tables of an earlier run are adopted")
                        }
                        Inherited::Tables { kept: false } => {
                            format!("{at}; the tables of an earlier run are adopted, its program is replaced")
                        }
                    };
                    return Ok(Self { program, pins: Some(pins), inherited, survival });
                }
                // It is as good without pins.
                Err(LoadError::Kernel(why)) => why,
                Err(error) => return Err(error),
            },
            Err(why) => why,
        };
        let program = Program::load_object(object, setup, flows)?;
        let survival = format!("not pinned, the kernel's flows end with the process: {why}");
        Ok(Self { program, pins: None, inherited: Inherited::Nothing, survival })
    }
}
