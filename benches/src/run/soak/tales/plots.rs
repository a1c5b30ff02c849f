//! What happens in the tales, line by line. Whoever hears something else than the line says ends the tale.

use super::end::{Dialog, End, Heard};
use std::time::Duration;

/// How long a stranger listens.
const STRANGER_LISTENS: Duration = Duration::from_millis(100);

/// Who takes part.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) caller: End,
    pub(super) callee: End,
    /// Whom a call is transferred to.
    pub(super) third: End,
    pub(super) number: String,
}

pub(super) type Told = Result<(), String>;

/// A tale has to be true in more than the order of its messages.
fn so(is: bool, otherwise: &str) -> Told {
    if is { Ok(()) } else { Err(otherwise.to_owned()) }
}

impl Cast {
    /// The caller calls and the callee rings; nothing is answered.
    fn ring(&mut self) -> Result<(Dialog, Heard, String), String> {
        let Self { caller, callee, number, .. } = self;
        let offer = caller.description("sendrecv", 1);
        let line = caller.begin("INVITE", number, "", &offer);
        let invite = callee.asked("INVITE")?;
        let tag = callee.name();
        callee.respond(&invite, "180 Ringing", &tag, "", "");
        caller.told(180, "INVITE")?;
        Ok((line, invite, tag))
    }

    /// A call that is up: both ends of it.
    fn talk(&mut self) -> Result<(Dialog, Dialog), String> {
        let (mut line, invite, tag) = self.ring()?;
        let Self { caller, callee, .. } = self;
        callee.respond(&invite, "200 OK", &tag, "", &callee.description("sendrecv", 1));
        line.answered(&caller.told(200, "INVITE")?);
        caller.ack(&mut line);
        callee.asked("ACK")?;
        Ok((line, Dialog::called(&invite, &tag)))
    }
}

/// One hangs up, the other one hears of it.
fn hang_up(by: &mut End, line: &mut Dialog, other: &mut End) -> Told {
    by.request(line, "BYE", "", "");
    by.told(200, "BYE")?;
    let bye = other.asked("BYE")?;
    other.respond(&bye, "200 OK", "", "", "");
    Ok(())
}

/// The caller thinks better of it while it rings.
pub(super) fn cancelled(cast: &mut Cast) -> Told {
    let (line, invite, tag) = cast.ring()?;
    let Cast { caller, callee, .. } = cast;
    caller.as_the_invite(&line, "CANCEL");
    caller.told(200, "CANCEL")?;
    let refused = caller.told(487, "INVITE")?;
    caller.as_the_invite(&line.refused(&refused), "ACK");
    let cancel = callee.asked("CANCEL")?;
    callee.respond(&cancel, "200 OK", &tag, "", "");
    callee.respond(&invite, "487 Request Terminated", &tag, "", "");
    callee.asked("ACK").map(drop)
}

/// The answer comes in a reliable provisional; once the call is up the caller holds it by UPDATE (RFC 3262, RFC 3311).
pub(super) fn reliable(cast: &mut Cast) -> Told {
    let Cast { caller, callee, number, .. } = cast;
    let offer = caller.description("sendrecv", 1);
    let mut line = caller.begin("INVITE", number, "Supported: 100rel\r\n", &offer);
    let invite = callee.asked("INVITE")?;
    so(invite.says("Supported", "100rel"), "100rel is not offered on")?;
    let tag = callee.name();
    let answer = callee.description("sendrecv", 1);
    callee.respond(&invite, "183 Session Progress", &tag, "Require: 100rel\r\nRSeq: 41\r\n", &answer);
    let progress = caller.told(183, "INVITE")?;
    so(progress.says("Require", "100rel") && progress.body().contains("m=audio"), "183 is not reliable")?;
    line.answered(&progress);
    let rack = format!("RAck: {} {} INVITE\r\n", progress.header("RSeq"), line.invite);
    caller.request(&mut line, "PRACK", &rack, "");
    let prack = callee.asked("PRACK")?;
    so(prack.header("RAck").starts_with("41 "), "PRACK is for another response")?;
    callee.respond(&prack, "200 OK", "", "", "");
    caller.told(200, "PRACK")?;
    callee.respond(&invite, "200 OK", &tag, "", "");
    caller.told(200, "INVITE")?;
    caller.ack(&mut line);
    callee.asked("ACK")?;
    let hold = caller.description("sendonly", 2);
    caller.request(&mut line, "UPDATE", "", &hold);
    let update = callee.asked("UPDATE")?;
    so(update.body().contains("a=sendonly"), "UPDATE does not hold")?;
    callee.respond(&update, "200 OK", "", "", &callee.description("recvonly", 2));
    let held = caller.told(200, "UPDATE")?;
    so(held.body().contains("a=recvonly"), "the answer does not hold")?;
    hang_up(caller, &mut line, callee)
}

