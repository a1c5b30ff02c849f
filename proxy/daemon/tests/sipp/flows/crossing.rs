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
