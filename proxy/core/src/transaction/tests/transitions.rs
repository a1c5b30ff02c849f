//! Every state, every input, what becomes of it: the four tables as they are, so that a change shows.

use super::{ms, seconds};
use crate::transaction::timers::TimerSet;
use crate::transaction::{client, invite_client, invite_server, server};
use crate::{Timers, Transport};
use relay_values::Time;
use std::fmt::{Debug, Write};

/// When the inputs happen, in all tables.
const NOW: Time = Time::from_millis(10_000);

/// A state's name and what is in it, with instants in ms.
fn show(state: impl Debug) -> String {
    let mut text = format!("{state:?}");
    while let Some(start) = text.find("Time(") {
        let end = start + text[start..].find(')').expect("closed");
        let nanos: u64 = text[start + 5..end].parse().expect("a number");
        let shown = if nanos == u64::MAX { "never".to_owned() } else { (nanos / 1_000_000).to_string() };
        text.replace_range(start..=end, &shown);
    }
    text
}

fn table<S: Copy + Debug + PartialEq, I: Copy + Debug, A: Debug>(
    states: &[S],
    inputs: &[I],
    on: impl Fn(&mut S, I, &TimerSet) -> A,
) -> String {
    let mut out = String::new();
    for transport in [Transport::Udp, Transport::Tcp] {
        let timers = TimerSet::new(Timers::default(), transport);
        for state in states {
            writeln!(out, "{} {}", transport.as_str(), show(state)).expect("memory");
            for input in inputs {
                let mut next = *state;
                let action = on(&mut next, *input, &timers);
                let next = if next == *state { "-".to_owned() } else { show(next) };
                writeln!(out, "    {:<15} {:<16} {next}", format!("{input:?}"), format!("{action:?}"))
                    .expect("memory");
            }
        }
    }
    out
}

#[test]
fn invite_client_transitions() {
    use invite_client::{Input, InviteClient as S};
    let calling = |expires, cancel| S::Calling { resend: NOW, expires, sent: 2, cancel };
    let states = [
        calling(seconds(32), false),
        calling(seconds(32), true),
        calling(NOW, false),
        S::Proceeding,
        S::Cancelling { expires: NOW, quiet: false },
        S::Cancelling { expires: NOW, quiet: true },
        S::Abandoned { expires: NOW },
        S::Completed { over: NOW },
        S::Accepted { over: NOW, first: None, late: false },
        S::Terminated,
    ];
    let inputs = [
        Input::Provisional,
        Input::Success,
        Input::Failure,
        Input::Timer,
        Input::Cancel,
        Input::Abandon,
        Input::TransportError,
    ];
    insta::assert_snapshot!(table(&states, &inputs, |s, i, t| s.on(NOW, i, t)));
}

#[test]
fn client_transitions() {
    use client::{Client as S, Input};
    let states = [
        S::Trying { resend: NOW, expires: seconds(32), sent: 2 },
        S::Trying { resend: ms(10_500), expires: NOW, sent: 9 },
        S::Proceeding { resend: NOW, expires: seconds(32) },
        S::Proceeding { resend: ms(10_500), expires: NOW },
        S::Completed { over: NOW },
        S::Terminated,
    ];
    let inputs = [Input::Provisional, Input::Final, Input::Timer, Input::TransportError];
    insta::assert_snapshot!(table(&states, &inputs, |s, i, t| s.on(NOW, i, t)));
}

#[test]
fn invite_server_transitions() {
    use invite_server::{Input, InviteServer as S};
    let accepted = |over, acked| S::Accepted { resend: NOW, over, sent: 2, acked };
    let states = [
        S::Proceeding,
        S::Completed { resend: NOW, expires: seconds(32), sent: 2 },
        S::Completed { resend: ms(10_500), expires: NOW, sent: 9 },
        S::Confirmed { over: NOW },
        accepted(seconds(32), false),
        accepted(NOW, false),
        accepted(NOW, true),
        S::Terminated,
    ];
    let inputs = [
        Input::Invite,
        Input::Ack,
        Input::Provisional,
        Input::Success,
        Input::Failure,
        Input::Acked,
        Input::Timer,
    ];
    insta::assert_snapshot!(table(&states, &inputs, |s, i, t| s.on(NOW, i, t)));
}

#[test]
fn server_transitions() {
    use server::{Input, Server as S};
    let states = [S::Trying, S::Proceeding, S::Completed { over: NOW }, S::Terminated];
    let inputs = [Input::Request, Input::Provisional, Input::Final, Input::Timer];
    insta::assert_snapshot!(table(&states, &inputs, |s, i, t| s.on(NOW, i, t)));
}
