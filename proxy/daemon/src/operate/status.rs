//! `bascule status`.

use super::args::StatusArgs;
use super::http::{ask, line, read, watched};
use super::report::{clear, print, table};
use super::{Ended, Failure};
use bascule::api::shapes::{Media, NameStatus, Registered, Status};
use hyper::Method;

pub(super) async fn run(args: &StatusArgs) -> Result<Ended, Failure> {
    watched(args.watch, async || {
        let body = ask(&args.at, Method::GET, "/v1/status").await?;
        let status: Status = read(&body)?;
        if args.at.json {
            print(&line("status", &status));
        } else {
            if args.watch {
                clear();
            }
            show(&status);
        }
        Ok(Ended::Done)
    })
    .await
}

fn show(status: &Status) {
    let Status { version, phase, uptime_s, generation, shards, calls, registrations, media, names } = status;
    print(&format!("bascule {version}, {phase} for {}, generation {generation}", span(*uptime_s)));
    let (told, all) = shards;
    let busy =
        if told < all { format!(" ({} of {all} shards too busy to say)", all - told) } else { String::new() };
    print(&format!(
        "calls     {} answered, {} being set up, {} ending{busy}",
        calls.answered, calls.hunting, calls.closing
    ));
    registrations.iter().for_each(registered);
    match media {
        Some(media) => relay(media),
        None => print("media     bypasses us"),
    }
    located(names);
}

/// A line for each address, and for each name without one.
fn located(names: &[NameStatus]) {
    if names.is_empty() {
        return;
    }
    let rows = names.iter().flat_map(|name| {
        let why = name.why.as_ref().map(|why| format!(", {why}")).unwrap_or_default();
        let until = name.until.as_ref().map(|until| format!(", until {until}")).unwrap_or_default();
        let state = format!("{} since {}{why}{until}", name.state, name.since);
        let whose = format!("{} {}", name.name, name.transport);
        let mut rows: Vec<[String; 4]> = name
            .addresses
            .iter()
            .map(|at| {
                let left =
                    at.left.as_ref().map(|left| format!(", not named since {left}")).unwrap_or_default();
                [String::new(), at.address.clone(), format!("{} s{left}", at.age_s), String::new()]
            })
            .collect();
        match rows.first_mut() {
            Some(first) => (first[0], first[3]) = (whose, state),
            None => rows.push([whose, "-".to_owned(), "-".to_owned(), state]),
        }
        rows
    });
    print("");
    table(&["name", "address", "known for", "state"], rows);
}

fn registered(one: &Registered) {
    let Registered { trunk, state, registrar, left_s, last_code } = one;
    let at = registrar.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
    let left = left_s.map(|left| format!(", for {left} s")).unwrap_or_default();
    let last = match last_code {
        None => String::new(),
        Some(0) => ", no answer".to_owned(),
        Some(code) => format!(", last answer {code}"),
    };
    print(&format!("trunk     {trunk}: {state}{at}{left}{last}"));
}

fn relay(media: &Media) {
    let Media {
        addresses,
        ports: (first, last),
        capacity,
        room: _,
        kernel,
        sockets,
        survival,
        carried,
        drops,
        passed_up,
    } = media;
    print(&format!("media     {} ports {first} to {last}, {capacity}", addresses.join(" and ")));
    for line in kernel {
        print(&format!("  kernel  {line}"));
    }
    for line in sockets {
        print(&format!("  sockets {line}"));
    }
    if let Some(line) = survival {
        print(&format!("  killed  {line}"));
    }
    print(&format!(
        "carried   {} sessions; {} of their flows by the kernel",
        carried.sessions, carried.kernel_flows
    ));
    counts("dropped", drops);
    counts("passed up by the kernel", passed_up);
}

fn counts(what: &str, counts: &[(String, u64)]) {
    if counts.is_empty() {
        return;
    }
    print("");
    table(&[what, "packets"], counts.iter().map(|(reason, n)| [reason.clone(), n.to_string()]));
}

/// `3 d 4 h`, `12 min`: two units at most.
fn span(seconds: f64) -> String {
    let s = seconds as u64;
    let (days, hours, minutes) = (s / 86_400, s / 3_600 % 24, s / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn a_span_is_told_in_two_units() {
        let told =
            [(0.4, "0 s"), (59.0, "59 s"), (60.0, "1 min"), (3_725.0, "1 h 2 min"), (90_061.0, "1 d 1 h")];
        for (seconds, text) in told {
            assert_eq!(span(seconds), text);
        }
    }
}
