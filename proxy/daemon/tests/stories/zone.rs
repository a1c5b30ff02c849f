//! A name server of one story's own: what it says changes while the story goes on, and it can be gone.

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

type Records = HashMap<(String, RecordType), Vec<(u32, RData)>>;

/// Ends when dropped: its port is closed from then on.
pub(crate) struct Zone {
    pub(crate) at: SocketAddr,
    records: Arc<Mutex<Records>>,
    asked: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Zone {
    pub(crate) fn at(ip: IpAddr) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let at = socket.local_addr().unwrap();
        let (records, over): (Arc<Mutex<Records>>, Arc<AtomicBool>) = Default::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let thread = {
            let (records, over, asked) = (Arc::clone(&records), Arc::clone(&over), Arc::clone(&asked));
            std::thread::spawn(move || {
                let mut buffer = [0; 4_096];
                while !over.load(Ordering::Relaxed) {
                    let Ok((n, from)) = socket.recv_from(&mut buffer) else { continue };
                    asked.fetch_add(1, Ordering::Relaxed);
                    if let Some(answer) = answer(&buffer[..n], &records.lock().unwrap()) {
                        let _ = socket.send_to(&answer, from);
                    }
                }
            })
        };
        Self { at, records, asked, over, thread: Some(thread) }
    }

    /// What stands in a configuration to have this one asked, without patience.
    pub(crate) fn configured(&self) -> String {
        let at = self.at;
        format!("[dns]\nservers = [\"{at}\"]\ntimeout = \"1s\"\nattempts = 1\nstart_wait = \"8s\"\n")
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    pub(crate) fn a(&self, host: &str, ttl: u32, ips: &[IpAddr]) {
        let data = ips.iter().map(|ip| match ip {
            IpAddr::V4(v4) => (ttl, RData::A(A(*v4))),
            IpAddr::V6(_) => panic!("stories of names are IPv4"),
        });
        self.set(host, RecordType::A, data.collect());
    }

    /// Hosts by priority and weight, at SIP's own port.
    pub(crate) fn srv(&self, owner: &str, ttl: u32, hosts: &[(u16, u16, &str)]) {
        let data = hosts.iter().map(|(priority, weight, host)| {
            (
                ttl,
                RData::SRV(SRV::new(*priority, *weight, 5060, Name::from_ascii(format!("{host}.")).unwrap())),
            )
        });
        self.set(owner, RecordType::SRV, data.collect());
    }

    pub(crate) fn alias(&self, owner: &str, to: &str) {
        let data = RData::CNAME(CNAME(Name::from_ascii(format!("{to}.")).unwrap()));
        self.set(owner, RecordType::CNAME, vec![(60, data)]);
    }

    pub(crate) fn clear(&self) {
        self.records.lock().unwrap().clear();
    }

    fn set(&self, owner: &str, kind: RecordType, data: Vec<(u32, RData)>) {
        self.records.lock().unwrap().insert((owner.to_owned(), kind), data);
    }
}

impl Drop for Zone {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the zone says; NXDOMAIN where it says nothing of a name.
fn answer(question: &[u8], records: &Records) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let owner = query.name().to_ascii().to_lowercase();
    let owner = owner.trim_end_matches('.').to_owned();
    let mut response = Message::response(question.metadata.id, OpCode::Query);
    response.metadata.recursion_desired = true;
    response.metadata.recursion_available = true;
    let own = records.get(&(owner.clone(), query.query_type()));
    let alias = records.get(&(owner.clone(), RecordType::CNAME));
    for (ttl, data) in own.or(alias).into_iter().flatten() {
        response.add_answer(Record::from_rdata(query.name().clone(), *ttl, data.clone()));
    }
    if !records.keys().any(|(name, _)| *name == owner || name.ends_with(&format!(".{owner}"))) {
        response.metadata.response_code = ResponseCode::NXDomain;
    }
    response.add_query(query);
    response.to_vec().ok()
}
