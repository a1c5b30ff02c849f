//! An attended transfer concerns two calls: what the one wants of the other goes through the shard.

use super::Shard;
use crate::call::Replaces;
use crate::ids::{CallKey, LocalTag};
use crate::transaction::ClientKey;
use relay_values::Leg;
use sip_wire::Message;

/// What a call wants of another one.
#[derive(Debug)]
pub(crate) enum Join {
    /// The leg that is to take over is asked.
    Ask {
        /// Who wants it.
        asker: CallKey,
        /// The re-INVITE's transaction, which works for the asker.
        client: ClientKey,
        /// The dialog that it is behind.
        replaces: Replaces,
        /// The media that it would have.
        offer: Vec<u8>,
    },
    /// It has said yes.
    Take {
        /// Who gets it.
        asker: CallKey,
        /// Whose it is.
        of: CallKey,
        /// Which.
        leg: Leg,
        /// The 2xx.
        answer: Box<Message>,
    },
    /// It is not wanted any more.
    Return {
        /// Whose it is.
        of: CallKey,
    },
}

impl Shard {
    /// Does what calls want of each other.
    pub(super) fn join(&mut self) {
        while let Some(join) = self.env.joins.pop() {
            match join {
                Join::Ask { asker, client, replaces, offer } => self.ask(asker, client, &replaces, &offer),
                Join::Take { asker, of, leg, answer } => {
                    let given = self.with(of, |call, env| call.give(env, leg)).flatten();
                    match given {
                        Some(given) => {
                            let adopted = self.with(asker, |call, env| call.adopt(env, given, &answer));
                            if let Some(by) = adopted.flatten() {
                                self.aliases.insert((of, leg), (asker, by));
                            }
                        }
                        None => {
                            self.with(asker, |call, env| call.not_transferred(env, 481));
                        }
                    }
                }
                Join::Return { of } => {
                    self.with(of, |call, env| call.returned(env));
                }
            }
        }
    }

    fn ask(&mut self, asker: CallKey, client: ClientKey, replaces: &Replaces, offer: &[u8]) {
        let named = LocalTag::decode(&replaces.to_tag);
        let lent = named.and_then(|(_, leg, of)| {
            let dialog = (&*replaces.call_id, &*replaces.from_tag);
            self.with(of, |call, env| call.lend(env, leg.other(), client, dialog, offer))
        });
        if let Err(code) = lent.unwrap_or(Err(481)) {
            self.env.txns.abandon(self.env.now, client);
            self.with(asker, |call, env| call.not_transferred(env, code));
        }
    }
}
