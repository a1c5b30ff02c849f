//! Who is signed for, and how what was found of a caller is told (RFC 8224, 3GPP TS 24.229 §7.2A.20).

use super::words::{unverified, user_of};
use super::{ASSERTED, CALLED, CALLING, DATE, DIVERSION, HISTORY, Identity, PrivacyService, Profile, SIGNED};
use crate::stir::ToVerify;
use sip_wire::Message;
use std::borrow::Cow;

impl Identity {
    /// The number that a neighbour is told is the caller's, and so the one to be signed: what is asserted, else what From
    /// shows. `None` where the caller is not to be known to it.
    pub(crate) fn caller_to_sign<'a>(&'a self, to: &'a Profile) -> Option<&'a [u8]> {
        let privacy = self.privacy();
        let asserted = self.0.get(ASSERTED);
        let told = to.trusted || !privacy.hides_assertion();
        if told && !asserted.is_empty() && to.may_present(asserted) {
            return Some(asserted);
        }
        if !told || (to.privacy == PrivacyService::Us && privacy.hides_caller()) {
            return None;
        }
        self.caller(to)
    }

    /// The Identity values that the call came with, each with a line feed behind it.
    pub(crate) fn signed(&self) -> &[u8] {
        self.0.get(SIGNED)
    }

    /// Whether a neighbour is sent the caller's own Date.
    pub(crate) fn tells_date(&self, to: &Profile) -> bool {
        to.passports && !self.0.get(DATE).is_empty()
    }

    /// Whom the call was for before it was diverted last, as the diversions say it.
    pub(crate) fn diverted_from(&self) -> Option<Box<[u8]>> {
        let lines =
            if self.0.get(DIVERSION).is_empty() { self.0.get(HISTORY) } else { self.0.get(DIVERSION) };
        if lines.is_empty() { None } else { self.last_diverter() }
    }

    /// What is to be verified of an INVITE whose identity this is.
    pub(crate) fn to_verify(&self, invite: &Message, source: &Profile) -> ToVerify {
        let to = invite.to().map(|to| user_of(to.uri)).unwrap_or_default();
        let to = source.plan.canonical(to);
        let some = |users: [&[u8]; 2]| -> Vec<Box<[u8]>> {
            users.into_iter().filter(|user| !user.is_empty()).map(Box::from).collect()
        };
        ToVerify {
            identities: self.signed().into(),
            date: self.0.get(DATE).trim_ascii().into(),
            calling: some([self.0.get(ASSERTED), self.0.get(CALLING)]),
            called: some([self.0.get(CALLED), &to]),
        }
    }

    /// The same with what was found of its caller: a parameter of the number that was signed for, or of both that name the
    /// caller where none was (`number` empty). What a stranger has said of that before goes.
    pub(crate) fn found(&self, verstat: &str, number: &str) -> Self {
        let mut parts = self.0.clone();
        for place in [CALLING, ASSERTED] {
            let user = unverified(parts.get(place)).into_owned();
            let digits: Vec<u8> = digits_of(&user);
            let named = !digits.is_empty() && (number.is_empty() || digits == number.as_bytes());
            let marked = if named { [&user, &b";verstat="[..], verstat.as_bytes()].concat() } else { user };
            parts = parts.with(place, &marked);
        }
        Self(parts)
    }

    /// The caller's number for the record: without what was found of it.
    pub(crate) fn calling_number(&self) -> Cow<'_, [u8]> {
        unverified(self.calling())
    }
}

/// The digits of a number; nothing of what is none.
fn digits_of(user: &[u8]) -> Vec<u8> {
    let number = user.split(|b| *b == b';').next().unwrap_or_default();
    let is_number = number.iter().all(|b| b.is_ascii_digit() || b"+-.()".contains(b));
    number.iter().copied().filter(|b| is_number && b.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Hosting, Identity, Profile};
    use sip_wire::{Builder, HeaderName, Message, Method};

    fn identity(fields: &str) -> Identity {
        let text = format!(
            "INVITE sip:+4930999@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\nTo: <sip:+4930999@192.0.2.1>\r\n\
             Call-ID: 1\r\nCSeq: 1 INVITE\r\n{fields}Content-Length: 0\r\n\r\n"
        );
        Identity::take(&Message::parse(text.into()).unwrap(), &Profile::default()).unwrap()
    }

    fn told(identity: &Identity) -> (String, String) {
        let mut out = Builder::request(Method::Invite, b"sip:x@y");
        let hosting = Hosting { ours: b"ours.invalid", theirs: b"theirs.invalid" };
        identity.write(&mut out, b"t", &hosting, &Profile::default());
        let message = Message::parse(out.finish()).unwrap();
        let text = |name| {
            message.header(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
        };
        (text(HeaderName::From), text(HeaderName::PAssertedIdentity))
    }

    #[test]
    fn what_was_found_stands_at_the_number_that_was_signed() {
        let both = "From: <sip:+4930111@a>;tag=1\r\nP-Asserted-Identity: <sip:+4930222;verstat=TN-Validation-Passed@a>\r\n";
        let (from, asserted) = told(&identity(both).found("TN-Validation-Passed", "4930111"));
        assert!(from.contains("+4930111;verstat=TN-Validation-Passed@"), "{from}");
        assert!(asserted.contains("sip:+4930222@"), "{asserted}");
        let (from, asserted) = told(&identity(both).found("TN-Validation-Failed", ""));
        for header in [from, asserted] {
            assert!(header.contains(";verstat=TN-Validation-Failed@"), "{header}");
        }
        let named = identity("From: <sip:alice@a>;tag=1\r\n").found("No-TN-Validation", "");
        assert!(!told(&named).0.contains("verstat"), "a name is no number");
    }

    #[test]
    fn a_caller_who_is_hidden_from_a_neighbour_is_not_signed_for() {
        use super::super::PrivacyService;
        let hidden = identity(
            "From: <sip:+4930111@a>;tag=1\r\nPrivacy: id\r\nP-Asserted-Identity: <sip:+4930222@a>\r\n",
        );
        assert_eq!(hidden.caller_to_sign(&Profile::default()), Some(&b"+4930222"[..]));
        let stranger = Profile { trusted: false, privacy: PrivacyService::Us, ..Profile::default() };
        assert_eq!(hidden.caller_to_sign(&stranger), None);
        let open = identity("From: <sip:+4930111@a>;tag=1\r\n");
        assert_eq!(open.caller_to_sign(&stranger), Some(&b"+4930111"[..]));
    }
}
