//! The reports (RTCP) that the ends of a call send each other, told to a collector as they come, under the name of their call.

use super::encode::{Packet, RTCP_JSON};
use super::rtcp;
use super::sender::Sender;
use crate::limits::{OBSERVED_SESSIONS, REPORTS_PER_SECOND};
use crate::shared::Shared;
use datapath::Report;
use relay_values::{Duration, SessionId, Time};
use rtrb::Consumer;
use std::collections::HashMap;

type Calls = HashMap<SessionId, Box<[u8]>>;

/// What the workers have passed on, and whose it is.
pub(super) struct Reports {
    queues: Vec<Consumer<Report>>,
    /// The Call-ID of each session's caller, in two generations: forgotten is whom nothing was heard of for so many others.
    young: Calls,
    old: Calls,
    pace: Pace,
}

impl Reports {
    pub(super) fn new(queues: Vec<Consumer<Report>>) -> Self {
        Self { queues, young: Calls::new(), old: Calls::new(), pace: Pace::default() }
    }

    /// A session is this call's from now on.
    pub(super) fn opened(&mut self, session: SessionId, call: Box<[u8]>) {
        if self.young.len() >= OBSERVED_SESSIONS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(session, call);
    }

    fn call_of(&mut self, session: SessionId) -> Option<&[u8]> {
        if !self.young.contains_key(&session)
            && let Some(call) = self.old.remove(&session)
        {
            self.opened(session, call);
        }
        self.young.get(&session).map(|call| &**call)
    }

    /// What has come since the last time. Reports that are sealed cannot be read, and are left out.
    pub(super) fn pass_on(&mut self, sender: &mut Sender, shared: &Shared) {
        for queue in 0..self.queues.len() {
            while let Some(report) = self.queues.get_mut(queue).and_then(|queue| queue.pop().ok()) {
                if !self.pace.allows(report.at) {
                    shared.tally.observe.dropped(1);
                    continue;
                }
                let Some(told) = rtcp::told(report.bytes()) else { continue };
                let Some(call) = self.call_of(report.session) else { continue };
                let payload = told.to_string().into_bytes();
                let (from, to) = (report.from, report.to);
                let packet = Packet { from, to, is_tcp: false, kind: RTCP_JSON, payload: &payload, call };
                sender.put(&packet, shared.clock.wall(report.at));
            }
        }
    }
}

/// So many in a second.
#[derive(Debug, Default)]
struct Pace {
    begun: Time,
    passed: u32,
}

impl Pace {
    fn allows(&mut self, now: Time) -> bool {
        if now.since(self.begun) >= Duration::from_secs(1) {
            *self = Self { begun: now, passed: 0 };
        }
        self.passed += 1;
        self.passed <= REPORTS_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_for_as_long_as_it_is_heard_of_and_no_more_are_than_there_is_room_for() {
        let mut reports = Reports::new(Vec::new());
        let one = SessionId::new(1, 1);
        reports.opened(one, b"a".as_slice().into());
        for n in 0..3 * OBSERVED_SESSIONS as u64 {
            reports.opened(SessionId::new(2, n), b"x".as_slice().into());
            if n % 100_000 == 0 {
                assert_eq!(reports.call_of(one), Some(&b"a"[..]));
            }
        }
        assert_eq!(reports.call_of(one), Some(&b"a"[..]));
        assert_eq!(reports.call_of(SessionId::new(2, 0)), None, "long forgotten");
        assert!(reports.young.len() + reports.old.len() <= 2 * OBSERVED_SESSIONS);
    }

    #[test]
    fn a_flood_of_reports_is_cut_off_for_the_rest_of_its_second() {
        let mut pace = Pace::default();
        let now = Time::from_millis(5_000);
        let passed = (0..2 * REPORTS_PER_SECOND).filter(|_| pace.allows(now)).count();
        assert_eq!(passed, REPORTS_PER_SECOND as usize);
        assert!(pace.allows(now + Duration::from_secs(1)));
    }
}
