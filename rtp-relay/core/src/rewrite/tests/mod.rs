//! One receiver, many senders.

mod histories;
mod moves;
