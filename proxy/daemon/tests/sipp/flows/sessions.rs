//! Session timers (RFC 4028) with peers that are not ours: sessions of seconds, so that there is something to see.

use super::scenario::Scenario;
use super::table::{Flow, flow, sdp};
use proxy_core::CloseReason;

/// What the appliance is told of them.
pub(crate) const SHORT: &str = "
            [session]
            expires = \"6s\"
            min_se = \"4s\"
            ";

/// The peer wants us to refresh.
const WE_REFRESH: [&str; 2] = ["Require: timer", "Session-Expires: 6;refresher=uac"];
/// The caller wants to refresh.
const HE_REFRESHES: [&str; 2] = ["Supported: timer", "Session-Expires: 6;refresher=uac"];

/// A caller who is told of nothing that his callee's leg does.
fn unconcerned(s: Scenario, ms: u32) -> Scenario {
    s.calls(&[], &sdp(1, "")).gets(200, "INVITE", &["!Session-Expires"]).acknowledges("").waits(ms).hangs_up()
}

/// A callee who is told of nothing that his caller's leg does.
fn left_alone(s: Scenario) -> Scenario {
    s.hears("INVITE", &["Supported: .*timer", "Session-Expires: 6"])
        .answers_invite(200, &[], &sdp(1, ""))
        .hears("ACK", &[])
        .hears_bye()
}

pub(crate) fn all() -> Vec<Flow> {
    let by_update = flow(
        "timer_update",
        |s| unconcerned(s, 7000),
        |s| {
            let update = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE";
            let again = |s: Scenario| {
                s.hears("UPDATE", &["Session-Expires: 6;refresher=uac", "!m=audio"]).answers_with(
                    200,
                    &WE_REFRESH,
                    "",
                )
            };
            let s = s
                .hears("INVITE", &["Session-Expires: 6"])
                .answers_invite(200, &[WE_REFRESH[0], WE_REFRESH[1], update], &sdp(1, ""))
                .hears("ACK", &[]);
            again(again(s)).hears_bye()
        },
    );
    let by_reinvite = flow(
        "timer_reinvite",
        |s| unconcerned(s, 7000),
        |s| {
            let again = |s: Scenario| {
                s.hears("INVITE", &["Session-Expires: 6;refresher=uac", "m=audio", "o=[^ ]* [0-9]+ 1 IN"])
                    .answers_invite(200, &WE_REFRESH, &sdp(1, ""))
                    .hears("ACK", &["!m=audio"])
            };
            let s = s.hears("INVITE", &[]).answers_invite(200, &WE_REFRESH, &sdp(1, "")).hears("ACK", &[]);
            again(again(s)).hears_bye()
        },
    );
    let by_caller = |name, method: &'static str| {
        flow(
            name,
            |s| {
                let again = |s: Scenario| {
                    let body = if method == "INVITE" { sdp(1, "") } else { String::new() };
                    let s = s.waits(2500).asks(method, &HE_REFRESHES, &body);
                    let s = s.gets(200, method, &["Session-Expires: 6;refresher=uac", "Require: .*timer"]);
                    if method == "INVITE" { s.acknowledges("") } else { s }
                };
                let s = s
                    .calls(&HE_REFRESHES, &sdp(1, ""))
                    .gets(200, "INVITE", &["Session-Expires: 6;refresher=uac", "Require: .*timer"])
                    .acknowledges("");
                again(again(again(s))).hangs_up()
            },
            left_alone,
        )
    };
    let too_short = Flow {
        answerer: None,
        code: 422,
        close: CloseReason::Rejected,
        ..flow(
            "timer_too_short",
            |s| {
                s.calls(&["Supported: timer", "Session-Expires: 2"], &sdp(1, ""))
                    .gets(422, "INVITE", &["Min-SE: 4"])
                    .acknowledges_refusal()
            },
            |s| s,
        )
    };
    let longer = flow(
        "timer_longer",
        |s| unconcerned(s, 1000),
        |s| {
            s.hears("INVITE", &["Session-Expires: 6", "CSeq: 1 INVITE"])
                .answers_invite(422, &["Min-SE: 10"], "")
                .hears("ACK", &[])
                .hears("INVITE", &["Session-Expires: 10", "Min-SE: 10", "CSeq: 2 INVITE"])
                .answers_invite(200, &["Require: timer", "Session-Expires: 10;refresher=uas"], &sdp(1, ""))
                .hears("ACK", &["CSeq: 2 ACK"])
                .hears_bye()
        },
    );
    let forgotten = Flow {
        close: CloseReason::SessionExpired,
        ..flow(
            "timer_forgotten",
            |s| {
                s.calls(&["Supported: timer", "Session-Expires: 4;refresher=uac"], &sdp(1, ""))
                    .gets(200, "INVITE", &["Session-Expires: 4;refresher=uac"])
                    .acknowledges("")
                    .hears("BYE", &["Reason: SIP;cause=408;text=.session_expired."])
                    .answers(200, "")
            },
            |s| {
                s.hears("INVITE", &[])
                    .answers_invite(200, &[], &sdp(1, ""))
                    .hears("ACK", &[])
                    // Over TCP its edge may be taken for down, since the last flow has closed its connections: then it is told
                    // that it was left.
                    .hears("BYE", &["Reason: SIP;cause=4(08|10)"])
                    .answers(200, "")
            },
        )
    };
    vec![
        by_update,
        by_reinvite,
        by_caller("timer_caller_update", "UPDATE"),
        by_caller("timer_caller_reinvite", "INVITE"),
        too_short,
        longer,
        forgotten,
    ]
}
