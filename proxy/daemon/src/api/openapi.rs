//! What `openapi.json` says is what is served: every route with its role, every field of every answer.

use super::now::{CallsNow, RegionNow, ServiceNow, TrunkNow};
use super::routes::{Needs, ROUTES};
use super::shapes::{
    Call, CallDetail, CallMedia, Calls, Change, Edge, EdgeGroup, EdgeGroups, Edges, EndCall, Ended, Flow,
    FlowBursts, FlowReported, Generation, Generations, InboundRoute, LiveCalls, Me, MediaFlow, MediaLine,
    Move, NameAddress, NameStatus, OutboundRoute, PlacedEdge, Region, Regions, Registered, RouteTrunk,
    Routes, Scanner, Scanners, Site, Sites, Status, Step, Stopped, Trunk, TrunkTarget, Trunks,
};
use super::wishes::{
    Configured, Cut, DrainWish, DrillWish, LogLevel, Problem, Reload, Reloaded, UndrainWish,
};
use crate::observe::{Traced, TracedMessage};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn described() -> Value {
    serde_json::from_str(include_str!("openapi.json")).unwrap()
}

#[test]
fn every_route_is_described_with_its_role_and_nothing_else_is() {
    let all = described();
    let paths = all["paths"].as_object().unwrap();
    let told: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let served: BTreeSet<String> = ROUTES.iter().map(|r| format!("{} {}", r.method, r.path)).collect();
    assert_eq!(told, served);
    for route in ROUTES {
        let said = &paths[route.path][route.method.as_str().to_lowercase()];
        let role = match route.needs {
            Needs::Nothing => Value::Null,
            Needs::Somebody => json!("anybody that we know"),
            Needs::Role(role) => json!(role.to_string()),
        };
        assert_eq!(said["x-role"], role, "{} {}", route.method, route.path);
        for (name, _) in
            route.path.match_indices('{').map(|(at, _)| route.path[at + 1..].split_once('}').unwrap())
        {
            let parameters = said["parameters"].as_array().unwrap();
            assert!(parameters.iter().any(|p| p["name"] == name && p["in"] == "path"), "{}", route.path);
        }
    }
}

/// What does not fit, and where.
fn misfits(all: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.trim_start_matches('#');
        return misfits(all, all.pointer(pointer).unwrap(), value, at, found);
    }
    let fits = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        other => panic!("{at}: a type that the test does not know: {other:?}"),
    };
    if !fits || schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
        found.push(format!("{at}: {value}"));
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        // A pair has a kind for each.
        let kind = schema["prefixItems"].get(i).unwrap_or(&schema["items"]);
        misfits(all, kind, item, &format!("{at}[{i}]"), found);
    }
    let Some(fields) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !fields.contains_key(name.as_str().unwrap()) {
            found.push(format!("{at}: no {name}"));
        }
    }
    for (name, field) in fields {
        match schema["properties"].get(name) {
            Some(inner) => misfits(all, inner, field, &format!("{at}.{name}"), found),
            None if schema["additionalProperties"] == json!(false) => {
                found.push(format!("{at}.{name} is not described"));
            }
            None => {}
        }
    }
}

fn text(word: &str) -> String {
    word.to_owned()
}

fn some(word: &str) -> Option<String> {
    Some(text(word))
}

fn edge() -> Edge {
    Edge {
        edge: text("fra-1"),
        state: text("backoff"),
        since: text("2026-11-23T22:00:00Z"),
        reason: some("probe"),
        weight: 1,
        drained: true,
        probes: 3,
        missed: 1,
        failures: 2,
        fall: 6,
        round_trip_ms: Some(0.5),
        penalty: 1.5,
        held_until: some("2026-11-23T22:00:00Z"),
    }
}

fn call() -> Call {
    Call {
        call: text("000000000000000001"),
        state: text("moving"),
        direction: text("inbound"),
        calling: text("+49"),
        called: text("+31"),
        source: text("192.0.2.1:5060"),
        trunk: some("acme"),
        site: some("main"),
        region: some("fra"),
        target: some("fra-1"),
        a_call_id: text("a"),
        b_call_id: some("b"),
        started: text("2026-11-23T22:00:00Z"),
        ringing: some("2026-11-23T22:00:00Z"),
        answered: some("2026-11-23T22:00:00Z"),
        generation: 1,
        moves: 1,
    }
}

