//! A line that comes again and again is written so often, then held back and counted: a flood of one complaint neither fills the disk nor
//! hides the others. Lines that somebody has asked for (debug, trace) are never held back.

use crate::limits::{LOG_BURST, LOG_WINDOW};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// What is said of lines that were held back is never held back itself.
const OURS: &str = "bascule::log";

/// Counts by the line of our program that speaks: there are some fifty of them.
#[derive(Debug, Default)]
pub(super) struct Books(Mutex<HashMap<Identifier, Count>>);

#[derive(Debug)]
struct Count {
    place: Place,
    began: Instant,
    written: u32,
    held: u64,
    /// Held back in windows that are over, and not told yet.
    due: u64,
}

/// Where a line stands in our program.
type Place = (&'static str, u32);

impl Count {
    /// Begin another window if this one is over.
    fn close(&mut self, now: Instant) {
        if now.duration_since(self.began) >= LOG_WINDOW {
            self.due += std::mem::take(&mut self.held);
            (self.began, self.written) = (now, 0);
        }
    }
}

impl Books {
    fn lock(&self) -> MutexGuard<'_, HashMap<Identifier, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lets(&self, about: &'static Metadata<'static>, now: Instant) -> bool {
        let mut counts = self.lock();
        let count = counts.entry(about.callsite()).or_insert_with(|| Count {
            place: (about.file().unwrap_or(about.target()), about.line().unwrap_or_default()),
            began: now,
            written: 0,
            held: 0,
            due: 0,
        });
        count.close(now);
        if count.written < LOG_BURST {
            count.written += 1;
            return true;
        }
        count.held += 1;
        false
    }

    /// Where lines were held back, and how many, of windows that are over.
    fn take(&self, now: Instant) -> Vec<(Place, u64)> {
        let mut counts = self.lock();
        counts.values_mut().for_each(|count| count.close(now));
        let due = counts.values_mut().filter(|count| count.due > 0);
        due.map(|count| (count.place, std::mem::take(&mut count.due))).collect()
    }

    /// Tell the log, if it is time.
    pub(super) fn tell(&self) {
        // Not while the books are open: the log looks into them.
        for ((file, line), times) in self.take(Instant::now()) {
            tracing::warn!(target: OURS, file, line, times, "a line came too often and was held back");
        }
    }
}

/// Stands before every writer.
pub(super) struct Repeats(pub(super) Arc<Books>);

impl<S: Subscriber> Layer<S> for Repeats {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let about = event.metadata();
        *about.level() > Level::INFO || about.target() == OURS || self.0.lets(about, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    /// Counts lines by level.
    #[derive(Default, Clone)]
    struct Paper(Arc<[AtomicU32; 3]>);

    impl<S: Subscriber> Layer<S> for Paper {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let level = match *event.metadata().level() {
                Level::ERROR => 0,
                Level::WARN => 1,
                _ => 2,
            };
            self.0[level].fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_comes_too_often_is_held_back_and_counted_and_everything_else_is_written() {
        let (books, paper) = (Arc::new(Books::default()), Paper::default());
        let log = Registry::default().with(Repeats(Arc::clone(&books))).with(paper.clone());
        tracing::subscriber::with_default(log, || {
            for n in 0..LOG_BURST + 5 {
                tracing::warn!(n, "again");
                tracing::debug!(n, "asked for");
            }
            tracing::error!("another line");
        });
        let written = paper.0.each_ref().map(|n| n.load(Ordering::Relaxed));
        assert_eq!(written, [1, LOG_BURST, LOG_BURST + 5]);
        let later = Instant::now() + LOG_WINDOW;
        let told = books.take(later);
        assert!(matches!(told[..], [((file, _), 5)] if file.ends_with("repeats.rs")), "{told:?}");
        assert!(books.take(later).is_empty(), "once");
    }

    #[test]
    fn a_flood_that_never_ends_is_told_of_after_each_window() {
        let (books, metadata, began) = (Books::default(), a_line(), Instant::now());
        let mut written = 0;
        // A hundred a second for three windows and a bit.
        for n in 0..3_050 {
            written += u32::from(books.lets(metadata, began + LOG_WINDOW / 1_000 * n));
        }
        assert_eq!(written, 4 * LOG_BURST);
        let told: Vec<_> =
            books.take(began + LOG_WINDOW / 1_000 * 3_050).into_iter().map(|(_, n)| n).collect();
        assert_eq!(told, [3 * (1_000 - u64::from(LOG_BURST))]);
    }

    /// What a line of this program says of itself.
    fn a_line() -> &'static Metadata<'static> {
        let seen = Seen::default();
        let log = Registry::default().with(seen.clone());
        tracing::subscriber::with_default(log, || tracing::warn!("a line"));
        let about = *seen.0.lock().unwrap();
        about.unwrap()
    }

    #[derive(Default, Clone)]
    struct Seen(Arc<Mutex<Option<&'static Metadata<'static>>>>);

    impl<S: Subscriber> Layer<S> for Seen {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            *self.0.lock().unwrap() = Some(event.metadata());
        }
    }
}
