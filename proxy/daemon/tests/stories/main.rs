//! Stories of the real appliance over real sockets on loopback. Each has addresses of its own, so they run side by side,
//! and every message of each is read by the auditor.

#[path = "../audited/appliance.rs"]
mod audited;
#[path = "../../../stir/tests/common/mod.rs"]
mod authority;
mod browser;
mod host;
mod http;
#[path = "../audited/tap.rs"]
mod tap;
#[path = "../tls/ca.rs"]
mod tls_ca;
#[path = "../tls/line.rs"]
mod tls_line;
mod world;
mod zone;

mod a_call_goes_through;
mod a_region_falls_silent;
mod a_reload_leaves_calls_alone;
mod callers_are_signed_and_verified;
mod calls_over_tcp;
mod calls_over_tls;
mod collector;
mod deliveries;
mod large_requests;
mod listeners;
mod media_of_live_calls;
mod metrics;
mod names;
mod operators;
mod receiver;
mod records;
mod scanners_and_floods;
mod scanners_in_the_kernel;
mod shards_share_an_address;
mod strangers_and_garbage;
mod the_admin_api;
mod the_admin_api_acts;
mod the_admin_api_endures;
mod the_admin_api_in_clear;
mod the_admin_api_over_tls;
mod the_console;
mod the_service_obeys_signals;
mod traces;
