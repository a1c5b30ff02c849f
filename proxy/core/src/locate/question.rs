//! One question to a name server, and following its answer through aliases.

use super::place::DnsName;
use super::reason::LocateReason;
use crate::limits::{MAX_ALIASES, MAX_RECORDS};
use relay_values::Duration;
use std::net::IpAddr;

/// Tells one question from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(pub(super) u64);

/// A question for a name server. The name is absolute: no search list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which: the answer names it.
    pub id: QuestionId,
    /// The name.
    pub name: DnsName,
    /// Which records.
    pub kind: QuestionKind,
}

/// Which records are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuestionKind {
    /// NAPTR (RFC 3403).
    Naptr,
    /// SRV (RFC 2782).
    Srv,
    /// A.
    A,
    /// AAAA.
    Aaaa,
}

impl QuestionKind {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Naptr, Self::Srv, Self::A, Self::Aaaa];

    /// As zones spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Naptr => "NAPTR",
            Self::Srv => "SRV",
            Self::A => "A",
            Self::Aaaa => "AAAA",
        }
    }
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Records of the answer section, whatever they are: aliases are followed here.
    Records(Vec<Record>),
    /// There is nothing, says a server.
    Nothing {
        /// What it says.
        absent: Absent,
        /// For how long (RFC 2308 §5), if it says.
        ttl: Option<Duration>,
    },
    /// No server says anything.
    Failed(Failure),
}

/// What is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Absent {
    /// The name (NXDOMAIN).
    Name,
    /// Such records of it.
    Data,
}

/// Why nobody says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// In time.
    Timeout,
    /// SERVFAIL, REFUSED, no route to a server and the like.
    Server,
    /// Unreadable.
    Malformed,
    /// Aliases without an end: a resolver may see that before us.
    AliasLoop,
}

impl From<Failure> for LocateReason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Timeout => Self::Timeout,
            Failure::Server => Self::ServerFailed,
            Failure::Malformed => Self::Malformed,
            Failure::AliasLoop => Self::AliasLoop,
        }
    }
}

impl From<Absent> for LocateReason {
    fn from(absent: Absent) -> Self {
        match absent {
            Absent::Name => Self::NoSuchName,
            Absent::Data => Self::NoData,
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub owner: DnsName,
    /// How long it may be kept.
    pub ttl: Duration,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A or AAAA.
    Address(IpAddr),
    /// SRV (RFC 2782).
    Srv {
        /// The lowest is tried first.
        priority: u16,
        /// Share among those of one priority.
        weight: u16,
        /// Port.
        port: u16,
        /// Host; `None` is ".", no such service.
        target: Option<DnsName>,
    },
    /// NAPTR (RFC 3403 §4.1).
    Naptr {
        /// The lowest that we can use is the only one that counts.
        order: u16,
        /// The lowest of one order comes first.
        preference: u16,
        /// What comes next: `s` is SRV.
        flags: String,
        /// `SIP+D2U` and the like.
        services: String,
        /// Whether there is a regular expression: SIP's records have none (RFC 3263 §4.1).
        regexp: bool,
        /// The next name.
        replacement: Option<DnsName>,
    },
    /// CNAME.
    Alias(DnsName),
}

impl Data {
    const fn is_of(&self, kind: QuestionKind) -> bool {
        match self {
            Self::Address(IpAddr::V4(_)) => matches!(kind, QuestionKind::A),
            Self::Address(IpAddr::V6(_)) => matches!(kind, QuestionKind::Aaaa),
            Self::Srv { .. } => matches!(kind, QuestionKind::Srv),
            Self::Naptr { .. } => matches!(kind, QuestionKind::Naptr),
            Self::Alias(_) => false,
        }
    }
}

/// A question on its way to its end.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) kind: QuestionKind,
    /// The name as it is now, after so many aliases.
    name: DnsName,
    aliases: u8,
    /// The least of the aliases so far.
    ttl: Duration,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    /// To be asked.
    Waiting,
    /// Asked.
    Out(QuestionId),
    /// Over.
    Over(Ended),
}

/// How a question ended.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    /// Records of the kind that was asked for, one at least.
    Found { data: Vec<Data>, ttl: Duration },
    /// None.
    Nothing { absent: Absent, ttl: Option<Duration> },
    /// Nobody knows.
    Failed(Failure),
}

impl Ask {
    pub(super) const fn new(name: DnsName, kind: QuestionKind) -> Self {
        Self { kind, name, aliases: 0, ttl: Duration::MAX, state: State::Waiting }
    }

    /// The question, if it is still to be asked; it is on its way from now on.
    pub(super) fn ask(&mut self, id: QuestionId) -> Option<Question> {
        match self.state {
            State::Waiting => {
                self.state = State::Out(id);
                Some(Question { id, name: self.name.clone(), kind: self.kind })
            }
            State::Out(_) | State::Over(_) => None,
        }
    }

    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    pub(super) fn is_out_as(&self, id: QuestionId) -> bool {
        matches!(self.state, State::Out(out) if out == id)
    }

    pub(super) const fn ended(&self) -> Option<&Ended> {
        match &self.state {
            State::Over(ended) => Some(ended),
            State::Waiting | State::Out(_) => None,
        }
    }

    /// Takes the answer in. An alias without what it stands for is asked on.
    pub(super) fn answer(&mut self, answer: Answer) {
        self.state = match answer {
            Answer::Records(records) => self.follow(&records),
            Answer::Nothing { absent, ttl } => State::Over(Ended::Nothing { absent, ttl }),
            Answer::Failed(failure) => State::Over(Ended::Failed(failure)),
        };
    }

    fn follow(&mut self, records: &[Record]) -> State {
        let records = records.get(..MAX_RECORDS).unwrap_or(records);
        let before = self.aliases;
        loop {
            let own = || records.iter().filter(|record| record.owner == self.name);
            let found: Vec<&Record> = own().filter(|record| record.data.is_of(self.kind)).collect();
            if !found.is_empty() {
                let ttl = found.iter().map(|record| record.ttl).fold(self.ttl, Duration::min);
                let data = found.into_iter().map(|record| record.data.clone()).collect();
                return State::Over(Ended::Found { data, ttl });
            }
            let alias = own().find_map(|record| match &record.data {
                Data::Alias(to) => Some((to.clone(), record.ttl)),
                Data::Address(_) | Data::Srv { .. } | Data::Naptr { .. } => None,
            });
            match alias {
                Some(_) if self.aliases >= MAX_ALIASES => {
                    return State::Over(Ended::Failed(Failure::AliasLoop));
                }
                Some((to, ttl)) => {
                    self.aliases += 1;
                    self.ttl = self.ttl.min(ttl);
                    self.name = to;
                }
                None if self.aliases > before => return State::Waiting,
                None => return State::Over(Ended::Nothing { absent: Absent::Data, ttl: None }),
            }
        }
    }
}
