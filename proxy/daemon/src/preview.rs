//! Where a call would go, and the very messages that would leave: asked of a shard of our own that is connected to nothing.

use bytes::Bytes;
use proxy_core::{
    Config, Direction, Input, ListenerId, MediaMode, Output, Owner, Peer, Proof, RegionId, RegionState,
    RejectReason, Shard, Signature, Snapshot, Source, StirAnswer, StirSaid, StirTask, StirWork, TargetId,
    TargetState, Transport,
};
use relay_values::{Open, RelayCommand, RelayEvent, SessionStats, Time};
use sip_wire::{Builder, HeaderName, Message, Method, reason_phrase};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Attempts that are followed: more than any hunt makes.
const MOST: usize = 32;

/// A call that somebody might make.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// Whose it is.
    pub source: Source,
    /// User part of the caller's address.
    pub from: &'a str,
    /// User part of whom is called.
    pub to: &'a str,
    /// Further header fields of the INVITE, each `Name: value`.
    pub headers: &'a [String],
    /// Regions that are down.
    pub down: &'a [RegionId],
}

/// What would become of it.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// Whether it comes from a carrier.
    pub direction: Direction,
    /// Where it would go, one after the other while each says 503.
    pub attempts: Vec<Attempt>,
    /// What the caller would hear if all of them did; at once, where there is none.
    pub code: u16,
    /// Why nothing would be tried.
    pub refused: Option<RejectReason>,
}

/// One INVITE that would leave.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// To whom, by name.
    pub target: String,
    /// The trunk or edge group that it belongs to.
    pub of: String,
    /// The region; `None` for a carrier.
    pub region: Option<String>,
    /// Where it is.
    pub peer: Peer,
    /// To the byte, but for what is drawn by lot: tags, branch, Call-ID.
    pub message: Bytes,
}

/// Asks a shard of this configuration, all of whose targets are up but for those of regions that are said to be down.
/// `None` where nobody could place such a call: the source has no address, or the words fit into no message.
pub fn forecast(config: &Arc<Config>, question: &Question<'_>) -> Option<Forecast> {
    let from = address_of(config, question.source)?;
    let invite = invite(config, from, question)?;
    let mut snapshot = Snapshot::first(Arc::clone(config));
    for (id, health) in (0..).map(TargetId).zip(&mut snapshot.health) {
        let down = config.region_of(id).is_some_and(|region| question.down.contains(&region));
        health.state = if down { TargetState::Down } else { TargetState::Up };
    }
    for (id, region) in (0..).map(RegionId).zip(&mut snapshot.regions) {
        region.state = if question.down.contains(&id) { RegionState::Down } else { RegionState::Up };
    }
    let mut lab =
        Lab { now: Time::from_millis(1_000), shard: Shard::new(0, 1, Time::ZERO, Arc::new(snapshot)) };
    let direction = match question.source {
        Source::Trunk(_) => Direction::Inbound,
        Source::Group(_) => Direction::Outbound,
    };
    let mut forecast = Forecast { direction, attempts: Vec::new(), code: 0, refused: None };
    if let Some(name) = certificate_of(config, question.source) {
        let proof = Some(Proof::Names([Box::from(name)].into()));
        lab.tell(Input::Proven { peer: from, connection: 0, proof }, &mut forecast);
    }
    let mut sent = lab.tell(Input::Message { from, bytes: invite }, &mut forecast);
    while let Some((peer, message)) = sent.pop() {
        let Ok(parsed) = Message::parse(message.clone()) else { continue };
        if !parsed.is_request() {
            let final_code = parsed.code().filter(|code| *code >= 200 && peer == from);
            forecast.code = final_code.unwrap_or(forecast.code);
        } else if matches!(parsed.method(), Method::Invite) && forecast.attempts.len() < MOST {
            forecast.attempts.push(attempt(config, peer, message)?);
            let busy = busy(&parsed)?;
            sent.extend(lab.tell(Input::Message { from: peer, bytes: busy }, &mut forecast));
        }
    }
    Some(forecast)
}

/// The shard, and a relay that has as many ports as it likes.
struct Lab {
    now: Time,
    shard: Shard,
}

