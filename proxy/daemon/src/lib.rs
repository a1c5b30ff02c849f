//! Bascule, the shell: sockets, threads, clock, files and signals around two cores that know none of them.

#![forbid(unsafe_code)]

pub mod config;
