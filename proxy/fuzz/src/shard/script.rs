//! The data, read as a script. What is missing at its end is 0.

/// What is left of it.
pub(super) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// So many bytes, or what is left.
    pub(super) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// One of these.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()]
    }

    /// One of the last of these; byte 0 is the very last.
    pub(super) fn recent<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        let back = usize::from(self.byte());
        of.len().checked_sub(1 + back % of.len().max(1)).and_then(|at| of.get(at))
    }
}
