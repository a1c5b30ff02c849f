//! One question to the name servers, by hickory.

use crate::config::DnsSettings;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record as Wire, RecordType};
use proxy_core::{Absent, Answer, Data, DnsName, Failure, Question, QuestionKind, Record};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Asks, and remembers nothing.
#[derive(Clone)]
pub(crate) struct Asker {
    resolver: TokioResolver,
}

impl Asker {
    /// For the configured servers, or for those of the system as they are now.
    pub(crate) fn new(settings: &DnsSettings) -> Result<Self, NetError> {
        let provider = TokioRuntimeProvider::default();
        let mut builder = if settings.servers.is_empty() {
            TokioResolver::builder(provider)?
        } else {
            let servers = settings.servers.iter().map(|at| server(*at)).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            let mut builder = TokioResolver::builder_with_config(config, provider);
            // Whoever names servers wants their word, and not a file's.
            builder.options_mut().use_hosts_file = ResolveHosts::Never;
            builder
        };
        let options: &mut ResolverOpts = builder.options_mut();
        options.timeout = settings.timeout;
        // Those after the first.
        options.attempts = usize::from(settings.attempts.saturating_sub(1));
        options.cache_size = 0;
        // Where one address will do.
        options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
        options.preserve_intermediates = true;
        Ok(Self { resolver: builder.build()? })
    }

    /// The addresses of a host, aliases followed; none where nobody knows any.
    pub(crate) async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let Ok(name) = Name::from_ascii(format!("{}.", host.trim_end_matches('.'))) else {
            return Vec::new();
        };
        match self.resolver.lookup_ip(name).await {
            Ok(found) => found.iter().collect(),
            Err(error) => {
                tracing::debug!(name = host, %error, "name server");
                Vec::new()
            }
        }
    }

    pub(super) async fn ask(&self, question: &Question) -> Answer {
        let kind = match question.kind {
            QuestionKind::Naptr => RecordType::NAPTR,
            QuestionKind::Srv => RecordType::SRV,
            QuestionKind::A => RecordType::A,
            QuestionKind::Aaaa => RecordType::AAAA,
        };
        // With its last dot, so that no search list is tried.
        let Ok(name) = Name::from_ascii(format!("{}.", question.name)) else {
            return Answer::Failed(Failure::Malformed);
        };
        match self.resolver.lookup(name, kind).await {
            Ok(lookup) => Answer::Records(lookup.answers().iter().filter_map(record).collect()),
            Err(error) => {
                let answer = unanswered(&error);
                tracing::debug!(name = %question.name, kind = kind.to_string(), %error, "name server");
                answer
            }
        }
    }
}

fn server(at: SocketAddr) -> NameServerConfig {
    let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    connections.iter_mut().for_each(|connection| connection.port = at.port());
    NameServerConfig::new(at.ip(), true, connections.into())
}

/// What no records mean.
fn unanswered(error: &NetError) -> Answer {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, negative_ttl, .. })) => {
            let absent = match response_code {
                ResponseCode::NXDomain => Absent::Name,
                ResponseCode::NoError => Absent::Data,
                _ => return Answer::Failed(Failure::Server),
            };
            let ttl = negative_ttl.map(|ttl| Duration::from_secs(u64::from(ttl)));
            Answer::Nothing { absent, ttl }
        }
        NetError::Timeout => Answer::Failed(Failure::Timeout),
        NetError::Proto(_) => Answer::Failed(Failure::Malformed),
        _ => Answer::Failed(Failure::Server),
    }
}

fn record(wire: &Wire) -> Option<Record> {
    let name = |name: &Name| DnsName::in_answer(&name.to_ascii());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let data = match &wire.data {
        RData::A(a) => Data::Address(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Data::Address(IpAddr::V6(aaaa.0)),
        RData::SRV(srv) => Data::Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: name(&srv.target),
        },
        RData::NAPTR(naptr) => Data::Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            services: text(&naptr.services),
            regexp: !naptr.regexp.is_empty(),
            replacement: name(&naptr.replacement),
        },
        RData::CNAME(to) => Data::Alias(name(&to.0)?),
        _ => return None,
    };
    Some(Record { owner: name(&wire.name)?, ttl: Duration::from_secs(u64::from(wire.ttl)), data })
}
