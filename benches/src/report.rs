//! Results: one JSON object, a table for people, and a file that is kept.

use crate::machine;
use serde_json::{Map, Value, json};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The result of a bench.
pub fn result(bench: &str, quick: bool, devices: Vec<Value>, ratios: Value) -> Value {
    json!({
        "bench": bench, "quick": quick, "machine": machine::machine(), "commit": machine::commit(),
        "date": machine::date(), "devices": devices, "ratios": ratios,
    })
}

/// Write the result: JSON alone, or a table; and keep it unless the run was a quick one.
///
/// # Errors
///
/// What the system says about writing.
pub fn publish(result: &Value, as_json: bool) -> io::Result<()> {
    if result["quick"] == json!(false) {
        let kept = keep(result)?;
        eprintln!("kept as {}", kept.display());
    }
    let mut out = io::stdout().lock();
    if as_json { writeln!(out, "{result}") } else { write!(out, "{}", table(result)) }
}

fn keep(result: &Value) -> io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    fs::create_dir_all(&folder)?;
    let day = result["date"].as_str().unwrap_or_default().replace(':', "");
    let (bench, commit) =
        (result["bench"].as_str().unwrap_or_default(), result["commit"].as_str().unwrap_or_default());
    let path = folder.join(format!("{bench}-{day}-{commit}.json"));
    fs::write(&path, format!("{result:#}\n"))?;
    Ok(path)
}

/// One line per measure, one column per device.
fn table(result: &Value) -> String {
    let devices: Vec<Map<String, Value>> =
        result["devices"].as_array().into_iter().flatten().map(flat).collect();
    let mut measures: Vec<String> = Vec::new();
    for device in &devices {
        for name in device.keys().filter(|k| *k != "name") {
            if !measures.contains(name) {
                measures.push(name.clone());
            }
        }
    }
    let name = |d: &Map<String, Value>| d.get("name").map(text).unwrap_or_default();
    let widths: Vec<usize> = devices
        .iter()
        .map(|d| {
            measures
                .iter()
                .map(|m| d.get(m).map(text).unwrap_or_default().len())
                .max()
                .unwrap_or(0)
                .max(name(d).len())
        })
        .collect();
    let first = measures.iter().map(String::len).max().unwrap_or(0);
    let mut lines = vec![row(first, "", &widths, devices.iter().map(name))];
    for m in &measures {
        let cells = devices.iter().map(|d| d.get(m).map(text).unwrap_or_else(|| "-".to_owned()));
        lines.push(row(first, m, &widths, cells));
    }
    for (name, value) in flat(&result["ratios"]) {
        lines.push(format!("{name}: {}", text(&value)));
    }
    lines.push(format!("commit {}, {}\n", text(&result["commit"]), text(&result["machine"]["cpu"])));
    lines.join("\n")
}

fn row(first: usize, name: &str, widths: &[usize], cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.zip(widths).map(|(c, w)| format!("{c:>w$}")).collect();
    format!("{name:<first$}  {}", cells.join("  "))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Number(n) if n.is_f64() => format!("{:.4}", n.as_f64().unwrap_or_default()),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// Nested objects as `a.b`.
fn flat(value: &Value) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        if value.is_object() {
            out.extend(flat(value).into_iter().map(|(inner, v)| (format!("{name}.{inner}"), v)));
        } else {
            out.insert(name.clone(), value.clone());
        }
    }
    out
}

/// The middle one; of two, the lower.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

/// `a / b` rounded to three digits, null where it has no meaning.
pub fn ratio(a: f64, b: f64) -> Value {
    if b > 0.0 && a > 0.0 && b.is_finite() { json!((a / b * 1_000.0).round() / 1_000.0) } else { Value::Null }
}

/// Rounded to so many digits after the point.
pub fn round(x: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (x * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_per_measure_and_a_column_per_device() {
        let result = json!({
            "devices": [{"name": "a", "x": {"p50": 1}}, {"name": "b", "y": 2.5}],
            "ratios": {"x": 3.0}, "commit": "c", "machine": {"cpu": "m"},
        });
        let table = table(&result);
        assert!(table.contains("x.p50  1       -\n"), "{table}");
        assert!(table.contains("y      -  2.5000\n"), "{table}");
    }

    #[test]
    fn the_median_of_an_even_number_is_the_lower_middle() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.0);
    }
}
