//! What a PASSporT claims (RFC 8225 §5), and how it is written: members in the order of their names, no blanks
//! (RFC 8225 §9).

use crate::Failure;
use crate::limits::MAX_DESTINATIONS;
use serde::Deserialize;

/// One end of a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Party {
    /// A telephone number in canonical form.
    Number(String),
    /// A URI.
    Uri(String),
}

/// How much its signer knows of a caller (RFC 8588 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attest {
    /// Who it is, and that the number is theirs.
    A,
    /// Who it is.
    B,
    /// Where the call came from.
    C,
}

impl Attest {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

/// The claims of one PASSporT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who calls.
    pub orig: Party,
    /// Whom: at least one.
    pub dest: Vec<Party>,
    /// When it was signed, in seconds since 1970.
    pub iat: u64,
    /// What its kind adds.
    pub kind: Kind,
}

/// The kinds of PASSporT that are known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// RFC 8225 alone.
    Plain,
    /// RFC 8588.
    Shaken {
        /// How sure the signer is.
        attest: Attest,
        /// A name for where the call came from: a UUID.
        origid: String,
    },
    /// RFC 8946: the call was for somebody else.
    Div {
        /// Whom it was for.
        div: Party,
    },
}

impl Kind {
    /// The value of `ppt`, if it has one.
    pub const fn ppt(&self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Shaken { .. } => Some("shaken"),
            Self::Div { .. } => Some("div"),
        }
    }
}

impl Claims {
    /// As they are signed.
    pub fn json(&self) -> String {
        let mut out = String::with_capacity(192);
        out.push('{');
        if let Kind::Shaken { attest, .. } = &self.kind {
            out.push_str("\"attest\":\"");
            out.push_str(attest.as_str());
            out.push_str("\",");
        }
        out.push_str("\"dest\":{");
        let mut is_first = true;
        for (name, wanted) in [("tn", true), ("uri", false)] {
            let mut all =
                self.dest.iter().filter(|party| matches!(party, Party::Number(_)) == wanted).peekable();
            if all.peek().is_none() {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
            out.push('"');
            out.push_str(name);
            out.push_str("\":[");
            for (at, party) in all.enumerate() {
                if at > 0 {
                    out.push(',');
                }
                string(&mut out, party.text());
            }
            out.push(']');
        }
        out.push_str("},");
        if let Kind::Div { div } = &self.kind {
            out.push_str("\"div\":");
            one(&mut out, div);
            out.push(',');
        }
        out.push_str("\"iat\":");
        out.push_str(&self.iat.to_string());
        out.push_str(",\"orig\":");
        one(&mut out, &self.orig);
        if let Kind::Shaken { origid, .. } = &self.kind {
            out.push_str(",\"origid\":");
            string(&mut out, origid);
        }
        out.push('}');
        out
    }

    /// Reads them; `ppt` says of which kind they are. `None`: a kind that is not known here.
    pub(crate) fn read(json: &[u8], ppt: Option<&str>) -> Result<Option<Self>, Failure> {
        let raw: Raw = serde_json::from_slice(json).map_err(|_| Failure::Malformed)?;
        let kind = match ppt {
            None => Kind::Plain,
            Some("shaken") => {
                let attest = match raw.attest.as_deref() {
                    Some("A") => Attest::A,
                    Some("B") => Attest::B,
                    Some("C") => Attest::C,
                    Some(_) | None => return Err(Failure::Malformed),
                };
                Kind::Shaken { attest, origid: raw.origid.ok_or(Failure::Malformed)? }
            }
            Some("div") => Kind::Div { div: raw.div.and_then(RawParty::party).ok_or(Failure::Malformed)? },
            Some(_) => return Ok(None),
        };
        let RawParties { tn, uri } = raw.dest;
        let dest: Vec<Party> = tn
            .into_iter()
            .map(Party::Number)
            .chain(uri.into_iter().map(Party::Uri))
            .take(MAX_DESTINATIONS + 1)
            .collect();
        if dest.is_empty() || dest.len() > MAX_DESTINATIONS {
            return Err(Failure::Malformed);
        }
        let orig = raw.orig.party().ok_or(Failure::Malformed)?;
        Ok(Some(Self { orig, dest, iat: raw.iat, kind }))
    }
}

impl Party {
    fn text(&self) -> &str {
        match self {
            Self::Number(text) | Self::Uri(text) => text,
        }
    }
}

fn one(out: &mut String, party: &Party) {
    out.push_str(if matches!(party, Party::Number(_)) { "{\"tn\":" } else { "{\"uri\":" });
    string(out, party.text());
    out.push('}');
}

/// A string with what has to be escaped.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{0}'..='\u{1f}' => {
                let digit = |n: u32| char::from_digit(n, 16).unwrap_or('0');
                let code = u32::from(c);
                out.extend(['\\', 'u', '0', '0', digit(code >> 4), digit(code & 15)]);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A member that is there twice is an error, one that is not known is passed over (RFC 8225 §5).
#[derive(Deserialize)]
struct Raw {
    orig: RawParty,
    dest: RawParties,
    iat: u64,
    attest: Option<String>,
    origid: Option<String>,
    div: Option<RawParty>,
}

#[derive(Deserialize)]
struct RawParty {
    tn: Option<String>,
    uri: Option<String>,
}

impl RawParty {
    fn party(self) -> Option<Party> {
        match (self.tn, self.uri) {
            (Some(tn), None) => Some(Party::Number(tn)),
            (None, Some(uri)) => Some(Party::Uri(uri)),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}

#[derive(Deserialize)]
struct RawParties {
    #[serde(default)]
    tn: Vec<String>,
    #[serde(default)]
    uri: Vec<String>,
}
