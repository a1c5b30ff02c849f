//! What the answers to an agent's own requests mean.

use super::dialog::text;
use super::outgoing::finish;
use super::transactions::key;
use super::{Agent, Stage};
use bytes::Bytes;
use relay_values::Time;
use sip_wire::{HeaderName, Message, Method, sdp};

impl Agent {
    pub(super) fn responded(&mut self, now: Time, response: &Message) {
        let Some(branch) = response.top_via().ok().and_then(|via| via.branch) else { return };
        let (key, code) = (key(branch, response.method()), response.code().unwrap_or_default());
        let Some(client) = self.clients.get_mut(&key) else { return };
        let (leg, first, cseq) = (client.leg, !client.done, client.cseq);
        client.proceeding = true;
        client.done |= code >= 200;
        if leg >= self.legs.len() {
            return;
        }
        let initial = self.legs[leg].branch.as_bytes() == branch;
        match response.method() {
            Method::Invite if initial => self.invite_answered(now, leg, response, first),
            Method::Invite => self.reinvite_answered(now, leg, response, cseq, first),
            method if code >= 200 && first => {
                let name = text(method.as_bytes());
                self.legs[leg].outcomes.push((name, code));
                if method == Method::Cancel && code >= 300 {
                    // There is nothing to cancel any more: its final response was lost.
                    self.legs[leg].stage = Stage::Over;
                }
                if method == Method::Update && code < 300 {
                    self.described(now, leg, response);
                    self.agree_session(now, leg, response);
                }
                self.refresh_answered(now, leg, cseq, response);
                if method == Method::Prack && code < 300 && self.legs[leg].caller.early_update {
                    self.update_early(now, leg);
                }
                if matches!(code, 408 | 481) && method != Method::Cancel && method != Method::Prack {
                    self.legs[leg].stage = Stage::Over;
                }
            }
            _ => {}
        }
    }

    fn invite_answered(&mut self, now: Time, leg: usize, response: &Message, first: bool) {
        let (code, state) = (response.code().unwrap_or_default(), &mut self.legs[leg]);
        if first && state.codes.last().is_none_or(|(_, last)| *last != code) {
            state.codes.push((now, code));
        }
        if code > 100 && code < 300 {
            if state.remote_tag.is_none() {
                state.remote_tag = response.to().ok().and_then(|to| to.tag()).map(text);
                state.remote = text(response.header(HeaderName::To).unwrap_or_default());
                state.routes = response.values(HeaderName::RecordRoute).map(text).collect();
                state.routes.reverse();
            }
            if let Ok(Some(contact)) = response.contact() {
                state.target = text(contact.uri);
            }
        }
        match code {
            0..=100 => {}
            101..=199 => {
                if first && !state.caller.late_offer {
                    self.described(now, leg, response);
                }
                self.prack(now, leg, response);
            }
            200..=299 => self.answered(now, leg, response),
            _ => {
                self.acknowledge_refusal(response);
                if code == 422 && first && self.invite_for_longer(now, leg, response) {
                    return;
                }
                if self.legs[leg].stage == Stage::Early {
                    self.legs[leg].stage = Stage::Over;
                }
            }
        }
    }

    fn answered(&mut self, now: Time, leg: usize, response: &Message) {
        let state = &mut self.legs[leg];
        if state.caller.deaf_to > 0 {
            state.caller.deaf_to -= 1;
            return;
        }
        let cseq = response.cseq().map(|c| c.number).unwrap_or_default();
        self.acknowledge(now, leg, response, cseq, self.legs[leg].caller.late_offer);
        let state = &mut self.legs[leg];
        if state.stage != Stage::Early {
            return;
        }
        state.stage = Stage::Up;
        state.answered = Some(now);
        self.agree_session(now, leg, response);
        if self.legs[leg].cancelled {
            // The CANCEL came too late: nobody wants this call any more.
            return self.bye(now, leg);
        }
        self.begin_acts(now, leg);
    }

    /// ACK for a 2xx, the same for every repetition. With an answer, if the 2xx brought the offer.
    fn acknowledge(&mut self, now: Time, leg: usize, response: &Message, cseq: u32, answers: bool) {
        if let Some(ack) = self.legs[leg].acks.get(&cseq) {
            let ack = ack.clone();
            return self.send(ack);
        }
        self.described(now, leg, response);
        let body = (answers && sdp::find(response).is_some()).then(|| {
            self.mirror(leg);
            self.description(leg, false)
        });
        let branch = self.branch();
        let ack = finish(self.request(leg, Method::Ack, cseq, &branch), body);
        self.legs[leg].acks.insert(cseq, ack.clone());
        self.send(ack);
    }

    fn reinvite_answered(&mut self, now: Time, leg: usize, response: &Message, cseq: u32, first: bool) {
        let code = response.code().unwrap_or_default();
        if code < 200 {
            return;
        }
        let key = response.top_via().ok().and_then(|via| via.branch).map(|b| key(b, Method::Invite));
        let offered = key
            .and_then(|key| self.clients.get(&key))
            .and_then(|client| Message::parse(client.bytes.clone()).ok())
            .is_some_and(|request| sdp::find(&request).is_some());
        if first {
            self.legs[leg].outcomes.push(("INVITE".into(), code));
            self.legs[leg].inviting = None;
            if code < 300 {
                self.agree_session(now, leg, response);
            }
            self.refresh_answered(now, leg, cseq, response);
        }
        if code < 300 {
            return self.acknowledge(now, leg, response, cseq, !offered);
        }
        self.acknowledge_refusal(response);
        if matches!(code, 408 | 481) {
            self.legs[leg].stage = Stage::Over;
        }
    }

    /// ACK for a 300-699, in the INVITE's transaction (RFC 3261 §17.1.1.3).
    fn acknowledge_refusal(&mut self, response: &Message) {
        if let Some(ack) = self.refusal_ack(response) {
            self.send(ack);
        }
    }

    fn refusal_ack(&self, response: &Message) -> Option<Bytes> {
        let branch = response.top_via().ok()?.branch?;
        let client = self.clients.get(&key(branch, Method::Invite))?;
        let invite = Message::parse(client.bytes.clone()).ok()?;
        let mut ack = sip_wire::Builder::request(Method::Ack, invite.uri());
        ack.header(HeaderName::Via, invite.header(HeaderName::Via)?);
        for route in invite.lines(HeaderName::Route) {
            ack.header(HeaderName::Route, route);
        }
        ack.number(HeaderName::MaxForwards, 70)
            .header(HeaderName::From, invite.header(HeaderName::From)?)
            .header(HeaderName::To, response.header(HeaderName::To)?)
            .header(HeaderName::CallId, invite.header(HeaderName::CallId)?)
            .parts(HeaderName::CSeq, &[client.cseq.to_string().as_bytes(), b" ACK"]);
        Some(ack.finish())
    }
}
