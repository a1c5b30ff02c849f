//! Kamailio from Debian, as a proxy that forwards every call to the answerer.

use super::{DEVICE, Recipe, UAS};
use crate::machine;

const PLAIN: &str = include_str!("../../peers/kamailio.cfg");
const HIDING: &str = include_str!("../../peers/kamailio-hiding.cfg");

/// Stateful (tm), record-routing, no dialogs.
pub fn plain(children: u32) -> Recipe {
    recipe("kamailio", "stateful proxy: tm, rr", PLAIN, children)
}

/// The same with dialogs and topology hiding.
pub fn hiding(children: u32) -> Recipe {
    recipe("kamailio-hiding", "stateful proxy: tm, rr, dialog, topoh", HIDING, children)
}

fn recipe(name: &str, what: &str, template: &str, children: u32) -> Recipe {
    let config = template
        .replace("{children}", &children.to_string())
        .replace("{listen}", &DEVICE.to_string())
        .replace("{next}", &UAS.to_string());
    // In the foreground, with room for 20,000 dialogs. Its fast memory manager: Debian's default, the one for debugging,
    // takes two thirds of the CPU under this load (0.7 CPU-seconds per 1,000 calls instead of 0.27).
    let command = [
        "kamailio", "-DD", "-E", "-f", "{config}", "-w", "{folder}", "-Y", "{folder}", "-m", "1024", "-M",
        "64", "-x", "fm", "-X", "fm",
    ];
    Recipe {
        name: name.to_owned(),
        program: "kamailio".to_owned(),
        note: format!("{}; {what}; children={children}", machine::said("kamailio", &["-v"])),
        config: ("kamailio.cfg".to_owned(), config),
        command: command.map(str::to_owned).to_vec(),
        ready: DEVICE,
    }
}
