//! Stories of routing.

mod hunting;
mod numbers;
mod plans;
mod senders;
mod slow_start;
