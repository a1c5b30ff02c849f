//! docs/configuration.md.

use super::types::{Key, Kind, Range, Shape, Types, WHOLE};
use crate::step::Failed;
use std::fmt::Write as _;

const HEAD: &str = "\
# Configuration

Every section and key. Made from the types that read the file by `cargo xtask reference`: to change a word here change it there.
conf/production.toml shows most of it at work; conf/bascule.schema.json is the same for editors (`#:schema bascule.schema.json` in a file's first line).

- A duration is digits and a unit in quotes: `\"50us\"`, `\"200ms\"`, `\"5s\"`, `\"2m\"`, `\"1h\"`.
- An address may have a port (`\"192.0.2.1\"`, `\"192.0.2.1:5060\"`, `\"[2001:db8::1]:5060\"`); a network is `\"192.0.2.0/24\"` or one address.
- A path that is relative is taken from where the daemon was started.
- *Reload*: whether `systemctl reload bascule` takes a change over. One that says *restart* refuses the whole reload, and names the key.
- An unknown key, a wrong type or a value out of its range is an error; `bascule check --config FILE` finds all of them at once.
";

/// A table, where it stands, and whether all of it needs a restart.
struct Section {
    paths: Vec<String>,
    name: String,
    text: String,
    restart: bool,
}

pub(super) fn made(types: &Types) -> Result<String, Failed> {
    let mut sections = Vec::new();
    let whole = table(types, WHOLE)?;
    for key in whole {
        collect(types, key, "", false, &mut sections)?;
    }
    let mut out = HEAD.to_owned();
    out.push_str("\n## Outside of every section\n\n");
    let own = whole.iter().filter(|key| below(types, &key.kind).is_none());
    rows(types, own, false, &mut out)?;
    for section in &sections {
        let keys = table(types, &section.name)?;
        // What holds tables and nothing of its own is no section: `[route]`.
        if keys.iter().all(|key| below(types, &key.kind).is_some()) {
            continue;
        }
        let headers: Vec<String> = section.paths.iter().map(|path| format!("`{path}`")).collect();
        let _ = write!(out, "\n## {}\n\n{}\n\n", headers.join(", "), section.text);
        rows(types, keys.iter(), section.restart, &mut out)?;
    }
    Ok(out)
}

fn table<'a>(types: &'a Types, name: &str) -> Result<&'a [Key], Failed> {
    match types.get(name) {
        Some(Shape::Table(keys)) => Ok(keys),
        _ => Err(format!("`{name}` is no table")),
    }
}

/// The table that a value is or holds, and whether it is a list of them.
fn below<'a>(types: &'a Types, kind: &'a Kind) -> Option<(&'a str, bool)> {
    match kind {
        Kind::Named(name) => match types.get(name)? {
            Shape::Table(_) => Some((name, false)),
            Shape::Either(kinds) => kinds.iter().find_map(|(_, kind)| below(types, kind)),
            Shape::Alias(kind) => below(types, kind),
            Shape::Words(_) => None,
        },
        Kind::List(inner) => below(types, inner).map(|(name, _)| (name, true)),
        _ => None,
    }
}

/// Each table once, with every place where it may stand.
fn collect(
    types: &Types,
    key: &Key,
    above: &str,
    restart: bool,
    sections: &mut Vec<Section>,
) -> Result<(), Failed> {
    let Some((name, is_list)) = below(types, &key.kind) else { return Ok(()) };
    let restart = restart || key.restart;
    let inside = if above.is_empty() { key.name.clone() } else { format!("{above}.{}", key.name) };
    let path = if is_list { format!("[[{inside}]]") } else { format!("[{inside}]") };
    match sections.iter_mut().find(|section| section.name == name) {
        Some(known) => known.paths.push(path),
        None => {
            sections.push(Section {
                paths: vec![path],
                name: name.to_owned(),
                text: key.text.clone(),
                restart,
            });
        }
    }
    for key in table(types, name)? {
        collect(types, key, &inside, restart, sections)?;
    }
    Ok(())
}

fn rows<'a>(
    types: &Types,
    keys: impl Iterator<Item = &'a Key>,
    restart: bool,
    out: &mut String,
) -> Result<(), Failed> {
    let mut keys = keys.peekable();
    if keys.peek().is_none() {
        return Ok(());
    }
    out.push_str("| key | type | default | range | reload | what it is |\n|---|---|---|---|---|---|\n");
    for key in keys {
        let default = match (&key.default, &key.without) {
            _ if key.required => "needed".to_owned(),
            (Some(value), _) => format!("`{value}`"),
            (None, Some(words)) => words.clone(),
            (None, None) => "–".to_owned(),
        };
        let range = key.range.as_ref().map_or_else(|| "–".to_owned(), bounds);
        let reload = if restart || key.restart { "restart" } else { "yes" };
        let words = words(types, &key.kind).unwrap_or_default();
        let _ = writeln!(
            out,
            "| `{}` | {} | {default} | {range} | {reload} | {}{words} |",
            key.name,
            said(types, &key.kind)?,
            key.text
        );
    }
    Ok(())
}

fn bounds(range: &Range) -> String {
    let Range { least, above, most } = range;
    let (least, above) = (least.trim_matches('"'), if *above { "above " } else { "" });
    match most {
        Some(most) => format!("{above}{least} to {}", most.trim_matches('"')),
        None if !above.is_empty() => format!("{above}{least}"),
        None => format!("from {least}"),
    }
}

/// What a value is, in a word or two.
fn said(types: &Types, kind: &Kind) -> Result<String, Failed> {
    Ok(match kind {
        Kind::Number => "number".to_owned(),
        Kind::Truth => "true or false".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Span => "duration".to_owned(),
        Kind::SpanOrNever => "duration or `\"never\"`".to_owned(),
        Kind::Address => "address".to_owned(),
        Kind::Socket => "address with port".to_owned(),
        Kind::Ip => "address without port".to_owned(),
        Kind::Whereabouts => "address or host name".to_owned(),
        Kind::Network => "network".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::List(inner) => format!("list: {}", said(types, inner)?),
        Kind::Map(inner) => format!("table: {} by name", said(types, inner)?),
        Kind::Named(name) => match types.get(name) {
            Some(Shape::Table(_)) => "table".to_owned(),
            Some(Shape::Words(_)) => "word".to_owned(),
            Some(Shape::Alias(kind)) => said(types, kind)?,
            Some(Shape::Either(kinds)) => {
                let kinds: Result<Vec<_>, _> = kinds.iter().map(|(_, kind)| said(types, kind)).collect();
                kinds?.join(" or ")
            }
            None => return Err(format!("`{name}` is used and not declared")),
        },
    })
}

/// The words that may stand there, each with its meaning.
fn words(types: &Types, kind: &Kind) -> Option<String> {
    match kind {
        Kind::List(inner) | Kind::Map(inner) => words(types, inner),
        Kind::Named(name) => match types.get(name)? {
            Shape::Words(words) => Some(
                words.iter().fold(String::new(), |out, w| format!("{out}<br>`\"{}\"`: {}", w.word, w.text)),
            ),
            Shape::Alias(kind) => words(types, kind),
            Shape::Either(kinds) => {
                let all: String = kinds.iter().filter_map(|(_, kind)| words(types, kind)).collect();
                Some(all).filter(|all| !all.is_empty())
            }
            Shape::Table(_) => None,
        },
        _ => None,
    }
}
