//! One leg of a call: its dialog, and the acknowledgements that are due on it.

use super::SessionTimer;
use super::env::Env;
use super::media::{MISCELLANEOUS, objection};
use super::uac::INVITE_CSEQ;
use crate::dialog::Dialog;
use crate::ids::LocalTag;
use crate::transaction::{ClientKey, ClientKind, ServerKey, response};
use crate::{Peer, call::User};
use bytes::Bytes;
use sip_wire::{Builder, HeaderName, Message, Method, sdp};

/// Methods that a call understands, as Allow lists them (RFC 3261 §20.5); and those of whoever may transfer.
pub(super) const ALLOW: &[u8] = b"INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, MESSAGE, NOTIFY";
pub(super) const ALLOW_WITH_REFER: &[u8] =
    b"INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, MESSAGE, NOTIFY, REFER";

/// One leg.
#[derive(Debug)]
pub(crate) struct CallLeg {
    /// Our tag.
    pub(crate) tag: LocalTag,
    /// The dialog, early or confirmed. The A-leg has one from the start.
    pub(crate) dialog: Option<Dialog>,
    /// Our 2xx on this leg, to the INVITE of this CSeq number, waits for its ACK.
    pub(crate) unacked: Option<(ServerKey, u32)>,
    /// The peer's 2xx of this CSeq number waits for our ACK, which waits for the other leg's, since that brings the
    /// answer to a late offer.
    pub(crate) ack_due: Option<u32>,
    /// An offer of ours, or an INVITE, that nobody waits for any more: until its transaction has its end, no other one may
    /// follow it into the dialog (RFC 3261 §14.1, RFC 3311 §5.1).
    pub(crate) given_up: Option<ClientKey>,
    /// Who keeps it alive.
    pub(crate) session: SessionTimer,
    /// Number of our INVITE that began it.
    pub(crate) invite_cseq: u32,
    /// The 2xx, by its CSeq number, that we acknowledged last, since every repetition of it is acknowledged again (RFC
    /// 3261 §13.2.2.4). The message itself is kept only where it carried the answer; a bare ACK is built anew.
    last_ack: Option<(u32, Option<Bytes>)>,
    /// The last one before that carried an answer: its 2xx may come again after the session has been changed once more, and
    /// what was agreed then stands.
    earlier_ack: Option<Box<(u32, Bytes)>>,
}

impl CallLeg {
    /// A leg without a dialog yet.
    pub(crate) fn new(tag: LocalTag) -> Self {
        Self {
            tag,
            dialog: None,
            unacked: None,
            ack_due: None,
            given_up: None,
            session: SessionTimer::IDLE,
            invite_cseq: INVITE_CSEQ,
            last_ack: None,
            earlier_ack: None,
        }
    }

    /// Whether a request from the peer is inside this leg's dialog.
    pub(crate) fn owns(&self, request: &Message) -> bool {
        let (Ok(call_id), Ok(from)) = (request.call_id(), request.from()) else { return false };
        self.dialog.as_ref().is_some_and(|dialog| dialog.matches(call_id, from.tag().unwrap_or_default()))
    }

    /// Acknowledges a 2xx.
    pub(crate) fn ack(&mut self, env: &mut Env, cseq: u32, description: Option<&[u8]>) {
        self.ack_due = None;
        if let Some(bytes) = self.send_ack(env, cseq, description) {
            let before = self.last_ack.replace((cseq, description.map(|_| bytes)));
            if let Some((number, Some(bytes))) = before.filter(|(number, _)| *number != cseq) {
                self.earlier_ack = Some(Box::new((number, bytes)));
            }
        }
    }

    fn send_ack(&self, env: &mut Env, cseq: u32, description: Option<&[u8]>) -> Option<Bytes> {
        let branch = env.fresh_branch();
        let dialog = self.dialog.as_ref()?;
        let face = env.faces.get(dialog.peer.listener)?;
        let ack = dialog.request_numbered(Method::Ack, cseq, face, &branch);
        let bytes = finish(ack, description);
        env.send(dialog.peer, bytes.clone());
        Some(bytes)
    }

    /// Whether the 2xx of this CSeq number has its ACK.
    pub(crate) fn has_acked(&self, cseq: u32) -> bool {
        self.last_ack.as_ref().is_some_and(|(number, _)| *number == cseq)
    }

    /// The same again for a repeated 2xx. False if this 2xx was never acknowledged.
    pub(crate) fn ack_again(&self, env: &mut Env, cseq: u32) -> bool {
        match (&self.last_ack, &self.dialog) {
            (Some((number, Some(bytes))), Some(dialog)) if *number == cseq => {
                env.send(dialog.peer, bytes.clone())
            }
            (Some((number, None)), Some(_)) if *number == cseq => {
                self.send_ack(env, cseq, None);
            }
            _ => match (self.earlier_ack.as_deref(), &self.dialog) {
                (Some((number, bytes)), Some(dialog)) if *number == cseq => {
                    env.send(dialog.peer, bytes.clone())
                }
                _ => return false,
            },
        }
        true
    }

    /// Hangs up.
    pub(crate) fn bye(&mut self, env: &mut Env, reason: Option<&[u8]>) {
        let Some(dialog) = &mut self.dialog else { return };
        let Some(face) = env.faces.get(dialog.peer.listener) else { return };
        let client = env.txns.reserve(User::Farewell(env.now));
        let mut bye = dialog.request(Method::Bye, face, env.txns.branch(client).as_bytes());
        if let Some(reason) = reason {
            bye.header(HeaderName::Reason, reason);
        }
        env.txns.start(env.now, client, dialog.peer, ClientKind::NonInvite, bye.finish());
    }

    /// The call has left this leg: an ACK for its 2xx would be for a dialog that is not ours any more.
    pub(crate) fn owes_nothing(&mut self, env: &mut Env) {
        if let Some((server, _)) = self.unacked.take() {
            env.txns.acked(env.now, server);
        }
    }

    /// Forgets the dialog: the next attempt begins another.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.tag);
    }
}

/// Ends a message with a session description or without a body.
pub(crate) fn finish(message: Builder, description: Option<&[u8]>) -> Bytes {
    match description {
        Some(sdp) => message.body(b"application/sdp", sdp),
        None => message.finish(),
    }
}

/// Says why a session description was refused (RFC 3261 §20.43).
pub(super) fn put_warning(env: &Env, out: &mut Builder, from: Peer, request: &Message) {
    let Some(face) = env.face(from.listener) else { return };
    let (code, text) = sdp::find(request).map(objection).unwrap_or(MISCELLANEOUS);
    out.parts(HeaderName::Warning, &[code, b" ", &face.host, b" \"", text, b"\""]);
}

/// A response to a request on a leg, with what belongs into it by its method (RFC 3261 §12.1.1, §20.5).
pub(crate) fn respond(env: &Env, request: &Message, from: Peer, code: u16, tag: &LocalTag) -> Builder {
    let mut out = response(request, from.remote, code, env.load_said, (code > 100).then_some(tag.as_bytes()));
    let establishes = matches!(request.method(), Method::Invite) && (101..300).contains(&code);
    if establishes {
        for value in request.values(HeaderName::RecordRoute) {
            out.header(HeaderName::RecordRoute, value);
        }
    }
    if establishes || (matches!(request.method(), Method::Update) && (200..300).contains(&code)) {
        if let Some(face) = env.face(from.listener) {
            out.header(HeaderName::Contact, &face.contact);
        }
        out.header(HeaderName::Allow, env.allow(from.remote));
    }
    out
}
