//! What crosses, comes too early or comes from somebody else, with peers that are not ours.

use super::scenario::Scenario;
use super::table::{Flow, flow, sdp};
use proxy_core::CloseReason;

const HELD: &str = "a=sendonly\n";

/// An ordinary answer.
fn answers(s: Scenario) -> Scenario {
    s.hears("INVITE", &[]).answers_invite(200, &[], &sdp(1, "")).hears("ACK", &[])
}

/// An ordinary caller.
fn calls(s: Scenario) -> Scenario {
    s.calls(&[], &sdp(1, "")).gets(200, "INVITE", &[]).acknowledges("")
}

pub(crate) fn all() -> Vec<Flow> {
    let second = flow(
        "second_offer",
        |s| {
            calls(s)
                .asks("INVITE", &[], &sdp(2, HELD))
                .gets(183, "INVITE", &["CSeq: 2 INVITE"])
                .asks("INVITE", &[], &sdp(3, ""))
                .gets(500, "INVITE", &["Retry-After: [0-9]", "CSeq: 3 INVITE"])
                .acknowledges_refusal()
                .gets(200, "INVITE", &["CSeq: 2 INVITE", "a=recvonly"])
                .acknowledges_number(2)
                .hangs_up()
        },
        |s| {
            answers(s)
                .hears("INVITE", &["a=sendonly"])
                .answers_invite(183, &[], "")
                .waits(400)
                .answers_invite(200, &[], &sdp(2, "a=recvonly\n"))
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let bye = Flow {
        close: CloseReason::ByeFromB,
        ..flow(
            "bye_crosses_reinvite",
            |s| {
                calls(s)
                    .asks("INVITE", &[], &sdp(2, HELD))
                    .gets(487, "INVITE", &[])
                    .acknowledges_refusal()
                    .hears("BYE", &[])
                    .answers(200, "")
            },
            |s| {
                answers(s)
                    .hears("INVITE", &["a=sendonly"])
                    .asks("BYE", &[], "")
                    .gets(200, "BYE", &[])
                    .answers_invite(200, &[], &sdp(2, "a=recvonly\n"))
                    .hears("ACK", &[])
            },
        )
    };
    let fork = flow(
        "two_phones_answer",
        |s| calls(s).waits(1000).hangs_up(),
        |s| {
            answers(s)
                .answers_invite_as("x", 200, &[], &sdp(1, ""))
                .hears("ACK", &["To: .*tag=[0-9]+x"])
                .hears("BYE", &["To: .*tag=[0-9]+x"])
                .answers(200, "")
                .hears("BYE", &["To: .*tag=[0-9]+b"])
                .answers(200, "")
        },
    );
    let silent = flow(
        "refused_and_answered",
        |s| s.calls(&[], &sdp(1, "")).gets(486, "INVITE", &[]).acknowledges_refusal(),
        |s| {
            s.hears("INVITE", &[])
                .answers_invite(486, &[], "")
                .hears("ACK", &[])
                .answers_invite_as("x", 200, &[], &sdp(1, ""))
                .hears("ACK", &["To: .*tag=[0-9]+x"])
                .hears("BYE", &["To: .*tag=[0-9]+x"])
                .answers(200, "")
        },
    );
    let silent = Flow { code: 486, close: CloseReason::Refused, ..silent };
    vec![second, bye, fork, silent]
}

/// What crosses alike on every transport and through every proxy.
pub(crate) fn everywhere() -> Vec<Flow> {
    let mut all = vec![slow()];
    all.extend(cancels());
    all.extend(before_the_ack());
    all.extend(glare());
    all
}

/// A CANCEL that comes after the answer changes nothing (RFC 3261 §9.2). A proxy would say so itself.
pub(crate) fn cancel_after_the_answer() -> Flow {
    flow(
        "cancel_after_ok",
        |s| {
            s.calls(&[], &sdp(1, ""))
                .gets(200, "INVITE", &[])
                .cancels()
                .gets(200, "CANCEL", &[])
                .acknowledges("")
                .waits(100)
                .hangs_up()
        },
        |s| answers(s).hears_bye(),
    )
}

/// A callee who takes his time, so that everybody on the way repeats the question.
fn slow() -> Flow {
    flow(
        "slow_info",
        |s| {
            calls(s)
                .asks("INFO", &["Content-Type: application/dtmf-relay"], "Signal=5\nDuration=160\n")
                .gets(200, "INFO", &[])
                .hangs_up()
        },
        |s| answers(s).hears("INFO", &["Signal=5"]).waits(1300).answers(200, "").hears_bye(),
    )
}

/// CANCEL before the answer, which comes all the same, and before anything else (RFC 3261 §9.1).
fn cancels() -> Vec<Flow> {
    let crossed = flow(
        "cancel_crosses_ok",
        |s| s.calls(&[], &sdp(1, "")).gets(180, "INVITE", &[]).gives_up(),
        |s| {
            s.hears("INVITE", &[])
                .answers_invite(180, &[], "")
                .hears("CANCEL", &["CSeq: 1 CANCEL"])
                .answers(200, "")
                .answers_invite(200, &[], &sdp(1, ""))
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let early = flow(
        "cancel_before_ringing",
        |s| s.calls(&[], &sdp(1, "")).tried().waits(100).gives_up(),
        |s| {
            s.hears("INVITE", &[])
                .waits(400)
                .answers_invite(180, &[], "")
                .hears("CANCEL", &["CSeq: 1 CANCEL"])
                .answers(200, "")
                .answers_invite(487, &[], "")
                .hears("ACK", &[])
        },
    );
    let cancelled = |flow: Flow| Flow { code: 487, close: CloseReason::Cancelled, ..flow };
    vec![cancelled(crossed), cancelled(early)]
}

/// BYE where the ACK should be, from whom may (RFC 3261 §15), and from whom has to wait for it.
fn before_the_ack() -> Vec<Flow> {
    let caller = flow(
        "bye_before_ack",
        |s| {
            s.calls(&[], &sdp(1, ""))
                .gets(200, "INVITE", &[])
                .asks("BYE", &[], "")
                .gets(200, "BYE", &[])
                .acknowledges("")
        },
        |s| answers(s).hears_bye(),
    );
    let callee = flow(
        "bye_waits_for_ack",
        |s| {
            s.calls(&[], &sdp(1, ""))
                .gets(200, "INVITE", &[])
                .waits(300)
                .acknowledges("")
                .hears("BYE", &[])
                .answers(200, "")
        },
        |s| answers(s).asks("BYE", &[], "").gets(200, "BYE", &[]),
    );
    vec![caller, Flow { close: CloseReason::ByeFromB, ..callee }]
}

/// The same from both sides at once.
fn glare() -> Vec<Flow> {
    let holds = |s: Scenario, method| {
        calls(s).waits(50).asks(method, &[], &sdp(2, HELD)).gets(200, method, &["a=recvonly"])
    };
    let updates = flow(
        "updates_cross",
        |s| holds(s, "UPDATE").hangs_up(),
        |s| {
            answers(s)
                .hears_and_keeps("UPDATE", &["a=sendonly"])
                .asks("UPDATE", &[], &sdp(2, ""))
                .gets(491, "UPDATE", &[])
                .answers_kept(200, &sdp(2, "a=recvonly\n"))
                .hears_bye()
        },
    );
    let invites = flow(
        "reinvites_cross",
        |s| holds(s, "INVITE").acknowledges("").hangs_up(),
        |s| {
            answers(s)
                .hears("INVITE", &["a=sendonly"])
                .asks("INVITE", &[], &sdp(2, ""))
                .gets(491, "INVITE", &[])
                .acknowledges_refusal()
                .answers_invite(200, &[], &sdp(2, "a=recvonly\n"))
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    vec![updates, invites]
}
