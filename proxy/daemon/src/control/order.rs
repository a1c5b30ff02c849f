//! An order of an operator, from the audit log to its last line. It lives as long as its client: whoever loses the
//! connection has stopped it, and new calls flow as before.

use super::audit::overrides;
use super::client::{Client, Gone};
use super::desk::Desk;
use super::drain::{self, Drain, Draining};
use super::drill::{self, Drill, Drilling};
use crate::api::Who;
use crate::api::shapes::Words;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Order {
    /// No new calls to a place, and those that are up move away; or back.
    Drain(Drain),
    /// Cut a share of a region's calls off, watch, restore.
    Drill(Drill),
}

/// One that was taken.
enum Begun {
    Drain(Box<Draining>),
    Drill(Box<Drilling>),
}

/// Why one did not come to its end.
pub(super) enum Unfinished {
    Gone,
    Failed(Words),
}

impl From<Gone> for Unfinished {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

/// Carries an order out to its end. `taken` is told once whether it was begun.
pub(crate) async fn carry(
    desk: &Arc<Desk>,
    who: &Who,
    order: Order,
    client: Client,
    taken: oneshot::Sender<Result<(), Words>>,
) {
    // Who does not wait for it any more has gone, which the order sees for itself.
    let tell = |told| drop(taken.send(told));
    let what = match order {
        Order::Drain(_) => "drain",
        Order::Drill(_) => "drill",
    };
    let change = match desk.asked(&who.name, what, &order, overrides(&desk.snapshot())).await {
        Ok(change) => change,
        Err(words) => return tell(Err(words)),
    };
    match begin(desk, order).await {
        Ok(begun) => {
            tell(Ok(()));
            match begun.follow(desk, &client).await {
                Ok(()) | Err(Unfinished::Gone) => change.done(overrides(&desk.snapshot())).await,
                Err(Unfinished::Failed(words)) => change.refused(&words.message).await,
            }
        }
        Err(words) => {
            change.refused(&words.message).await;
            tell(Err(words));
        }
    }
}

async fn begin(desk: &Arc<Desk>, order: Order) -> Result<Begun, Words> {
    Ok(match order {
        Order::Drain(request) => Begun::Drain(Box::new(drain::begin(desk, &request).await?)),
        Order::Drill(request) => Begun::Drill(Box::new(drill::begin(desk, request).await?)),
    })
}

impl Begun {
    async fn follow(self, desk: &Arc<Desk>, client: &Client) -> Result<(), Unfinished> {
        match self {
            Self::Drain(draining) => draining.run(desk, client).await,
            Self::Drill(drilling) => drilling.run(desk, client).await,
        }
    }
}
