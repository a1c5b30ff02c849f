//! Outbound REGISTER: a trunk that finds us where we say that we are (RFC 3261 §10, RFC 5626 §4.5).
//!
//! Part of the health core, which has the times, the sockets and the snapshots: a binding is one more thing that decides where
//! a call may go. [`machine`] is one trunk's registration, [`request`] what is said and read, [`all`] the lot of them.

mod all;
mod machine;
mod request;

pub use all::RegistrationView;
pub(crate) use all::Registrations;
pub(crate) use request::is_for_registration;
