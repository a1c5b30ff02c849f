//! Longest prefix of a number.

use super::number::Number;

/// Prefixes of numbers and what they lead to.
///
/// A prefix with `+` matches only numbers with `+`; a prefix without matches the digits of either kind. More digits win;
/// at as many digits the prefix with `+` wins, since it says more.
#[derive(Debug, Clone)]
pub(super) struct Trie<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Debug, Clone)]
struct Node<T> {
    /// Sorted by digit.
    edges: Vec<(u8, u32)>,
    /// For every number.
    any: Option<T>,
    /// For numbers with `+`.
    global: Option<T>,
}

/// How good a match is: digits first, then whether the `+` matched too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    digits: usize,
    global: bool,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { edges: Vec::new(), any: None, global: None }
    }
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl<T> Trie<T> {
    /// Of two equal prefixes the first one stays.
    pub(super) fn insert(&mut self, prefix: &str, value: T) {
        let number = Number::new(prefix);
        let mut at = 0;
        for digit in number.digits() {
            at = self.step_or_grow(at, digit);
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            let slot = if number.global { &mut node.global } else { &mut node.any };
            slot.get_or_insert(value);
        }
    }

    /// The best prefix of `number`.
    pub(super) fn longest(&self, number: &Number<'_>) -> Option<(Rank, &T)> {
        let mut node = self.nodes.first()?;
        let mut best = node.best(number.global, 0);
        for (index, digit) in number.digits().enumerate() {
            let Some(next) = node.step(digit).and_then(|next| self.nodes.get(next as usize)) else { break };
            node = next;
            best = node.best(number.global, index + 1).or(best);
        }
        best
    }

    fn step_or_grow(&mut self, at: u32, digit: u8) -> u32 {
        // Prefixes come from a configuration file: 2^32 nodes would be more than 100 GiB of it.
        let grown = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let Some(node) = self.nodes.get_mut(at as usize) else { return at };
        match node.edges.binary_search_by_key(&digit, |edge| edge.0) {
            Ok(found) => node.edges.get(found).map_or(at, |edge| edge.1),
            Err(place) => {
                node.edges.insert(place, (digit, grown));
                self.nodes.push(Node::default());
                grown
            }
        }
    }
}

impl<T> Node<T> {
    fn step(&self, digit: u8) -> Option<u32> {
        let found = self.edges.binary_search_by_key(&digit, |edge| edge.0).ok()?;
        self.edges.get(found).map(|edge| edge.1)
    }

    fn best(&self, global: bool, digits: usize) -> Option<(Rank, &T)> {
        let with_plus = self.global.as_ref().filter(|_| global);
        with_plus
            .map(|value| (Rank { digits, global: true }, value))
            .or_else(|| self.any.as_ref().map(|value| (Rank { digits, global: false }, value)))
    }
}
