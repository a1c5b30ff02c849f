//! A shard, and everybody around it: messages, timeouts, generations, orders and what the relay says, in any order that bytes
//! can spell.
//!
//! The data is a script. Each step is a byte that says what happens and the bytes that it takes ([`script`]). Peers speak
//! nearly always by the book, so that calls come up, move and end, and now and then with a byte changed. When the script is
//! over, everybody hangs up and everything runs out.
//!
//! | what must hold | where |
//! |---|---|
//! | no panic; an answer to what was asked, and one final answer to each request; whole messages | [`answers`] |
//! | few outputs to one input, few new transactions, no more calls than are allowed; time does not stand still | [`stage`] |
//! | every call ends, with one record; nothing is left, and nothing more is waited for | [`stage`] |

mod answers;
mod furniture;
mod peers;
mod script;
mod stage;

use script::Script;
use stage::Stage;

/// See the module.
pub fn shard(data: &[u8]) {
    let mut script = Script::new(data);
    let mut stage = Stage::new(script.byte());
    while !script.is_over() {
        stage.step(&mut script);
    }
    stage.end();
}
