//! Stories about names.

mod addresses;
mod bad_answers;
mod health;
mod placed;
mod records;
mod servers_gone;
mod times;
mod zone;
