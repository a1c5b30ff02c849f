//! One leg of a call, as the far end sees it.

use super::script::{Callee, Caller};
use super::session::Timer;
use super::{Agent, Ear, Voice, number_of};
use bytes::Bytes;
use relay_values::Time;
use sip_wire::{Builder, HeaderName, Message, Method};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It sent the INVITE.
    Caller,
    /// It got the INVITE.
    Callee,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No final response.
    Early,
    /// 2xx sent or received.
    Up,
    /// Over.
    Over,
}

/// One leg.
#[derive(Debug)]
pub struct Leg {
    /// The call's number in the run.
    pub call: usize,
    /// Which end.
    pub role: Role,
    /// Since when it is known.
    pub began: Time,
    /// How far it is.
    pub stage: Stage,
    /// Call-ID.
    pub call_id: String,
    /// Caller: response codes in the order in which they first came.
    pub codes: Vec<(Time, u16)>,
    /// When the call was answered, as seen here.
    pub answered: Option<Time>,
    /// When a BYE of the other end came.
    pub ended: Option<Time>,
    /// The direction that the other end's first SDP gave.
    pub offered_first: String,
    /// Methods that came inside the dialog, in order.
    pub methods: Vec<String>,
    /// What it hears.
    pub ear: Ear,
    /// What it says.
    pub voice: Voice,
    /// Whether its INVITE moved a call that was answered already.
    pub is_move: bool,
    /// The last direction that the other end's SDP gave.
    pub told: String,
    /// How its own requests were answered.
    pub outcomes: Vec<(String, u16)>,
    /// Refreshes of its session that were answered.
    pub refreshed: u32,
    /// Its session ran out.
    pub expired: bool,
    pub(super) timer: Option<Timer>,
    pub(super) timers: u32,
    /// CSeq of a refresh of its own that is out.
    pub(super) refreshing: Option<u32>,
    pub(super) caller: Caller,
    pub(super) callee: Callee,
    pub(super) local: String,
    pub(super) local_tag: String,
    pub(super) remote: String,
    pub(super) remote_tag: Option<String>,
    pub(super) target: String,
    pub(super) routes: Vec<String>,
    pub(super) cseq: u32,
    pub(super) peer_cseq: u32,
    /// Caller: branch of the INVITE. Callee: the INVITE itself.
    pub(super) branch: String,
    pub(super) invite: Option<Message>,
    /// The caller has sent CANCEL.
    pub(super) cancelled: bool,
    /// CSeq of a re-INVITE of its own that is out.
    pub(super) inviting: Option<u32>,
    /// Our 2xx of this CSeq waits for its ACK.
    pub(super) unacked: Option<(u32, Bytes)>,
    /// A reliable provisional waits for its PRACK: RSeq, bytes.
    pub(super) unpracked: Option<(u32, Bytes)>,
    pub(super) rseq: u32,
    /// The exchange of descriptions that the INVITE began is over, before the 2xx.
    pub(super) settled: bool,
    pub(super) peer_rseq: Option<u32>,
    /// ACKs sent, by CSeq.
    pub(super) acks: BTreeMap<u32, Bytes>,
    pub(super) acts_scheduled: bool,
    pub(super) port: u16,
    /// Payload types of the codec and of telephone-event.
    pub(super) agreed: (u8, u8),
    pub(super) version: u32,
    pub(super) direction: &'static str,
    pub(super) remote_media: Option<SocketAddr>,
    pub(super) talking: bool,
    pub(super) muted: bool,
    /// The speech is a fax at present.
    pub(super) fax: bool,
    pub(super) faxed: u16,
    /// Lines in the last description.
    pub(super) lines: usize,
    /// The picture: our port for it, what is sent, where to.
    pub(super) picture: Option<(u16, Voice)>,
    pub(super) remote_picture: Option<SocketAddr>,
}

impl Leg {
    /// Whether our description lets us send.
    pub(super) fn may_talk(&self) -> bool {
        (self.role == Role::Caller || self.version > 0)
            && matches!(self.direction, "sendrecv" | "sendonly")
            && self.told_receives()
    }

    /// Whether no answer of its own waits for an ACK.
    pub fn is_settled(&self) -> bool {
        self.unacked.is_none()
    }

    /// Branch of the INVITE that began it.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    fn told_receives(&self) -> bool {
        !matches!(self.told.as_str(), "sendonly" | "inactive")
    }
}

