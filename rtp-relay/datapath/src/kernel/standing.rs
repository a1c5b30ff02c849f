//! What an operator is told.

use std::fmt;

/// What carries media, for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Where the kernel engine stands, one line for each interface, with what did not hold and why.
    pub kernel: Vec<String>,
    /// What the sockets carry alone, and why.
    pub sockets: Vec<String>,
    /// How the sockets are served, with the faster engines that cannot be had and why.
    pub engine: String,
    /// What becomes of the kernel engine's flows when the process is killed, and what it found of an earlier one.
    pub survival: Option<String>,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.kernel.iter().map(|k| format!("kernel: {k}"));
        let lines = lines.chain(self.sockets.iter().map(|s| format!("sockets: {s}")));
        let lines = lines.chain([format!("sockets: served by {}", self.engine)]);
        let lines = lines.chain(self.survival.iter().map(|s| format!("survival: {s}")));
        f.write_str(&lines.collect::<Vec<_>>().join("; "))
    }
}
