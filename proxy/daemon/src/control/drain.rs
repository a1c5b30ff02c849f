//! A drain: no new calls to a place, those that are up move away make-before-break; or back.

use super::client::{Client, Gone};
use super::desk::{Claim, Desk, Undo, words};
use super::order::Unfinished;
use super::regions::{edges, stranded};
use super::split::split;
use super::watch::{Wanted, Watch};
use crate::api::shapes::{End, News, Words};
use crate::limits::{CONTROL_PROGRESS, CONTROL_SETTLE, CONTROL_TICK};
use crate::overrides::{self, Override, Place};
use crate::shared::Mail;
use proxy_core::{MoveFrom, MoveOrder, MoveReason, RegionId, Snapshot, TargetId};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::interval;

/// Longest deadline: an hour.
const MAX_DEADLINE_MS: u64 = 3_600_000;

/// A planned move, make-before-break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Drain {
    /// Name of a region or an edge.
    pub(crate) place: String,
    /// Share of its answered calls, in percent, 1 to 100.
    pub(crate) share: u8,
    /// Only calls whose called number (inbound) or calling number (outbound) begins like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<String>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) calls: Option<u32>,
    /// What is not moved after so many milliseconds stays where it is.
    pub(crate) deadline_ms: u64,
    /// Lift the drain, and move the calls back that began there.
    pub(crate) back: bool,
    /// With `back`: calls stay where they are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stay: bool,
}

/// A drain under way.
pub(super) struct Draining {
    id: u64,
    watch: Watch,
    /// Opens the place again, if it was this order that closed it.
    undo: Undo,
    drained: bool,
    deadline: Duration,
    warnings: Vec<Words>,
    claim: Claim,
}

pub(super) async fn begin(desk: &Arc<Desk>, request: &Drain) -> Result<Draining, Words> {
    check(request)?;
    let before = desk.snapshot();
    let place = Place::named(&before.config, &request.place).map_err(|refused| words(&refused))?;
    let claim = desk.claim(&place)?;
    let was_drained = is_drained(&before, &place);
    let said = if request.back { Override::Open(place.clone()) } else { Override::Drain(place.clone()) };
    let snapshot = desk.say(said).await?;
    let opens = !request.back && !was_drained;
    let undo = Undo::new(desk, opens.then(|| Override::Open(place.clone())));
    let id = desk.next_id();
    let reason = if request.back { MoveReason::Back } else { MoveReason::Drain };
    let wanted = Wanted { order: id, reason, place: place.name().to_owned() };
    let mut watch = Watch::new(wanted, desk.notices(), desk.shards());
    let deadline = Duration::from_millis(request.deadline_ms);
    let mut warnings = warn(request, &place, &snapshot);
    if let Some(from) = source(request, &place, &snapshot) {
        let order = MoveOrder {
            id,
            from,
            share: request.share,
            prefix: request.number.clone(),
            calls: None,
            deadline,
            reason,
        };
        tracing::info!(
            order = id,
            place = place.name(),
            share = order.share,
            reason = reason.as_str(),
            "moving calls"
        );
        let parts = parts(desk, request.calls, &snapshot, from).await;
        for (shard, calls) in parts.into_iter().enumerate() {
            if calls == Some(0) {
                watch.excuse(shard);
                continue;
            }
            let order = MoveOrder { calls, ..order.clone() };
            if let Err(words) = desk.post(shard, Mail::Move(order)).await {
                warnings.push(words);
                watch.excuse(shard);
            }
        }
    } else {
        (0..desk.shards()).for_each(|shard| watch.excuse(shard));
    }
    Ok(Draining { id, watch, undo, drained: !request.back, deadline, warnings, claim })
}

impl Draining {
    pub(super) async fn run(mut self, desk: &Desk, client: &Client) -> Result<(), Unfinished> {
        let over = self.follow(desk, client).await;
        if let Err(Gone) = over {
            tracing::warn!(order = self.id, "its client has gone: moving calls is stopped");
            self.stop(desk).await;
        }
        Ok(over?)
    }

    /// Tell the client how it comes on, until it is over.
    async fn follow(&mut self, desk: &Desk, client: &Client) -> Result<(), Gone> {
        client.say_all(self.warnings.drain(..).map(News::Warning)).await?;
        let mut until = Instant::now() + self.deadline + CONTROL_SETTLE;
        let mut end = End::Finished;
        let (mut tick, mut told, mut told_at) = (interval(CONTROL_TICK), None, Instant::now());
        while !self.watch.is_done() {
            tokio::select! {
                () = client.gone() => return Err(Gone),
                () = self.claim.stopped(), if end == End::Finished => {
                    self.stop(desk).await;
                    (end, until) = (End::Stopped, Instant::now() + CONTROL_SETTLE);
                }
                _ = tick.tick() => {
                    let receipts = self.watch.look().into_iter().map(News::Receipt).collect::<Vec<_>>();
                    let progress = self.watch.progress();
                    let counts = (progress.chosen, progress.moved, progress.failed, progress.gone);
                    let news = told != Some(counts) && told_at.elapsed() >= CONTROL_PROGRESS;
                    if news {
                        (told, told_at) = (Some(counts), Instant::now());
                    }
                    let lines = receipts.into_iter().chain(news.then_some(News::Progress(progress)));
                    client.say_all(lines).await?;
                    if Instant::now() >= until {
                        if end == End::Finished {
                            end = End::Incomplete;
                        }
                        break;
                    }
                }
            }
        }
        // Receipts travel with the progress that ends the order, some of them just behind it.
        let rest: Vec<_> = self.watch.look().into_iter().map(News::Receipt).collect();
        if end == End::Incomplete {
            desk.stop_moves(self.id).await;
        }
        // An order that was carried out leaves the place drained.
        let drained = self.drained && end != End::Stopped;
        self.undo.keep();
        let mut summary = self.watch.sum_up(end, None);
        summary.drained = drained || is_drained_by_name(&desk.snapshot(), &summary.place);
        let p = summary.progress;
        tracing::info!(
            order = self.id,
            ?end,
            moved = p.moved,
            failed = p.failed,
            gone = p.gone,
            "moved calls"
        );
        client.say_all(rest.into_iter().chain([News::Summary(Box::new(summary))])).await
    }

