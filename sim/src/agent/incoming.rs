//! What an agent does with what it receives.

use super::dialog::text;
use super::outgoing::finish;
use super::transactions::key;
use super::{Agent, Book, Role, Stage, Step, Wake, call_of};
use bytes::Bytes;
use relay_values::{Duration, Time};
use sip_wire::{HeaderName, Message, Method, Uri, sdp};

/// How long a phone rings by itself.
const PATIENCE: Duration = Duration::from_secs(35);

impl Agent {
    /// A SIP datagram.
    pub fn hear_sip(&mut self, now: Time, book: &mut Book, bytes: &Bytes) {
        if bytes.starts_with(b"OPTIONS ") && self.probed_with(now, bytes) {
            return;
        }
        let Ok(message) = Message::parse(bytes.clone()) else { return };
        if !message.is_request() {
            return self.responded(now, &message);
        }
        let Some(branch) = message.top_via().ok().and_then(|via| via.branch) else { return };
        if message.method() == Method::Ack {
            return self.acknowledged(now, &message, branch);
        }
        let key = key(branch, message.method());
        if !self.is_new(now, &key) {
            return;
        }
        if self.asks(now, &message, &key) {
            return;
        }
        if message.to().is_ok_and(|to| to.tag().is_some()) {
            return self.inside_dialog(now, &message, &key);
        }
        match message.method() {
            Method::Options => self.reply(now, &message, &key, 200),
            Method::Invite => self.invited(now, book, &message, &key),
            Method::Cancel => self.cancelled(now, &message, branch, &key),
            _ => self.reply(now, &message, &key, 481),
        }
    }

    pub(super) fn reply(&mut self, now: Time, request: &Message, key: &str, code: u16) {
        let tag = self.token("tag");
        let bytes = self.response(request, code, Some(&tag)).finish();
        self.answer(now, key, code, bytes);
    }

    fn invited(&mut self, now: Time, book: &mut Book, invite: &Message, key: &str) {
        let user = Uri::parse(invite.uri()).ok().and_then(|uri| uri.user).unwrap_or_default();
        let Some(call) = call_of(user) else { return self.reply(now, invite, key, 404) };
        let leg = self.callee_leg(now, invite);
        let branch = self.legs[leg].branch.clone();
        self.legs[leg].call = call;
        self.legs[leg].is_move = book.is_move(&branch);
        self.legs[leg].callee = book.callee(call, &branch);
        if self.is_too_small(leg, invite) {
            book.again(call, &branch);
            self.legs[leg].stage = Stage::Over;
            return self.too_small(now, leg, invite, key);
        }
        // Described again, now that he knows his habits.
        if self.legs[leg].lines > 1 && !self.legs[leg].callee.blind {
            self.give_screen(leg);
            self.described(now, leg, invite);
        }
        self.mirror(leg);
        if !self.legs[leg].callee.steps.is_empty() {
            // Nobody rings for ever.
            let enough = Step::Refuse { code: 480, retry_after: None };
            self.legs[leg].callee.steps.push((PATIENCE, enough));
        }
        if let Some(server) = self.servers.get_mut(key) {
            server.leg = Some(leg);
        }
        let steps = &self.legs[leg].callee.steps;
        let wakes: Vec<_> = steps.iter().enumerate().map(|(i, (after, _))| (now + *after, i)).collect();
        for (at, step) in wakes {
            self.wake_at(at, Wake::Step(leg, step));
        }
    }

    /// A leg for an INVITE that came.
    pub(super) fn callee_leg(&mut self, now: Time, invite: &Message) -> usize {
        let index = self.new_leg(now, usize::MAX, Role::Callee);
        let branch = invite.top_via().ok().and_then(|via| via.branch).unwrap_or_default();
        let from = invite.header(HeaderName::From).unwrap_or_default();
        let leg = &mut self.legs[index];
        leg.call_id = text(invite.call_id().unwrap_or_default());
        leg.local =
            format!("{};tag={}", text(invite.header(HeaderName::To).unwrap_or_default()), leg.local_tag);
        leg.remote = text(from);
        leg.remote_tag = invite.from().ok().and_then(|from| from.tag()).map(text);
        leg.target = invite.contact().ok().flatten().map(|c| text(c.uri)).unwrap_or_default();
        leg.routes = invite.values(HeaderName::RecordRoute).map(text).collect();
        leg.peer_cseq = invite.cseq().map(|c| c.number).unwrap_or_default();
        leg.branch = text(branch);
        leg.invite = Some(invite.clone());
        self.described(now, index, invite);
        self.mirror(index);
        index
    }

    fn cancelled(&mut self, now: Time, cancel: &Message, branch: &[u8], key_of_cancel: &str) {
        let invite_key = key(branch, Method::Invite);
        let Some(server) = self.servers.get(&invite_key) else {
            return self.reply(now, cancel, key_of_cancel, 481);
        };
        let (leg, code) = (server.leg, server.code);
        self.reply(now, cancel, key_of_cancel, 200);
        let Some(leg) = leg.filter(|leg| code < 200 && !self.legs[*leg].callee.ignores_cancel) else {
            return;
        };
        let (Some(invite), tag) = (self.legs[leg].invite.clone(), self.legs[leg].local_tag.clone()) else {
            return;
        };
        self.legs[leg].stage = Stage::Over;
        let bytes = self.response(&invite, 487, Some(&tag)).finish();
        self.answer(now, &invite_key, 487, bytes);
    }

