//! The flows: what both sides say, and how the call ends.

use super::scenario::Scenario;
use proxy_core::CloseReason;

/// One call between two peers that are not ours.
pub(crate) struct Flow {
    pub(crate) caller: Scenario,
    /// Nobody, where the call goes no further than the appliance.
    pub(crate) answerer: Option<Scenario>,
    pub(crate) code: u16,
    pub(crate) close: CloseReason,
}

/// A description with this version and more attributes.
pub(crate) fn sdp(version: u32, more: &str) -> String {
    lines(version, &format!("{AUDIO}{more}"))
}

fn lines(version: u32, lines: &str) -> String {
    format!(
        "v=0\no=sipp 1 {version} IN IP[media_ip_type] [media_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n{lines}"
    )
}

const AUDIO: &str =
    "m=audio [media_port] RTP/AVP 8 101\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\n";
const FAX: &str =
    "m=image [media_port] udptl t38\na=T38FaxVersion:0\na=T38FaxRateManagement:transferredTCF\n";

/// The pattern of a description that names speech, whose port is nobody else's concern.
const SPEECH: &str = "m=audio [1-9][0-9]* RTP/AVP 8";
const RELIABLY: [&str; 2] = ["Require: 100rel", "RSeq:"];

pub(super) fn flow(
    name: &str,
    caller: impl Fn(Scenario) -> Scenario,
    answerer: impl Fn(Scenario) -> Scenario,
) -> Flow {
    Flow {
        caller: caller(Scenario::caller(name)),
        answerer: Some(answerer(Scenario::answerer(name))),
        code: 200,
        close: CloseReason::ByeFromA,
    }
}

/// Every one of them.
pub(crate) fn all() -> Vec<Flow> {
    [provisionals(), updates(), offers(), refusals()].into_iter().flatten().collect()
}

