//! What has to have returned, and to where.

use super::sample::{Quantity, Sample};
use crate::report::median;
use serde_json::{Value, json};
use std::fmt::Write;

/// The load has warmed the device up after this, in seconds, or after half of its time where that is less: transactions of
/// the first calls have gone after 32 s, so that there are as many as there will be.
const WARM: f64 = 45.0;
/// Memory is the middle of the samples of so many seconds.
const LEVEL: f64 = 10.0;
/// Memory may be above the level after warm-up by a tenth and 4 MiB: tables double when they grow, and the allocator gives
/// back pages when it likes.
const SLACK_PART: u64 = 10;
const SLACK_KIB: u64 = 4_096;

/// The load's beginning and end, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) began: f64,
    pub(super) ended: f64,
}

impl Times {
    /// When the level is taken.
    pub(super) fn warm(&self) -> f64 {
        self.began + WARM.min((self.ended - self.began) / 2.0)
    }
}

/// What is allowed in the end.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    start: Sample,
    /// Memory after warm-up, and as the load ended.
    warm: u64,
    late: u64,
}

/// One quantity.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) name: &'static str,
    start: u64,
    most: u64,
    end: Option<u64>,
    allowed: u64,
    pub(super) returned: bool,
}

pub(super) fn limits(samples: &[Sample], start: &Sample, times: &Times) -> Limits {
    let level = |from: f64| {
        memory(samples.iter().filter(|s| s.at >= from && s.at < from + LEVEL && s.at < times.ended))
    };
    let warm = level(times.warm());
    Limits { start: *start, warm, late: level((times.ended - LEVEL).max(times.began)) }
}

/// The middle of some samples' memory.
fn memory<'a>(samples: impl Iterator<Item = &'a Sample>) -> u64 {
    median(samples.map(|s| s.of(Quantity::Memory) as f64).collect()) as u64
}

impl Limits {
    fn memory(&self) -> u64 {
        self.warm + self.warm / SLACK_PART + SLACK_KIB
    }

    fn of(&self, quantity: Quantity) -> u64 {
        match quantity {
            Quantity::Memory => self.memory(),
            Quantity::Descriptors
            | Quantity::Calls
            | Quantity::LegsLeftBehind
            | Quantity::Transactions
            | Quantity::Timers
            | Quantity::Sessions
            | Quantity::PortsInUse
            | Quantity::PortsOpen
            | Quantity::Streams => self.start.of(quantity),
        }
    }

    /// Whether nothing is left by these samples, of which there have to be some.
    pub(super) fn are_kept(&self, latest: &[Sample]) -> bool {
        Quantity::ALL
            .into_iter()
            .all(|quantity| self.end(quantity, latest).is_some_and(|end| end <= self.of(quantity)))
    }

    /// A quantity by the last samples: the most of them, of memory the middle.
    fn end(&self, quantity: Quantity, latest: &[Sample]) -> Option<u64> {
        let most = latest.iter().map(|sample| sample.of(quantity)).max();
        if quantity == Quantity::Memory { most.map(|_| memory(latest.iter())) } else { most }
    }

    /// The verdict: a row for each quantity, and one for memory under load.
    pub(super) fn rows(&self, samples: &[Sample], latest: &[Sample]) -> Vec<Row> {
        let row = |quantity: Quantity| {
            let (end, allowed) = (self.end(quantity, latest), self.of(quantity));
            let most = samples.iter().map(|sample| sample.of(quantity)).max().unwrap_or(0);
            let returned = end.is_some_and(|end| end <= allowed);
            Row { name: quantity.name(), start: self.start.of(quantity), most, end, allowed, returned }
        };
        let mut rows: Vec<Row> = Quantity::ALL.into_iter().map(row).collect();
        // A leak under load must not hide under what the load's end sets free.
        let under_load = Row {
            name: "memory_kib_under_load",
            start: self.warm,
            end: Some(self.late),
            returned: self.late <= self.memory(),
            ..rows[0].clone()
        };
        rows.insert(1, under_load);
        rows
    }
}

impl Row {
    pub(super) fn json(&self) -> Value {
        let Self { start, most, end, allowed, returned, .. } = self;
        json!({ "start": start, "most": most, "end": end, "allowed": allowed, "returned": returned })
    }
}

