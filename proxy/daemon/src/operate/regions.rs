//! `bascule regions`.

use super::args::RegionsArgs;
use super::line::{Came, Connection};
use super::report::{print, table};
use super::{Ended, Failure};
use bascule::control::{Answer, Region, Request};

pub(super) async fn run(args: &RegionsArgs) -> Result<Ended, Failure> {
    let mut connection = Connection::open(&args.at).await?;
    connection.ask(&Request::Regions).await?;
    loop {
        match connection.next().await? {
            Came::Interrupt => return Ok(Ended::Interrupted),
            Came::Line(_, text) if args.at.json => {
                print(&text);
                return Ok(Ended::Done);
            }
            Came::Line(line, _) => match line.answer {
                Answer::Regions { generation, regions } => {
                    show(generation, &regions);
                    return Ok(Ended::Done);
                }
                Answer::Error(words) => return Err(Failure(words)),
                Answer::Warning(_) | Answer::Progress(_) | Answer::Receipt(_) | Answer::Summary(_) => {}
            },
        }
    }
}

fn show(generation: u64, regions: &[Region]) {
    let head = ["region", "state", "since", "calls", "evidence", "last switch", "operators"];
    let rows = regions.iter().map(|region| {
        [
            region.region.clone(),
            region.state.clone(),
            region.since.clone(),
            format!("{} + {} hunting", region.answered, region.hunting),
            region.evidence.clone(),
            match (&region.last_switch, &region.reason) {
                (Some(at), Some(reason)) => format!("{reason} {at}"),
                _ => "never".to_owned(),
            },
            operators(region),
        ]
    });
    table(&head, rows);
    print(&format!("generation {generation}"));
}

fn operators(region: &Region) -> String {
    let mut said = Vec::new();
    if region.drained {
        said.push("drained".to_owned());
    }
    if !region.drained_edges.is_empty() {
        said.push(format!("drained: {}", region.drained_edges.join(", ")));
    }
    if let Some(share) = region.drill {
        said.push(format!("drill of {share}%"));
    }
    if said.is_empty() { "-".to_owned() } else { said.join("; ") }
}
