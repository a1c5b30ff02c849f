//! What operators see of a call while it lives.

use super::seat::names_of;
use super::{Attempted, Call, State};
use crate::{CallDetail, CallName, CallPhase, CallQuery, CallView, Config, Snapshot};

impl Call {
    pub(crate) fn phase(&self) -> CallPhase {
        match self.state {
            State::Opening { .. } | State::Hunting(_) if self.stamps.ringing.is_some() => CallPhase::Ringing,
            State::Opening { .. } | State::Hunting(_) => CallPhase::Hunting,
            State::Answered => CallPhase::Answered,
            State::Rehoming(_) => CallPhase::Moving,
            State::Closing(_) | State::Over(..) => CallPhase::Closing,
        }
    }

    /// Whether it is one of those that are asked for. Nothing is allocated for one that is not.
    pub(crate) fn fits(&self, query: &CallQuery, newest: &Snapshot) -> bool {
        let CallQuery { number, trunk, site, region, phase, call_id } = query;
        let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        let identity = &self.admitted.identity;
        phase.is_none_or(|phase| phase == self.phase())
            && is(trunk, self.trunk_name())
            && is(site, self.site_name())
            && is(region, self.region_name(&newest.config))
            && number
                .as_ref()
                .is_none_or(|number| begins(identity.calling(), number) || begins(identity.called(), number))
            && call_id
                .as_ref()
                .is_none_or(|id| self.call_ids().into_iter().any(|known| known == id.as_bytes()))
    }

    pub(crate) fn view(&self, shard: u8, newest: &Snapshot) -> CallView {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let [a_call_id, b_call_id] = self.call_ids().map(text);
        let moved = self.mobile.is_some().then_some(self.seat.edge).flatten();
        let seat = moved.and_then(|edge| names_of(&newest.config, edge));
        let tried = self.steps.last().and_then(|step| names_of(&step.under.config, step.target));
        CallView {
            name: CallName { shard, slot: self.key.slot, nonce: self.key.nonce },
            phase: self.phase(),
            direction: self.admitted.direction,
            calling: text(self.admitted.identity.calling()),
            called: text(self.admitted.identity.called()),
            source: self.admitted.source.remote,
            trunk: self.trunk_name().to_owned(),
            site: self.site_name().to_owned(),
            region: self.region_name(&newest.config).to_owned(),
            target: seat.or(tried).map(|(target, _)| target.to_owned()).unwrap_or_default(),
            a_call_id,
            b_call_id,
            started: self.stamps.started,
            ringing: self.stamps.ringing,
            answered: self.stamps.answered,
            generation: self.pinned.generation,
            moves: self.moves_so_far().len(),
        }
    }

    pub(crate) fn detail(&self, shard: u8, newest: &Snapshot) -> CallDetail {
        CallDetail {
            call: self.view(shard, newest),
            steps: self.steps.iter().map(Attempted::step).collect(),
            moves: self.moves_so_far().to_vec(),
            media: self.media.shown(),
        }
    }

    fn trunk_name(&self) -> &str {
        let trunk = self.admitted.trunk.and_then(|trunk| self.pinned.config.trunks.get(trunk.index()));
        trunk.map_or("", |trunk| &trunk.name)
    }

    fn site_name(&self) -> &str {
        let site = self.admitted.site.and_then(|site| self.pinned.config.sites.get(site.index()));
        site.map_or("", |site| &site.name)
    }

    /// Its number is the newest configuration's.
    fn region_name<'a>(&self, newest: &'a Config) -> &'a str {
        newest.regions.get(usize::from(self.region().0)).map_or("", |region| &region.name)
    }

    /// Of the legs as they are now; empty where there is no dialog.
    fn call_ids(&self) -> [&[u8]; 2] {
        [&self.a, &self.b].map(|leg| leg.dialog.as_ref().map_or(&[][..], |dialog| dialog.call_id()))
    }
}

fn begins(number: &[u8], prefix: &str) -> bool {
    let bare = |text: &'_ [u8]| text.strip_prefix(b"+").map_or(0, |_| 1);
    let (number, prefix) = (number.get(bare(number)..), prefix.as_bytes().get(bare(prefix.as_bytes())..));
    number.zip(prefix).is_some_and(|(number, prefix)| number.starts_with(prefix))
}