impl Lab {
    fn tell(&mut self, input: Input, forecast: &mut Forecast) -> Vec<(Peer, Bytes)> {
        let (mut sent, mut inputs) = (Vec::new(), vec![input]);
        while let Some(input) = inputs.pop() {
            self.shard.handle(self.now, input);
            while let Some(output) = self.shard.poll_output() {
                match output {
                    Output::Send { to, bytes } => sent.push((to, bytes)),
                    Output::Relay(
                        RelayCommand::Open(Open { session, .. }) | RelayCommand::Renew { session, .. },
                    ) => {
                        let (a_port, b_port) = (20_000, 20_002);
                        inputs.push(Input::Relay(RelayEvent::Opened { session, a_port, b_port }));
                    }
                    Output::Relay(RelayCommand::Release { session }) => {
                        let stats = Box::new(SessionStats::default());
                        inputs.push(Input::Relay(RelayEvent::Released { session, stats }));
                    }
                    Output::Finished(record) => forecast.refused = record.reject,
                    Output::Stir(task) => inputs.push(Input::Stir(Box::new(stir_said(&task)))),
                    Output::Relay(_) | Output::Event(_) => {}
                }
            }
        }
        sent
    }
}

/// Nothing is signed here, where no key is: the message says what would be. Nor is a caller verified.
fn stir_said(task: &StirTask) -> StirAnswer {
    let StirWork::Sign(what) = &task.work else { return task.busy() };
    let kind = if what.passed.is_empty() { "shaken" } else { "div" };
    let value =
        format!("signed.{}.when-it-leaves;info=<https://{}>;ppt={kind}", what.attest.as_str(), task.policy);
    let date = b"when it leaves".as_slice().into();
    let signature = Signature { identities: vec![value.into_bytes().into()], date };
    StirAnswer { ticket: task.ticket, said: StirSaid::Signed(signature) }
}

/// An address that such a call could come from.
fn address_of(config: &Config, source: Source) -> Option<Peer> {
    let target = |id: &TargetId| config.target(*id).map(|target| target.peer);
    let (targets, sources) = match source {
        Source::Trunk(id) => {
            let trunk = config.trunks.get(id.index())?;
            (&trunk.targets, &trunk.sources)
        }
        Source::Group(id) => {
            let group = config.groups.get(id.index())?;
            (&group.edges, &group.sources)
        }
    };
    let from_network = || {
        let ip: IpAddr = sources.first()?.hosts().next()?;
        let of_family = |listener: &proxy_core::Listener| listener.bind.is_ipv6() == ip.is_ipv6();
        let listener = config.listeners.iter().position(of_family).unwrap_or(0);
        let listener = ListenerId(u16::try_from(listener).ok()?);
        Some(Peer { transport: Transport::Udp, listener, remote: SocketAddr::new(ip, 5060) })
    };
    let at = targets.first().and_then(target).or_else(from_network);
    if certificate_of(config, source).is_none() {
        return at;
    }
    let listener = config.listeners.iter().position(|listener| listener.transport == Transport::Tls)?;
    let ours = config.listeners.get(listener)?.bind;
    // Whoever shows the certificate may come from anywhere.
    let remote = at.map_or(SocketAddr::new(ours.ip(), 49_152), |peer| peer.remote);
    Some(Peer { transport: Transport::Tls, listener: ListenerId(u16::try_from(listener).ok()?), remote })
}

/// What it is known by, where that is no address.
fn certificate_of(config: &Config, source: Source) -> Option<&str> {
    let owner = source.owner();
    config.certificates.iter().find(|certificate| certificate.owner == owner).map(|found| found.name.as_str())
}

/// The INVITE that they would send.
fn invite(config: &Config, from: Peer, question: &Question<'_>) -> Option<Bytes> {
    let host = from.remote;
    let ours = config.listeners.get(from.listener.index())?.advertised;
    let uri = format!("sip:{}@{ours}", question.to);
    let mut out = Builder::request(Method::Invite, uri.as_bytes());
    out.header(
        HeaderName::Via,
        format!("SIP/2.0/{} {host};branch=z9hG4bKpreview", from.transport.as_str()).as_bytes(),
    );
    out.number(HeaderName::MaxForwards, 70);
    out.header(HeaderName::From, format!("<sip:{}@{}>;tag=preview", question.from, host.ip()).as_bytes());
    out.header(HeaderName::To, format!("<{uri}>").as_bytes());
    out.header(HeaderName::CallId, b"preview").header(HeaderName::CSeq, b"1 INVITE");
    out.header(HeaderName::Contact, format!("<sip:{host}>").as_bytes());
    for line in question.headers {
        let (name, value) = line.split_once(':')?;
        let known = HeaderName::lookup(name.trim().as_bytes());
        match known {
            HeaderName::Other => out.other(name.trim().as_bytes(), value.trim().as_bytes()),
            known => out.header(known, value.trim().as_bytes()),
        };
    }
    let family = if host.is_ipv6() { "IP6" } else { "IP4" };
    let ip = host.ip();
    let sdp = format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8 0 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\n"
    );
    // With media that bypasses us it is theirs to agree on; what it says has no part in the way.
    let body: &[u8] = if config.media.mode == MediaMode::Bypass { b"" } else { sdp.as_bytes() };
    let bytes = if body.is_empty() { out.finish() } else { out.body(b"application/sdp", body) };
    Message::parse(bytes.clone()).ok()?.check().ok()?;
    Some(bytes)
}

