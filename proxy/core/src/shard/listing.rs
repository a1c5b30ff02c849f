//! Live calls, shown a few at a time.

use super::Shard;
use crate::call::{Call, CallEvent};
use crate::ids::CallKey;
use crate::limits::{CALLS_LOOKED_AT, CALLS_SHOWN};
use crate::{CallDetail, CallName, CallPage, CallQuery};

impl Shard {
    /// The calls that fit, from the place `from` on: at most `most` of them and `CALLS_SHOWN`, and of as many places as one
    /// look may take. Changes nothing.
    pub fn calls(&self, query: &CallQuery, from: u32, most: usize) -> CallPage {
        let most = most.min(CALLS_SHOWN);
        let end = u32::try_from(self.calls.capacity()).unwrap_or(u32::MAX);
        let until = from.saturating_add(CALLS_LOOKED_AT).min(end);
        let mut page = CallPage::default();
        for slot in from..until {
            let Some(entry) = usize::try_from(slot).ok().and_then(|slot| self.calls.get(slot)) else {
                continue;
            };
            if entry.call.fits(query, &self.env.newest) {
                if page.calls.len() >= most {
                    page.next = Some(slot);
                    return page;
                }
                page.calls.push(entry.call.view(self.env.shard, &self.env.newest));
            }
        }
        page.next = (until < end).then_some(until);
        page
    }

    /// One call, and what has happened to it.
    pub fn call(&self, name: CallName) -> Option<CallDetail> {
        let call = self.find(key_of(name)).filter(|_| name.shard == self.env.shard)?;
        Some(call.detail(self.env.shard, &self.env.newest))
    }

    /// An operator ends a call.
    pub(super) fn end_call(&mut self, name: CallName) {
        if name.shard == self.env.shard {
            self.with(key_of(name), |call: &mut Call, env| call.handle(env, CallEvent::Ended));
        }
    }
}

fn key_of(name: CallName) -> CallKey {
    CallKey { slot: name.slot, nonce: name.nonce }
}
