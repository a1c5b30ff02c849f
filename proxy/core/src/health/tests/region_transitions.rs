//! The whole table of a region's machine. Two edges; what happened before began at 1 s, news come at 1,010 ms.

use crate::health::region::{News, Region, Scene};
use crate::{RegionPolicy, TargetId};
use relay_values::{Duration, Time};
use std::fmt::Write as _;

const BEFORE: Time = Time::from_millis(1_000);
const NOW: Time = Time::from_millis(1_010);
const SILENT: News = News::Silent { since: Time::from_millis(950) };
const EDGES: [TargetId; 2] = [TargetId(0), TargetId(1)];

fn scene() -> Scene {
    Scene { policy: RegionPolicy::default(), edges: EDGES.to_vec(), round_trip: Duration::ZERO }
}

fn states() -> Vec<(&'static str, Region)> {
    let after = |news: &[News]| {
        let mut region = Region::NEW;
        for news in news {
            region.on(BEFORE, *news, &scene());
        }
        region
    };
    vec![
        ("up", after(&[])),
        ("up, just heard", Region::Up { heard: Time::from_millis(1_100) }),
        ("asked", after(&[SILENT])),
        ("asked, one answered", after(&[SILENT, News::Answered(EDGES[0])])),
        ("mute", after(&[SILENT, News::Answered(EDGES[0]), News::Answered(EDGES[1])])),
        ("down", after(&[News::Fell])),
    ]
}

#[test]
fn the_table_of_a_region() {
    let news = [
        ("silent", NOW, SILENT),
        ("silent, later", NOW, News::Silent { since: Time::from_millis(970) }),
        ("heard", NOW, News::Heard),
        ("answered", NOW, News::Answered(EDGES[1])),
        ("fell", NOW, News::Fell),
        ("rose", NOW, News::Rose),
        ("elapsed at 1,010 ms", NOW, News::Elapsed),
        ("elapsed at 1,050 ms", Time::from_millis(1_050), News::Elapsed),
        ("elapsed at 1,950 ms", Time::from_millis(1_950), News::Elapsed),
        ("elapsed at 9 s", Time::from_millis(9_000), News::Elapsed),
    ];
    let mut table = String::new();
    for (name, state) in states() {
        for (what, at, news) in news {
            let mut region = state.clone();
            // As in life: nothing is slept through but by the last two.
            if let (News::Elapsed, 1_050) = (news, at.as_millis()) {
                for tick in [1_010, 1_020, 1_030, 1_040] {
                    region.on(Time::from_millis(tick), News::Elapsed, &scene());
                }
            }
            let act = region.on(at, news, &scene());
            let mut to = format!("{:?}", region.state());
            if let Some(since) = region.silent_since() {
                write!(to, " since {} ms", since.as_millis()).unwrap();
            }
            if let Some(burst) = region.burst() {
                write!(to, ", waits for {} edges", burst.silent().count()).unwrap();
            }
            if !region.deadline().is_never() {
                write!(to, ", wakes at {} ms", region.deadline().as_millis()).unwrap();
            }
            writeln!(table, "{name:<19} {what:<19} → {to}; {act:?}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}
