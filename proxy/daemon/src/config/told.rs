//! What conf/bascule.schema.json says of the keys is true: the defaults are those that count where nothing is written, the
//! bounds are where complaints begin, what is needed is missed, and a reload refuses what is said to need a restart.

use super::{Loaded, needs_restart, parse};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::{Map, Value};
use std::sync::LazyLock;
use std::time::Duration;

/// A configuration with every section but `[[stir.verify.certificates]]`, which takes certificates of telephone numbers. Each stands for its
/// type, wherever else that may stand. `{files}`: a folder with a certificate that is its own authority, and its key.
const SECTIONS: &str = r#"
[[listener]]
name = "carriers"
bind = "127.0.0.1:5060"

[[listener]]
name = "tier"
bind = "127.0.0.1:5070"

[[listener]]
name = "secure"
bind = "127.0.0.1:5061"
transport = "tls"
certificate = "{files}/us.pem"
key = "{files}/us.key"
client_ca = "{files}/us.pem"

[[region]]
name = "north"

[[region]]
name = "south"

[[edge_group]]
name = "north"
region = "north"
listener = "tier"
edges = [{ address = "127.0.0.11:5060" }]

[[edge_group]]
name = "south"
region = "south"
listener = "tier"

[[edge_group.edges]]
address = "127.0.0.12:5060"

[[edge_group.edges]]
address = "127.0.0.13:5060"

[edge_group.admits]

[[site]]
name = "main"
groups = ["north", "south"]

[site.correlation]

[[identity]]
name = "plain"

[identity.plan]

[[trunk]]
name = "acme"
listener = "carriers"
sources = ["127.0.0.2/32"]
targets = [{ address = "127.0.0.2:5060" }]

[[trunk.auth]]
realm = "acme.example"
username = "us"
password = "secret"

[trunk.challenge]
realm = "edge.example"
users = [{ username = "acme", password = "secret" }]

[trunk.register]
aor = "sip:us@acme.example"

[[trunk]]
name = "safe"
listener = "secure"
sources = ["127.0.0.3/32"]
targets = [{ address = "127.0.0.3:5061" }]

[trunk.tls]
server_name = "safe.example"
ca = "{files}/us.pem"
certificate = "{files}/us.pem"
key = "{files}/us.key"

[[stir]]
name = "signed"

[stir.sign]
key = "{files}/us.key"
certificate = "https://certificates.example/us.pem"
origid = "de305d54-75b4-431b-adb2-eb6b9e546014"

[stir.verify]
authorities = "{files}/us.pem"
https_authorities = "{files}/us.pem"

[[stir]]
name = "fetched"

[stir.verify]
authorities = "{files}/us.pem"

[[stir.verify.hosts]]
host = "certificates.example"

[[route.inbound]]
site = "main"

[[route.outbound]]
trunks = ["acme"]

[media]
v4 = "127.0.0.1"

[media.silence]

[timers]

[hunt]

[probe]

[region_health]

[rehome]

[session]

[limits]

[overload]

[scanners]

[dns]

[process]

[admin]

[records]

[records.delivery]
url = "https://127.0.0.9/records"
ca = "{files}/us.pem"
spool = "/var/lib/bascule/records"

[trace]

[hep]
to = "127.0.0.9:9060"

[log]
"#;

