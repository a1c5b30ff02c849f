//! Everything that is read off at a scrape.

use super::counted::{Series, histogram};
use crate::dns::Known;
use crate::health::{region_state, state};
use crate::report::{ShardReport, WireCounters};
use crate::shared::Tally;
use crate::stir::StirTally;
use datapath::xdp::Passed;
use datapath::{Declined, EngineCounters, Latency};
use metrics::{counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;
use proxy_core::{
    Config, Delays, Disconnect, HealthCounters, LocateCounters, Owner, PlaceState, QuestionKind, RegionId,
    RegionState, RejectReason, ShardCounters, Snapshot, TargetState,
};
use relay_core::{Recall, Unfit};
use relay_values::{DropReason, Duration};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a page is made of.
pub(crate) struct Page<'a> {
    /// One of each shard; fewer if one was too busy to answer.
    pub(crate) shards: &'a [ShardReport],
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) names: &'a Known,
    pub(crate) health: HealthCounters,
    pub(crate) tally: &'a Tally,
    pub(crate) relay: Option<EngineCounters>,
    /// Where callers are signed for or verified.
    pub(crate) stir: Option<&'a StirTally>,
    pub(crate) durations: String,
    pub(crate) uptime_s: f64,
}

/// The whole text. A recorder for each page: labels of what a reload took away do not linger.
pub(crate) fn render(page: Page<'_>) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        calls(page.shards);
        messages(page.shards, page.tally);
        targets(page.snapshot, page.health);
        regions(page.snapshot, page.shards);
        if let Some(tally) = page.stir {
            signatures(page.shards, tally);
        }
        names(page.names);
        if let Some(relay) = page.relay {
            media(&relay);
        }
        let answered = page.shards.iter().map(|s| s.counters.answered).sum();
        page.tally.sessions.show(answered, &page.snapshot.config);
        page.tally.delivery.show();
        page.tally.observe.show();
        describe_gauge!("bascule_uptime_seconds", "Since the process began");
        gauge!("bascule_uptime_seconds").set(page.uptime_s);
        describe_gauge!("bascule_build_info", "1, with the version as a label");
        gauge!("bascule_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    });
    let mut text = recorder.handle().render();
    text.push_str(&page.durations);
    text.push_str(&disconnects(page.shards));
    text.push_str(&page.relay.map(|relay| latency(&relay.latency)).unwrap_or_default());
    text
}

/// How long our BYEs waited.
fn disconnects(shards: &[ShardReport]) -> String {
    let mut all = Disconnect::ALL.map(|outcome| (outcome, Delays::default()));
    for shard in shards {
        for ((_, sum), (_, delays)) in all.iter_mut().zip(shard.counters.disconnects()) {
            sum.add(delays);
        }
    }
    let bounds = Delays::BOUNDS.map(|bound| bound.as_secs_f64());
    let series = all.each_ref().map(|(outcome, delays)| Series {
        label: format!("outcome=\"{}\"", outcome.as_str()),
        bounds: &bounds,
        counts: delays.counts(),
        sum: delays.sum().as_secs_f64(),
    });
    let help = "Session disconnect delay (RFC 6076 §4.4): from a BYE of ours to its 2xx (completed), or to timer F or a failure to deliver it \
                (failed); without legs left behind";
    histogram("bascule_sdd_seconds", help, &series)
}

/// How long packets took through the sockets.
fn latency(latency: &Latency) -> String {
    let seconds = |ns: u64| Duration::from_nanos(ns).as_secs_f64();
    let bounds = Latency::BOUNDS_NS.map(seconds);
    let series = Series {
        label: String::new(),
        bounds: &bounds,
        counts: &latency.counts,
        sum: seconds(latency.sum_ns),
    };
    let help = "From when the kernel stamped a packet's arrival to after the relay had sent it on, of one packet in 256; the sockets' packets only, not \
                those that the kernel forwards";
    histogram("bascule_relay_latency_seconds", help, &[series])
}

fn set(name: &'static str, help: &'static str, value: u64) {
    describe_counter!(name, help);
    counter!(name).absolute(value);
}

fn level(name: &'static str, help: &'static str, value: usize) {
    describe_gauge!(name, help);
    gauge!(name).set(value as f64);
}

/// Nothing where no neighbour is configured by name.
fn names(known: &Known) {
    let Known { places, counters } = known;
    if places.is_empty() {
        return;
    }
    describe_gauge!("bascule_names", "Neighbours that are configured by name, by how they are known");
    for state in PlaceState::ALL {
        let count = places.iter().filter(|place| place.state == state).count();
        gauge!("bascule_names", "state" => state.as_str()).set(count as f64);
    }
    describe_gauge!("bascule_name_addresses", "Addresses that a name has for calls");
    for place in places {
        let labels = [("name", place.place.to_string())];
        gauge!("bascule_name_addresses", &labels).set(place.addresses.len() as f64);
    }
    describe_counter!("bascule_name_questions_total", "Questions to name servers, by kind of record");
    for (kind, n) in QuestionKind::ALL.into_iter().zip(counters.questions) {
        counter!("bascule_name_questions_total", "kind" => kind.as_str()).absolute(n);
    }
    describe_counter!("bascule_name_lookups_total", "Names looked up, by what came of it");
    let LocateCounters { questions: _, found, denied, failed, early, changes } = *counters;
    for (result, n) in [("found", found), ("denied", denied), ("failed", failed)] {
        counter!("bascule_name_lookups_total", "result" => result).absolute(n);
    }
    set("bascule_name_lookups_early_total", "Names looked up early because an address had failed", early);
    set("bascule_name_changes_total", "Changes of the addresses that a name has for calls", changes);
}

fn calls(shards: &[ShardReport]) {
    describe_gauge!("bascule_calls", "Calls at the moment, by state");
    let sum = |of: fn(&ShardReport) -> usize| shards.iter().map(of).sum::<usize>() as f64;
    gauge!("bascule_calls", "state" => "hunting").set(sum(|s| s.counts.hunting));
    gauge!("bascule_calls", "state" => "answered").set(sum(|s| s.counts.answered));
    gauge!("bascule_calls", "state" => "closing").set(sum(|s| s.counts.closing));
    level(
        "bascule_legs_left_behind",
        "Tier legs that calls have left and that have not answered their BYE",
        shards.iter().map(|s| s.counts.ghosts).sum(),
    );
    level(
        "bascule_transactions",
        "SIP transactions at the moment",
        shards.iter().map(|s| s.counts.transactions).sum(),
    );
    level(
        "bascule_timers",
        "Deadlines that wait, of calls and transactions; those of calls that have ended wait for up to 128 s",
        shards.iter().map(|s| s.timers).sum(),
    );
    level(
        "bascule_shards_overloaded",
        "Shards that turn new requests away",
        shards.iter().filter(|s| s.counts.overloaded).count(),
    );
    let total = |of: fn(&ShardCounters) -> u64| shards.iter().map(|s| of(&s.counters)).sum();
    set("bascule_calls_admitted_total", "Calls admitted", total(|c| c.calls));
    set("bascule_calls_answered_total", "Calls answered", total(|c| c.answered));
    set(
        "bascule_disbelieved_total",
        "INVITEs that asserted what their source is not believed: it went no further",
        total(|c| c.disbelieved),
    );
    describe_counter!("bascule_rejects_total", "Requests and messages not taken up, by reason");
    describe_counter!("bascule_hunts_total", "Targets that a call moved on from, by reason");
    describe_counter!("bascule_challenges_total", "Challenges to requests of ours, by what became of them");
    describe_counter!("bascule_calls_closed_total", "Calls that ended, by reason");
    for shard in shards {
        for (reason, n) in shard.counters.rejects() {
            counter!("bascule_rejects_total", "reason" => reason.as_str()).increment(n);
        }
        for (reason, n) in shard.counters.hunts() {
            counter!("bascule_hunts_total", "reason" => reason.as_str()).increment(n);
        }
        for (outcome, n) in shard.counters.challenges() {
            counter!("bascule_challenges_total", "outcome" => outcome.as_str()).increment(n);
        }
        for (reason, n) in shard.counters.closes() {
            counter!("bascule_calls_closed_total", "reason" => reason.as_str()).increment(n);
        }
    }
}

fn signatures(shards: &[ShardReport], tally: &StirTally) {
    describe_counter!("bascule_stir_signed_total", "INVITEs that were signed, by attestation");
    describe_counter!(
        "bascule_stir_unsigned_total",
        "INVITEs that were to be signed and were not, by reason"
    );
    describe_counter!("bascule_stir_verified_total", "Callers that were verified, by result");
    for shard in shards {
        for (attest, n) in shard.counters.signatures() {
            counter!("bascule_stir_signed_total", "attest" => attest.as_str()).increment(n);
        }
        for (reason, n) in shard.counters.unsigned_calls() {
            counter!("bascule_stir_unsigned_total", "reason" => reason.as_str()).increment(n);
        }
        for (result, n) in shard.counters.verifications() {
            counter!("bascule_stir_verified_total", "result" => result.as_str()).increment(n);
        }
    }
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    set("bascule_stir_fetched_total", "Certificates of callers that were fetched", read(&tally.fetched));
    set(
        "bascule_stir_fetch_failures_total",
        "Certificates that could not be fetched",
        read(&tally.fetch_failed),
    );
    set(
        "bascule_stir_queue_full_total",
        "Calls for which there was no time to sign or verify",
        read(&tally.full),
    );
}

fn messages(shards: &[ShardReport], tally: &Tally) {
    let total = |of: fn(&ShardCounters) -> u64| shards.iter().map(|s| of(&s.counters)).sum();
    set("bascule_messages_received_total", "SIP messages received", total(|c| c.received));
    set("bascule_messages_sent_total", "SIP messages sent, retransmissions included", total(|c| c.sent));
    let mut wire = WireCounters::default();
    shards.iter().for_each(|s| wire.add(&s.wire));
    let overloaded = total(|c| c.rejected(RejectReason::Overload) + c.rejected(RejectReason::Unanswered));
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    set("bascule_datagrams_received_total", "UDP datagrams received", wire.datagrams_in);
    set("bascule_datagrams_sent_total", "UDP datagrams sent", wire.datagrams_out);
    set("bascule_receive_batches_total", "System calls that received datagrams", wire.batches_in);
    set("bascule_send_batches_total", "System calls that sent datagrams", wire.batches_out);
    set("bascule_keepalives_total", "Keep-alive datagrams", wire.keepalives);
    set("bascule_icmp_errors_total", "ICMP errors about what we sent", wire.icmp_errors);
    set(
        "bascule_shed_total",
        "New requests turned away because messages waited too long, or there was no room for more",
        overloaded + wire.shed + read(&tally.shed),
    );
    describe_counter!("bascule_dropped_total", "Dropped inside, by the place that was full or broken");
    for (place, n) in [
        ("inbox", wire.inbox_full),
        ("post", read(&tally.mail_full)),
        ("health", read(&tally.health_full)),
        ("send_queue", wire.send_full),
        ("send_error", wire.send_errors + read(&tally.probe_send_errors)),
        ("stream_queue", read(&tally.stream_full)),
        ("record_queue", read(&tally.records_lost)),
        ("record_write", read(&tally.records_unwritten)),
        ("relay_queue", wire.relay_full),
    ] {
        counter!("bascule_dropped_total", "place" => place).absolute(n);
    }
    level("bascule_streams", "TCP connections at the moment", read(&tally.streams) as usize);
    describe_counter!("bascule_streams_refused_total", "TCP connections not taken or made, by reason");
    for (reason, n) in tally.connections.refused() {
        counter!("bascule_streams_refused_total", "reason" => reason.as_str()).absolute(n);
    }
    describe_counter!("bascule_tls_handshakes_total", "TLS handshakes that were completed");
    counter!("bascule_tls_handshakes_total").absolute(tally.handshakes.done());
    describe_counter!(
        "bascule_tls_handshakes_failed_total",
        "TLS handshakes that came to nothing, by reason"
    );
    for (reason, n) in tally.handshakes.failed() {
        counter!("bascule_tls_handshakes_failed_total", "reason" => reason.as_str()).absolute(n);
    }
    describe_counter!("bascule_admin_refused_total", "Requests that the admin API turned away, by reason");
    for (reason, n) in tally.denied.all() {
        counter!("bascule_admin_refused_total", "reason" => reason.as_str()).absolute(n);
    }
    describe_counter!("bascule_streams_closed_total", "TCP connections that have ended, by reason");
    for (reason, n) in tally.connections.ended() {
        counter!("bascule_streams_closed_total", "reason" => reason.as_str()).absolute(n);
    }
}

fn targets(snapshot: &Snapshot, health: HealthCounters) {
    describe_gauge!("bascule_generation", "Generation of the snapshot in force");
    gauge!("bascule_generation").set(snapshot.generation as f64);
    describe_gauge!("bascule_target_state", "1 for the state that a target is in");
    describe_gauge!("bascule_trunk_registered", "Whether a registrar of the trunk has bound us");
    for (own, bound) in snapshot.config.registrations.iter().zip(&snapshot.bindings) {
        let trunk =
            snapshot.config.trunks.get(own.trunk.index()).map(|trunk| trunk.name.clone()).unwrap_or_default();
        gauge!("bascule_trunk_registered", "trunk" => trunk).set(f64::from(u8::from(bound.is_some())));
    }
    for (target, now) in snapshot.config.targets.iter().zip(&snapshot.health) {
        let (owner, region) = owner(&snapshot.config, target.owner);
        for each in [TargetState::Up, TargetState::Backoff, TargetState::Down] {
            gauge!(
                "bascule_target_state",
                "target" => target.name.clone(),
                "owner" => owner.clone(),
                "region" => region.clone(),
                "state" => state(each)
            )
            .set(if now.state == each { 1.0 } else { 0.0 });
        }
    }
    set("bascule_probes_total", "OPTIONS sent to targets", health.probes);
    set("bascule_probes_answered_total", "Probes answered in time", health.answers);
    set("bascule_probes_missed_total", "Probes not answered in time", health.misses);
    set("bascule_probes_void_total", "Probes that ended while we stood still and say nothing", health.void);
    set("bascule_evidence_total", "Passive evidence taken in", health.evidence);
}

fn regions(snapshot: &Snapshot, shards: &[ShardReport]) {
    describe_gauge!("bascule_region_state", "1 for the state that a region is in");
    describe_gauge!(
        "bascule_region_calls",
        "Live calls whose tier leg is in a region, by state; moving ones are answered too"
    );
    describe_gauge!("bascule_region_drained", "1 while operators keep new calls away from a region");
    describe_gauge!("bascule_region_drill_percent", "Share of a region's calls that a drill cuts off");
    let numbered = (0..).map(RegionId).zip(&snapshot.config.regions);
    for (id, region) in numbered {
        let name = || region.name.clone();
        let now = snapshot.region(id).map(|known| known.state);
        for each in [RegionState::Up, RegionState::Suspect, RegionState::Down] {
            gauge!("bascule_region_state", "region" => name(), "state" => region_state(each))
                .set(if now == Some(each) { 1.0 } else { 0.0 });
        }
        let calls = shards.iter().filter_map(|s| s.regions.get(usize::from(id.0)));
        let [mut hunting, mut answered, mut moving] = [0; 3];
        for each in calls {
            hunting += each.hunting;
            answered += each.answered;
            moving += each.moving;
        }
        for (state, n) in [("hunting", hunting), ("answered", answered), ("moving", moving)] {
            gauge!("bascule_region_calls", "region" => name(), "state" => state).set(f64::from(n));
        }
        let drained = snapshot.overrides.drained.contains(&id);
        gauge!("bascule_region_drained", "region" => name()).set(if drained { 1.0 } else { 0.0 });
        let drill = snapshot.overrides.drill.filter(|drill| drill.region == id);
        gauge!("bascule_region_drill_percent", "region" => name())
            .set(drill.map_or(0.0, |d| f64::from(d.share)));
    }
}

/// The names of a target's owner and region.
fn owner(config: &Config, owner: Owner) -> (String, String) {
    match owner {
        Owner::Edge(group) => config.groups.get(group.index()).map_or_else(Default::default, |g| {
            let region = config.regions.get(usize::from(g.region.0)).map(|r| r.name.clone());
            (g.name.clone(), region.unwrap_or_default())
        }),
        Owner::Trunk(trunk) => {
            (config.trunks.get(trunk.index()).map(|t| t.name.clone()).unwrap_or_default(), String::new())
        }
    }
}

/// Why flows are with the kernel or with the sockets.
fn offload(counters: &EngineCounters) {
    let (relay, fast) = (&counters.relay, &counters.fast);
    set("bascule_media_offload_installed_total", "Flows that have gone to the kernel", fast.installed);
    set(
        "bascule_media_offload_changed_total",
        "Flows that were changed while the kernel carried them",
        fast.changed,
    );
    describe_counter!("bascule_media_offload_recalled_total", "Flows taken back from the kernel, by reason");
    for (reason, n) in Recall::ALL.into_iter().zip(relay.recalled) {
        counter!("bascule_media_offload_recalled_total", "reason" => reason.as_str()).absolute(n);
    }
    describe_counter!(
        "bascule_media_offload_unfit_total",
        "Packets by the sockets of flows that were due to go to the kernel and are not for it, by reason"
    );
    for (reason, n) in Unfit::ALL.into_iter().zip(relay.unfit) {
        counter!("bascule_media_offload_unfit_total", "reason" => reason.as_str()).absolute(n);
    }
    describe_counter!(
        "bascule_media_offload_declined_total",
        "Flows that were offered to the kernel engine and could not be taken, by reason"
    );
    for (reason, n) in Declined::ALL.into_iter().zip(fast.declined) {
        counter!("bascule_media_offload_declined_total", "reason" => reason.as_str()).absolute(n);
    }
}

fn media(counters: &EngineCounters) {
    let relay = &counters.relay;
    set("bascule_media_packets_total", "RTP and RTCP packets received", relay.packets);
    set("bascule_media_bytes_total", "Their UDP payload", relay.bytes);
    set("bascule_media_forwarded_total", "RTP and RTCP packets sent on", relay.forwarded);
    set("bascule_media_offloaded_total", "Of those, packets that the kernel has sent on", relay.offloaded);
    describe_counter!(
        "bascule_media_passed_up_total",
        "Packets that the kernel engine left to the sockets although it carries their port's flow, by reason"
    );
    for (reason, n) in Passed::ALL.into_iter().zip(counters.passed) {
        counter!("bascule_media_passed_up_total", "reason" => reason.as_str()).absolute(n);
    }
    level("bascule_media_kernel_flows", "Flows that the kernel carries", counters.kernel_flows as usize);
    set(
        "bascule_media_orphans_adopted_total",
        "Calls of an earlier run whose media the kernel still forwarded when this one began",
        counters.orphaned.adopted,
    );
    set("bascule_media_orphans_ended_total", "Of those, calls that have ended", counters.orphaned.ended);
    offload(counters);
    describe_counter!("bascule_media_drops_total", "Packets not sent on, by reason");
    for reason in DropReason::ALL {
        counter!("bascule_media_drops_total", "reason" => reason.as_str()).absolute(relay.drops.get(reason));
    }
    let describe = "Packets of strangers to ports that have a call (forged: of rtp, those with the numbers of its stream), streams that \
                    went on from elsewhere, and hosts that tried many ports";
    describe_counter!("bascule_media_strangers_total", describe);
    let s = &relay.strangers;
    for (what, n) in
        [("rtp", s.rtp), ("rtcp", s.rtcp), ("forged", s.forged), ("strayed", s.strayed), ("spray", s.sprays)]
    {
        counter!("bascule_media_strangers_total", "what" => what).absolute(n);
    }
    set("bascule_media_sessions_opened_total", "Sessions opened", relay.opened);
    set("bascule_media_sessions_refused_total", "Sessions refused", relay.open_failed);
    set("bascule_media_retargets_total", "Legs moved to another peer", relay.retargets);
    set("bascule_media_bridged_total", "Legs whose peer was taken for lost", relay.bridged);
    set("bascule_media_resumed_total", "Legs whose new peer was heard", relay.resumed);
    set(
        "bascule_media_filled_total",
        "Packets of our own making sent into gaps, and RTCP written anew",
        relay.filled,
    );
    set(
        "bascule_media_fill_failed_total",
        "Packets of our own making that could not be sent",
        relay.fill_failed,
    );
    set(
        "bascule_media_regions_silent_total",
        "Regions whose flows fell silent together",
        relay.region_silent,
    );
    set(
        "bascule_media_reports_missed_total",
        "RTCP reports that the HEP collector was not told of, because they are too long or the watcher was behind",
        counters.reports_missed,
    );
    set("bascule_media_receive_errors_total", "Receive calls that failed", counters.receive_errors);
    set(
        "bascule_media_turned_away_total",
        "Packets that were not received because their worker had no room for more",
        counters.turned_away,
    );
    level("bascule_media_sessions", "Sessions at the moment", relay.sessions as usize);
    describe_gauge!("bascule_media_port_pairs", "Port pairs at the moment, by what they are doing");
    let ports = &relay.ports;
    for (what, n) in [
        ("open", ports.open),
        ("taken", ports.taken),
        ("resting", ports.resting),
        ("free", ports.free),
        ("failed", ports.failed),
        ("withheld", ports.withheld),
    ] {
        gauge!("bascule_media_port_pairs", "state" => what).set(n as f64);
    }
}
