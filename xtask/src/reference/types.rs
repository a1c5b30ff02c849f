//! The types that a configuration is read into, as their source says it.

use crate::step::Failed;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use syn::{Attribute, Expr, Field, Fields, GenericArgument, Item, Lit, PathArguments, Type};

/// The type that the whole file is read into.
pub(super) const WHOLE: &str = "RawConfig";

/// Every type by its name.
pub(super) type Types = BTreeMap<String, Shape>;

/// What a type of ours is read from.
#[derive(Debug)]
pub(super) enum Shape {
    /// A table with these keys.
    Table(Vec<Key>),
    /// One of these words.
    Words(Vec<Word>),
    /// One of several kinds of value.
    Either(Vec<(String, Kind)>),
    /// Another name.
    Alias(Kind),
}

/// One word, and what it means.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) word: String,
    pub(super) text: String,
}

/// One key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) text: String,
    /// What counts where it is not written, as TOML.
    pub(super) default: Option<String>,
    /// The same in words, where it is no value.
    pub(super) without: Option<String>,
    pub(super) range: Option<Range>,
    pub(super) required: bool,
    /// A reload that changes it is refused.
    pub(super) restart: bool,
}

/// Bounds, as TOML.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) least: String,
    /// The least itself is too little.
    pub(super) above: bool,
    pub(super) most: Option<String>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Truth,
    Text,
    Span,
    SpanOrNever,
    /// Address with or without a port.
    Address,
    /// Address and port.
    Socket,
    Ip,
    /// Address or host name.
    Whereabouts,
    Network,
    Path,
    /// A type of ours.
    Named(String),
    List(Box<Kind>),
    /// A table whose keys are of the writer's choice.
    Map(Box<Kind>),
}

/// All types in `raw.rs` and the files beneath it.
pub(super) fn read(folder: &Path) -> Result<Types, Failed> {
    let inner = fs::read_dir(folder.join("raw")).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = inner.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.push(folder.join("raw.rs"));
    let mut types = Types::new();
    for file in files {
        let said = |e: &dyn std::fmt::Display| format!("{}: {e}", file.display());
        let text = fs::read_to_string(&file).map_err(|e| said(&e))?;
        for item in syn::parse_file(&text).map_err(|e| said(&e))?.items {
            types.extend(shape(&item).map_err(|e| said(&e))?);
        }
    }
    Ok(types)
}

fn shape(item: &Item) -> Result<Option<(String, Shape)>, Failed> {
    Ok(match item {
        Item::Struct(item) => {
            let name = item.ident.to_string();
            let keys: Result<_, Failed> =
                item.fields.iter().map(|field| key(field).map_err(|why| format!("{name}: {why}"))).collect();
            Some((name, Shape::Table(keys?)))
        }
        Item::Enum(item) => {
            let name = item.ident.to_string();
            let manner = serde(&item.attrs, "rename_all").unwrap_or_default();
            let texts = item.variants.iter().map(|variant| {
                let text = doc(&variant.attrs).join(" ");
                if text.is_empty() {
                    Err(format!("{name}::{} says nothing", variant.ident))
                } else {
                    Ok(text)
                }
            });
            let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
            let all = texts.into_iter().zip(&item.variants);
            let shape = if item.variants.iter().all(|variant| matches!(variant.fields, Fields::Unit)) {
                let word = |(text, variant): (String, &syn::Variant)| {
                    let own = serde(&variant.attrs, "rename");
                    let word = own.unwrap_or_else(|| renamed(&variant.ident.to_string(), &manner));
                    Word { word, text }
                };
                Shape::Words(all.map(word).collect())
            } else {
                let either = all.map(|(text, variant)| match variant.fields.iter().next() {
                    Some(field) => Ok((text, kind(&field.ty)?)),
                    None => Err(format!("{name}::{} holds nothing", variant.ident)),
                });
                Shape::Either(either.collect::<Result<_, Failed>>()?)
            };
            Some((name, shape))
        }
        // `Maybe` is known.
        Item::Type(item) if item.generics.params.is_empty() => {
            Some((item.ident.to_string(), Shape::Alias(kind(&item.ty)?)))
        }
        _ => None,
    })
}

/// As serde writes a variant.
fn renamed(variant: &str, manner: &str) -> String {
    let mut out = String::new();
    for (at, c) in variant.char_indices() {
        if manner == "snake_case" && c.is_uppercase() && at > 0 {
            out.push('_');
        }
        if manner.is_empty() { out.push(c) } else { out.extend(c.to_lowercase()) }
    }
    out
}

