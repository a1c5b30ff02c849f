//! In which order a call tries the trunks of its route.

use super::plan::drawn_by_weight;
use crate::rng::Rng;
use crate::{TrunkChoice, TrunkId};
use smallvec::SmallVec;

/// The trunks of a route by cost, and at random by weight among those that cost the same. `choices` are in the order of
/// their cost. A weight of 0 comes after all others of its cost.
pub(crate) fn in_order(choices: &[TrunkChoice], rng: &mut Rng) -> SmallVec<[TrunkId; 4]> {
    let mut ordered = SmallVec::new();
    for alike in choices.chunk_by(|one, next| one.cost == next.cost) {
        match alike {
            // Mostly nothing is left to chance.
            [only] => ordered.push(only.trunk),
            _ => {
                let mut left: SmallVec<[(TrunkId, u64); 16]> =
                    alike.iter().map(|choice| (choice.trunk, u64::from(choice.weight))).collect();
                drawn_by_weight(&mut left, alike.len(), rng, &mut |trunk| ordered.push(trunk));
                ordered.extend(left.into_iter().map(|(trunk, _)| trunk));
            }
        }
    }
    ordered
}
