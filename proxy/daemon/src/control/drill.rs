//! `bascule drill`: cut a share of a region's calls off as an outage would, watch, restore.

use super::desk::{Desk, Undo, words};
use super::drain::busy;
use super::protocol::{Answer, Cut, Drill, End, Request, Words};
use super::regions::{edges, stranded};
use super::talk::{Gone, Heard, Talk};
use super::watch::{Wanted, Watch};
use crate::limits::{CONTROL_PROGRESS, CONTROL_TICK};
use crate::overrides::{self, Override, Place};
use crate::records::receipt::millis;
use proxy_core::{MoveReason, Snapshot};
use relay_values::Time;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::interval;

/// Longest drill: ten minutes. Who wants more wants a drain.
const MAX_FOR_MS: u64 = 600_000;

/// After a drill the calls that are still being moved are waited for; this long without news is the end.
const QUIET: Duration = Duration::from_secs(1);

pub(super) async fn run(desk: &Arc<Desk>, request: Drill, talk: &mut Talk) -> Result<(), Gone> {
    match begin(desk, request).await {
        Ok(drill) => {
            let id = drill.id;
            // Whichever way this ends, what was cut is restored.
            let over = drill.follow(desk, talk).await;
            if let Err(Gone) = over {
                tracing::warn!(drill = id, "its client has gone: the drill is over");
            }
            over
        }
        Err(words) => talk.say(Answer::Error(words)).await,
    }
}

/// A drill under way.
struct Running {
    id: u64,
    request: Drill,
    watch: Watch,
    /// Restores what was cut.
    undo: Undo,
    cut_at: Time,
    until: Instant,
    /// From the cut until the detector had found it.
    found: Option<Duration>,
    _claim: super::desk::Claim,
}

async fn begin(desk: &Arc<Desk>, request: Drill) -> Result<Running, Words> {
    let before = desk.snapshot();
    check(&before, &request)?;
    let claim = desk.claim(&Place::Region(request.region.clone()))?;
    let id = desk.next_id();
    let wanted = Wanted { order: id, reason: MoveReason::Drill, place: request.region.clone() };
    let watch = Watch::new(wanted, desk.notices(), desk.shards());
    let cut = match request.cut {
        Cut::Signalling => proxy_core::Cut::Signalling,
        Cut::Media => proxy_core::Cut::Media,
        Cut::Both => proxy_core::Cut::Both,
    };
    let undo = Undo::new(desk, Some(Override::EndDrill(id)));
    let said = Override::Drill { id, region: request.region.clone(), share: request.share, cut };
    let cut_at = desk.clock().now();
    desk.say(said).await?;
    let until = Instant::now() + Duration::from_millis(request.for_ms);
    Ok(Running { id, request, watch, undo, cut_at, until, found: None, _claim: claim })
}

fn check(snapshot: &Snapshot, request: &Drill) -> Result<(), Words> {
    let wrong = |message: String, advice: &str| Err(Words { message, advice: advice.to_owned() });
    let region = overrides::region(&snapshot.config, &request.region).ok_or_else(|| {
        let known = snapshot.config.regions.iter().map(|r| r.name.clone()).collect();
        words(&overrides::Refused::Unknown { name: request.region.clone(), known })
    })?;
    if !(1..=100).contains(&request.share) {
        return wrong(format!("a share of {} percent", request.share), "write 1 to 100");
    }
    if !(100..=MAX_FOR_MS).contains(&request.for_ms) {
        return wrong(format!("a drill of {} ms", request.for_ms), "write 100ms to 10m");
    }
    if request.abort_if.len() > 8 {
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

impl Running {
    async fn follow(mut self, desk: &Arc<Desk>, talk: &mut Talk) -> Result<(), Gone> {
        let (end, why) = self.watch_until(desk, talk).await?;
        let receipts = self.look(desk);
        // First restore, then everything else.
        let restored = self.undo.now().await;
        talk.say_all(receipts).await?;
        // Moves that are under way end by their own deadline.
        let settle = Instant::now() + desk.snapshot().config.rehome.deadline + QUIET;
        let end = match restored {
            Ok(()) => {
                while self.watch.last_news().elapsed() < QUIET && Instant::now() < settle {
                    tokio::time::sleep(CONTROL_TICK).await;
                    self.tell(desk, talk).await?;
                }
                end
            }
            Err(words) => {
                tracing::error!(drill = self.id, "the drill could not be ended: {}", words.message);
                return talk.say(Answer::Error(words)).await;
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
        talk.say(Answer::Summary(Box::new(summary))).await
    }

    async fn watch_until(
        &mut self,
        desk: &Arc<Desk>,
        talk: &mut Talk,
    ) -> Result<(End, Option<String>), Gone> {
        let mut tick = interval(CONTROL_TICK);
        let mut told_at = Instant::now();
        while Instant::now() < self.until {
            tokio::select! {
                heard = talk.hear() => match heard? {
                    Heard::Request(Request::Stop) => return Ok((End::Stopped, None)),
                    Heard::TooLong => return Err(Gone),
                    Heard::Request(_) | Heard::Nonsense(_) => talk.say(Answer::Warning(busy())).await?,
                },
                _ = tick.tick() => {
                    // The condition before the talk: a client that does not read must not keep calls cut off.
                    let receipts = self.look(desk);
                    if let Some(condition) = self.watch.trips(&self.request.abort_if) {
                        let why = format!("{condition} has come true");
                        // What cannot be told to the client is in the log and the records.
                        self.undo.now().await.ok();
                        talk.say_all(receipts).await?;
                        return Ok((End::Aborted, Some(why)));
                    }
                    talk.say_all(receipts).await?;
                    if told_at.elapsed() >= CONTROL_PROGRESS {
                        told_at = Instant::now();
                        talk.say(Answer::Progress(self.watch.progress())).await?;
                    }
                }
            }
        }
        Ok((End::Finished, None))
    }

    async fn tell(&mut self, desk: &Desk, talk: &mut Talk) -> Result<(), Gone> {
        let receipts = self.look(desk);
        talk.say_all(receipts).await
    }

    fn look(&mut self, desk: &Desk) -> Vec<Answer> {
        let drill = desk.snapshot().overrides.drill.filter(|drill| drill.id == self.id);
        if let Some(found) = drill.and_then(|drill| drill.found) {
            self.found = Some(found.since(self.cut_at));
        }
        self.watch.look().into_iter().map(Answer::Receipt).collect()
    }
}