/// For people.
pub(super) fn table(rows: &[Row], result: &Value) -> String {
    let mut text = format!("{:<24}{:>10}{:>10}{:>10}{:>10}\n", "", "start", "most", "end", "allowed");
    for Row { name, start, most, end, allowed, returned } in rows {
        let end = end.map_or_else(|| "-".to_owned(), |end| end.to_string());
        let said = if *returned { "" } else { "  NOT RETURNED" };
        let _ = writeln!(text, "{name:<24}{start:>10}{most:>10}{end:>10}{allowed:>10}{said}");
    }
    let call = |who: &str, what: &str| match &result["load"][who] {
        Value::Object(all) => all.get("calls").unwrap_or(&result["load"][who])[what].clone(),
        _ => Value::Null,
    };
    for who in ["talking", "held", "short", "refused"] {
        let _ = writeln!(
            text,
            "calls {who}: {} placed, {} answered, {} failed {}",
            call(who, "placed"),
            call(who, "answered"),
            call(who, "failed"),
            call(who, "failures")
        );
    }
    for (name, tale) in result["tales"].as_object().into_iter().flatten() {
        let _ = writeln!(text, "tales {name}: {} told, broken {}", tale["told"], tale["broken"]);
    }
    let _ = writeln!(
        text,
        "{} s of load, faults {}, {} reloads ({} refused), everything gone {} s after its end\ncommit {}, {}",
        result["load_s"],
        result["faults"],
        result["reloads"],
        result["reloads_refused"],
        result["settled_after_s"],
        result["commit"].as_str().unwrap_or_default(),
        result["graph"].as_str().unwrap_or_default(),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times { began: 5.0, ended: 65.0 };

    /// A minute in which memory grows from 20 to 30 MB in the first half, and 40 calls come and go.
    fn minute() -> Vec<Sample> {
        let sample = |second: u32| {
            let mut values = [0; Quantity::ALL.len()];
            values[Quantity::Memory as usize] = u64::from(20_000 + (second.min(30) * 1_000 / 3));
            values[Quantity::Calls as usize] = if (5..65).contains(&second) { 40 } else { 0 };
            values[Quantity::Descriptors as usize] = 30;
            Sample { at: second.into(), values }
        };
        (0..75).map(sample).collect()
    }

    #[test]
    fn what_has_gone_has_returned_and_memory_may_stay_at_its_level() {
        let samples = minute();
        let limits = limits(&samples, &samples[4], &TIMES);
        assert!(limits.are_kept(&samples[70..]));
        let rows = limits.rows(&samples, &samples[70..]);
        assert!(rows.iter().all(|row| row.returned), "{rows:?}");
        assert_eq!(rows.len(), Quantity::ALL.len() + 1);
        assert_eq!((rows[3].name, rows[3].most, rows[3].end), ("calls", 40, Some(0)));
    }

    #[test]
    fn one_thing_that_is_left_is_told() {
        for quantity in Quantity::ALL {
            let mut samples = minute();
            let limits = limits(&samples, &samples[4], &TIMES);
            let more = if quantity == Quantity::Memory { 8_000 } else { 1 };
            for sample in &mut samples[70..] {
                sample.values[quantity as usize] += more;
            }
            assert!(!limits.are_kept(&samples[70..]), "{quantity:?}");
            let left: Vec<_> =
                limits.rows(&samples, &samples[70..]).into_iter().filter(|row| !row.returned).collect();
            assert_eq!(left.iter().map(|row| row.name).collect::<Vec<_>>(), [quantity.name()]);
        }
    }

    #[test]
    fn memory_that_grows_under_load_is_told_though_the_end_sets_it_free() {
        let mut samples = minute();
        for sample in &mut samples[55..65] {
            sample.values[Quantity::Memory as usize] += 8_000;
        }
        let limits = limits(&samples, &samples[4], &TIMES);
        assert!(limits.are_kept(&samples[70..]));
        let rows = limits.rows(&samples, &samples[70..]);
        assert!(!rows[1].returned && rows[0].returned, "{rows:?}");
    }

    #[test]
    fn without_samples_nothing_has_returned() {
        let samples = minute();
        let limits = limits(&samples, &samples[4], &TIMES);
        assert!(!limits.are_kept(&[]));
        assert!(limits.rows(&samples, &[]).iter().filter(|row| row.returned).count() <= 1);
    }
}
