//! The carrier alpha by name: a name server with moods, and the core that locates, wired as the daemon wires it.

use super::{Event, World};
use proxy_core::{
    Absent, Answer, Config, Data, DnsName, Failure, HealthInput, Locate, LocateInput, LocatePolicy, Place,
    Question, QuestionId, QuestionKind, Record, Resolution, Snapshot, TargetState,
};
use relay_values::{Duration, Time};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

/// What the name server does with questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It answers.
    Answers,
    /// It is gone.
    Gone,
    /// NXDOMAIN, whatever it is asked.
    Denies,
}

/// What the name server says: SRV with a host for each of these, by priority, all with this TTL in seconds.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Of every record.
    pub ttl: u64,
    /// Priority and address.
    pub hosts: Vec<(u16, &'static str)>,
}

impl Default for Zone {
    /// Both addresses of alpha, the first preferred.
    fn default() -> Self {
        Self { ttl: 60, hosts: vec![(10, "198.51.100.1"), (20, "198.51.100.2")] }
    }
}

/// From here to the name server and back.
const THERE_AND_BACK: Duration = Duration::from_millis(5);
/// How long a question waits for a server that is gone.
const PATIENCE: Duration = Duration::from_secs(4);

pub(super) struct Names {
    pub(super) locate: Locate,
    configured: Config,
    resolution: Resolution,
    pub(super) mood: Mood,
    pub(super) zone: Zone,
    pub(super) questions: Vec<Time>,
    down: BTreeSet<SocketAddr>,
}

impl Names {
    /// All names are known when the world begins, as after a start that has waited for them.
    pub(super) fn new(seed: u64, configured: Config, zone: Zone) -> Self {
        let mut names = Self {
            locate: Locate::new(seed, LocatePolicy::default()),
            configured,
            resolution: Resolution::new(),
            mood: Mood::Answers,
            zone,
            questions: Vec::new(),
            down: BTreeSet::new(),
        };
        let places: BTreeSet<Place> =
            names.configured.named.iter().map(|named| named.place.clone()).collect();
        names.locate.handle(Time::ZERO, LocateInput::Places(places));
        while let Some(question) = names.locate.poll_query() {
            let (id, answer) = (question.id, names.answer(&question));
            names.locate.handle(Time::ZERO, LocateInput::Answer { id, answer });
        }
        names.take_changes();
        names
    }

    /// The configuration with what is known; `true` if that has changed.
    fn take_changes(&mut self) -> bool {
        let mut changed = false;
        while let Some(change) = self.locate.poll_change() {
            self.resolution.insert(change.place, change.addresses);
            changed = true;
        }
        changed
    }

    pub(super) fn config(&self) -> Config {
        self.configured.located(&self.resolution).0
    }

    fn answer(&self, question: &Question) -> Answer {
        let nothing = |absent| Answer::Nothing { absent, ttl: Some(Duration::from_secs(60)) };
        let name = question.name.as_str();
        let data: Vec<Data> = match (self.mood, question.kind) {
            (Mood::Gone, _) => return Answer::Failed(Failure::Timeout),
            (Mood::Denies, _) => return nothing(Absent::Name),
            (Mood::Answers, QuestionKind::Srv) if name == "_sip._udp.alpha.example" => {
                let hosts = self.zone.hosts.iter().enumerate();
                let srv = |(at, (priority, _)): (usize, &(u16, &str))| Data::Srv {
                    priority: *priority,
                    weight: 1,
                    port: 5060,
                    target: DnsName::in_answer(&format!("h{at}.alpha.example")),
                };
                hosts.map(srv).collect()
            }
            (Mood::Answers, QuestionKind::A) => {
                let hosts = self.zone.hosts.iter().enumerate();
                let own = hosts.filter(|(at, _)| name == format!("h{at}.alpha.example"));
                own.filter_map(|(_, (_, ip))| ip.parse().ok().map(Data::Address)).collect()
            }
            (Mood::Answers, QuestionKind::Naptr | QuestionKind::Srv | QuestionKind::Aaaa) => vec![],
        };
        if data.is_empty() {
            return nothing(Absent::Data);
        }
        let ttl = Duration::from_secs(self.zone.ttl);
        let record = |data| Record { owner: question.name.clone(), ttl, data };
        Answer::Records(data.into_iter().map(record).collect())
    }
}

impl World {
    /// One input to the core that locates, and what comes of it.
    pub(super) fn name_input(&mut self, input: LocateInput) {
        let Some(names) = &mut self.names else { return };
        names.locate.handle(self.now, input);
        let mut out: Vec<(Duration, QuestionId, Answer)> = Vec::new();
        while let Some(question) = names.locate.poll_query() {
            names.questions.push(self.now);
            let wait = if names.mood == Mood::Gone { PATIENCE } else { THERE_AND_BACK };
            out.push((wait, question.id, names.answer(&question)));
        }
        let changed = names.take_changes().then(|| Arc::new(names.config()));
        self.due.names = names.locate.poll_timeout();
        for (wait, id, answer) in out {
            self.after(wait, Event::Named(Box::new(LocateInput::Answer { id, answer })));
        }
        if let Some(config) = changed {
            self.trace.note(self.now, None, "a name has other addresses".into());
            self.health.handle(self.now, HealthInput::Config(config));
            self.drain_health();
        }
    }

    /// What a new snapshot says of addresses.
    pub(super) fn heed_for_names(&mut self, snapshot: &Snapshot) {
        let Some(names) = &mut self.names else { return };
        let targets = snapshot.config.targets.iter().zip(&snapshot.health);
        let down = targets.filter(|(_, health)| health.state == TargetState::Down);
        let down: BTreeSet<SocketAddr> = down.map(|(target, _)| target.peer.remote).collect();
        if down != names.down {
            names.down.clone_from(&down);
            self.after(self.setup.latency, Event::Named(Box::new(LocateInput::Down(down))));
        }
    }

    /// When the name server was asked.
    pub fn questions(&self) -> &[Time] {
        self.names.as_ref().map_or(&[], |names| &names.questions)
    }

    /// The core that locates, where there are names.
    pub fn locate(&self) -> Option<&Locate> {
        self.names.as_ref().map(|names| &names.locate)
    }
}