fn key(field: &Field) -> Result<Key, Failed> {
    let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
    let wrong = |what: &str| format!("{name}: {what}");
    let kind = kind(&field.ty).map_err(|why| wrong(&why))?;
    let mut key = Key {
        kind,
        text: String::new(),
        default: None,
        without: None,
        range: None,
        required: false,
        restart: false,
        name: name.clone(),
    };
    let mut text = Vec::new();
    for line in doc(&field.attrs) {
        let ended = line.strip_suffix('.').unwrap_or(&line);
        if let Some(value) = ended.strip_prefix("Default: ") {
            key.default = Some(value.to_owned());
        } else if let Some(words) = ended.strip_prefix("Without it: ") {
            key.without = Some(words.to_owned());
        } else if let Some(bounds) = ended.strip_prefix("Range: ") {
            key.range =
                Some(range(bounds).ok_or_else(|| wrong("a range is `A to B`, `from A` or `above A`"))?);
        } else if ended == "Required" {
            key.required = true;
        } else if ended == "Restart" {
            key.restart = true;
        } else {
            text.push(line);
        }
    }
    key.text = text.join(" ");
    if key.text.is_empty() {
        return Err(wrong("says nothing"));
    }
    Ok(key)
}

/// `A to B`, `from A`, `above A`, `above A to B`.
fn range(text: &str) -> Option<Range> {
    let (least, most) = match text.split_once(" to ") {
        Some((least, most)) => (least, Some(most.to_owned())),
        None => (text, None),
    };
    let open = least.strip_prefix("above ").or_else(|| least.strip_prefix("from "));
    if open.is_none() && most.is_none() {
        return None;
    }
    let above = least.starts_with("above ");
    Some(Range { least: open.unwrap_or(least).to_owned(), above, most })
}

/// What a type of the source stands for.
fn kind(ty: &Type) -> Result<Kind, Failed> {
    let Type::Path(path) = ty else { return Err("a type that is no name".to_owned()) };
    let Some(last) = path.path.segments.last() else { return Err("a type without a name".to_owned()) };
    let name = last.ident.to_string();
    let inner = |at: usize| match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.iter().nth(at) {
            Some(GenericArgument::Type(inner)) => kind(inner),
            _ => Err(format!("`{name}` of nothing")),
        },
        _ => Err(format!("`{name}` of nothing")),
    };
    Ok(match name.as_str() {
        "Maybe" | "Option" | "Spanned" | "Box" => inner(0)?,
        "Vec" => Kind::List(Box::new(inner(0)?)),
        "BTreeMap" => Kind::Map(Box::new(inner(1)?)),
        "String" | "Text" | "Unshown" => Kind::Text,
        "bool" => Kind::Truth,
        "i64" => Kind::Number,
        "Span" => Kind::Span,
        "SpanOrNever" => Kind::SpanOrNever,
        "Address" => Kind::Address,
        "SocketAddr" => Kind::Socket,
        "IpAddr" => Kind::Ip,
        "Whereabouts" => Kind::Whereabouts,
        "Source" => Kind::Network,
        "PathBuf" => Kind::Path,
        ours if ours.starts_with("Raw") => Kind::Named(name),
        other => return Err(format!("`{other}` is a type of which xtask/src/reference knows nothing")),
    })
}

/// The lines of a documentation comment.
fn doc(attributes: &[Attribute]) -> Vec<String> {
    let of = |attribute: &Attribute| {
        let pair = attribute.meta.require_name_value().ok().filter(|pair| pair.path.is_ident("doc"))?;
        let Expr::Lit(literal) = &pair.value else { return None };
        let Lit::Str(text) = &literal.lit else { return None };
        Some(text.value().trim().to_owned())
    };
    attributes.iter().filter_map(of).filter(|line| !line.is_empty()).collect()
}

/// `#[serde(what = "…")]`.
fn serde(attributes: &[Attribute], what: &str) -> Option<String> {
    let mut found = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // What is no pair of name and text is of no interest, and ends the search in this attribute.
        let _ = attribute.parse_nested_meta(|meta| {
            let text: syn::LitStr = meta.value()?.parse()?;
            if meta.path.is_ident(what) {
                found = Some(text.value());
            }
            Ok(())
        });
    }
    found
}
