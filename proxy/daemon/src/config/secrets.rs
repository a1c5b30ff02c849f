//! What the file says that nobody is to read elsewhere: in no log, and in no complaint.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// A password, or what stands for one.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Unshown(pub(super) String);

impl fmt::Debug for Unshown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unshown(..)")
    }
}

/// Takes a string; of anything else it says what it is not, but not what it is.
struct Quietly;

macro_rules! refused {
    ($($visit:ident $kind:ty,)*) => {
        $(fn $visit<E: Error>(self, _: $kind) -> Result<Unshown, E> {
            Err(E::custom("a secret has to stand in quotes"))
        })*
    };
}

impl Visitor<'_> for Quietly {
    type Value = Unshown;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Unshown, E> {
        Ok(Unshown(text.to_owned()))
    }

    refused! { visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64, }
}

impl<'de> Deserialize<'de> for Unshown {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(Quietly)
    }
}

/// The keys whose values are masked; `key` only where it is a collector's: elsewhere it is a path.
const KEYS: [&str; 3] = ["password", "ha1", "key"];

/// The text with every secret made illegible and no byte moved: complaints show the lines that they are about.
pub(super) fn masked(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    for key in KEYS {
        for (at, _) in text.match_indices(key) {
            let rest = &text[at + key.len()..];
            let before = text[..at].chars().next_back();
            let after = rest.trim_start_matches(['"', '\'', ' ', '\t']);
            let is_part = before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
            let is_path = key == "key" && !is_of_hep(&text[..at]);
            let Some(value) = after.strip_prefix('=').filter(|_| !is_part && !is_path) else { continue };
            let start = text.len() - value.len();
            let end = start + length(value);
            out[start..end]
                .iter_mut()
                .filter(|b| !matches!(**b, b' ' | b'\t' | b'\r' | b'\n'))
                .for_each(|b| *b = b'*');
        }
    }
    // Only whole strings were masked: what is left is UTF-8.
    String::from_utf8(out).unwrap_or_default()
}

/// Whether what follows this text belongs to `[hep]`: by the last header, or on a line that names it.
fn is_of_hep(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default().trim_start();
    let header = before.lines().rev().map(str::trim_start).find(|line| line.starts_with('['));
    line.starts_with("hep") || header.is_some_and(|header| header[1..].trim_start().starts_with("hep"))
}

/// How far a value reaches: to the end of its string, or where it has no quotes, of its line or table.
fn length(value: &str) -> usize {
    let blanks = value.len() - value.trim_start().len();
    let text = &value[blanks..];
    let to = |quote: &str| {
        let inner = &text[quote.len()..];
        let mut from = 0;
        let end = loop {
            let Some(found) = inner[from..].find(quote) else { break inner.len() };
            // A quote that is escaped ends nothing; in a literal string nothing is escaped.
            let backslashes = inner[..from + found].chars().rev().take_while(|c| *c == '\\').count();
            if backslashes % 2 == 0 || quote.starts_with('\'') {
                break from + found + quote.len();
            }
            from += found + 1;
        };
        blanks + quote.len() + end
    };
    match text {
        _ if text.starts_with("\"\"\"") => to("\"\"\""),
        _ if text.starts_with("'''") => to("'''"),
        _ if text.starts_with('"') => to("\"").min(blanks + line(text)),
        _ if text.starts_with('\'') => to("'").min(blanks + line(text)),
        _ => blanks + text.find([',', '}', '\n']).unwrap_or(text.len()),
    }
}

fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_illegible_in_what_complaints_show() {
        let text = "auth = [{ realm = \"r\", password = \"pa\\\"ss, wörd\", username = \"u\" }]\n\
                    password_file = \"/etc/x\"\nha1 ='0123' # ha1\n\"password\" = 4711, x = 1\npassword = \"open\nb = 2\n\
                    password = \"\"\"two\nlines\"\"\"\nthe password";
        let masked = masked(text);
        assert_eq!(masked.len(), text.len());
        assert_eq!(
            masked,
            "auth = [{ realm = \"r\", password = ******** ******, username = \"u\" }]\n\
             password_file = \"/etc/x\"\nha1 =****** # ha1\n\"password\" = ****, x = 1\npassword = *****\nb = 2\n\
             password = ******\n********\nthe password"
        );
    }

    #[test]
    fn a_key_is_a_secret_where_it_is_a_collectors_and_a_path_elsewhere() {
        let text = "hep.key = \"abc\"\n[[listener]]\nkey = \"/etc/key.pem\"\n[hep]\nto = \"x\"\nkey = \"abc\"\n[log]\nkey = 1\n";
        let shown = "hep.key = *****\n[[listener]]\nkey = \"/etc/key.pem\"\n[hep]\nto = \"x\"\nkey = *****\n[log]\nkey = 1\n";
        assert_eq!(masked(text), shown);
    }
}