/// The sections, and the files that they name.
static WHOLE: LazyLock<String> = LazyLock::new(|| {
    let files = std::env::temp_dir().join(format!("bascule-told-{}", std::process::id()));
    std::fs::create_dir_all(&files).expect("a folder");
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(["us.example".to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a certificate");
    for (name, text) in [("us.pem", certificate.pem()), ("us.key", key.serialize_pem())] {
        std::fs::write(files.join(name), text).expect("a file");
    }
    SECTIONS.replace("{files}", &files.display().to_string())
});

/// A key, and the last header above which it can be written.
struct Told {
    header: String,
    key: String,
    says: Map<String, Value>,
}

impl Told {
    fn name(&self) -> String {
        format!("{} {}", self.header, self.key)
    }

    /// The configuration with this key and this value, in place of what is there; in the first section of several.
    fn with(&self, value: Option<&str>) -> String {
        let above = if self.header.is_empty() {
            0
        } else {
            WHOLE.find(&self.header).map_or(0, |at| at + self.header.len())
        };
        let (head, rest) = WHOLE.split_at(above);
        let (section, tail) = rest.find("\n[").map_or((rest, ""), |end| rest.split_at(end));
        let is_it = |line: &&str| line.split_once(" = ").is_some_and(|(key, _)| key == self.key);
        let others: Vec<&str> = section.lines().filter(|line| !is_it(line)).collect();
        let written = value.map_or(String::new(), |value| format!("{} = {value}", self.key));
        format!("{head}\n{written}\n{}\n{tail}", others.join("\n"))
    }

    fn fact(&self, what: &str) -> Option<&Value> {
        self.says.get(what)
    }

    /// Values at the bounds, and just outside of them.
    fn bounds(&self) -> (Vec<String>, Vec<String>) {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for (fact, outside, is_good) in [
            ("minimum", -1, true),
            ("maximum", 1, true),
            ("x-least", -1, true),
            ("x-most", 1, true),
            ("exclusiveMinimum", 0, false),
            ("x-above", 0, false),
        ] {
            let Some(bound) = self.fact(fact) else { continue };
            if is_good {
                good.push(bound.to_string());
            }
            let beyond = match bound.as_str() {
                None => bound.as_i64().map(|n| (n + outside).to_string()),
                // Nothing is below zero.
                Some("0s") if outside < 0 => None,
                Some(text) => super::duration(text).map(|bound| {
                    let step = Duration::from_micros(outside.unsigned_abs());
                    let beyond = if outside < 0 { bound - step } else { bound + step };
                    format!("\"{}us\"", beyond.as_micros())
                }),
            };
            bad.extend(beyond);
        }
        (good, bad)
    }
}

fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conf/bascule.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the schema")).expect("JSON")
}

/// What a schema refers to.
fn followed<'a>(schema: &'a Value, at: &'a Value) -> &'a Value {
    let name = at.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/"));
    name.map_or(at, |name| &schema["$defs"][name])
}

/// Every key of every section of [`WHOLE`], once.
fn told() -> Vec<Told> {
    let schema = schema();
    let mut found = Vec::new();
    walk(&schema, &schema, ("", false), &mut found);
    assert!(found.len() > 150, "{}", found.len());
    found
}

/// `restart`: all that is in this table needs one.
fn walk(schema: &Value, table: &Value, (path, restart): (&str, bool), found: &mut Vec<Told>) {
    let headers = [format!("[{path}]"), format!("[[{path}]]")];
    let header = headers.into_iter().find(|header| WHOLE.lines().any(|line| line == header));
    let Some(properties) = table["properties"].as_object() else { return };
    let required = table["required"].as_array().cloned().unwrap_or_default();
    for (key, property) in properties {
        let mut says = property.as_object().cloned().unwrap_or_default();
        says.insert("needed".to_owned(), Value::Bool(required.iter().any(|name| name == key)));
        let restart = restart || says.contains_key("x-restart");
        says.insert("restart".to_owned(), Value::Bool(restart));
        let inner = followed(schema, property);
        let words = inner["oneOf"].as_array().cloned().unwrap_or_default();
        says.insert("words".to_owned(), words.iter().map(|word| word["const"].clone()).collect());
        if let Some(header) = header.clone().or_else(|| path.is_empty().then(String::new)) {
            found.push(Told { header, key: key.clone(), says });
        }
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        walk(schema, inner, (&below, restart), found);
        walk(schema, followed(schema, &property["items"]), (&below, restart), found);
    }
}

fn loaded(text: &str) -> Result<Loaded, String> {
    parse("told", text).map_err(|error| format!("{error:?}"))
}

/// Whether two say the same; what certificates there are is no part of it.
fn same(a: &Loaded, b: &Loaded) -> bool {
    (&a.config, &a.settings) == (&b.config, &b.settings)
}

#[test]
fn what_is_said_to_be_the_default_is_what_counts_where_nothing_is_written() {
    let mut tried = 0;
    for told in told() {
        let Some(default) = told.fact("default") else { continue };
        let written = loaded(&told.with(Some(&default.to_string())));
        let written = written.unwrap_or_else(|why| panic!("{} = {default}: {why}", told.name()));
        let without = loaded(&told.with(None)).expect("a configuration");
        assert!(same(&written, &without), "{} = {default} is not what counts without it", told.name());
        tried += 1;
    }
    assert!(tried > 80, "only {tried} defaults");
}

#[test]
fn complaints_begin_where_the_range_ends() {
    let mut tried = 0;
    for told in told() {
        let (good, bad) = told.bounds();
        for value in good {
            if let Err(why) = loaded(&told.with(Some(&value))) {
                panic!("{} = {value} is in its range: {why}", told.name());
            }
            tried += 1;
        }
        for value in bad {
            assert!(
                loaded(&told.with(Some(&value))).is_err(),
                "{} = {value} is out of its range",
                told.name()
            );
            tried += 1;
        }
    }
    assert!(tried > 60, "only {tried} bounds");
}

#[test]
fn what_is_needed_is_missed() {
    let mut tried = 0;
    for told in told().iter().filter(|told| told.fact("needed") == Some(&Value::Bool(true))) {
        assert!(loaded(&told.with(None)).is_err(), "{} is not missed", told.name());
        tried += 1;
    }
    assert!(tried > 10, "only {tried} are needed");
}

#[test]
fn a_reload_refuses_exactly_what_is_said_to_need_a_restart() {
    let mut tried = 0;
    for told in told() {
        let (mut values, _) = told.bounds();
        values.extend(told.fact("default").map(Value::to_string));
        values
            .extend(told.fact("words").and_then(Value::as_array).into_iter().flatten().map(Value::to_string));
        if told.fact("type") == Some(&Value::from("boolean")) {
            values.extend(["true".to_owned(), "false".to_owned()]);
        }
        if let Some(format @ ("path" | "address" | "address-and-port" | "ip")) =
            told.fact("format").and_then(Value::as_str)
        {
            let value = if format == "path" { "/tmp/bascule" } else { "127.0.0.3" };
            values.push(format!("\"{value}{}\"", if format == "address-and-port" { ":9090" } else { "" }));
        }
        let restart = told.fact("restart") == Some(&Value::Bool(true));
        let all: Vec<Loaded> =
            values.iter().filter_map(|value| loaded(&told.with(Some(value))).ok()).collect();
        let Some((first, others)) = all.split_first() else { continue };
        let without = loaded(&told.with(None)).ok();
        for other in others.iter().chain(&without).filter(|other| !same(first, other)) {
            let refused = needs_restart((&first.config, &first.settings), other);
            assert_eq!(refused.is_err(), restart, "{}: {refused:?}", told.name());
            tried += 1;
        }
    }
    assert!(tried > 60, "only {tried} changes");
}
