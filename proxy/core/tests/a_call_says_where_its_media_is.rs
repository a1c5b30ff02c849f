//! Whoever asks the relay about a call learns from its shard which sessions are its lines.

mod common;

use common::*;
use proxy_core::{CallMedia, CallQuery, Config, MediaMode};
use relay_values::{RelayCommand, SessionId};

/// Where the only call's media is.
fn media(stage: &Stage) -> CallMedia {
    let page = stage.shard.calls(&CallQuery::default(), 0, 10);
    stage.shard.call(page.calls[0].name).unwrap().media
}

fn offer() -> String {
    let line = "m=video 30002 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n";
    format!("{}{line}", sdp("192.0.2.1", 30_000))
}

fn opened(stage: &Stage) -> Vec<SessionId> {
    let open = stage.relayed.iter().filter_map(|command| match command {
        RelayCommand::Open(open) => Some(open.session),
        _ => None,
    });
    open.collect()
}

#[test]
fn each_line_names_its_session_at_the_relay_and_the_first_leads() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let sessions = opened(&stage);
    let CallMedia::Relayed(lines) = media(&stage) else { panic!("{:?}", media(&stage)) };
    assert_eq!(lines.iter().map(|line| line.session).collect::<Vec<_>>(), sessions);
    assert_eq!(
        lines.iter().map(|line| (line.place, line.leads)).collect::<Vec<_>>(),
        [(0, true), (1, false)]
    );
}

#[test]
fn media_that_goes_past_us_has_no_session() {
    let whole = config();
    let media_policy = proxy_core::MediaPolicy { mode: MediaMode::Bypass, ..whole.media };
    let mut stage = Stage::with(Config { media: media_policy, ..whole });
    stage.receive(CARRIER, &invite("one", &offer()));
    assert_eq!((media(&stage), opened(&stage)), (CallMedia::Bypass, vec![]));
}
