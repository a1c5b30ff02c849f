//! The picture: a line for each quantity, each by its own largest value; faults as bands, reloads as strokes.

use super::director::{Event, Fault};
use super::sample::{Quantity, Sample};
use super::verdict::Times;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

/// The picture and the field in it, in pixels.
const SIZE: (f64, f64) = (1_240.0, 560.0);
const LEFT: f64 = 50.0;
const TOP: f64 = 40.0;
const FIELD: (f64, f64) = (880.0, 460.0);
/// At most so many points a line: of samples that share one the largest is shown.
const POINTS: usize = 880;

const fn colour(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Memory => "#000000",
        Quantity::Descriptors => "#d62728",
        Quantity::Calls => "#1f77b4",
        Quantity::LegsLeftBehind => "#e377c2",
        Quantity::Transactions => "#2ca02c",
        Quantity::Timers => "#9467bd",
        Quantity::Sessions => "#17becf",
        Quantity::PortsInUse => "#bcbd22",
        Quantity::PortsOpen => "#8c564b",
        Quantity::Streams => "#ff7f0e",
    }
}

/// Draw it into a file.
///
/// # Errors
///
/// The file's.
pub(super) fn write(path: &Path, samples: &[Sample], events: &[Event], times: &Times) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, svg(samples, events, times))
}

fn svg(samples: &[Sample], events: &[Event], times: &Times) -> String {
    let length = samples.last().map_or(1.0, |s| s.at).max(1.0);
    let x = |at: f64| LEFT + at / length * FIELD.0;
    let bottom = TOP + FIELD.1;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">Soak: what the device holds, each by its own largest value</text>\n",
        SIZE.0, SIZE.1
    );
    // Writing into a string does not fail.
    for event in events {
        let _ = match *event {
            Event::Fault { fault, from, until } => {
                let fill = match fault {
                    Fault::Frozen => "#9ecae1",
                    Fault::Killed => "#fcae91",
                };
                writeln!(
                    text,
                    "<rect x=\"{:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\" fill=\"{fill}\" fill-opacity=\"0.5\">\
                     <title>a region {}</title></rect>",
                    x(from),
                    (x(until) - x(from)).max(1.0),
                    FIELD.1,
                    fault.name()
                )
            }
            Event::Reload { at } => writeln!(
                text,
                "<line x1=\"{0:.1}\" y1=\"{1}\" x2=\"{0:.1}\" y2=\"{2}\" stroke=\"#666666\"><title>reload</title></line>",
                x(at),
                bottom - 10.0,
                bottom
            ),
        };
    }
    for (at, said) in [(times.began, "load"), (times.warm(), "warm"), (times.ended, "end of load")] {
        let _ = writeln!(
            text,
            "<line x1=\"{0:.1}\" y1=\"{TOP}\" x2=\"{0:.1}\" y2=\"{bottom}\" stroke=\"#444444\" stroke-dasharray=\"4 3\"/>\
             <text x=\"{1:.1}\" y=\"{2}\">{said}</text>",
            x(at),
            x(at) + 3.0,
            TOP - 4.0
        );
    }
    axes(&mut text, length, x);
    for (n, quantity) in Quantity::ALL.into_iter().enumerate() {
        let most = samples.iter().map(|s| s.of(quantity)).max().unwrap_or(0);
        let y = |value: u64| bottom - value as f64 / most.max(1) as f64 * FIELD.1;
        let points: Vec<String> = thinned(samples, quantity)
            .into_iter()
            .map(|(at, value)| format!("{:.1},{:.1}", x(at), y(value)))
            .collect();
        let stroke = colour(quantity);
        let _ = writeln!(
            text,
            "<polyline fill=\"none\" stroke=\"{stroke}\" stroke-width=\"1.3\" points=\"{}\"/>",
            points.join(" ")
        );
        let last = samples.last().map_or(0, |s| s.of(quantity));
        let row = TOP + 20.0 + 22.0 * n as f64;
        legend(&mut text, row, stroke, &format!("{}: {most} at most, {last} at the end", quantity.name()));
    }
    let rows = TOP + 20.0 + 22.0 * (Quantity::ALL.len() as f64 + 1.0);
    for (n, (fill, said)) in [
        ("#9ecae1", "a region stopped"),
        ("#fcae91", "a region killed"),
        ("#666666", "strokes below: reloads"),
    ]
    .into_iter()
    .enumerate()
    {
        legend(&mut text, rows + 22.0 * n as f64, fill, said);
    }
    text.push_str("</svg>\n");
    text
}

fn axes(text: &mut String, length: f64, x: impl Fn(f64) -> f64) {
    let bottom = TOP + FIELD.1;
    let _ = writeln!(
        text,
        "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#888888\"/>",
        FIELD.0, FIELD.1
    );
    for part in 0..=8 {
        let at = length * f64::from(part) / 8.0;
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{at:.0} s</text>",
            x(at),
            bottom + 18.0
        );
    }
    for (share, said) in [(0.0, "0"), (0.5, "1/2"), (1.0, "most")] {
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{said}</text>",
            LEFT - 6.0,
            bottom - share * FIELD.1 + 4.0
        );
    }
}

fn legend(text: &mut String, y: f64, fill: &str, said: &str) {
    let x = LEFT + FIELD.0 + 20.0;
    let _ = writeln!(
        text,
        "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{fill}\"/><text x=\"{}\" y=\"{y}\">{said}</text>",
        y - 11.0,
        x + 18.0
    );
}

/// A line's points: when, and how much.
fn thinned(samples: &[Sample], quantity: Quantity) -> Vec<(f64, u64)> {
    let each = samples.len().div_ceil(POINTS).max(1);
    let largest = |some: &[Sample]| {
        let most = some.iter().map(|s| s.of(quantity)).max().unwrap_or(0);
        (some.first().map_or(0.0, |s| s.at), most)
    };
    samples.chunks(each).map(largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(seconds: u32) -> Vec<Sample> {
        let sample = |s: u32| Sample { at: s.into(), values: [u64::from(s % 7); Quantity::ALL.len()] };
        (0..seconds).map(sample).collect()
    }

    #[test]
    fn there_is_a_line_for_each_quantity_a_band_for_each_fault_and_a_stroke_for_each_reload() {
        let fault = |fault, from| Event::Fault { fault, from, until: from + 6.0 };
        let events = [fault(Fault::Frozen, 8.0), fault(Fault::Killed, 28.0), Event::Reload { at: 5.0 }];
        let text = svg(&hours(120), &events, &Times { began: 5.0, ended: 65.0 });
        assert_eq!(text.matches("<polyline").count(), Quantity::ALL.len());
        assert_eq!(text.matches("<title>a region").count(), 2);
        assert_eq!(text.matches("<title>reload").count(), 1);
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        for tag in ["svg", "rect", "line", "text", "title"] {
            let open = text.matches(&format!("<{tag}>")).count() + text.matches(&format!("<{tag} ")).count();
            let alone = text.lines().flat_map(|l| l.split('<')).filter(|p| p.starts_with(&format!("{tag} ")));
            let closed = text.matches(&format!("</{tag}>")).count();
            assert_eq!(open, closed + alone.filter(|p| p.trim_end().ends_with("/>")).count(), "{tag}");
        }
    }

    #[test]
    fn of_a_day_no_peak_is_lost() {
        let mut samples = hours(86_400);
        samples[50_001].values = [99; Quantity::ALL.len()];
        let points = thinned(&samples, Quantity::Calls);
        assert!(points.len() <= POINTS);
        assert!(points.iter().any(|(_, value)| *value == 99));
    }
}