/// Reliable provisionals (RFC 3262), end to end and on one leg.
fn provisionals() -> Vec<Flow> {
    let both = flow(
        "prack_both",
        |s| {
            s.calls(&["Supported: 100rel"], &sdp(1, ""))
                .gets(183, "INVITE", &[RELIABLY[0], RELIABLY[1], SPEECH])
                .acknowledges_early("")
                .gets(200, "PRACK", &[])
                .gets(200, "INVITE", &["!m=audio"])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            s.hears("INVITE", &["100rel", SPEECH])
                .answers_invite(183, &["Require: 100rel", "RSeq: 7001"], &sdp(1, ""))
                .hears("PRACK", &["RAck: 7001 [12] INVITE"])
                .answers(200, "")
                .answers_invite(200, &[], "")
                .hears("ACK", &["!m=audio"])
                .hears_bye()
        },
    );
    let callee_only = flow(
        "prack_callee",
        |s| {
            s.calls(&[], &sdp(1, ""))
                .gets(183, "INVITE", &["!100rel", "!RSeq", SPEECH])
                .gets(200, "INVITE", &[SPEECH])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            s.hears("INVITE", &["!100rel"])
                .answers_invite(183, &["Require: 100rel", "RSeq: 42"], &sdp(1, ""))
                .hears("PRACK", &["RAck: 42 [12] INVITE"])
                .answers(200, "")
                .waits(100)
                .answers_invite(200, &[], "")
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let caller_only = flow(
        "prack_caller",
        |s| {
            s.calls(&["Require: 100rel"], &sdp(1, ""))
                .gets(183, "INVITE", &[RELIABLY[0], RELIABLY[1], SPEECH])
                // Longer than the callee needs to answer: its 200 waits at the appliance.
                .waits(200)
                .acknowledges_early("")
                .gets(200, "PRACK", &[])
                .gets(200, "INVITE", &["!m=audio"])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            s.hears("INVITE", &["!Require: 100rel"])
                .answers_invite(183, &[], &sdp(1, ""))
                .waits(50)
                .answers_invite(200, &[], &sdp(1, ""))
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let late = flow(
        "prack_late_offer",
        |s| {
            s.calls(&["Supported: 100rel"], "")
                .gets(183, "INVITE", &[RELIABLY[0], RELIABLY[1], SPEECH])
                .acknowledges_early(&sdp(1, ""))
                .gets(200, "PRACK", &[])
                .gets(200, "INVITE", &["!m=audio"])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            s.hears("INVITE", &["!m=audio"])
                .answers_invite(183, &["Require: 100rel", "RSeq: 9"], &sdp(1, ""))
                .hears("PRACK", &["RAck: 9 [12] INVITE", SPEECH])
                .answers(200, "")
                .answers_invite(200, &[], "")
                .hears("ACK", &["!m=audio"])
                .hears_bye()
        },
    );
    let second = flow(
        "prack_second_offer",
        |s| {
            s.calls(&["Supported: 100rel"], &sdp(1, ""))
                .gets(183, "INVITE", &[RELIABLY[0], RELIABLY[1]])
                .acknowledges_early(&sdp(2, "a=sendonly\n"))
                .gets(200, "PRACK", &["a=recvonly"])
                .gets(200, "INVITE", &[])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            s.hears("INVITE", &[])
                .answers_invite(183, &["Require: 100rel", "RSeq: 1"], &sdp(1, ""))
                .hears("PRACK", &["a=sendonly"])
                .answers(200, &sdp(2, "a=recvonly\n"))
                .answers_invite(200, &[], "")
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let forks = flow(
        "prack_forks",
        |s| {
            s.calls(&["Supported: 100rel"], &sdp(1, ""))
                .gets(180, "INVITE", &RELIABLY)
                .acknowledges_early("")
                .gets(200, "PRACK", &[])
                .gets(183, "INVITE", &[RELIABLY[0], RELIABLY[1], SPEECH])
                .acknowledges_early("")
                .gets(200, "PRACK", &[])
                .gets(200, "INVITE", &[])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            s.hears("INVITE", &[])
                .answers_invite_as("x", 180, &["Require: 100rel", "RSeq: 100"], "")
                .hears("PRACK", &["RAck: 100 [12] INVITE", "To: .*tag=[0-9]+x"])
                .answers(200, "")
                .answers_invite(183, &["Require: 100rel", "RSeq: 5"], &sdp(1, ""))
                .hears("PRACK", &["RAck: 5 [12] INVITE", "To: .*tag=[0-9]+b"])
                .answers(200, "")
                .answers_invite(200, &[], "")
                .hears("ACK", &["To: .*tag=[0-9]+b"])
                .hears_bye()
        },
    );
    vec![both, callee_only, caller_only, late, second, forks]
}

/// UPDATE (RFC 3311), early and in a call that is up.
fn updates() -> Vec<Flow> {
    let early_caller = |s: Scenario| {
        s.calls(&["Supported: 100rel"], &sdp(1, ""))
            .gets(183, "INVITE", &[RELIABLY[0], RELIABLY[1], SPEECH])
            .acknowledges_early("")
            .gets(200, "PRACK", &[])
    };
    let early_answerer = |s: Scenario| {
        s.hears("INVITE", &[])
            .answers_invite(183, &["Require: 100rel", "RSeq: 1"], &sdp(1, ""))
            .hears("PRACK", &[])
            .answers(200, "")
    };
    let by_caller = flow(
        "update_early",
        |s| {
            early_caller(s)
                .asks("UPDATE", &[], &sdp(2, "a=sendonly\n"))
                .gets(200, "UPDATE", &["a=recvonly", SPEECH])
                .gets(200, "INVITE", &[])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            early_answerer(s)
                .hears("UPDATE", &["a=sendonly", SPEECH])
                .answers(200, &sdp(2, "a=recvonly\n"))
                .answers_invite(200, &[], "")
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let by_callee = flow(
        "update_early_callee",
        |s| {
            early_caller(s)
                .hears("UPDATE", &["a=inactive", SPEECH])
                .answers(200, &sdp(2, "a=inactive\n"))
                .gets(200, "INVITE", &[])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            early_answerer(s)
                .waits(50)
                .asks("UPDATE", &[], &sdp(2, "a=inactive\n"))
                .gets(200, "UPDATE", &["a=inactive"])
                .answers_invite(200, &[], "")
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let too_early = flow(
        "update_too_early",
        |s| {
            s.calls(&["Supported: 100rel"], &sdp(1, ""))
                .gets(180, "INVITE", &[])
                .asks("UPDATE", &[], &sdp(2, ""))
                .gets(500, "UPDATE", &["Retry-After: [0-9]"])
                .gets(200, "INVITE", &[SPEECH])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            s.hears("INVITE", &[])
                .answers_invite(180, &[], "")
                .waits(200)
                .answers_invite(200, &[], &sdp(1, ""))
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let confirmed = flow(
        "update_confirmed",
        |s| {
            up(s)
                .asks("UPDATE", &[], &sdp(2, "a=sendonly\n"))
                .gets(200, "UPDATE", &["a=recvonly"])
                .hears("UPDATE", &["!a=sendonly", SPEECH])
                .answers(200, &sdp(3, ""))
                .hangs_up()
        },
        |s| {
            is_up(s)
                .hears("UPDATE", &["a=sendonly"])
                .answers(200, &sdp(2, "a=recvonly\n"))
                .waits(50)
                .asks("UPDATE", &[], &sdp(3, ""))
                .gets(200, "UPDATE", &[SPEECH])
                .hears_bye()
        },
    );
    vec![by_caller, by_callee, too_early, confirmed]
}

/// A plain call until it is up.
fn up(s: Scenario) -> Scenario {
    s.calls(&[], &sdp(1, ""))
        .gets(180, "INVITE", &[])
        .gets(200, "INVITE", &[SPEECH])
        .acknowledges("")
        .waits(50)
}

fn is_up(s: Scenario) -> Scenario {
    s.hears("INVITE", &[SPEECH])
        .answers_invite(180, &[], "")
        .answers_invite(200, &[], &sdp(1, ""))
        .hears("ACK", &[])
}

/// A re-INVITE of the caller's and its answer.
fn again(s: Scenario, offer: &str, expected: &[&str]) -> Scenario {
    s.asks("INVITE", &[], offer).gets(200, "INVITE", expected).acknowledges("").waits(20)
}

fn is_asked(s: Scenario, expected: &[&str], answer: &str) -> Scenario {
    s.hears("INVITE", expected).answers_invite(200, &[], answer).hears("ACK", &[])
}

/// Offers and answers in the call.
fn offers() -> Vec<Flow> {
    let null =
        |version| sdp(version, "").replacen("c=IN IP[media_ip_type] [media_ip]", "c=IN IP4 0.0.0.0", 1);
    let hold = flow(
        "hold_in_three_spellings",
        |s| {
            let s = again(up(s), &sdp(2, "a=sendonly\n"), &["a=recvonly"]);
            let s = again(s, &sdp(3, ""), &["!a=recvonly", "!a=inactive"]);
            let s = again(s, &sdp(4, "a=inactive\n"), &["a=inactive"]);
            let s = again(s, &sdp(5, ""), &["!a=inactive"]);
            let s = again(s, &null(6), &["a=recvonly"]);
            again(s, &sdp(7, ""), &["!a=recvonly"]).hangs_up()
        },
        |s| {
            let s = is_asked(is_up(s), &["a=sendonly"], &sdp(2, "a=recvonly\n"));
            let s = is_asked(s, &["!a=sendonly", "!a=inactive"], &sdp(3, ""));
            let s = is_asked(s, &["a=inactive"], &sdp(4, "a=inactive\n"));
            let s = is_asked(s, &["!a=inactive"], &sdp(5, ""));
            let s = is_asked(s, &["a=sendonly", "!0\\.0\\.0\\.0"], &sdp(6, "a=recvonly\n"));
            is_asked(s, &["!a=sendonly"], &sdp(7, "")).hears_bye()
        },
    );
    let codec =
        |version| sdp(version, "").replace("RTP/AVP 8 101", "RTP/AVP 0 101").replace("8 PCMA", "0 PCMU");
    let other = flow(
        "another_codec",
        |s| again(up(s), &codec(2), &["RTP/AVP 0 101"]).hangs_up(),
        |s| is_asked(is_up(s), &["RTP/AVP 0 101"], &codec(2)).hears_bye(),
    );
    let fax = flow(
        "fax_and_back",
        |s| {
            let s = again(up(s), &lines(2, FAX), &["m=image [1-9][0-9]* udptl t38", "!m=audio"]);
            again(s, &sdp(3, ""), &[SPEECH, "!m=image"]).hangs_up()
        },
        |s| {
            let s = is_asked(is_up(s), &["m=image [1-9][0-9]* udptl t38"], &lines(2, FAX));
            is_asked(s, &[SPEECH], &sdp(3, "")).hears_bye()
        },
    );
    let asked = flow(
        "reinvite_without_offer",
        |s| {
            up(s)
                .asks("INVITE", &[], "")
                .gets(200, "INVITE", &[SPEECH])
                .acknowledges(&sdp(2, ""))
                .waits(50)
                .hangs_up()
        },
        |s| {
            is_up(s)
                .hears("INVITE", &["!m=audio"])
                .answers_invite(200, &[], &sdp(2, ""))
                .hears("ACK", &[SPEECH])
                .hears_bye()
        },
    );
    let refused = flow(
        "reinvite_refused",
        |s| {
            let s = up(s)
                .asks("INVITE", &[], &codec(2))
                .gets(488, "INVITE", &["!m=audio"])
                .acknowledges_refusal()
                .waits(20);
            again(s, &sdp(3, "a=sendonly\n"), &["a=recvonly"]).hangs_up()
        },
        |s| {
            let s = is_up(s)
                .hears("INVITE", &["RTP/AVP 0 101"])
                .answers_invite(488, &["Warning: 305 sipp \"Incompatible media format\""], &sdp(2, ""))
                .hears("ACK", &[]);
            is_asked(s, &["a=sendonly"], &sdp(3, "a=recvonly\n")).hears_bye()
        },
    );
    let video = "m=video [media_port+4] RTP/AVP 31\n";
    let reordered = flow(
        "answer_in_another_order",
        |s| {
            s.calls(&[], &lines(1, &format!("{AUDIO}{video}")))
                .gets(200, "INVITE", &["m=audio [1-9].*m=video [1-9]"])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            s.hears("INVITE", &["m=audio [1-9].*m=video [1-9]"])
                .answers_invite(200, &[], &lines(1, &format!("{video}{AUDIO}")))
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let rejected = flow(
        "answer_that_rejects",
        |s| {
            s.calls(&[], &lines(1, &format!("{AUDIO}{video}")))
                .gets(200, "INVITE", &["m=audio [1-9].*m=video 0 "])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            s.hears("INVITE", &["m=video [1-9]"])
                .answers_invite(200, &[], &lines(1, &format!("{AUDIO}m=video 0 RTP/AVP 31\n")))
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let only_early = flow(
        "answer_in_183_alone",
        |s| {
            s.calls(&[], &sdp(1, ""))
                .gets(183, "INVITE", &["!m=audio"])
                .gets(183, "INVITE", &[SPEECH])
                .gets(200, "INVITE", &[SPEECH])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            s.hears("INVITE", &[])
                .answers_invite(183, &[], "")
                .waits(20)
                .answers_invite(183, &[], &sdp(1, ""))
                .waits(20)
                .answers_invite(200, &[], "")
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let part = |kind: &str, body: &str| format!("--b\nContent-Type: {kind}\n\n{body}\n");
    let parts = format!(
        "{}{}--b--\n",
        part("application/isup;version=itu-t92+\nContent-Disposition: signal;handling=optional", "secret"),
        part("application/sdp", &sdp(1, ""))
    );
    let multipart = flow(
        "multipart",
        |s| {
            s.calls(&["Content-Type: multipart/mixed;boundary=b"], &parts)
                .gets(200, "INVITE", &[SPEECH])
                .acknowledges("")
                .hangs_up()
        },
        |s| {
            s.hears("INVITE", &["Content-Type: application/sdp", SPEECH, "!secret", "!--b"])
                .answers_invite(200, &[], &sdp(1, ""))
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    vec![hold, other, fax, asked, refused, reordered, rejected, only_early, multipart]
}

/// Calls that the appliance does not take as they are.
fn refusals() -> Vec<Flow> {
    let caller = Scenario::caller("offer_refused")
        .calls(&[], &lines(1, "m=message 2855 TCP/MSRP *\n"))
        .gets(488, "INVITE", &["Warning: 302 "])
        .acknowledges_refusal();
    let no_answer = flow(
        "ok_without_answer",
        |s| s.calls(&[], &sdp(1, "")).gets(502, "INVITE", &[]).acknowledges_refusal(),
        |s| s.hears("INVITE", &[]).answers_invite(200, &[], "").hears("ACK", &[]).hears_bye(),
    );
    vec![
        Flow { caller, answerer: None, code: 488, close: CloseReason::Rejected },
        Flow { code: 502, close: CloseReason::BadAnswer, ..no_answer },
    ]
}
