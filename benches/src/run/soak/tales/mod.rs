//! Rarer calls, told one after the other from both ends: a ringing call that is cancelled, reliable provisionals and UPDATE,
//! offers inside the call, transfers, and strangers. No fault strikes those who take part, so that each of these tales has to
//! end as it should, whatever happens beside them.

mod end;
mod plots;

use super::watch::Watch;
use crate::device::at;
use crate::load::clock::run_number;
use end::End;
use plots::{Cast, Told};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// From the beginning of one to that of the next of its kind, at least.
const EVERY: Duration = Duration::from_millis(500);

/// One kind of tale.
struct Kind {
    name: &'static str,
    plot: fn(&mut Cast) -> Told,
    caller: SocketAddr,
}

/// All of them; ports are below those of the other callers' media.
const KINDS: [Kind; 5] = [
    Kind { name: "cancelled", plot: plots::cancelled, caller: at(1, 4_990) },
    Kind { name: "reliable", plot: plots::reliable, caller: at(1, 4_991) },
    Kind { name: "reoffered", plot: plots::reoffered, caller: at(1, 4_992) },
    Kind { name: "transferred", plot: plots::transferred, caller: at(1, 4_993) },
    // From where no trunk is.
    Kind { name: "stranger", plot: plots::stranger, caller: at(9, 4_994) },
];

/// Those that are called: in the region that no fault strikes.
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) number: String,
    pub(super) callee: SocketAddr,
    pub(super) third: SocketAddr,
}

/// Where the tales are played.
pub(super) fn places() -> impl Iterator<Item = Place> {
    (0..).zip(&KINDS).map(|(n, kind)| Place {
        name: kind.name,
        number: format!("+44207946910{n}"),
        callee: at(6, 4_990 + n),
        third: at(7, 4_990 + n),
    })
}

/// What became of the tales.
#[derive(Debug, Default)]
pub(super) struct Tales(BTreeMap<&'static str, Tally>);

#[derive(Debug, Default)]
struct Tally {
    told: u64,
    /// Those that ended otherwise, by what was heard instead.
    broken: BTreeMap<String, u64>,
}

impl Tales {
    /// Whether every kind was told, and each as it should be.
    pub(super) fn are_true(&self) -> bool {
        self.0.len() == KINDS.len() && self.0.values().all(|tally| tally.told > 0 && tally.broken.is_empty())
    }

    pub(super) fn json(&self) -> Value {
        let rows = self.0.iter().map(|(name, Tally { told, broken })| {
            ((*name).to_owned(), json!({ "told": told, "broken": broken }))
        });
        rows.collect::<Map<_, _>>().into()
    }
}

/// Tell them while there is load, each kind in a thread of its own.
pub(super) fn run(watch: &Watch) -> io::Result<Tales> {
    let run = run_number();
    let mut casts = Vec::new();
    for (kind, Place { number, callee, third, .. }) in KINDS.iter().zip(places()) {
        let end = |at| End::new(at, run);
        let cast = Cast { caller: end(kind.caller)?, callee: end(callee)?, third: end(third)?, number };
        casts.push((kind, cast));
    }
    std::thread::scope(|scope| {
        let tellers: Vec<_> = casts
            .into_iter()
            .map(|(kind, cast)| (kind.name, scope.spawn(|| tell(watch, kind, cast))))
            .collect();
        let mut tales = Tales::default();
        for (name, teller) in tellers {
            let tally = teller.join().map_err(|_| io::Error::other("a teller has ended"))?;
            tales.0.insert(name, tally);
        }
        Ok(tales)
    })
}

fn tell(watch: &Watch, kind: &Kind, mut cast: Cast) -> Tally {
    let mut tally = Tally::default();
    while !watch.is_over() {
        if watch.is_loaded() {
            tally.told += 1;
            if let Err(why) = (kind.plot)(&mut cast) {
                *tally.broken.entry(why).or_default() += 1;
                for end in [&mut cast.caller, &mut cast.callee, &mut cast.third] {
                    end.forget();
                }
            }
        }
        std::thread::sleep(EVERY);
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tales_are_true_when_all_were_told_and_none_is_broken() {
        let whole =
            |told| Tales(KINDS.iter().map(|kind| (kind.name, Tally { told, ..Tally::default() })).collect());
        assert!(whole(1).are_true());
        assert!(!whole(0).are_true() && !Tales::default().are_true());
        let mut tales = whole(9);
        tales.0.entry("reliable").or_default().broken.insert("no PRACK".to_owned(), 1);
        assert!(!tales.are_true());
        assert_eq!(tales.json()["reliable"], json!({ "told": 9, "broken": { "no PRACK": 1 } }));
    }
}
