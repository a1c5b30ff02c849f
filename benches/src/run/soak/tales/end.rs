//! One end of a tale: a socket, and as much SIP as a tale needs. It shares no code with the device, and reads what a device
//! writes on loopback, where nothing is lost: a repetition is passed over, and nothing is said twice.

use crate::device::DEVICE;
use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How long a message may be on its way: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(5);
/// What has been heard lately, to know repetitions.
const LATELY: usize = 64;

/// A message that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard(String);

impl Heard {
    pub(super) fn first_line(&self) -> &str {
        self.0.split("\r\n").next().unwrap_or_default()
    }

    /// Status code; 0 for a request.
    fn code(&self) -> u16 {
        self.0.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0)
    }

    /// The method, or the one that a response answers.
    fn method(&self) -> &str {
        if self.code() == 0 {
            self.0.split(' ').next().unwrap_or_default()
        } else {
            self.header("CSeq").rsplit(' ').next().unwrap_or_default()
        }
    }

    /// A header field's first value; empty if there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers(name).next().unwrap_or_default()
    }

    fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let lines = self.0.split("\r\n").skip(1).take_while(|line| !line.is_empty());
        lines.filter_map(move |line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Whether one of a header field's values has a word.
    pub(super) fn says(&self, name: &str, word: &str) -> bool {
        self.headers(name).any(|value| value.split([',', ' ', ';']).any(|part| part == word))
    }

    pub(super) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    fn contact(&self) -> String {
        let value = self.header("Contact");
        let uri = value.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        uri.map_or(value, |(uri, _)| uri).to_owned()
    }
}

/// One end's view of a dialog.
#[derive(Debug, Clone)]
pub(super) struct Dialog {
    call_id: String,
    local: String,
    remote: String,
    target: String,
    /// Of the last request that we have sent in it, and its branch; of the last INVITE.
    cseq: u32,
    branch: String,
    pub(super) invite: u32,
}

impl Dialog {
    /// The called side's, with the tag that it answers under.
    pub(super) fn called(invite: &Heard, tag: &str) -> Self {
        Self {
            call_id: invite.header("Call-ID").to_owned(),
            local: format!("{};tag={tag}", invite.header("To")),
            remote: invite.header("From").to_owned(),
            target: invite.contact(),
            cseq: 0,
            branch: String::new(),
            invite: 0,
        }
    }

    /// The other side has named itself.
    pub(super) fn answered(&mut self, by: &Heard) {
        self.remote = by.header("To").to_owned();
        let contact = by.contact();
        if !contact.is_empty() {
            self.target = contact;
        }
    }

    /// As it is in the ACK of a refusal: all as in the INVITE, but for the tag in To.
    pub(super) fn refused(&self, by: &Heard) -> Self {
        Self { remote: by.header("To").to_owned(), ..self.clone() }
    }
}

/// One end.
#[derive(Debug)]
pub(super) struct End {
    socket: UdpSocket,
    at: SocketAddr,
    lately: VecDeque<Heard>,
    said: u32,
    run: u32,
}

impl End {
    pub(super) fn new(at: SocketAddr, run: u32) -> io::Result<Self> {
        let socket = UdpSocket::bind(at).map_err(|e| io::Error::new(e.kind(), format!("{at}: {e}")))?;
        Ok(Self { socket, at, lately: VecDeque::new(), said: 0, run })
    }

    pub(super) fn at(&self) -> SocketAddr {
        self.at
    }

    /// A name that nobody has had before.
    pub(super) fn name(&mut self) -> String {
        self.said += 1;
        format!("{:x}p{}n{}", self.run, self.at.port(), self.said)
    }

    /// A session description of G.711.
    pub(super) fn description(&self, direction: &str, version: u32) -> String {
        let ip = self.at.ip();
        // Below the SIP port, where nobody else is; nothing is sent there in so short a time.
        let port = 30_000 + u32::from(self.at.port() % 100) * 2;
        format!(
            "v=0\r\no=tale 1 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
             a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na={direction}\r\n"
        )
    }

    /// Send a request outside any dialog; the dialog that it would begin.
    pub(super) fn begin(&mut self, method: &str, number: &str, more: &str, body: &str) -> Dialog {
        let (call_id, tag) = (self.name(), self.name());
        let target = format!("sip:{number}@{DEVICE}");
        let mut dialog = Dialog {
            call_id,
            local: format!("<sip:+4916099000001@{}>;tag={tag}", self.at),
            remote: format!("<{target}>"),
            target,
            cseq: 0,
            branch: String::new(),
            invite: 0,
        };
        self.request(&mut dialog, method, more, body);
        dialog
    }

