//! Streams of an earlier run that the kernel goes on forwarding: nobody here knows their calls.
//!
//! Until they end, their ports are nobody else's: the relay does not give them to a call, and sockets that nobody reads hold
//! them, so that what the program passes up is not answered with "port unreachable". They end as calls do whose media falls
//! silent (docs/adr/0005), or when no call could still be up.

use crate::socket::SocketOptions;
use crate::xdp::{Adopted, FlowId, NextHop, NextHopId, Routes, Tables, Via, Way};
use relay_values::{Duration, Time};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A call of an earlier run is over after this: whoever refreshes its session within the usual 1,800 s (RFC 4028 §4) has heard
/// from us by then that there is no such call. Of calls with a mean length of four minutes, one in 1,800 lives that long.
pub(crate) const OLDEST: Duration = Duration::from_secs(1800);

/// Where calls may be silent for ever by configuration, those that nobody knows any more may be so for a minute, both ways.
const SILENT: Duration = Duration::from_secs(60);

/// How often they are looked at: a quarter of a second late is on time, as for the relay's own.
const TICK: Duration = Duration::from_millis(250);

/// What a socket that nobody reads keeps: the least that the system gives.
const UNREAD: usize = 1;

/// Our address and the peer's.
type Ends = (IpAddr, IpAddr);

/// Entries for next hops, with how many flows take each.
type Hops = HashMap<NextHop, (NextHopId, usize)>;

/// All of them.
#[derive(Debug)]
pub(crate) struct Orphans {
    tables: Arc<Tables>,
    sessions: Vec<Session>,
    ways: HashMap<Ends, Known>,
    hops: Hops,
    /// Silence of either direction ends a session; `None`: only that of both.
    inactivity: Option<Duration>,
    /// Next hops of the earlier run, as long as flows go by them.
    theirs: BTreeSet<NextHopId>,
    since: Time,
    looked: Time,
}

/// The flows between two of our ports.
#[derive(Debug)]
struct Session {
    flows: Vec<Flow>,
    /// RTP ports of both legs.
    ports: [SocketAddr; 2],
    _unread: Vec<OwnedFd>,
}

#[derive(Debug)]
struct Flow {
    id: FlowId,
    ends: Ends,
    /// Where its frames go; it holds an entry then.
    hop: Option<NextHop>,
}

/// A way that flows take.
#[derive(Debug)]
struct Known {
    way: Option<Way>,
    flows: usize,
}

impl Orphans {
    /// Take over what was adopted. `unread`: how to hold ports that would be answered otherwise. Until [`look_again`](Self::look_again), flows go by the next hops of the earlier run.
    pub(crate) fn new(
        tables: Arc<Tables>,
        adopted: Vec<Adopted>,
        now: Time,
        inactivity: Option<Duration>,
        unread: Option<SocketOptions>,
    ) -> Self {
        let mut orphans = Self {
            tables,
            sessions: Vec::new(),
            ways: HashMap::new(),
            hops: HashMap::new(),
            inactivity,
            theirs: BTreeSet::new(),
            since: now,
            looked: now,
        };
        let mut sessions: BTreeMap<[SocketAddr; 2], Vec<Flow>> = BTreeMap::new();
        for Adopted { id, at, out, to, hop } in adopted {
            let ends = (out.ip(), to);
            orphans.ways.entry(ends).or_insert(Known { way: None, flows: 0 }).flows += 1;
            let flow = Flow { id, ends, hop: None };
            orphans.theirs.insert(hop);
            let mut ports = [at, out];
            ports.sort_unstable();
            sessions.entry(ports).or_default().push(flow);
        }
        let hold = |ports: &[SocketAddr; 2]| {
            let both = ports.iter().flat_map(|at| [*at, SocketAddr::new(at.ip(), at.port() ^ 1)]);
            // What cannot be held is answered by the system; nothing else depends on it.
            let bind = |at| unread?.with_receive_buffer(UNREAD).bind(at).ok();
            both.filter_map(bind).collect()
        };
        let sessions = sessions.into_iter();
        orphans.sessions =
            sessions.map(|(ports, flows)| Session { _unread: hold(&ports), flows, ports }).collect();
        orphans
    }

