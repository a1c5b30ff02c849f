//! Stories of the transaction layer.