fn status() -> Status {
    let address = NameAddress { address: text("a"), host: text("h"), rank: 0, age_s: 1, left: some("t") };
    let name = NameStatus {
        name: text("sip.example.com"),
        transport: text("UDP"),
        state: text("stale"),
        why: some("servfail"),
        since: text("t"),
        until: some("t"),
        ttl_s: Some(5),
        addresses: vec![address],
    };
    let registered = Registered {
        trunk: text("acme"),
        state: text("registered"),
        registrar: some("acme-1"),
        left_s: Some(5),
        last_code: Some(403),
    };
    Status {
        version: text("1"),
        phase: text("running"),
        uptime_s: 0.5,
        generation: 1,
        shards: (1, 1),
        calls: LiveCalls { hunting: 1, answered: 2, closing: 3 },
        registrations: vec![registered],
        media: None,
        names: vec![name],
    }
}

fn media() -> CallMedia {
    let bursts = FlowBursts { bursts: 1, packets: 17, lost: 2, longest: 17, longest_loss: 1 };
    let reported = FlowReported {
        reports: 2,
        loss_percent: 3.1,
        loss_percent_max: 50.0,
        jitter_us: 875,
        jitter_us_max: 900,
        rtt_us: Some(40_000),
        rtt_us_max: Some(50_000),
    };
    let flow = Flow {
        packets: 980,
        bytes: 168_560,
        forwarded: 980,
        lost: 2,
        jitter_us: 875,
        duplicates: 1,
        reordered: 1,
        payload_type: Some(0),
        packet_time_us: Some(20_000),
        bursts: Some(bursts),
        reported: Some(reported),
        r_factor: Some(90.5),
        mos: Some(4.35),
    };
    let told = MediaFlow {
        state: text("silent"),
        carried_by: text("kernel"),
        bridged: false,
        from: Some(([192, 0, 2, 2], 4_000).into()),
        last_ms: Some(1_500),
        rtcp: 4,
        flow,
    };
    let line = MediaLine {
        line: 0,
        leads: true,
        absent: some("no_answer"),
        from_a: Some(told.clone()),
        from_b: Some(told),
        drops: [(text("stranger"), 3)].into(),
    };
    CallMedia { absent: some("bypass"), lines: vec![line] }
}

