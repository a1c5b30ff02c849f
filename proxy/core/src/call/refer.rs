//! REFER (RFC 3515): refused, carried to the other leg, or done by ourselves ([`super::transfer`]), as the manners of
//! whoever sends it say; and NOTIFY, which tells how it went.

use super::{Call, Env};
use crate::demands::Refusal;
use crate::dialog::port_of;
use crate::identity::is_safe;
use crate::limits::MAX_REFERRALS;
use crate::transaction::ServerKey;
use crate::{Peer, Refers, RejectReason};
use relay_values::Leg;
use sip_wire::{HeaderName, Message, Method, NameAddr, Scheme, Uri, unescape, unquote};
use std::net::SocketAddr;

/// Where a REFER points.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReferTo {
    /// Whom to call.
    pub(super) called: Box<[u8]>,
    /// The host that was named, where that is an address.
    pub(super) at: Option<SocketAddr>,
    /// The dialog whose place the new leg takes (RFC 3891 §3).
    pub(super) replaces: Option<Replaces>,
}

/// A dialog as a Replaces header field names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replaces {
    pub(crate) call_id: Box<[u8]>,
    /// The tag of whoever is asked to give the dialog up: ours.
    pub(crate) to_tag: Box<[u8]>,
    pub(crate) from_tag: Box<[u8]>,
}

/// A REFER that was carried across: its number on either side, by which NOTIFY names it (RFC 3515 §2.4.6).
#[derive(Debug, Clone, Copy)]
pub(super) struct Referral {
    /// The leg that it was carried to.
    to: Leg,
    there: u32,
    here: u32,
}

impl ReferTo {
    /// Reads the one Refer-To of a REFER (RFC 3515 §2.4.2); else the code that refuses it.
    pub(super) fn read(refer: &Message) -> Result<Self, u16> {
        let mut lines = refer.lines(HeaderName::ReferTo);
        let (Some(value), None) = (lines.next(), lines.next()) else { return Err(400) };
        let text = NameAddr::parse(value).map_err(|_| 400_u16)?.uri;
        let uri = Uri::parse(text).map_err(|_| 400_u16)?;
        match uri.scheme {
            Scheme::Sip | Scheme::Sips | Scheme::Tel => {}
            Scheme::Urn | Scheme::Other(_) => return Err(416),
        }
        if uri.param(b"method").is_some_and(|method| method != b"INVITE") {
            return Err(603);
        }
        let replaces = match uri.headers.and_then(|headers| header(headers, b"Replaces")) {
            Some(value) => Some(Replaces::parse(&unescape(value)).ok_or(400_u16)?),
            None => None,
        };
        let user = uri.user.unwrap_or_default();
        if !is_safe(user) || user.contains(&b':') || (user.is_empty() && replaces.is_none()) {
            return Err(400);
        }
        let at = uri.ip().map(|ip| SocketAddr::new(ip, port_of(&uri)));
        Ok(Self { called: user.into(), at, replaces })
    }
}

impl Replaces {
    /// `call-id;to-tag=…;from-tag=…` (RFC 3891 §6.1). `early-only` asks for what we do not do: ours are confirmed.
    fn parse(value: &[u8]) -> Option<Self> {
        let mut parts = value.split(|b| *b == b';').map(<[u8]>::trim_ascii);
        let call_id = parts.next().filter(|id| !id.is_empty())?;
        let (mut to, mut from) = (None, None);
        for part in parts {
            let (name, tag) = part.split_at(part.iter().position(|b| *b == b'=').unwrap_or(part.len()));
            let tag = tag.strip_prefix(b"=").unwrap_or_default();
            match name.to_ascii_lowercase().as_slice() {
                b"to-tag" if to.is_none() => to = Some(tag),
                b"from-tag" if from.is_none() => from = Some(tag),
                b"to-tag" | b"from-tag" | b"early-only" => return None,
                _ => {}
            }
        }
        Some(Self { call_id: call_id.into(), to_tag: to?.into(), from_tag: from?.into() })
    }
}

/// The value of a header field inside a URI, still escaped (RFC 3261 §19.1.1).
fn header<'a>(headers: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    headers.split(|b| *b == b'&').find_map(|pair| {
        let (found, value) = pair.split_at(pair.iter().position(|b| *b == b'=')?);
        found.eq_ignore_ascii_case(name).then(|| value.strip_prefix(b"=").unwrap_or_default())
    })
}

impl Call {
    /// REFER inside a leg's dialog. What comes of it, unless it is answered already.
    pub(super) fn referred(
        &mut self,
        env: &mut Env,
        leg: Leg,
        from: Peer,
        server: ServerKey,
        refer: &Message,
    ) -> Result<(), Refusal> {
        match self.manners_of(env, leg, from) {
            Refers::Refuse => Err((603, RejectReason::TransferRefused)),
            Refers::Pass => {
                ReferTo::read(refer).map_err(|code| (code, RejectReason::Malformed))?;
                let (here, carried) = (refer.cseq().map(|cseq| cseq.number), self.carried.len());
                self.carry(env, leg, from, server, refer, None)?;
                let sent = self.carried.get(carried).map(super::Carried::number);
                if let (Ok(here), Some(there)) = (here, sent) {
                    if self.referrals.len() >= MAX_REFERRALS {
                        self.referrals.remove(0);
                    }
                    self.referrals.push(Referral { to: leg.other(), there, here });
                }
                Ok(())
            }
            Refers::Transfer => self.transfer(env, leg, from, server, refer),
        }
    }

