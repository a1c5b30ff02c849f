//! The console in a browser: how soon there are calls on the screen, and how old what it shows is.

use super::{ADMIN, TOKEN};
use crate::browser::Browser;
use crate::report::{median, round};
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::time::Duration;

/// What the page has noted.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Milliseconds from each navigation to rows of calls on the screen.
    paint: Vec<f64>,
    /// And to the whole list.
    whole: Vec<f64>,
    /// Age, in milliseconds, of each thing told of a call when it was on the screen.
    ages: Vec<f64>,
}

/// Open the console so many times, and watch each for a while.
pub(super) fn watch(times: usize, time: Duration, profile: &Path) -> io::Result<Seen> {
    let mut browser = Browser::new("0,1", profile, &include_str!("watch.js").replace("TOKEN", TOKEN))?;
    let mut seen = Seen::default();
    for _ in 0..times {
        browser.go(&format!("http://{ADMIN}/"))?;
        browser.until("window.benchSeen?.whole ?? null")?;
        std::thread::sleep(time);
        let noted = browser.eval("window.benchSeen")?;
        seen.paint.extend(noted["paint"].as_f64());
        seen.whole.extend(noted["whole"].as_f64());
        seen.ages.extend(noted["ages"].as_array().into_iter().flatten().filter_map(Value::as_f64));
        browser.go("about:blank")?;
    }
    seen.ages.sort_by(f64::total_cmp);
    Ok(seen)
}

impl Seen {
    pub(super) fn json(&self) -> Value {
        let most = |all: &[f64]| all.iter().copied().fold(0.0, f64::max);
        let at = |part: f64| self.ages.get((self.ages.len() as f64 * part) as usize).or(self.ages.last());
        json!({
            "first_paint_ms": round(median(self.paint.clone()), 0),
            "first_paint_worst_ms": round(most(&self.paint), 0),
            "whole_list_ms": round(median(self.whole.clone()), 0),
            "updates": self.ages.len(),
            "age_ms": {
                "p50": round(at(0.5).copied().unwrap_or_default(), 0),
                "p99": round(at(0.99).copied().unwrap_or_default(), 0),
                "max": round(most(&self.ages), 0),
            },
        })
    }
}
