//! Calls between peers that are not ours: SIPp as the carrier and as the tier, Kamailio in front of it or not, baresip as a
//! phone, the real appliance between them.
//!
//! The scenarios are benches/sipp, and those of `flows` are written by the stories themselves. What SIPp saw is its exit status and its count of calls; what the appliance saw is
//! its records. `cargo xtask test` installs them; without them these stories fail and say what to type.

mod asked;
#[path = "../audited/appliance.rs"]
mod audited;
#[path = "../../../stir/tests/common/mod.rs"]
mod authority;
mod baresip;
mod calls;
mod certified;
mod credentials;
mod flows;
mod inside_the_call;
mod kamailio;
mod line;
mod lines;
mod moved;
mod over_tls;
mod peer;
mod place;
mod refusals;
mod rehome;
mod signed;
mod space;
#[path = "../audited/tap.rs"]
mod tap;
#[expect(dead_code, reason = "the stories use all of it")]
#[path = "../tls/ca.rs"]
mod tls_ca;
mod wire;
