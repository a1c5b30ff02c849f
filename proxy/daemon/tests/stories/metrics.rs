//! /metrics is as Prometheus wants it, and what is made of it under conf/ asks for what there is.

use super::world::{Place, call, eventually, hang_up, metric};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn conf() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf")
}

fn promtool(args: &[&str], input: &str) -> String {
    let mut command = Command::new("promtool");
    command.current_dir(conf().join("prometheus")).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool is installed");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "promtool {args:?}:\n{said}");
    said
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Everything in a text that looks like a metric of ours, without what a histogram adds to its name.
fn named(text: &str) -> BTreeSet<String> {
    let words =
        text.split(|c| !is_part(c)).filter(|word| word.starts_with("bascule_") && !word.contains(':'));
    let plain = |word: &str| {
        let ends = ["_bucket", "_sum", "_count"];
        ends.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word).to_owned()
    };
    words.map(plain).collect()
}

#[test]
fn promtool_finds_nothing_to_say_and_every_metric_that_a_rule_or_the_dashboard_asks_for_is_there() {
    let place = Place(100);
    let spool = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("metrics-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&spool);
    // Everything that can be watched is. Nobody listens at either address.
    let more = format!(
        "[trace]\n[hep]\nto = \"{at}:9060\"\n[records.delivery]\nurl = \"http://{at}:8080/\"\nspool = {spool:?}",
        at = place.ip(3)
    );
    let appliance = place.start(&more);
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &edge, "counted", "+4930123456");
    hang_up(place, &carrier, &edge, &up);
    let over = "bascule_trunk_sessions_total{trunk=\"acme\",direction=\"inbound\",outcome=\"established\"}";
    eventually("its record is counted", || metric(&appliance, over) == 1.0);
    let page = appliance.metrics_text();
    assert_eq!(metric(&appliance, "bascule_session_attempts_total{outcome=\"established\"}"), 1.0);
    assert_eq!(metric(&appliance, "bascule_srd_seconds_count{outcome=\"established\"}"), 1.0);
    assert_eq!(metric(&appliance, "bascule_sdd_seconds_count{outcome=\"completed\"}"), 1.0);
    appliance.stop();
    std::fs::remove_dir_all(&spool).unwrap();

    let said = promtool(&["check", "metrics"], &page);
    assert!(said.trim().is_empty(), "{said}");
    let there: BTreeSet<_> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for file in
        ["prometheus/rules.yml", "prometheus/alerts.yml", "prometheus/tests.yml", "grafana/bascule.json"]
    {
        let text = std::fs::read_to_string(conf().join(file)).unwrap();
        let asked = named(&text);
        assert!(asked.len() > 5, "{file} asks for nothing");
        let missing: Vec<_> = asked.iter().filter(|name| !there.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{file} asks for what nobody counts: {missing:?}");
    }
}

#[test]
fn rules_and_alerts_say_what_their_own_tests_want() {
    promtool(&["check", "rules", "rules.yml", "alerts.yml"], "");
    promtool(&["test", "rules", "tests.yml"], "");
}

#[test]
fn the_dashboard_asks_in_promql_and_for_rules_that_are_there() {
    let rules = std::fs::read_to_string(conf().join("prometheus/rules.yml")).unwrap();
    let recorded: BTreeSet<_> = rules.lines().filter_map(|l| l.trim().strip_prefix("- record: ")).collect();
    let text = std::fs::read_to_string(conf().join("grafana/bascule.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let asked: Vec<_> =
        targets.map(|target| target["expr"].as_str().unwrap().replace("$instance", "a")).collect();
    let words = asked.iter().flat_map(|text| text.split(|c| !is_part(c)));
    let of_rules: BTreeSet<_> = words.filter(|word| word.contains(":bascule_")).collect();
    assert!(of_rules.len() > 5 && of_rules.is_subset(&recorded), "{of_rules:?}");

    // As rules, since those promtool can check.
    let numbered = asked.iter().enumerate();
    let all: Vec<_> =
        numbered.map(|(n, expr)| json!({ "record": format!("panel_{n}"), "expr": expr })).collect();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("panels-{}.yml", std::process::id()));
    std::fs::write(&file, json!({ "groups": [{ "name": "dashboard", "rules": all }] }).to_string()).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()], "");
    std::fs::remove_file(&file).unwrap();
}
