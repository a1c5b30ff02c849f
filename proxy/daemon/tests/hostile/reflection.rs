//! Nobody makes us speak to somebody else, nor say more than we were told.

use crate::agent::{self, Agent};
use crate::process::Daemon;
use crate::rows::{OPTIONS, fill};

// Rules: via-received
#[test]
fn no_via_makes_us_answer_somebody_else() {
    let daemon = Daemon::start(11, "");
    let (carrier, edge) = (Agent::at(daemon.carrier(5060)), Agent::at(daemon.edge()));
    let victim = Agent::at(daemon.stranger(5060));
    let at = victim.at;
    let vias = [
        format!("Via: SIP/2.0/UDP {at};branch=z9hG4bK«id»"),
        format!("Via: SIP/2.0/UDP «at»;branch=z9hG4bK«id»;maddr={}", at.ip()),
        format!("Via: SIP/2.0/UDP «at»;branch=z9hG4bK«id»;received={}", at.ip()),
        format!("Via: SIP/2.0/UDP «at»;branch=z9hG4bK«id»;received={};rport={}", at.ip(), at.port()),
        format!("Via: SIP/2.0/UDP {at};branch=z9hG4bK«id»;rport;maddr={}", at.ip()),
    ];
    for (n, via) in vias.iter().enumerate() {
        let text = OPTIONS.replace("Via: SIP/2.0/«t» «at»;branch=z9hG4bK«id»;rport", via);
        assert_ne!(text, OPTIONS);
        carrier.send(fill(text.as_bytes(), b"", carrier.at, "UDP", &format!("r{n}")), daemon.sip());
        let response = carrier.next(via, |m| m.code() == Some(200));
        assert_eq!(response.call_id(), Ok(format!("r{n}").as_bytes()));
        agent::call(&daemon, &carrier, &edge, &format!("after{n}"));
    }
    assert_eq!(victim.at_once(), None);
}

#[test]
fn a_stranger_who_is_answered_gets_no_more_than_it_sent() {
    let daemon = Daemon::refusing(12);
    let (carrier, edge) = (Agent::at(daemon.carrier(5060)), Agent::at(daemon.edge()));
    let stranger = Agent::at(daemon.stranger(5060));
    let small = "OPTIONS sip:x SIP/2.0\r\nv:SIP/2.0/UDP «at»;branch=z9hG4bK«id»\r\nf:<sip:x>;tag=1\r\nt:<sip:x>\r\ni:«id»\r\n\
        CSeq:1 OPTIONS\r\n\r\n";
    let wide = format!(
        "OPTIONS sip:x SIP/2.0\r\nv:SIP/2.0/UDP «at»;branch=z9hG4bK«id»{}\r\nf:<sip:x>;tag=1\r\nt:<sip:x>\r\n\
        i:«id»\r\nCSeq:1 OPTIONS\r\n\r\n",
        ",SIP/2.0/UDP a".repeat(1_000)
    );
    for (n, text) in [small, &wide, OPTIONS].into_iter().enumerate() {
        let sent = fill(text.as_bytes(), b"", stranger.at, "UDP", &format!("a{n}"));
        stranger.send(&sent, daemon.sip());
        agent::call(&daemon, &carrier, &edge, &format!("after{n}"));
        let answers: Vec<_> = std::iter::from_fn(|| stranger.at_once()).collect();
        let bytes: usize = answers.iter().map(|answer| answer.len()).sum();
        assert!(answers.len() <= 1 && bytes <= sent.len(), "{bytes} bytes for {}", sent.len());
    }
}
