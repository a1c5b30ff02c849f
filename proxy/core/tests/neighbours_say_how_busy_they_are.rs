//! Overload that is told before it hurts (RFC 7339, RFC 7415).

mod common;

use common::{CARRIER, EAST, Stage, WEST, answer, config, header, invite, sdp};
use proxy_core::{Config, Input, RejectReason};
use relay_values::Duration;

fn asking() -> Config {
    let mut config = config();
    config.overload.ask_peers = true;
    config
}

fn offer() -> String {
    sdp("192.0.2.1", 4000)
}

/// The carrier asks.
fn asks(call: &str) -> String {
    invite(call, &offer())
        .replace(&format!("branch=z9hG4bK{call}"), &format!("branch=z9hG4bK{call};oc;oc-algo=\"loss,A\""))
}

/// What a response says of our load, in percent.
fn said(response: &str) -> u32 {
    let via = header(response, "Via");
    assert!(via.contains(";oc-algo=\"loss\"") && !via.contains("loss,A"), "{via}");
    assert!(via.contains(";oc-validity=500") && via.contains(";oc-seq="), "{via}");
    via.split(";oc=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap()
}

#[test]
fn who_asks_is_told_how_much_less_to_send_and_who_does_not_is_told_nothing() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("plain", &offer()));
    assert!(!stage.take(CARRIER)[0].contains(";oc"));
    stage.receive(CARRIER, &asks("calm"));
    assert_eq!(said(&stage.take(CARRIER)[0]), 0);
    for n in 0..40 {
        stage.input(Input::Waited(Duration::from_millis(60)));
        stage.receive(CARRIER, &asks(&format!("busy{n}")));
        stage.pass(Duration::from_millis(20));
    }
    let answers = stage.take(CARRIER);
    let last = answers.iter().rfind(|m| m.starts_with("SIP/2.0 503")).unwrap();
    assert!(said(last) > 50, "{last}");
    assert!(!last.contains("Retry-After"), "less is wanted, not nothing");
}

#[test]
fn a_target_that_asks_for_less_gets_less_and_another_gets_the_rest() {
    let mut stage = Stage::with(asking());
    stage.receive(CARRIER, &invite("first", &offer()));
    let first = stage.take(EAST).pop().unwrap();
    assert!(header(&first, "Via").contains(";oc;oc-algo=\"loss,rate\""));
    let trying = answer(&first, 100, "e", "e@198.51.100.1", "");
    stage.receive(
        EAST,
        &trying.replace(";oc;oc-algo=\"loss,rate\"", ";oc=40;oc-algo=\"loss\";oc-validity=60000;oc-seq=1.1"),
    );
    for n in 0..500 {
        stage.receive(CARRIER, &invite(&format!("c{n}"), &offer()));
    }
    let invites = |list: Vec<String>| list.iter().filter(|m| m.starts_with("INVITE ")).count();
    let (east, west) = (invites(stage.take(EAST)), invites(stage.take(WEST)));
    assert!((260..340).contains(&east), "{east} and {west}");
    assert_eq!(east + west, 500);
}

#[test]
fn where_nobody_else_is_left_what_is_too_much_is_refused_and_a_call_for_help_goes_on() {
    let mut config = asking();
    config.sites[0].groups.truncate(1);
    let mut stage = Stage::with(config);
    stage.receive(CARRIER, &invite("first", &offer()));
    let first = stage.take(EAST).pop().unwrap();
    let trying = answer(&first, 100, "e", "e@198.51.100.1", "");
    stage.receive(
        EAST,
        &trying.replace(";oc;oc-algo=\"loss,rate\"", ";oc=0;oc-algo=\"rate\";oc-validity=1000"),
    );
    stage.take(CARRIER);
    stage.receive(CARRIER, &invite("more", &offer()));
    let answers = stage.take(CARRIER);
    assert!(answers.iter().any(|m| m.starts_with("SIP/2.0 503")), "{answers:?}");
    assert_eq!(stage.shard.counters().rejected(RejectReason::PeerOverload), 1);
    let help = invite("help", &offer())
        .replace("Max-Forwards: 70", "Max-Forwards: 70\r\nResource-Priority: esnet.1");
    stage.receive(CARRIER, &help);
    assert_eq!(stage.take(EAST).len(), 1);
    stage.pass(Duration::from_secs(1));
    stage.take(EAST);
    stage.receive(CARRIER, &invite("later", &offer()));
    assert!(stage.take(EAST).iter().any(|m| m.starts_with("INVITE ")), "it has said so for a second");
}
