//! A dialog keeps its route set whole or does not begin: cut short it would lead somewhere else.

mod common;

use common::{Stage, answer, invite, sdp, what, whats};

const CARRIER: &str = "192.0.2.1:5060";
const EDGE: &str = "10.1.0.11:5060";

fn path(proxies: usize) -> String {
    let proxies: Vec<_> = (0..proxies).map(|n| format!("<sip:192.0.2.1;lr;n={n}>")).collect();
    format!("Record-Route: {}\r\n", proxies.join(","))
}

#[test]
fn an_invite_that_came_over_more_proxies_than_a_dialog_keeps_is_refused_and_one_over_seventy_is_not() {
    let sdp = sdp("192.0.2.9", 4000);
    let over =
        |proxies| invite("far", &sdp).replacen("Record-Route: <sip:192.0.2.1;lr>\r\n", &path(proxies), 1);
    let mut stage = Stage::new();
    stage.receive(CARRIER, &over(71));
    assert_eq!(whats(&stage.take(CARRIER)), ["100 INVITE", "513 INVITE"]);
    assert!(stage.sent.is_empty());

    let mut stage = Stage::new();
    stage.receive(CARRIER, &over(70));
    assert_eq!(whats(&stage.take(CARRIER)), ["100 INVITE"]);
    let asked = stage.sent.clone();
    assert_eq!(asked.iter().map(|(_, text)| what(text)).collect::<Vec<_>>(), ["INVITE"]);
}

#[test]
fn an_answer_over_such_a_path_is_acknowledged_and_ended() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("far", &sdp("192.0.2.9", 4000)));
    let (edge, asked) =
        stage.sent.iter().find(|(_, text)| what(text) == "INVITE").cloned().expect("an INVITE");
    let ok = answer(&asked, 200, "far", EDGE, &sdp("10.1.0.11", 5000));
    let ok = ok.replacen("Contact:", &format!("{}Contact:", path(71)), 1);
    stage.sent.clear();
    stage.receive(&edge.to_string(), &ok);
    let said: Vec<_> = stage.sent.iter().map(|(_, text)| what(text)).collect();
    assert_eq!(said, ["ACK", "BYE"]);
    let bye = &stage.sent[1].1;
    assert_eq!(bye.matches("\r\nRoute: ").count(), 71, "by the whole path");
    assert!(bye.find("n=70").unwrap() < bye.find("n=0>").unwrap(), "and back the way that the answer came");
}