    /// Send a request in a dialog.
    pub(super) fn request(&mut self, dialog: &mut Dialog, method: &str, more: &str, body: &str) {
        dialog.cseq += 1;
        if method == "INVITE" {
            dialog.invite = dialog.cseq;
        }
        dialog.branch = self.name();
        self.send(dialog, method, dialog.cseq, more, body);
    }

    /// ACK of a 2xx: a transaction of its own, with the INVITE's number (RFC 3261 §13.2.2.4).
    pub(super) fn ack(&mut self, dialog: &mut Dialog) {
        dialog.branch = self.name();
        self.send(dialog, "ACK", dialog.invite, "", "");
    }

    /// ACK of a refusal, or CANCEL: as the INVITE, by its branch (§17.1.1.3, §9.1).
    pub(super) fn as_the_invite(&self, dialog: &Dialog, method: &str) {
        self.send(dialog, method, dialog.invite, "", "");
    }

    fn send(&self, dialog: &Dialog, method: &str, cseq: u32, more: &str, body: &str) {
        let Dialog { call_id, local, remote, target, branch, .. } = dialog;
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let at = self.at;
        self.say(&format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {at};rport;branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
             From: {local}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:tale@{at}>\r\n\
             Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, REFER, NOTIFY\r\n{more}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    }

    /// Answer a request; `tag` where it brings none.
    pub(super) fn respond(&self, to: &Heard, status: &str, tag: &str, more: &str, body: &str) {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for via in to.headers("Via") {
            text.push_str(&format!("Via: {via}\r\n"));
        }
        let own = to.header("To");
        let tag = if own.contains(";tag=") { String::new() } else { format!(";tag={tag}") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        text.push_str(&format!(
            "From: {}\r\nTo: {own}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:tale@{}>\r\n\
             Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, REFER, NOTIFY\r\n{more}{kind}Content-Length: {}\r\n\r\n{body}",
            to.header("From"),
            to.header("Call-ID"),
            to.header("CSeq"),
            self.at,
            body.len()
        ));
        self.say(&text);
    }

    fn say(&self, text: &str) {
        // A datagram that does not leave is missed by whoever waits for what it should bring.
        let _ = self.socket.send_to(text.as_bytes(), DEVICE);
    }

    /// Wait for a request.
    pub(super) fn asked(&mut self, method: &str) -> Result<Heard, String> {
        self.next(method, |heard| heard.code() == 0 && heard.method() == method)
    }

    /// Wait for a response.
    pub(super) fn told(&mut self, code: u16, method: &str) -> Result<Heard, String> {
        let what = format!("{code} to {method}");
        self.next(&what, |heard| heard.code() == code && heard.method() == method)
    }

    fn next(&mut self, what: &str, is: impl FnOnce(&Heard) -> bool) -> Result<Heard, String> {
        match self.hear(PATIENCE) {
            None => Err(format!("no {what}")),
            Some(heard) if is(&heard) => Ok(heard),
            Some(other) => Err(format!("{} instead of {what}", kind(&other))),
        }
    }

    /// What comes next that has not come before; nothing if nothing comes in time.
    pub(super) fn hear(&mut self, within: Duration) -> Option<Heard> {
        let until = Instant::now() + within;
        let mut bytes = [0; 8_192];
        loop {
            let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).ok()?;
            let Ok((len, _)) = self.socket.recv_from(&mut bytes) else {
                if Instant::now() >= until {
                    return None;
                }
                continue;
            };
            let heard = Heard(String::from_utf8_lossy(&bytes[..len]).into_owned());
            if heard.code() == 100 || self.lately.contains(&heard) {
                continue;
            }
            self.lately.truncate(LATELY - 1);
            self.lately.push_front(heard.clone());
            return Some(heard);
        }
    }

    /// What a tale that has broken off has left in the socket.
    pub(super) fn forget(&mut self) {
        while self.hear(Duration::from_millis(20)).is_some() {}
    }
}

/// A message in few words, of which there are few.
fn kind(heard: &Heard) -> String {
    match heard.code() {
        0 => heard.method().to_owned(),
        code => format!("{code} to {}", heard.method()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_by_its_lines() {
        let heard = Heard(
            "SIP/2.0 183 Session Progress\r\nTo: <sip:a@b>;tag=7\r\nCSeq: 1 INVITE\r\nrequire: timer, 100rel\r\n\
             Contact: <sip:us@127.0.0.1:5060>;x=1\r\n\r\nv=0\r\n"
                .to_owned(),
        );
        assert_eq!((heard.code(), heard.method(), heard.body()), (183, "INVITE", "v=0\r\n"));
        assert!(heard.says("Require", "100rel") && !heard.says("Require", "100"));
        assert_eq!(heard.contact(), "sip:us@127.0.0.1:5060");
        assert_eq!(kind(&heard), "183 to INVITE");
        assert_eq!(Heard("BYE sip:a@b SIP/2.0\r\n\r\n".to_owned()).method(), "BYE");
    }
}
