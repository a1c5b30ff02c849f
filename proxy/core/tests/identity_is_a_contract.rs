//! Who calls whom, as each side hears it: by profile, by what was said, by direction, and the same on every way that the call
//! may take: at once, after a hunt, after its region has died.

mod common;

use common::*;
use proxy_core::{
    Asserts, Diversions, HostPart, Hosts, Input, Marking, NumberFormat, NumberPlan, NumberStyle, Numbers,
    PrivacyService, Profile, ProfileId, RegionState, TargetState,
};
use relay_values::Duration;
use std::sync::Arc;

/// Header fields that say who calls whom.
const TELLS: [&str; 14] = [
    "From",
    "To",
    "Contact",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Remote-Party-ID",
    "Privacy",
    "Diversion",
    "History-Info",
    "Identity",
    "Resource-Priority",
    "P-Charging-Vector",
    "User-to-User",
    "X-Account",
];

/// A carrier's, `0`, and the tier's, `1`.
fn stage(carrier: Profile, tier: Profile) -> Stage {
    let mut config = config();
    config.profiles = vec![carrier, tier];
    config.trunks[0].manners.profile = Some(ProfileId(0));
    for group in &mut config.groups {
        group.manners.profile = Some(ProfileId(1));
    }
    Stage::with(config)
}

/// An INVITE from `source` whose From and further headers are `said`.
fn says(source: &str, uri: &str, said: &str) -> String {
    let host = source.split(':').next().unwrap();
    let head = format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bKsays\r\nMax-Forwards: 70\r\n\
         To: <{uri}>\r\nCall-ID: says@{host}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@{source}>\r\n{said}"
    );
    with_body(&head, &sdp(host, 30000))
}

/// What an INVITE says of who calls whom, a line each, without tags; the edges' own addresses are `EDGE`.
fn told(invite: &str) -> Vec<String> {
    let edge = |line: &str| {
        let line = line.replace("198.51.100.1:5060", "EDGE").replace("203.0.113.1:5060", "EDGE");
        let line = line.replace("198.51.100.1", "EDGE").replace("203.0.113.1", "EDGE");
        line.split(";tag=").next().unwrap_or_default().to_owned()
    };
    let mut lines: Vec<String> = vec![edge(invite.lines().next().unwrap())];
    for name in TELLS {
        let of =
            invite.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(": ")));
        lines.extend(of.map(edge));
    }
    lines.retain(|line| *line != "Contact: <sip:192.0.2.100:5060>");
    lines
}

