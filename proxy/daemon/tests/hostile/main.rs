//! Hostile input against the real daemon: after each row of the table an ordinary call goes through, and at the end the
//! process holds what it held at the start.

mod agent;
mod credentials;
mod floods;
mod line;
mod process;
mod reflection;
mod rows;
mod segments;
mod table;
#[path = "../audited/tap.rs"]
mod tap;
mod throng;