    /// What whoever is at a leg may ask of us.
    fn manners_of(&self, env: &Env, leg: Leg, from: Peer) -> Refers {
        let known = || env.source(self.leg(leg).dialog.as_ref()?.peer);
        let source = env.source(from).or_else(known);
        source.map_or(Refers::Refuse, |source| env.newest.config.manners(source.owner()).refer)
    }

    /// NOTIFY inside a leg's dialog: of how a REFER goes on that was carried to that leg. We have no other subscription.
    pub(super) fn notified(
        &mut self,
        env: &mut Env,
        leg: Leg,
        from: Peer,
        server: ServerKey,
        notify: &Message,
    ) -> Result<(), Refusal> {
        if self.referral(leg, notify).is_none() {
            return Err((481, RejectReason::NoDialog));
        }
        self.carry(env, leg, from, server, notify, None)?;
        let state = notify.header(HeaderName::SubscriptionState).unwrap_or_default();
        let over = state.get(..10).is_some_and(|word| word.eq_ignore_ascii_case(b"terminated"));
        if let (true, Some(done)) = (over, self.referral(leg, notify)) {
            self.referrals.retain(|r| r.there != done.there);
        }
        Ok(())
    }

    /// The REFER that a NOTIFY is about. Without an id it is the first (RFC 3515 §2.4.6).
    fn referral(&self, leg: Leg, notify: &Message) -> Option<Referral> {
        let mut words = notify.header(HeaderName::Event)?.split(|b| *b == b';').map(<[u8]>::trim_ascii);
        if !words.next()?.eq_ignore_ascii_case(b"refer") {
            return None;
        }
        let id = words.find_map(|word| word.strip_prefix(b"id=")).map(unquote);
        let id = id.map(|id| std::str::from_utf8(&id).ok().and_then(|id| id.parse::<u32>().ok()));
        let mut mine = self.referrals.iter().copied().filter(|r| r.to == leg);
        match id {
            Some(id) => mine.find(|r| Some(r.there) == id),
            None => mine.next(),
        }
    }

    /// Event of a NOTIFY as the other leg knows it.
    pub(super) fn event_for(&self, leg: Leg, notify: &Message) -> Option<String> {
        if !matches!(notify.method(), Method::Notify) {
            return None;
        }
        self.referral(leg, notify).map(|referral| format!("refer;id={}", referral.here))
    }
}

/// A sipfrag's status line alone: what stands behind it names the other network (RFC 3515 §2.4.5 asks for no more).
pub(super) fn status_line(body: &[u8]) -> &[u8] {
    let end = body.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(body.len());
    body.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn read(refer_to: &str) -> Result<ReferTo, u16> {
        let text = format!(
            "REFER sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:1@192.0.2.1>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 REFER\r\n{refer_to}\r\n"
        );
        ReferTo::read(&Message::parse(Bytes::from(text)).unwrap())
    }

    #[test]
    fn where_a_refer_points_is_read_with_the_dialog_that_it_names() {
        let blind = read("Refer-To: <sip:+1555@192.0.2.9:5070>\r\n").unwrap();
        assert_eq!((&*blind.called, blind.at), (&b"+1555"[..], Some("192.0.2.9:5070".parse().unwrap())));
        assert_eq!(blind.replaces, None);
        let attended =
            "r: Bob <sip:bob@example.com?Replaces=a%40b%3Bto-tag%3D7%3Bfrom-tag%3D8&Require=replaces>\r\n";
        let replaces = read(attended).unwrap().replaces.unwrap();
        assert_eq!(
            (&*replaces.call_id, &*replaces.to_tag, &*replaces.from_tag),
            (&b"a@b"[..], &b"7"[..], &b"8"[..])
        );
    }

    #[test]
    fn what_a_refer_may_not_say_is_refused_by_its_kind() {
        assert_eq!(read(""), Err(400));
        assert_eq!(read("Refer-To: <sip:a@b>\r\nRefer-To: <sip:c@d>\r\n"), Err(400));
        assert_eq!(read("Refer-To: <http://example.com/>\r\n"), Err(416));
        assert_eq!(read("Refer-To: <sip:a@b;method=BYE>\r\n"), Err(603));
        assert_eq!(read("Refer-To: <sip:example.com>\r\n"), Err(400));
        for replaces in
            ["a%40b", "a;to-tag=1", "a;to-tag=1;to-tag=2;from-tag=3", "a;to-tag=1;from-tag=2;early-only"]
        {
            assert_eq!(read(&format!("Refer-To: <sip:a@b?Replaces={replaces}>\r\n")), Err(400), "{replaces}");
        }
    }
}