    fn find(&self, request: &Message) -> Option<usize> {
        let call_id = request.call_id().ok()?;
        let tag = request.to().ok()?.tag()?;
        self.legs.iter().position(|leg| leg.call_id.as_bytes() == call_id && leg.local_tag.as_bytes() == tag)
    }

    fn inside_dialog(&mut self, now: Time, request: &Message, key: &str) {
        let Some(leg) = self.find(request) else { return self.reply(now, request, key, 481) };
        let method = text(request.method().as_bytes());
        let cseq = request.cseq().map(|c| c.number).unwrap_or_default();
        let state = &mut self.legs[leg];
        state.methods.push(method);
        if cseq <= state.peer_cseq {
            return self.reply(now, request, key, 500);
        }
        state.peer_cseq = cseq;
        if state.stage == Stage::Over {
            return self.reply(now, request, key, 481);
        }
        if matches!(request.method(), Method::Invite | Method::Update) && self.is_too_small(leg, request) {
            return self.too_small(now, leg, request, key);
        }
        match request.method() {
            Method::Bye => {
                self.legs[leg].stage = Stage::Over;
                self.legs[leg].ended = Some(now);
                self.legs[leg].unacked = None;
                self.reply(now, request, key, 200);
            }
            Method::Prack => {
                let rack = request.rack().ok().flatten();
                let state = &mut self.legs[leg];
                let known = state
                    .unpracked
                    .as_ref()
                    .is_some_and(|(rseq, _)| rack.as_ref().is_some_and(|rack| rack.rseq == rseq + 500));
                if known {
                    state.unpracked = None;
                }
                if known && sdp::find(request).is_some() {
                    // The answer to the offer that the provisional brought.
                    self.legs[leg].settled = true;
                    self.described(now, leg, request);
                }
                self.reply(now, request, key, if known { 200 } else { 481 });
            }
            Method::Invite => self.reinvited(now, leg, request, key),
            Method::Update if self.takes_no_update(leg) => self.reply(now, request, key, 405),
            Method::Update if sdp::find(request).is_some() => {
                if self.legs[leg].inviting.is_some() || self.legs[leg].unacked.is_some() {
                    return self.reply(now, request, key, 491);
                }
                let bytes = self.answer_offer(now, leg, request);
                self.answer(now, key, 200, bytes);
            }
            Method::Update => {
                let mut out = self.response(request, 200, None);
                out.header(HeaderName::Contact, self.contact().as_bytes());
                self.accept_session(now, leg, request, &mut out);
                self.answer(now, key, 200, out.finish());
            }
            Method::Info | Method::Message | Method::Options | Method::Notify => {
                self.reply(now, request, key, 200);
            }
            // It is done, and that is all there is to tell (RFC 3515 §2.4.4).
            Method::Refer => {
                self.reply(now, request, key, 202);
                self.inside(now, leg, Method::Notify, |mut out| {
                    out.header(HeaderName::Event, format!("refer;id={cseq}").as_bytes())
                        .header(HeaderName::SubscriptionState, b"terminated;reason=noresource");
                    out.body(b"message/sipfrag;version=2.0", b"SIP/2.0 200 OK\r\n")
                });
            }
            _ => self.reply(now, request, key, 501),
        }
    }

    fn answer_offer(&mut self, now: Time, leg: usize, request: &Message) -> Bytes {
        if self.described(now, leg, request) {
            self.mirror(leg);
        }
        let body = self.description(leg, false);
        let mut out = self.response(request, 200, None);
        out.header(HeaderName::Contact, self.contact().as_bytes());
        self.accept_session(now, leg, request, &mut out);
        finish(out, Some(body))
    }

    fn reinvited(&mut self, now: Time, leg: usize, request: &Message, key: &str) {
        let state = &self.legs[leg];
        if state.inviting.is_some() {
            return self.reply(now, request, key, 491);
        }
        if state.unacked.is_some() || state.stage != Stage::Up {
            return self.reply(now, request, key, 500);
        }
        let bytes = self.answer_offer(now, leg, request);
        let (cseq, t1) = (self.legs[leg].peer_cseq, self.t1);
        self.legs[leg].unacked = Some((cseq, bytes.clone()));
        if let Some(server) = self.servers.get_mut(key) {
            server.code = 200;
        }
        self.send(bytes);
        self.wake_at(now + t1, Wake::Answer(leg, cseq, t1));
    }

    fn acknowledged(&mut self, now: Time, ack: &Message, branch: &[u8]) {
        if let Some(server) = self.servers.get_mut(&key(branch, Method::Invite))
            && server.code >= 300
        {
            server.acked = true;
            return;
        }
        let Some(leg) = self.find(ack) else { return };
        let cseq = ack.cseq().map(|c| c.number).unwrap_or_default();
        if self.legs[leg].unacked.take_if(|(number, _)| *number == cseq).is_none() {
            return;
        }
        self.described(now, leg, ack);
        if self.legs[leg].stage == Stage::Up {
            self.begin_acts(now, leg);
        }
    }
}