/// The caller holds and takes back by re-INVITE, the callee's own re-INVITE is refused and hurts nobody (RFC 3261 §14.1).
pub(super) fn reoffered(cast: &mut Cast) -> Told {
    let (mut line, mut far) = cast.talk()?;
    let Cast { caller, callee, .. } = cast;
    for (version, (wish, answer)) in (2..).zip([("sendonly", "recvonly"), ("sendrecv", "sendrecv")]) {
        let offer = caller.description(wish, version);
        caller.request(&mut line, "INVITE", "", &offer);
        let again = callee.asked("INVITE")?;
        so(again.body().contains(&format!("a={wish}")), "another offer has come")?;
        callee.respond(&again, "200 OK", "", "", &callee.description(answer, version));
        let told = caller.told(200, "INVITE")?;
        so(told.body().contains(&format!("a={answer}")), "another answer has come")?;
        caller.ack(&mut line);
        callee.asked("ACK")?;
    }
    let offer = callee.description("sendonly", 4);
    callee.request(&mut far, "INVITE", "", &offer);
    let refused = caller.asked("INVITE")?;
    caller.respond(&refused, "488 Not Acceptable Here", "", "", "");
    callee.told(488, "INVITE")?;
    callee.as_the_invite(&far, "ACK");
    caller.asked("ACK")?;
    hang_up(callee, &mut far, caller)
}

/// The callee transfers the caller to a third, of which the caller hears nothing (RFC 3515).
pub(super) fn transferred(cast: &mut Cast) -> Told {
    let (mut line, mut far) = cast.talk()?;
    let Cast { caller, callee, third, .. } = cast;
    let refer_to = format!("Refer-To: <sip:+442079469100@{}>\r\n", third.at());
    callee.request(&mut far, "REFER", &refer_to, "");
    callee.told(202, "REFER")?;
    let trying = callee.asked("NOTIFY")?;
    so(trying.body().starts_with("SIP/2.0 100"), "the first NOTIFY says something else")?;
    callee.respond(&trying, "200 OK", "", "", "");
    let invite = third.asked("INVITE")?;
    let tag = third.name();
    third.respond(&invite, "200 OK", &tag, "", &third.description("sendrecv", 1));
    third.asked("ACK")?;
    let done = callee.asked("NOTIFY")?;
    so(done.body().starts_with("SIP/2.0 200"), "the last NOTIFY says something else")?;
    callee.respond(&done, "200 OK", "", "", "");
    let bye = callee.asked("BYE")?;
    callee.respond(&bye, "200 OK", "", "", "");
    hang_up(caller, &mut line, third)
}

/// Somebody whom nobody knows calls and asks, and hears nothing.
pub(super) fn stranger(cast: &mut Cast) -> Told {
    let Cast { caller, number, .. } = cast;
    let offer = caller.description("sendrecv", 1);
    for method in ["INVITE", "OPTIONS", "REGISTER"] {
        caller.begin(method, number, "User-Agent: friendly-scanner\r\n", &offer);
    }
    match caller.hear(STRANGER_LISTENS) {
        None => Ok(()),
        Some(heard) => Err(format!("a stranger hears {}", heard.first_line())),
    }
}