fn attempt(config: &Config, peer: Peer, message: Bytes) -> Option<Attempt> {
    let mut all = (0..).map(TargetId).zip(&config.targets);
    let (id, target) = all.find(|(_, target)| target.peer.remote == peer.remote)?;
    let of = match target.owner {
        Owner::Edge(group) => config.groups.get(group.index()).map(|group| group.name.clone()),
        Owner::Trunk(trunk) => config.trunks.get(trunk.index()).map(|trunk| trunk.name.clone()),
    };
    let region = config.region_of(id).and_then(|region| config.regions.get(usize::from(region.0)));
    Some(Attempt {
        target: target.name.clone(),
        of: of.unwrap_or_default(),
        region: region.map(|region| region.name.clone()),
        peer,
        message,
    })
}

/// 503 to an INVITE of ours.
fn busy(invite: &Message) -> Option<Bytes> {
    let mut out = Builder::response(503, reason_phrase(503).as_bytes());
    for via in invite.lines(HeaderName::Via) {
        out.header(HeaderName::Via, via);
    }
    out.header(HeaderName::From, invite.header(HeaderName::From)?);
    out.parts(HeaderName::To, &[invite.header(HeaderName::To)?, b";tag=busy"]);
    out.header(HeaderName::CallId, invite.call_id().ok()?);
    out.header(HeaderName::CSeq, invite.header(HeaderName::CSeq)?);
    Some(out.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_core::{Certificate, TrunkId};

    const TWO_REGIONS: &str = include_str!("../../../conf/production.toml");

    fn config() -> Arc<Config> {
        crate::config::parse("production.toml", TWO_REGIONS).unwrap().config
    }

    fn ask(config: &Arc<Config>, source: Source, down: &[RegionId]) -> Forecast {
        let question = Question { source, from: "+442079460123", to: "+4930123456", headers: &[], down };
        forecast(config, &question).unwrap()
    }

    #[test]
    fn an_inbound_call_hunts_through_the_best_region_and_then_the_other_one() {
        let config = config();
        let forecast = ask(&config, Source::Trunk(TrunkId(0)), &[]);
        let regions: Vec<_> = forecast.attempts.iter().map(|a| a.region.clone().unwrap()).collect();
        assert!(regions.len() > 3, "{regions:?}");
        let mut turns = regions.clone();
        turns.dedup();
        assert_eq!(turns.len(), 2, "no region is tried again after the other: {regions:?}");
        assert_eq!((forecast.code, forecast.refused), (503, None));
        let other = ask(&config, Source::Trunk(TrunkId(0)), &[config.groups[0].region]);
        assert_ne!(other.attempts[0].region, forecast.attempts[0].region);
    }

    #[test]
    fn a_call_that_nobody_takes_says_why() {
        let config = config();
        let all: Vec<_> = (0..config.regions.len()).map(|n| RegionId(n as u16)).collect();
        let everywhere = ask(&config, Source::Trunk(TrunkId(0)), &all);
        // Regions that are said to be down are still better than nothing.
        assert!(everywhere.attempts.len() > 1);
        let question =
            Question { source: Source::Trunk(TrunkId(0)), from: "1", to: "a b", headers: &[], down: &[] };
        assert!(forecast(&config, &question).is_none(), "no message has such a number");
    }
    #[test]
    fn who_is_known_by_a_certificate_shows_it() {
        let mut config = Arc::unwrap_or_clone(config());
        let owner = Owner::Trunk(TrunkId(0));
        config.trunks[0].sources.clear();
        config.certificates.push(Certificate { name: "carrier.example".into(), owner });
        config.listeners[0].transport = Transport::Tls;
        let shown = ask(&Arc::new(config), Source::Trunk(TrunkId(0)), &[]);
        assert!(shown.attempts.len() > 1, "its call goes through, from wherever it comes");
    }
}
