//! An appliance whose every message is read by the auditor. What it breaks fails its story, when that is over.

use crate::tap;
use bascule::config::Loaded;
use bascule::{Appliance, StartError};
use sip_tap::Tap;
use std::ops::Deref;

/// The appliance, and the tap that is judged before it stops.
pub(crate) struct Audited {
    tap: Tap,
    appliance: Appliance,
}

impl Audited {
    pub(crate) fn start(loaded: Loaded) -> Result<Self, StartError> {
        let tap = Tap::on(tap::ours(&loaded), tap::timing(&loaded));
        Ok(Self { tap, appliance: Appliance::start(loaded)? })
    }

    pub(crate) fn stop(mut self) {
        self.tap.judge();
        self.appliance.stop();
    }
}

impl Deref for Audited {
    type Target = Appliance;

    fn deref(&self) -> &Appliance {
        &self.appliance
    }
}