/// The call as the tier hears it in three ways: the first edge at once, the second after a 503 of the first, the second after
/// the answered call's region has died.
fn inbound(carrier: &Profile, tier: &Profile, uri: &str, said: &str) -> [Vec<String>; 3] {
    let begin = || {
        let mut stage = stage(carrier.clone(), tier.clone());
        stage.receive(CARRIER, &says(CARRIER, uri, said));
        let first = stage.take(EAST).remove(0);
        (stage, first)
    };
    let (mut hunted, first) = begin();
    hunted.receive(EAST, &answer(&first, 503, "t", "bob@198.51.100.1", ""));
    let second = hunted.take(WEST).remove(0);
    let (mut homed, first) = begin();
    homed.receive(EAST, &answer(&first, 200, "t", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ok = homed.take(CARRIER).pop().unwrap();
    homed.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    east_dies(&mut homed);
    let third = homed.take(WEST).remove(0);
    [told(&first), told(&second), told(&third)]
}

fn east_dies(stage: &mut Stage) {
    let mut snapshot = (*stage.snapshot).clone();
    snapshot.generation += 1;
    snapshot.health[0].state = TargetState::Down;
    snapshot.regions[0].state = RegionState::Down;
    (snapshot.regions[0].since, snapshot.regions[0].suspected) = (stage.now, stage.now);
    stage.snapshot = Arc::new(snapshot);
    let snapshot = stage.snapshot.clone();
    stage.input(Input::Snapshot(snapshot));
    stage.pass(Duration::ZERO);
}

/// The call as the carrier hears it, from an edge of either region.
fn outbound(carrier: &Profile, tier: &Profile, uri: &str, said: &str) -> [Vec<String>; 2] {
    [EAST, WEST].map(|edge| {
        let mut stage = stage(carrier.clone(), tier.clone());
        stage.receive(edge, &says(edge, uri, said));
        told(&stage.take(CARRIER).remove(0))
    })
}

#[track_caller]
fn all_hear<const N: usize>(ways: [Vec<String>; N], lines: &[&str]) {
    for (way, heard) in ways.iter().enumerate() {
        assert_eq!(heard, lines, "way {way}");
    }
}

fn germany() -> NumberPlan {
    NumberPlan {
        country: "49".into(),
        national: "0".into(),
        international: "00".into(),
        short_digits: 6,
        ..NumberPlan::default()
    }
}

fn in_format(format: NumberFormat) -> Numbers {
    let style = NumberStyle { format, prefix: String::new() };
    Numbers { called: style.clone(), calling: style.clone(), asserted: style.clone(), diverting: style }
}

fn e164() -> Profile {
    Profile { plan: germany(), numbers: in_format(NumberFormat::E164), ..Profile::default() }
}

fn national() -> Profile {
    Profile { plan: germany(), numbers: in_format(NumberFormat::National), ..Profile::default() }
}

const FULL: &str = "From: \"Ann\" <sip:030111111@carrier.example>;tag=1\r\n\
    P-Asserted-Identity: <sip:030222222@carrier.example>\r\nDiversion: <sip:030333333@carrier.example>;reason=user-busy;counter=2\r\n";

#[test]
fn who_has_no_profile_is_told_what_was_said() {
    let lines = [
        "INVITE sip:030444444@EDGE SIP/2.0",
        "From: \"Ann\" <sip:030111111@192.0.2.100>",
        "To: <sip:030444444@EDGE>",
        "P-Asserted-Identity: <sip:030222222@192.0.2.100>",
        "Diversion: <sip:030333333@carrier.example>;reason=user-busy;counter=2",
    ];
    let plain = Profile::default();
    all_hear(inbound(&plain, &plain, "sip:030444444@192.0.2.100", FULL), &lines);
}

#[test]
fn numbers_change_their_form_between_two_neighbours_and_nothing_else_does() {
    let lines = [
        "INVITE sip:+4930444444@EDGE SIP/2.0",
        "From: \"Ann\" <sip:+4930111111@192.0.2.100>",
        "To: <sip:+4930444444@EDGE>",
        "P-Asserted-Identity: <sip:+4930222222@192.0.2.100>",
        "Diversion: <sip:+4930333333@carrier.example>;reason=user-busy;counter=2;privacy=off",
    ];
    all_hear(inbound(&national(), &e164(), "sip:030444444@192.0.2.100", FULL), &lines);
    let back = [
        "INVITE sip:030444444@192.0.2.1:5060 SIP/2.0",
        "From: \"Ann\" <sip:0044207946@192.0.2.100>",
        "To: <sip:030444444@192.0.2.1>",
    ];
    let said = "From: \"Ann\" <sip:+44207946@tier.example>;tag=1\r\n";
    all_hear(outbound(&national(), &e164(), "sip:+4930444444@192.0.2.100", said), &back);
}

#[test]
fn a_short_code_is_the_same_everywhere() {
    let lines =
        ["INVITE sip:110@192.0.2.1:5060 SIP/2.0", "From: <sip:*67@192.0.2.100>", "To: <sip:110@192.0.2.1>"];
    let said = "From: <sip:*67@tier.example>;tag=1\r\n";
    all_hear(outbound(&national(), &e164(), "sip:110@192.0.2.100", said), &lines);
}

#[test]
fn nobody_untrusted_asserts_anything_in_whatever_disguise() {
    let untrusted = Profile { trusts: false, ..Profile::default() };
    let lines = ["INVITE sip:1@EDGE SIP/2.0", "From: <sip:+4930111111@192.0.2.100>", "To: <sip:1@EDGE>"];
    for forged in [
        "P-Asserted-Identity: <sip:+1@x>",
        "P-Asserted-Identity : <sip:+1@x>",
        "p-asserted-IDENTITY\t: <sip:+1@x>",
        "P-Asserted-Identity:\r\n <sip:+1@x>",
        "P-Asserted-Identity: <sip:+1@x>, <tel:+2>\r\nP-Asserted-Identity: <sip:+3@x>",
        "Remote-Party-ID: <sip:+1@x>;party=calling;screen=yes",
        "P-Preferred-Identity: <sip:+1@x>",
        "Diversion: <sip:+1@x>;reason=unconditional",
        "History-Info: <sip:+1@x>;index=1",
        "P-Charging-Vector: icid-value=1",
        "X-Account: 1",
    ] {
        let said = format!(
            "From: <sip:+4930111111;verstat=TN-Validation-Passed@carrier.example>;tag=1\r\n{forged}\r\n"
        );
        all_hear(inbound(&untrusted, &Profile::default(), "sip:1@192.0.2.100", &said), &lines);
        let disbelieved = |profile: &Profile| {
            let mut stage = stage(profile.clone(), Profile::default());
            stage.receive(CARRIER, &says(CARRIER, "sip:1@192.0.2.100", &said));
            stage.shard.counters().disbelieved
        };
        // A header field that no profile takes is nobody's assertion.
        assert_eq!(disbelieved(&untrusted), u64::from(!forged.starts_with("X-")), "{forged}");
        assert_eq!(disbelieved(&Profile::default()), 0, "{forged}");
    }
}

#[test]
fn an_anonymous_call_names_its_caller_inside_the_trust_domain_alone() {
    let said = "From: \"Ann\" <sip:+4930111111@tier.example>;tag=1\r\nP-Asserted-Identity: <sip:+4930222222@tier.example>\r\n\
                Privacy: id;user\r\n";
    let serving = |trusted| Profile { privacy: PrivacyService::Us, trusted, ..Profile::default() };
    let head = [
        "INVITE sip:+44@192.0.2.1:5060 SIP/2.0",
        "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>",
        "To: <sip:+44@192.0.2.1>",
    ];
    let asserted = ["P-Asserted-Identity: <sip:+4930222222@192.0.2.100>", "Privacy: id"];
    let uri = "sip:+44@192.0.2.100";
    all_hear(outbound(&serving(true), &Profile::default(), uri, said), &[&head[..], &asserted].concat());
    all_hear(outbound(&serving(false), &Profile::default(), uri, said), &head);
    // Two lines that contradict each other: what was asked for once is not taken back.
    let twice = said.replace("Privacy: id;user", "Privacy: header\r\nPrivacy: id");
    all_hear(outbound(&serving(false), &Profile::default(), uri, &twice), &head);
    let open = said.replace("id;user", "none");
    let shown = [
        "INVITE sip:+44@192.0.2.1:5060 SIP/2.0",
        "From: \"Ann\" <sip:+4930111111@192.0.2.100>",
        "To: <sip:+44@192.0.2.1>",
        "P-Asserted-Identity: <sip:+4930222222@192.0.2.100>",
        "Privacy: none",
    ];
    all_hear(outbound(&serving(false), &Profile::default(), uri, &open), &shown);
}

#[test]
fn a_number_that_a_trunk_may_not_present_is_shown_as_its_own() {
    let trunk = Profile {
        presents: vec!["+4930111".into()],
        default_caller: Some("+4930111000".into()),
        asserts: Asserts { asserted: true, preferred: true, remote_party: true, always: true },
        ..Profile::default()
    };
    let lines = |number: &str| {
        vec![
            "INVITE sip:+44@192.0.2.1:5060 SIP/2.0".to_owned(),
            format!("From: <sip:{number}@192.0.2.100>"),
            "To: <sip:+44@192.0.2.1>".to_owned(),
            format!("P-Asserted-Identity: <sip:{number}@192.0.2.100>"),
            format!("P-Preferred-Identity: <sip:{number}@192.0.2.100>"),
            format!("Remote-Party-ID: <sip:{number}@192.0.2.100>;party=calling;screen=yes;privacy=off"),
        ]
    };
    for (said, shown) in
        [("+4930111222", "+4930111222"), ("+12015550123", "+4930111000"), ("alice", "+4930111000")]
    {
        let from = format!("From: <sip:{said}@tier.example>;tag=1\r\n");
        let heard = outbound(&trunk, &Profile::default(), "sip:+44@192.0.2.100", &from);
        assert_eq!(heard, [lines(shown), lines(shown)], "{said}");
    }
}

#[test]
fn one_header_of_diversions_becomes_the_other() {
    let as_history = Profile { diversion: Diversions::HistoryInfo, ..Profile::default() };
    let said = "From: <sip:+1@t.example>;tag=1\r\nDiversion: <sip:+3@a.example>;reason=unconditional;privacy=full\r\n\
                Diversion: <sip:+2@b.example>;reason=no-answer;counter=1\r\n";
    let head = |number: &str| {
        vec![
            format!("INVITE sip:{number}@192.0.2.1:5060 SIP/2.0"),
            "From: <sip:+1@192.0.2.100>".to_owned(),
            format!("To: <sip:{number}@192.0.2.1>"),
        ]
    };
    let mut lines = head("+4");
    lines.push("History-Info: <sip:+2@b.example>;index=1".to_owned());
    lines.push("History-Info: <sip:+3@a.example;cause=408?Privacy=history>;index=1.1;mp=1".to_owned());
    lines.push("History-Info: <sip:+4@192.0.2.1;cause=302>;index=1.1.1;mp=1.1".to_owned());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    all_hear(outbound(&as_history, &Profile::default(), "sip:+4@192.0.2.100", said), &lines);
    let as_diversion = Profile { diversion: Diversions::Diversion, ..Profile::default() };
    let said = "From: <sip:+1@t.example>;tag=1\r\nHistory-Info: <sip:+2@b.example>;index=1, \
                <sip:+3@a.example;cause=408?Privacy=history>;index=1.1;mp=1,<sip:+4@c.example;cause=302>;index=1.1.1;mp=1.1\r\n";
    let mut lines = head("+4");
    lines.push("Diversion: <sip:+3@a.example>;reason=unconditional;counter=1;privacy=full".to_owned());
    lines.push("Diversion: <sip:+2@b.example>;reason=no-answer;counter=1;privacy=off".to_owned());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    all_hear(outbound(&as_diversion, &Profile::default(), "sip:+4@192.0.2.100", said), &lines);
}

#[test]
fn a_trunk_is_named_and_told_what_its_profile_says() {
    let trunk = Profile {
        hosts: Hosts {
            calling: HostPart::Named("pbx.example".into()),
            called: HostPart::Named("carrier.example".into()),
            ..Hosts::default()
        },
        marking: Marking::Put { group: "tg-1".into(), context: "pbx.example".into(), in_contact: true },
        charging: true,
        uui: true,
        passports: false,
        sends: vec!["x-account".into()],
        ..Profile::default()
    };
    let tier = Profile { takes: vec!["X-Account".into(), "X-Secret".into()], ..Profile::default() };
    let said = "From: <sip:+1@t.example>;tag=1\r\nX-Account: 7\r\nX-Secret: 8\r\nX-Other: 9\r\nP-Charging-Vector: icid-value=a\r\n\
                User-to-User: 00;encoding=hex\r\nIdentity: a.b.c;info=<https://x.example/a>\r\nResource-Priority: ets.1\r\n";
    let lines = [
        "INVITE sip:+4;tgrp=tg-1;trunk-context=pbx.example@192.0.2.1:5060 SIP/2.0",
        "From: <sip:+1@pbx.example>",
        "To: <sip:+4@carrier.example>",
        "Contact: <sip:+1;tgrp=tg-1;trunk-context=pbx.example@192.0.2.100:5060>",
        "Resource-Priority: ets.1",
        "P-Charging-Vector: icid-value=a",
        "User-to-User: 00;encoding=hex",
        "x-account: 7",
    ];
    let heard = outbound(&trunk, &tier, "sip:+4;tgrp=inside;trunk-context=tier.example@192.0.2.100", said);
    for way in heard {
        let way: Vec<String> = way.iter().map(|line| line.replace("X-Account", "x-account")).collect();
        assert_eq!(way, lines);
    }
}

#[test]
fn nothing_that_is_said_adds_a_header_that_was_not_built() {
    let taking = Profile { takes: vec!["X-Account".into()], ..Profile::default() };
    let plain = Profile { sends: vec!["X-Account".into()], ..Profile::default() };
    let count = |invite: &[String]| invite.len();
    let honest = "From: \"Ann\" <sip:+1@x>;tag=1\r\nDiversion: <sip:+2@x>\r\nX-Account: 1\r\n";
    let expected = count(&inbound(&taking, &plain, "sip:1@192.0.2.100", honest)[0]);
    for said in [
        "From: \"Ann\\\r\n X-Account: 2\" <sip:+1@x>;tag=1\r\nDiversion: <sip:+2@x>\r\nX-Account: 1\r\n",
        "From: \"Ann%0d%0aX-Account:2\" <sip:+1%0d%0aX-Account:2@x>;tag=1\r\nDiversion: <sip:+2@x>\r\nX-Account: 1\r\n",
        "From: \"Ann\" <sip:+1@x>;tag=1\r\nDiversion: <sip:+2%0d%0aX-Account:2@x>\r\nX-Account: 1\r\n",
        "From: \"Ann\" <sip:+1@x>;tag=1\r\nDiversion: <sip:+2@x>\r\nX-Account: 1\r\n X-Account: 2\r\n",
        "From: \"A\0nn\" <sip:+1@x>;tag=1\r\nDiversion: <sip:+2@x>\r\nX-Account: 1\r\n",
    ] {
        for way in inbound(&taking, &plain, "sip:1@192.0.2.100", said) {
            assert_eq!(count(&way), expected, "{said:?}: {way:?}");
        }
    }
}

proptest::proptest! {
    /// For any call and any trunk, what the carrier hears is a function of the two: no edge, no region and no state of health
    /// has a part in it.
    #[test]
    fn what_the_carrier_hears_depends_on_the_call_and_the_trunk_alone(
        calling in "(\\+|00|0)?[0-9]{3,14}",
        called in "\\+[0-9]{6,14}",
        display in "[ -~]{0,12}",
        privacy in proptest::sample::select(vec!["", "Privacy: id\r\n", "Privacy: user;critical\r\n", "Privacy: none\r\n"]),
        diverted in proptest::bool::ANY,
        profile in 0_usize..4,
    ) {
        let trunk = [
            Profile::default(),
            national(),
            Profile { privacy: PrivacyService::Us, trusted: false, ..e164() },
            Profile { presents: vec!["+49".into()], default_caller: Some("+4930".into()), ..e164() },
        ][profile].clone();
        let diversion = if diverted { "Diversion: <sip:030123456@x>;reason=away\r\n" } else { "" };
        let said = format!("From: {display:?} <sip:{calling}@t.example>;tag=1\r\n{privacy}{diversion}");
        let [east, west] = outbound(&trunk, &e164(), &format!("sip:{called}@192.0.2.100"), &said);
        proptest::prop_assert_eq!(east, west);
        let [first, second, third] = inbound(&trunk, &e164(), &format!("sip:{called}@192.0.2.100"), &said);
        proptest::prop_assert_eq!(&first, &second);
        proptest::prop_assert_eq!(&first, &third);
    }
}
