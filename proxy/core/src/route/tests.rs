//! Stories of routing.
