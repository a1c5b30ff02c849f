//! What the stories of requests inside dialogs have in common.

use super::*;

/// The same message with further header fields.
pub fn with(message: &str, fields: &str) -> String {
    if fields.is_empty() {
        message.to_owned()
    } else {
        message.replacen("Call-ID", &format!("{fields}\r\nCall-ID"), 1)
    }
}

/// A message's body.
pub fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// A call that is up: the 200 that the carrier got, and the INVITE that east got. Either side may add header fields.
pub fn up_with(stage: &mut Stage, carrier: &str, east: &str) -> (String, String) {
    stage.receive(CARRIER, &with(&invite("one", &sdp("192.0.2.1", 30000)), carrier));
    let out = stage.take(EAST).remove(0);
    let ok = answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000));
    stage.receive(EAST, &with(&ok, east));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    (ok, out)
}

/// Answers a request inside a dialog, whose To has its tag already.
pub fn reply(request: &str, code: u16, contact: &str, fields: &str, body: &str) -> String {
    let to = header(request, "To");
    let plain = answer(request, code, "x", contact, body);
    let tagged = format!("To: {};tag=x", to.split(";tag").next().unwrap());
    with(&plain.replacen(&tagged, &format!("To: {to}"), 1), fields)
}

/// A request from the edge that got `invite` and has answered with this tag.
pub fn from_edge(invite: &str, (edge, tag): (&str, &str), method: &str, cseq: u32, body: &str) -> String {
    let head = format!(
        "{method} sip:192.0.2.100:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {edge};branch=z9hG4bK{tag}{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {};tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <sip:bob@{edge}>\r\n",
        header(invite, "To"),
        header(invite, "From"),
        header(invite, "Call-ID"),
    );
    with_body(&head, body)
}

/// The next generation, in which these edges and regions are down and no others.
pub fn down(stage: &mut Stage, edges: &[u16], regions: &[u16]) {
    let mut snapshot = (*stage.snapshot).clone();
    snapshot.generation += 1;
    for (id, health) in (0..).zip(&mut snapshot.health) {
        health.state = if edges.contains(&id) { TargetState::Down } else { TargetState::Up };
        health.since = stage.now;
    }
    for (id, region) in (0..).zip(&mut snapshot.regions) {
        region.state = if regions.contains(&id) { RegionState::Down } else { RegionState::Up };
        (region.since, region.suspected) = (stage.now, stage.now);
    }
    stage.snapshot = Arc::new(snapshot);
    let snapshot = stage.snapshot.clone();
    stage.input(Input::Snapshot(snapshot));
    stage.pass(Duration::ZERO);
}