/// Every answer with everything in it. A field that is added to a type has to be added here, and is missed there.
fn answers() -> Vec<(&'static str, Value)> {
    let region = Region {
        region: text("fra"),
        state: text("suspect"),
        since: text("t"),
        reason: some("silence"),
        suspected: some("t"),
        silent_since: some("t"),
        hunting: 1,
        answered: 2,
        moving: 1,
        drained: true,
        drill: Some(5),
        edges: vec![edge()],
    };
    let scanner = Scanner {
        address: text("192.0.2.1"),
        known_by: text("tool"),
        messages: 1,
        first: text("t"),
        last: text("t"),
        forgotten_in_s: 1,
    };
    let placed = PlacedEdge {
        region: text("fra"),
        edge_group: text("fra"),
        address: text("a"),
        transport: text("udp"),
        edge: edge(),
    };
    let group = EdgeGroup {
        edge_group: text("fra"),
        region: text("fra"),
        edges: vec![text("fra-1")],
        usable: 1,
        sites: vec![text("main")],
        sources: vec![text("192.0.2.0/24")],
    };
    let target = TrunkTarget {
        target: text("acme-1"),
        address: text("a"),
        transport: text("udp"),
        weight: 1,
        state: text("up"),
        since: text("t"),
    };
    let trunk = Trunk {
        trunk: text("acme"),
        calls: 1,
        max_calls: Some(9),
        calls_per_second: Some(9),
        sources: vec![text("192.0.2.0/24")],
        targets: vec![target],
    };
    let change = Change {
        of: text("drain"),
        name: text("fra"),
        from: text("open"),
        to: text("drained"),
        reason: some("x"),
    };
    let generation =
        Generation { generation: 1, at: text("t"), configured: true, changes: vec![change], left_out: 1 };
    let step = Step {
        target: text("fra-1"),
        region: some("fra"),
        at: text("t"),
        generation: 1,
        outcome: text("advanced"),
        reason: some("no_response"),
        code: Some(503),
    };
    let moved = Move {
        reason: text("drain"),
        outcome: text("moved"),
        from: text("fra-1"),
        to: some("dub-1"),
        detected: text("t"),
        answered_ms: Some(1.5),
        gap_media_ms: Some(1.5),
        gap_conversation_ms: Some(1.5),
    };
    let message = TracedMessage {
        at: text("t"),
        at_us: 1,
        us: ([192, 0, 2, 1], 5060).into(),
        peer: ([192, 0, 2, 2], 5060).into(),
        transport: text("TLS"),
        sent: true,
        text: text("OPTIONS"),
        hex: some("4f"),
    };
    let inbound = InboundRoute { prefix: text("+49"), trunk: some("acme"), site: text("main") };
    let route = RouteTrunk { trunk: text("acme"), cost: 1, weight: 1 };
    let outbound = OutboundRoute { prefix: text("+49"), site: some("main"), trunks: vec![route] };
    let now = RegionNow {
        region: text("fra"),
        state: text("up"),
        since: text("t"),
        reason: some("probe"),
        hunting: 1,
        answered: 1,
        moving: 1,
        drained: false,
        drill: Some(1),
        edges_up: 1,
        edges_drained: 0,
        edges: 1,
    };
    let service = ServiceNow {
        generation: 1,
        calls: LiveCalls { hunting: 1, answered: 1, closing: 1 },
        regions: vec![now],
    };
    let problem =
        Problem { message: text("m"), advice: text("a"), reason: some("role"), complaints: vec![text("c")] };
    let site = Site { site: text("main"), edge_groups: vec![text("fra")], usable: 1 };
    let media = media();
    vec![
        ("Words", json!(problem)),
        ("Me", json!(Me { name: text("n"), roles: vec![text("telephony.admin")] })),
        ("Status", json!(status())),
        ("Regions", json!(Regions { generation: 1, regions: vec![region] })),
        ("Scanner", json!(scanner)),
        (
            "Scanners",
            json!(Scanners { scanners: vec![scanner], ports: vec![(text("udp"), 5060)], forgotten: true }),
        ),
        ("EdgeGroups", json!(EdgeGroups { edge_groups: vec![group] })),
        ("Edges", json!(Edges { edges: vec![placed] })),
        ("Sites", json!(Sites { sites: vec![site] })),
        ("Trunks", json!(Trunks { trunks: vec![trunk] })),
        ("Routes", json!(Routes { inbound: vec![inbound], outbound: vec![outbound] })),
        ("Generations", json!(Generations { generation: 1, generations: vec![generation] })),
        ("Calls", json!(Calls { calls: vec![call()], cursor: some("0.0") })),
        (
            "CallDetail",
            json!(CallDetail { call: call(), steps: vec![step], moves: vec![moved], media: media.clone() }),
        ),
        ("CallMedia", json!(media)),
        ("MediaLine", json!(media.lines[0])),
        ("MediaFlow", json!(media.lines[0].from_a)),
        ("Ladder", json!(Traced { call_id: text("c"), messages: vec![message.clone()], cut: false })),
        ("LadderMessage", json!(message)),
        ("EndCall", json!(EndCall { why: some("fraud") })),
        ("Ended", json!(Ended { call: text("000000000000000001") })),
        ("Stopped", json!(Stopped { place: text("fra") })),
        ("DrainWish", json!(DrainWish { share: 1, number: some("+49"), calls: Some(1), deadline_ms: 1 })),
        (
            "UndrainWish",
            json!(UndrainWish {
                move_back: true,
                share: 1,
                number: some("+49"),
                calls: Some(1),
                deadline_ms: 1
            }),
        ),
        (
            "DrillWish",
            json!(DrillWish {
                share: 1,
                cut: Cut::Both,
                for_ms: 1,
                abort_if: vec!["dropped>0".parse().unwrap()]
            }),
        ),
        ("Configured", json!(Configured { file: some("f"), generation: 1, confirm_until: some("t") })),
        ("Reload", json!(Reload { confirm_s: Some(1), dry_run: true })),
        (
            "Reloaded",
            json!(Reloaded {
                generation: 1,
                taken: true,
                warnings: vec![text("w")],
                confirm_until: some("t")
            }),
        ),
        ("LogLevel", json!(LogLevel { level: text("info") })),
        ("ServiceNow", json!(service)),
        ("TrunksNow", json!({ "trunks": [TrunkNow { trunk: text("acme"), calls: 1 }] })),
        ("CallsNow", json!(CallsNow { calls: vec![call()], gone: vec![text("1")], whole: true })),
    ]
}

#[test]
fn every_field_of_every_answer_is_described() {
    let (all, mut found) = (described(), Vec::new());
    let schemas = all["components"]["schemas"].as_object().unwrap();
    let answers = answers();
    for (name, answer) in &answers {
        let schema = schemas.get(*name).unwrap_or_else(|| panic!("{name} is not described"));
        misfits(&all, schema, answer, name, &mut found);
        // What is described and never sent would be as wrong.
        let told: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().collect();
        let sent: BTreeSet<_> = answer.as_object().unwrap().keys().collect();
        let left: Vec<_> = told.difference(&sent).filter(|field| field.as_str() != "media").collect();
        assert!(left.is_empty(), "{name} never has {left:?}");
    }
    assert_eq!(found, Vec::<String>::new());
}
