//! What holds for every message, and a second opinion, over messages drawn at random.

mod agreed;
mod generate;
mod oracle;
mod properties;
