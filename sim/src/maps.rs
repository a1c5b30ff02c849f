//! Maps that hash fast and alike in every run: nobody here chooses keys to hurt us.

use foldhash::fast::FixedState;

pub(crate) type Map<K, V> = std::collections::HashMap<K, V, FixedState>;
pub(crate) type Set<K> = std::collections::HashSet<K, FixedState>;