    /// How many flows there are.
    pub(crate) fn flows(&self) -> usize {
        self.sessions.iter().map(|s| s.flows.len()).sum()
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The RTP ports that are not the relay's to give.
    pub(crate) fn ports(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.sessions.iter().flat_map(|s| s.ports)
    }

    /// When to look at them again.
    pub(crate) fn next(&self) -> Time {
        if self.sessions.is_empty() { Time::NEVER } else { self.looked + TICK }
    }

    /// Take those out that have ended; the RTP ports that they had.
    pub(crate) fn end(&mut self, now: Time) -> Vec<SocketAddr> {
        self.looked = now;
        let (tables, since, inactivity) = (&self.tables, self.since, self.inactivity);
        let over = |session: &mut Session| {
            // Who was heard before we came was heard when we came: nobody else looked meanwhile.
            let silent = session.flows.iter().map(|flow| now.since(tables.state(&flow.id).last.max(since)));
            is_over(silent, now.since(since), inactivity)
        };
        let ended: Vec<Session> = self.sessions.extract_if(.., over).collect();
        let mut ports = Vec::new();
        for session in ended {
            ports.extend(session.ports);
            for mut flow in session.flows {
                flow.go(None, &mut self.hops, &self.tables);
                self.tables.remove(flow.id);
                if let Some(known) = self.ways.get_mut(&flow.ends) {
                    known.flows -= 1;
                    if known.flows == 0 {
                        self.ways.remove(&flow.ends);
                    }
                }
            }
        }
        ports
    }

    /// Ways may have changed: those by these neighbours, or all of them.
    pub(crate) fn look_again(&mut self, by: Option<&[Via]>, way: impl Fn(IpAddr, IpAddr) -> Option<Way>) {
        let theirs = std::mem::take(&mut self.theirs);
        let mut changed = !theirs.is_empty();
        // Who has no way may find one by anybody.
        let concerns = |known: &Known| known.way.is_none_or(|way| by.is_none_or(|by| by.contains(&way.via)));
        for (&(from, to), known) in self.ways.iter_mut().filter(|(_, known)| concerns(known)) {
            let now = way(from, to);
            changed |= known.way.map(|w| w.hop) != now.map(|w| w.hop);
            known.way = now;
        }
        if !changed {
            return;
        }
        for flow in self.sessions.iter_mut().flat_map(|s| &mut s.flows) {
            let hop = self.ways.get(&flow.ends).and_then(|known| known.way).map(|w| w.hop);
            if hop != flow.hop || !theirs.is_empty() {
                flow.go(hop, &mut self.hops, &self.tables);
            }
        }
        for hop in theirs {
            self.tables.disown(hop);
        }
    }

    /// Have neighbours made sure of.
    pub(crate) fn touch(&self, routes: &Routes) {
        for way in self.ways.values().filter_map(|known| known.way.as_ref()) {
            // What the stack cannot be asked now, it can be next time.
            let _ = routes.touch(way);
        }
    }

    /// Have neighbours looked for that are not known: no packet of these flows makes the stack do it.
    pub(crate) fn seek(&self, routes: &Routes) {
        for ((from, to), _) in self.ways.iter().filter(|(_, known)| known.way.is_none()) {
            let _ = routes.seek(*from, *to);
        }
    }
}

/// Whether a call is over whose flows have been silent for so long, so long after it was adopted.
fn is_over(
    silent: impl Iterator<Item = Duration> + Clone,
    age: Duration,
    inactivity: Option<Duration>,
) -> bool {
    let fell_silent = match inactivity {
        Some(allowed) => silent.clone().max().is_none_or(|longest| longest >= allowed),
        None => silent.clone().min().is_none_or(|shortest| shortest >= SILENT),
    };
    fell_silent || age >= OLDEST
}

impl Flow {
    /// Go by another next hop, which all that go there share, or by none.
    fn go(&mut self, to: Option<NextHop>, hops: &mut Hops, tables: &Tables) {
        let held = to.and_then(|hop| {
            let id = match hops.get_mut(&hop) {
                Some((id, users)) => {
                    *users += 1;
                    *id
                }
                None => {
                    let id = tables.add_next_hop(&hop)?;
                    hops.insert(hop, (id, 1));
                    id
                }
            };
            Some((hop, id))
        });
        tables.repoint(&self.id, held.map(|(_, id)| id));
        let before = std::mem::replace(&mut self.hop, held.map(|(hop, _)| hop));
        if let Some((before, (id, users))) = before.and_then(|b| Some((b, hops.get_mut(&b)?))) {
            *users -= 1;
            if *users == 0 {
                tables.remove_next_hop(*id);
                hops.remove(&before);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_nobody_knows_ends_with_silence_or_with_age() {
        let s = Duration::from_secs;
        let over = |silent: &[u64], age, inactivity: Option<u64>| {
            is_over(silent.iter().map(|n| s(*n)), s(age), inactivity.map(s))
        };
        // One of two has hung up; where silence may be for ever, both have to be silent.
        assert!(!over(&[0, 11], 100, Some(12)) && over(&[0, 12], 100, Some(12)));
        assert!(!over(&[0, 1700], 1700, None) && !over(&[59, 60], 100, None) && over(&[60, 61], 100, None));
        // Only one direction was with the kernel.
        assert!(!over(&[3], 100, Some(12)) && over(&[12], 100, Some(12)));
        // Two that speak for ever.
        for inactivity in [Some(12), None] {
            assert!(!over(&[0, 0], 1799, inactivity) && over(&[0, 0], 1800, inactivity));
        }
    }
}
