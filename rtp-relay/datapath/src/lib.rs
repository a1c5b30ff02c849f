//! The engines that move packets, and batched UDP I/O for signalling: the only crate with `unsafe`.
//!
//! [`mmsg`] receives and sends many datagrams with one system call. Everything that decides (whom a packet comes from,
//! where it goes, what is counted) is in `relay-core`; this crate owns descriptors, threads and the clock.

// The workspace denies `unsafe`; this crate is the one place for it. Every block says why it is sound.
#![allow(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

pub mod mmsg;
mod sockaddr;