impl Agent {
    /// A new leg; the rest is filled in by whoever makes it.
    pub(super) fn new_leg(&mut self, now: Time, call: usize, role: Role) -> usize {
        let index = self.legs.len();
        let port = self.ports.open(index);
        let local_tag = self.token("tag");
        self.legs.push(Leg {
            call,
            role,
            began: now,
            stage: Stage::Early,
            call_id: String::new(),
            codes: Vec::new(),
            answered: None,
            ended: None,
            offered_first: String::new(),
            methods: Vec::new(),
            ear: Ear::default(),
            voice: Voice::draw(&mut self.rng),
            is_move: false,
            told: "sendrecv".into(),
            outcomes: Vec::new(),
            refreshed: 0,
            expired: false,
            timer: None,
            timers: 0,
            refreshing: None,
            caller: Caller::default(),
            callee: Callee::default(),
            local: String::new(),
            local_tag,
            remote: String::new(),
            remote_tag: None,
            target: String::new(),
            routes: Vec::new(),
            cseq: 0,
            peer_cseq: 0,
            branch: String::new(),
            invite: None,
            cancelled: false,
            inviting: None,
            unacked: None,
            unpracked: None,
            rseq: 0,
            settled: false,
            peer_rseq: None,
            acks: BTreeMap::new(),
            acts_scheduled: false,
            port,
            agreed: (0, 101),
            version: 0,
            direction: "sendrecv",
            remote_media: None,
            talking: false,
            muted: false,
            fax: false,
            faxed: 0,
            lines: 1,
            picture: None,
            remote_picture: None,
        });
        index
    }

    /// The leg has a screen.
    pub(super) fn give_screen(&mut self, leg: usize) {
        if self.legs[leg].picture.is_none() {
            let port = self.ports.open(leg);
            self.legs[leg].picture = Some((port, Voice::draw(&mut self.rng)));
        }
    }

    pub(super) fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.side.mark(), self.at)
    }

    /// A proxy of the agent's own, as Record-Route shows it.
    pub(super) fn own_route(&self) -> String {
        format!("<sip:rr-{}@{};lr>", self.side.mark(), self.at)
    }

    /// The caller's INVITE begins a leg.
    pub(super) fn caller_leg(&mut self, now: Time, call: usize, caller: Caller) -> usize {
        let index = self.new_leg(now, call, Role::Caller);
        let call_id = self.token("call");
        let (at, ours) = (self.at, self.ours);
        let leg = &mut self.legs[index];
        let number = number_of(call);
        leg.call_id = call_id;
        leg.local = format!("\"Somebody\" <sip:+4989{call:06}@{}>;tag={}", at.ip(), leg.local_tag);
        leg.remote = format!("<sip:{number}@{}>", ours.ip());
        leg.target = format!("sip:{number}@{ours}");
        leg.caller = caller;
        index
    }

    /// A request of a leg's.
    pub(super) fn request(&self, leg: usize, method: Method<'_>, cseq: u32, branch: &str) -> Builder {
        let leg = &self.legs[leg];
        let mut out = Builder::request(method, leg.target.as_bytes());
        out.parts(
            HeaderName::Via,
            &[b"SIP/2.0/UDP ", self.at.to_string().as_bytes(), b";rport;branch=", branch.as_bytes()],
        );
        for route in &leg.routes {
            out.header(HeaderName::Route, route.as_bytes());
        }
        out.number(HeaderName::MaxForwards, 70)
            .header(HeaderName::From, leg.local.as_bytes())
            .header(HeaderName::To, leg.remote.as_bytes())
            .header(HeaderName::CallId, leg.call_id.as_bytes())
            .parts(HeaderName::CSeq, &[cseq.to_string().as_bytes(), b" ", method.as_bytes()])
            .header(HeaderName::Contact, self.contact().as_bytes());
        out
    }

    /// A response of a leg's.
    pub(super) fn response(&self, request: &Message, code: u16, tag: Option<&str>) -> Builder {
        let mut out = Builder::response(code, sip_wire::reason_phrase(code).as_bytes());
        for via in request.lines(HeaderName::Via) {
            out.header(HeaderName::Via, via);
        }
        for route in request.lines(HeaderName::RecordRoute) {
            out.header(HeaderName::RecordRoute, route);
        }
        for name in [HeaderName::From, HeaderName::CallId, HeaderName::CSeq] {
            out.header(name, request.header(name).unwrap_or_default());
        }
        let to = request.header(HeaderName::To).unwrap_or_default();
        let tagged = request.to().is_ok_and(|to| to.tag().is_some());
        match tag.filter(|_| !tagged) {
            Some(tag) => out.parts(HeaderName::To, &[to, b";tag=", tag.as_bytes()]),
            None => out.header(HeaderName::To, to),
        };
        out
    }
}

/// Bytes as text.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