    async fn stop(&mut self, desk: &Desk) {
        desk.stop_moves(self.id).await;
        if let Err(words) = self.undo.now().await {
            tracing::error!("the place could not be opened again: {}", words.message);
        }
    }
}

fn check(request: &Drain) -> Result<(), Words> {
    let wrong = |message: String, advice: &str| Err(Words { message, advice: advice.to_owned() });
    if !(1..=100).contains(&request.share) {
        return wrong(format!("a share of {} percent", request.share), "write 1 to 100");
    }
    if !(100..=MAX_DEADLINE_MS).contains(&request.deadline_ms) {
        return wrong(format!("a deadline of {} ms", request.deadline_ms), "write 100ms to 1h");
    }
    if request.calls == Some(0) {
        return wrong("no call at all is to move".to_owned(), "write 1 or more, or leave `calls` out");
    }
    let digits = |n: &String| n.strip_prefix('+').unwrap_or(n).chars().all(|c| c.is_ascii_digit());
    if request.number.as_ref().is_some_and(|n| n.is_empty() || n.len() > 32 || !digits(n)) {
        return wrong(
            "`number` is not a number prefix".to_owned(),
            "write digits with an optional leading `+`",
        );
    }
    Ok(())
}

/// Whence calls move; `None` if none do.
fn source(request: &Drain, place: &Place, snapshot: &Snapshot) -> Option<MoveFrom> {
    if request.back && request.stay {
        return None;
    }
    match place {
        Place::Region(name) => overrides::region(&snapshot.config, name)
            .map(|id| if request.back { MoveFrom::BackTo(id) } else { MoveFrom::Region(id) }),
        Place::Edge(_) if request.back => None,
        Place::Edge(name) => overrides::edge(&snapshot.config, name).map(MoveFrom::Edge),
    }
}

fn warn(request: &Drain, place: &Place, snapshot: &Snapshot) -> Vec<Words> {
    let mut warnings = Vec::new();
    if let (true, Place::Edge(name)) = (request.back && !request.stay, place) {
        warnings.push(Words {
            message: format!("`{name}` gets new calls again; calls that have left it stay where they are"),
            advice: "calls are moved back to a region, not to one edge".to_owned(),
        });
    }
    let leaves = |edge: TargetId| match place {
        Place::Region(name) => {
            overrides::region(&snapshot.config, name).is_some_and(|r| edges(snapshot, r).any(|e| e == edge))
        }
        Place::Edge(name) => overrides::edge(&snapshot.config, name) == Some(edge),
    };
    for site in stranded(snapshot, leaves).iter().filter(|_| !request.back) {
        warnings.push(Words {
            message: format!(
                "site `{site}` has nowhere else to go: its calls stay, and new ones come all the same"
            ),
            advice: "stop this, and open another region first".to_owned(),
        });
    }
    warnings
}

/// How many calls each shard is to move; `None`: as many as there are.
async fn parts(desk: &Desk, calls: Option<u32>, snapshot: &Snapshot, from: MoveFrom) -> Vec<Option<u32>> {
    let Some(calls) = calls else { return vec![None; desk.shards()] };
    let region = match from {
        MoveFrom::Region(id) => Some(id),
        MoveFrom::Edge(edge) => snapshot.config.region_of(edge),
        // They are anywhere else.
        MoveFrom::BackTo(_) => None,
    };
    let reports = desk.reports().await;
    let there = |report: &crate::ShardReport| {
        let counted = (0..).map(RegionId).zip(&report.regions);
        let there = counted.filter(|(id, _)| region.is_none_or(|r| r == *id));
        there.map(|(_, calls)| calls.answered as usize).sum::<usize>()
    };
    let mut have: Vec<_> = reports.iter().map(there).collect();
    // Reports are told in any order, and a busy shard's is missing: then all are alike.
    if have.len() != desk.shards() || desk.shards() > 1 && !by_shard(&reports) {
        have = vec![0; desk.shards()];
    }
    split(calls, &have).into_iter().map(Some).collect()
}

fn by_shard(reports: &[crate::ShardReport]) -> bool {
    reports.iter().zip(0..).all(|(report, shard)| report.shard == shard)
}

fn is_drained(snapshot: &Snapshot, place: &Place) -> bool {
    let said = &snapshot.overrides;
    match place {
        Place::Region(name) => {
            overrides::region(&snapshot.config, name).is_some_and(|id| said.drained.contains(&id))
        }
        Place::Edge(name) => {
            overrides::edge(&snapshot.config, name).is_some_and(|id| said.drained_targets.contains(&id))
        }
    }
}

fn is_drained_by_name(snapshot: &Snapshot, name: &str) -> bool {
    Place::named(&snapshot.config, name).is_ok_and(|place| is_drained(snapshot, &place))
}
