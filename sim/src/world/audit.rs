//! The auditor at our border. It reads what the rules of this crate read, with eyes of its own.

use super::World;
use crate::checks::Violation;
use crate::setup::Setup;
use relay_values::{Duration, Time};
use sip_audit::{Auditor, Ending, Timing, Wire};
use std::net::SocketAddr;

/// In virtual time everything is on time.
pub(super) fn auditor(setup: &Setup, ours: SocketAddr) -> Auditor {
    let timers = &setup.timers;
    Auditor::new(Timing::exact(timers.t1, timers.t2, timers.t4), move |at| at == ours)
}

impl World {
    fn instant(&self) -> Duration {
        Duration::from_nanos(self.now.as_nanos())
    }

    pub(super) fn audit(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let at = self.instant();
        if let Some(auditor) = &mut self.auditor {
            auditor.saw(at, from, to, Wire::Datagram, bytes);
        }
    }

    pub(super) fn audit_icmp(&mut self, to: SocketAddr) {
        let at = self.instant();
        if let Some(auditor) = &mut self.auditor {
            auditor.unreachable(at, to);
        }
    }

    /// What it has found, as violations.
    pub(super) fn audited(&mut self) -> Vec<Violation> {
        let findings = self.auditor.take().map(|auditor| auditor.finish(Ending::AllOver));
        let findings = findings.into_iter().flatten();
        let violation = |finding: sip_audit::Finding| Violation {
            at: Time::from_nanos(u64::try_from(finding.at.as_nanos()).unwrap_or(u64::MAX)),
            call: self.calls.get(finding.call.as_bytes()).copied(),
            rule: "audit",
            text: finding.to_string(),
        };
        findings.map(violation).collect()
    }
}
