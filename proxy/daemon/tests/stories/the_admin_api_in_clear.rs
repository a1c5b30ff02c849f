//! The admin listener without a certificate, on an address that others reach.
//!
//! Needs root, `ip` and `unshare`; says so and does nothing where it may not.

use super::host::Host;
use super::http::Http;
use super::the_admin_api::{bearer, tokens};
use super::world::{Place, load, metric};
use crate::audited::Audited;
use serde_json::json;
use std::net::SocketAddr;
use std::process::Command;

#[test]
fn a_token_is_taken_in_clear_on_loopback_alone_and_what_is_for_everybody_anywhere() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: nothing was tried");
        return;
    }
    let place = Place(163);
    let admin = format!("[admin]\nlisten = \"0.0.0.0:9090\"\naccess = \"{}\"\n", tokens(place).display());
    Host::new().run(|| {
        for args in [&["link", "set", "lo", "up"][..], &["addr", "add", "192.0.2.1/24", "dev", "lo"]] {
            assert!(Command::new("ip").args(args).status().unwrap().success(), "{args:?}");
        }
        let appliance = Audited::start(load(&place.config(&admin))).unwrap();
        let (outside, inside): (SocketAddr, SocketAddr) =
            (([192, 0, 2, 1], 9090).into(), ([127, 0, 0, 1], 9090).into());
        let ask = |at, path: &str, who| Http::tcp(at).ask("GET", path, &bearer(who), "");
        for (path, who) in [("/v1/status", "admin"), ("/v1/me", "view"), ("/v1/calls", "nobody")] {
            let refused = ask(outside, path, who);
            assert_eq!((refused.status, &refused.json()["reason"]), (403, &json!("no_tls")), "{path}");
        }
        let drain = Http::tcp(outside).ask("POST", "/v1/regions/north/drain", &bearer("admin"), "");
        assert_eq!(drain.status, 403, "a token that was read on its way opens nothing");
        assert_eq!(metric(&appliance, "bascule_admin_refused_total{reason=\"no_tls\"}"), 4.0);
        for path in ["/healthz", "/metrics", "/v1/openapi.json"] {
            assert_eq!(Http::tcp(outside).get(path).status, 200, "{path} is for whoever reaches it");
        }
        assert_eq!(
            (ask(inside, "/v1/status", "admin").status, ask(inside, "/v1/me", "nobody").status),
            (200, 401)
        );
        appliance.stop();
    });
}
