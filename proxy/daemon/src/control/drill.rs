//! A drill: cut a share of a region's calls off as an outage would, watch, restore.

use super::client::{Client, Gone};
use super::desk::{Claim, Desk, Undo, words};
use super::order::Unfinished;
use super::regions::{edges, stranded};
use super::watch::{Wanted, Watch};
use crate::api::shapes::{End, News, Words};
use crate::api::wishes::{Cut, DrillWish};
use crate::limits::{CONTROL_PROGRESS, CONTROL_TICK};
use crate::overrides::{self, Override, Place};
use crate::records::receipt::millis;
use proxy_core::{MoveReason, Snapshot};
use relay_values::Time;
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::interval;

/// Longest drill: ten minutes. Who wants more wants a drain.
const MAX_FOR_MS: u64 = 600_000;

/// After a drill the calls that are still being moved are waited for; this long without news is the end.
const QUIET: Duration = Duration::from_secs(1);

/// For the calls that it chooses, the region is as good as dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Drill {
    /// Name of a region.
    pub(crate) region: String,
    /// What is to be done to it.
    #[serde(flatten)]
    pub(crate) wish: DrillWish,
}

/// A drill under way.
pub(super) struct Drilling {
    id: u64,
    request: Drill,
    watch: Watch,
    /// Restores what was cut.
    undo: Undo,
    cut_at: Time,
    until: Instant,
    /// From the cut until the detector had found it.
    found: Option<Duration>,
    claim: Claim,
}

pub(super) async fn begin(desk: &Arc<Desk>, request: Drill) -> Result<Drilling, Words> {
    let before = desk.snapshot();
    check(&before, &request)?;
    let claim = desk.claim(&Place::Region(request.region.clone()))?;
    let id = desk.next_id();
    let wanted = Wanted { order: id, reason: MoveReason::Drill, place: request.region.clone() };
    let watch = Watch::new(wanted, desk.notices(), desk.shards());
    let DrillWish { share, cut, for_ms, .. } = request.wish;
    let cut = match cut {
        Cut::Signalling => proxy_core::Cut::Signalling,
        Cut::Media => proxy_core::Cut::Media,
        Cut::Both => proxy_core::Cut::Both,
    };
    let undo = Undo::new(desk, Some(Override::EndDrill(id)));
    let said = Override::Drill { id, region: request.region.clone(), share, cut };
    let cut_at = desk.clock().now();
    desk.say(said).await?;
    let until = Instant::now() + Duration::from_millis(for_ms);
    Ok(Drilling { id, request, watch, undo, cut_at, until, found: None, claim })
}

fn check(snapshot: &Snapshot, request: &Drill) -> Result<(), Words> {
    let wrong = |message: String, advice: &str| Err(Words { message, advice: advice.to_owned() });
    let region = overrides::region(&snapshot.config, &request.region).ok_or_else(|| {
        let known = snapshot.config.regions.iter().map(|r| r.name.clone()).collect();
        words(&overrides::Refused::Unknown { name: request.region.clone(), known })
    })?;
    let DrillWish { share, for_ms, ref abort_if, .. } = request.wish;
    if !(1..=100).contains(&share) {
        return wrong(format!("a share of {share} percent"), "write 1 to 100");
    }
    if !(100..=MAX_FOR_MS).contains(&for_ms) {
        return wrong(format!("a drill of {for_ms} ms"), "write 100ms to 10m");
    }
    if abort_if.len() > 8 {
        return wrong("more conditions than there are measures".to_owned(), "write at most 8");
    }
    if snapshot.overrides.drained.contains(&region) {
        let advice = "drill a region that has calls, or open this one with `bascule drain REGION --back`";
        return wrong(format!("region `{}` is drained", request.region), advice);
    }
    let cut_off: Vec<_> = edges(snapshot, region).collect();
    if let Some(site) = stranded(snapshot, |edge| cut_off.contains(&edge)).first() {
        let advice = "a drill would end calls: see `bascule regions`, and bring another region up first";
        return wrong(format!("site `{site}` has nowhere else to go"), advice);
    }
    if !snapshot.config.rehome.enabled {
        return wrong("re-homing is switched off".to_owned(), "set [rehome] enabled = true first");
    }
    Ok(())
}

impl Drilling {
    /// Whichever way this ends, what was cut is restored.
    pub(super) async fn run(self, desk: &Desk, client: &Client) -> Result<(), Unfinished> {
        let id = self.id;
        let over = self.follow(desk, client).await;
        if let Err(Unfinished::Gone) = over {
            tracing::warn!(drill = id, "its client has gone: the drill is over");
        }
        over
    }

    async fn follow(mut self, desk: &Desk, client: &Client) -> Result<(), Unfinished> {
        let (end, why) = self.watch_until(desk, client).await?;
        let receipts = self.look(desk);
        // First restore, then everything else.
        let restored = self.undo.now().await;
        client.say_all(receipts).await?;
        // Moves that are under way end by their own deadline.
        let settle = Instant::now() + desk.snapshot().config.rehome.deadline + QUIET;
        let end = match restored {
            Ok(()) => {
                while self.watch.last_news().elapsed() < QUIET && Instant::now() < settle {
                    tokio::time::sleep(CONTROL_TICK).await;
                    self.tell(desk, client).await?;
                }
                end
            }
            Err(words) => {
                tracing::error!(drill = self.id, "the drill could not be ended: {}", words.message);
                client.say(News::Error(words.clone())).await?;
                return Err(Unfinished::Failed(words));
            }
        };
        let mut summary = self.watch.sum_up(end, why);
        summary.found_ms = self.found.map(millis);
        let p = summary.progress;
        tracing::info!(
            drill = self.id,
            ?end,
            moved = p.moved,
            failed = p.failed,
            dropped = summary.dropped,
            "drill over"
        );
        Ok(client.say(News::Summary(Box::new(summary))).await?)
    }

    async fn watch_until(&mut self, desk: &Desk, client: &Client) -> Result<(End, Option<String>), Gone> {
        let mut tick = interval(CONTROL_TICK);
        let mut told_at = Instant::now();
        while Instant::now() < self.until {
            tokio::select! {
                () = client.gone() => return Err(Gone),
                () = self.claim.stopped() => return Ok((End::Stopped, None)),
                _ = tick.tick() => {
                    // The condition before the news: a client that does not read must not keep calls cut off.
                    let receipts = self.look(desk);
                    if let Some(condition) = self.watch.trips(&self.request.wish.abort_if) {
                        let why = format!("{condition} has come true");
                        // What cannot be told to the client is in the log and the records.
                        self.undo.now().await.ok();
                        client.say_all(receipts).await?;
                        return Ok((End::Aborted, Some(why)));
                    }
                    client.say_all(receipts).await?;
                    if told_at.elapsed() >= CONTROL_PROGRESS {
                        told_at = Instant::now();
                        client.say(News::Progress(self.watch.progress())).await?;
                    }
                }
            }
        }
        Ok((End::Finished, None))
    }

    async fn tell(&mut self, desk: &Desk, client: &Client) -> Result<(), Gone> {
        let receipts = self.look(desk);
        client.say_all(receipts).await
    }

    fn look(&mut self, desk: &Desk) -> Vec<News> {
        let drill = desk.snapshot().overrides.drill.filter(|drill| drill.id == self.id);
        if let Some(found) = drill.and_then(|drill| drill.found) {
            self.found = Some(found.since(self.cut_at));
        }
        self.watch.look().into_iter().map(News::Receipt).collect()
    }
}
