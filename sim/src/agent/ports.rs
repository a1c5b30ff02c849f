//! Media ports, two for each stream: never used twice, not even by another life of the agent.

/// The first.
const FIRST: u16 = 20_000;

/// Whose each pair is.
#[derive(Debug, Default)]
pub(super) struct Ports(Vec<Option<usize>>);

impl Ports {
    /// The next pair, for a leg.
    pub(super) fn open(&mut self, leg: usize) -> u16 {
        let pairs = u16::try_from(self.0.len()).expect("few streams");
        self.0.push(Some(leg));
        FIRST + 2 * pairs
    }

    /// The leg that has this port, or its neighbour.
    pub(super) fn leg(&self, port: u16) -> Option<usize> {
        let pair = port.checked_sub(FIRST)? / 2;
        self.0.get(usize::from(pair)).copied().flatten()
    }

    /// Nobody listens any more.
    pub(super) fn close(&mut self) {
        self.0.fill(None);
    }
}
