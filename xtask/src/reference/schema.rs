//! conf/bascule.schema.json: JSON Schema, draft 2020-12. What a schema has no word for is under names of our own:
//! `x-least`, `x-above` and `x-most` are bounds of durations, `x-restart` says that a reload refuses a change.

use super::types::{Key, Kind, Shape, Types, WHOLE};
use crate::step::Failed;
use serde_json::{Map, Value, json};

pub(super) fn made(types: &Types) -> Result<String, Failed> {
    let mut defs = Map::new();
    for (name, shape) in types.iter().filter(|(name, _)| *name != WHOLE) {
        defs.insert(called(name), of_shape(shape)?);
    }
    let whole = types.get(WHOLE).ok_or_else(|| format!("`{WHOLE}` is gone"))?;
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("Configuration of Bascule"));
    if let Value::Object(whole) = of_shape(whole)? {
        schema.extend(whole);
    }
    schema.insert("$defs".to_owned(), Value::Object(defs));
    let text = serde_json::to_string_pretty(&sorted(Value::Object(schema))).map_err(|e| e.to_string())?;
    Ok(text + "\n")
}

/// The name of a type without what says that it is raw.
fn called(name: &str) -> String {
    name.strip_prefix("Raw").unwrap_or(name).to_owned()
}

fn of_shape(shape: &Shape) -> Result<Value, Failed> {
    Ok(match shape {
        Shape::Alias(kind) => of_kind(kind),
        Shape::Words(words) => {
            let each = words.iter().map(|w| json!({ "const": w.word, "description": w.text }));
            json!({ "oneOf": each.collect::<Vec<_>>() })
        }
        Shape::Either(kinds) => {
            json!({ "anyOf": kinds.iter().map(|(_, kind)| of_kind(kind)).collect::<Vec<_>>() })
        }
        Shape::Table(keys) => {
            let mut properties = Map::new();
            for key in keys {
                properties
                    .insert(key.name.clone(), of_key(key).map_err(|why| format!("{}: {why}", key.name))?);
            }
            let required: Vec<_> = keys.iter().filter(|key| key.required).map(|key| &key.name).collect();
            json!({
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            })
        }
    })
}

fn of_key(key: &Key) -> Result<Value, Failed> {
    let Value::Object(mut schema) = of_kind(&key.kind) else { return Err("no schema".to_owned()) };
    let mut put = |name: &str, value: Value| schema.insert(name.to_owned(), value);
    put("description", json!(key.text));
    if let Some(default) = &key.default {
        put("default", value(default)?);
    }
    if key.restart {
        put("x-restart", json!(true));
    }
    if let Some(range) = &key.range {
        let least = value(&range.least)?;
        let (low, high) = match (least.is_number(), range.above) {
            (true, true) => ("exclusiveMinimum", "maximum"),
            (true, false) => ("minimum", "maximum"),
            (false, true) => ("x-above", "x-most"),
            (false, false) => ("x-least", "x-most"),
        };
        put(low, least);
        if let Some(most) = &range.most {
            put(high, value(most)?);
        }
    }
    Ok(Value::Object(schema))
}

/// Texts, numbers, truths and lists of them are written the same in TOML and in JSON.
fn value(toml: &str) -> Result<Value, Failed> {
    serde_json::from_str(toml).map_err(|e| format!("`{toml}` is no value: {e}"))
}

fn of_kind(kind: &Kind) -> Value {
    let text = |what: &str| json!({ "type": "string", "format": what });
    match kind {
        Kind::Number => json!({ "type": "integer" }),
        Kind::Truth => json!({ "type": "boolean" }),
        Kind::Text => json!({ "type": "string" }),
        Kind::Span => json!({ "type": "string", "pattern": "^[0-9]+(us|ms|s|m|h)$" }),
        Kind::SpanOrNever => json!({ "type": "string", "pattern": "^([0-9]+(us|ms|s|m|h)|never)$" }),
        Kind::Address => text("address"),
        Kind::Socket => text("address-and-port"),
        Kind::Ip => text("ip"),
        Kind::Whereabouts => text("address-or-name"),
        Kind::Network => text("network"),
        Kind::Path => text("path"),
        Kind::Named(name) => json!({ "$ref": format!("#/$defs/{}", called(name)) }),
        Kind::List(inner) => json!({ "type": "array", "items": of_kind(inner) }),
        Kind::Map(inner) => json!({ "type": "object", "additionalProperties": of_kind(inner) }),
    }
}

/// By name, whatever order the map keeps.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut all: Vec<_> = map.into_iter().collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(all.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(all) => Value::Array(all.into_iter().map(sorted).collect()),
        other => other,
    }
}
