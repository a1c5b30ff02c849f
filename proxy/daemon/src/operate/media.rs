//! The media of a live call: a line for each direction.

use super::report::{print, table};
use bascule::api::shapes::{CallMedia, MediaFlow, MediaLine};

/// Why there is nothing to show, for whoever would expect something.
fn words(absent: &str) -> &str {
    match absent {
        "bypass" => "it goes past us: [media] mode is bypass",
        "no_media" => "there is none yet",
        "no_session" => "the relay has no session of it: none yet, or none any more",
        "busy" => "the relay is asked too much; ask again",
        "no_answer" => "the relay has not answered in time; ask again",
        "no_relay" => "the relay is not there: look at the log",
        other => other,
    }
}

pub(super) fn tell(media: &CallMedia) {
    if let Some(why) = &media.absent {
        return print(&format!("media       {}", words(why)));
    }
    let mut rows = Vec::new();
    for line in &media.lines {
        if let Some(why) = &line.absent {
            print(&format!("media       line {}: {}", line.line, words(why)));
        }
        rows.extend([("A", &line.from_a), ("B", &line.from_b)].into_iter().filter_map(|(leg, flow)| {
            let flow = flow.as_ref()?;
            Some(row(line.line, leg, flow))
        }));
    }
    if rows.is_empty() {
        return;
    }
    table(
        &[
            "media from",
            "state",
            "carried by",
            "packets",
            "bytes",
            "lost",
            "jitter",
            "late",
            "twice",
            "round trip",
            "MOS",
        ],
        rows.into_iter(),
    );
    for (why, n) in media.lines.iter().flat_map(|line: &MediaLine| &line.drops) {
        print(&format!("dropped     {n} {why}"));
    }
}

fn row(line: usize, leg: &str, told: &MediaFlow) -> [String; 11] {
    let flow = &told.flow;
    let ms = |us: u32| format!("{:.1} ms", f64::from(us) / 1_000.0);
    let state = match told.last_ms {
        Some(last) if told.state == "silent" => format!("silent for {:.1} s", last as f64 / 1_000.0),
        _ => told.state.clone(),
    };
    let expected = flow.packets.saturating_add(flow.lost).max(1);
    [
        format!("{leg}-leg, line {line}"),
        if told.bridged { format!("{state}, bridged") } else { state },
        told.carried_by.clone(),
        flow.packets.to_string(),
        flow.bytes.to_string(),
        format!("{} ({:.1}%)", flow.lost, 100.0 * flow.lost as f64 / expected as f64),
        ms(flow.jitter_us),
        flow.reordered.to_string(),
        flow.duplicates.to_string(),
        flow.reported.as_ref().and_then(|said| said.rtt_us).map_or("-".to_owned(), ms),
        flow.mos.map_or("-".to_owned(), |mos| format!("{mos:.2}")),
    ]
}
