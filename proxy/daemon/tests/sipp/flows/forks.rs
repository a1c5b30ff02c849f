//! A proxy of the tier lets two phones ring at once: several early dialogs, one call (RFC 3261 §16.7, §13.2.2.4).

use super::CALLS;
use super::network::Network;
use super::scenario::Scenario;
use super::table::sdp;
use proxy_core::CloseReason;

/// A caller and the two phones that ring for him; how the call ends.
struct Fork {
    caller: Scenario,
    first: Scenario,
    second: Scenario,
    ends: (u16, CloseReason),
}

const ANSWERED: (u16, CloseReason) = (200, CloseReason::ByeFromA);

pub(crate) fn play(network: Network) {
    let mut place = network.starts();
    for fork in all() {
        let phones = [place.answers(&fork.first, CALLS), place.rings_too(&fork.second, CALLS)];
        place.calls(&fork.caller, CALLS).succeeds(CALLS);
        phones.into_iter().for_each(|phone| phone.succeeds(CALLS));
        place.ended(CALLS, fork.ends);
    }
    place.stops();
}

fn fork(
    name: &str,
    ends: (u16, CloseReason),
    caller: impl Fn(Scenario) -> Scenario,
    first: impl Fn(Scenario) -> Scenario,
    second: impl Fn(Scenario) -> Scenario,
) -> Fork {
    Fork {
        caller: caller(Scenario::caller(name)),
        first: first(Scenario::answerer(name)),
        second: second(Scenario::answerer(&format!("{name}_too"))),
        ends,
    }
}

/// The proxy takes its call back.
fn is_cancelled(s: Scenario) -> Scenario {
    s.hears("CANCEL", &[]).answers(200, "").answers_invite(487, &[], "").hears("ACK", &[])
}

fn all() -> Vec<Fork> {
    let one_answers = fork(
        "fork_one",
        ANSWERED,
        |s| {
            s.calls(&[], &sdp(1, ""))
                .gets(180, "INVITE", &[])
                .gets(183, "INVITE", &["m=audio"])
                .gets(200, "INVITE", &["m=audio"])
                .acknowledges("")
                .hangs_up()
        },
        |s| is_cancelled(s.hears("INVITE", &[]).answers_invite(180, &[], "")),
        |s| {
            s.hears("INVITE", &[])
                .waits(150)
                .answers_invite(183, &[], &sdp(1, ""))
                .waits(150)
                .answers_invite(200, &[], &sdp(1, ""))
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let both_answer = fork(
        "fork_both",
        ANSWERED,
        |s| {
            s.calls(&[], &sdp(1, ""))
                .gets(180, "INVITE", &[])
                .gets(200, "INVITE", &["m=audio"])
                .acknowledges("")
                .waits(500)
                .hangs_up()
        },
        |s| {
            s.hears("INVITE", &[])
                .waits(150)
                .answers_invite(200, &[], &sdp(1, ""))
                .hears("ACK", &[])
                .hears_bye()
        },
        // The CANCEL comes too late for this one.
        |s| {
            s.hears("INVITE", &[])
                .answers_invite(180, &[], "")
                .hears("CANCEL", &[])
                .answers(200, "")
                .answers_invite(200, &[], &sdp(1, ""))
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let reliably = |rseq: &'static str| move |s: Scenario| s.hears("PRACK", &[rseq]).answers(200, "");
    let both_reliable = fork(
        "fork_reliable",
        ANSWERED,
        |s| {
            let early = |s: Scenario, code| {
                s.gets(code, "INVITE", &["Require: 100rel", "RSeq:"]).acknowledges_early("").gets(
                    200,
                    "PRACK",
                    &[],
                )
            };
            let s = early(early(s.calls(&["Supported: 100rel"], &sdp(1, "")), 180), 183);
            s.gets(200, "INVITE", &[]).acknowledges("").hangs_up()
        },
        |s| {
            let s = s.hears("INVITE", &["100rel"]).answers_invite(180, &["Require: 100rel", "RSeq: 10"], "");
            is_cancelled(reliably("RAck: 10 1 INVITE")(s))
        },
        |s| {
            let s = s.hears("INVITE", &["100rel"]).waits(300).answers_invite(
                183,
                &["Require: 100rel", "RSeq: 900"],
                &sdp(1, ""),
            );
            reliably("RAck: 900 1 INVITE")(s)
                .waits(100)
                .answers_invite(200, &[], "")
                .hears("ACK", &[])
                .hears_bye()
        },
    );
    let is_busy = |s: Scenario, code| {
        s.answers_invite(code, &[], "").waits(200).answers_invite(486, &[], "").hears("ACK", &[])
    };
    let both_busy = fork(
        "fork_busy",
        (486, CloseReason::Refused),
        |s| {
            s.calls(&[], &sdp(1, ""))
                .gets(180, "INVITE", &[])
                .gets(183, "INVITE", &[])
                .gets(486, "INVITE", &[])
                .acknowledges_refusal()
        },
        |s| is_busy(s.hears("INVITE", &[]), 180),
        |s| is_busy(s.hears("INVITE", &[]).waits(150), 183),
    );
    let given_up = fork(
        "fork_cancelled",
        (487, CloseReason::Cancelled),
        |s| s.calls(&[], &sdp(1, "")).gets(180, "INVITE", &[]).gets(183, "INVITE", &[]).waits(50).gives_up(),
        |s| is_cancelled(s.hears("INVITE", &[]).answers_invite(180, &[], "")),
        |s| is_cancelled(s.hears("INVITE", &[]).waits(150).answers_invite(183, &[], "")),
    );
    vec![one_answers, both_answer, both_reliable, both_busy, given_up]
}
