//! What an answer to a probe says.

use super::machine::Signal;
use super::options::ProbeId;
use super::policy::Policy;
use bytes::Bytes;
use relay_values::Duration;
use sip_wire::{HeaderName, Message};

/// Which probe a message answers, and what that says. Every response but a 503 shows that somebody is there (RFC 3261
/// §11: even a 404 or 501 is an answer to "are you alive").
pub(super) fn read(bytes: Bytes) -> Option<(ProbeId, Signal)> {
    let (code, branch) = sip_wire::peek_answer(&bytes)?;
    let id = ProbeId::from_branch(branch)?;
    if code != 503 {
        return Some((id, Signal::Answered));
    }
    let retry_after =
        Message::parse(bytes).ok().and_then(|m| m.header(HeaderName::RetryAfter).and_then(seconds));
    Some((id, Signal::Refused(Policy::backoff(retry_after))))
}

/// RFC 3261 §25.1: `Retry-After = delta-seconds [ comment ] *( SEMI retry-param )`.
fn seconds(value: &[u8]) -> Option<Duration> {
    let digits = value.iter().take_while(|b| b.is_ascii_digit());
    let mut any = false;
    let seconds = digits.fold(0u64, |n, b| {
        any = true;
        n.saturating_mul(10).saturating_add(u64::from(b - b'0'))
    });
    any.then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::{Signal, read, seconds};
    use bytes::Bytes;
    use relay_values::Duration;

    fn answer(code: u16, extra: &str, branch: &str) -> Option<Signal> {
        let text = format!(
            "SIP/2.0 {code} x\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:a@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n{extra}Content-Length: 0\r\n\r\n"
        );
        read(Bytes::from(text)).map(|(_, signal)| signal)
    }

    const OURS: &str = "z9hG4bKh0123456789abcdef";

    #[test]
    fn whoever_answers_is_alive_whatever_the_code_but_503() {
        for code in [200, 404, 405, 483, 486, 500, 501, 603] {
            assert_eq!(answer(code, "", OURS), Some(Signal::Answered), "{code}");
        }
        let pause = |s| Some(Signal::Refused(Duration::from_secs(s)));
        assert_eq!(answer(503, "", OURS), pause(10), "the default");
        assert_eq!(answer(503, "Retry-After: 7 (soon);duration=60\r\n", OURS), pause(7));
        assert_eq!(answer(503, "Retry-After: 0\r\n", OURS), pause(1), "not zero");
        assert_eq!(answer(503, "Retry-After: 99999999999999999999999\r\n", OURS), pause(60), "not for ever");
        assert_eq!(answer(503, "Retry-After: later\r\n", OURS), pause(10), "unreadable");
    }

    #[test]
    fn answers_to_others_and_garbage_say_nothing() {
        assert_eq!(answer(200, "", "z9hG4bKb0123456789abcdef"), None);
        assert_eq!(read(Bytes::from_static(b"\xff\x00")), None);
        assert_eq!(read(Bytes::new()), None);
        let request = "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKh0123456789abcdef\r\nCall-ID: c\r\n\r\n";
        assert_eq!(read(Bytes::from(request)), None);
        assert_eq!(seconds(b""), None);
    }
}
