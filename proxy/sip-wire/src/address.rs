//! `name-addr` and `addr-spec` with header parameters: From, To, Contact, Route, identities (RFC 3261 §20.10).

use crate::class::{self, DISPLAY, NAME, TOKEN, URI};
use crate::eight;
use crate::fault::Defect;
use crate::lex::{byte, quoted_end, sub, trim, unescape_quoted};
use crate::uri::Uri;
use crate::values::Params;
use std::borrow::Cow;

/// An address as a header carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name: a quoted string's inside, still escaped (see [`NameAddr::display_text`]), or words as written.
    pub display: Option<&'a [u8]>,
    /// The URI: between `<` and `>`, or bare. `*` in a Contact that removes all bindings.
    pub uri: &'a [u8],
    /// The header's parameters. Behind a bare URI all parameters are the header's (RFC 3261 §20.10).
    pub params: Params<'a>,
    tag: Option<&'a [u8]>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value.
    pub fn parse(value: &'a [u8]) -> Result<NameAddr<'a>, Defect> {
        let value = trim(value);
        if byte(value, 0) == b'"' {
            let end = quoted_end(value, 0).ok_or(Defect::NameAddr)?;
            let rest = trim(sub(value, end, value.len()));
            return NameAddr::bracketed(Some(sub(value, 1, end - 1)), rest);
        }
        let words = class::run(value, DISPLAY);
        if byte(value, words) == b'<' {
            let display = Some(trim(sub(value, 0, words))).filter(|words| !words.is_empty());
            return NameAddr::bracketed(display, sub(value, words, value.len()));
        }
        // A bracket behind anything else: that was no display name. A quote may still stand in a parameter's value
        // behind a bare URI.
        match eight::find2(value, b'<', b'"') {
            Some(at) if byte(value, at) == b'<' => Err(Defect::NameAddr),
            _ => NameAddr::bare(value),
        }
    }

    fn bracketed(display: Option<&'a [u8]>, rest: &'a [u8]) -> Result<NameAddr<'a>, Defect> {
        let inside = rest.strip_prefix(b"<").ok_or(Defect::NameAddr)?;
        let (uri, behind) = inside.split_at(class::run(inside, URI));
        let params = trim(behind.strip_prefix(b">").ok_or(Defect::NameAddr)?);
        if !matches!(params.first(), None | Some(b';')) {
            return Err(Defect::NameAddr);
        }
        NameAddr::with_params(display, uri, params)
    }

    fn bare(value: &'a [u8]) -> Result<NameAddr<'a>, Defect> {
        let cut = eight::find(value, b';').unwrap_or(value.len());
        let uri = trim(sub(value, 0, cut));
        // RFC 3261 §20.10: a URI with a comma or a question mark must stand in brackets.
        if class::run(uri, URI) != uri.len() || uri.iter().any(|b| matches!(b, b'?' | b',')) {
            return Err(Defect::NameAddr);
        }
        NameAddr::with_params(None, uri, sub(value, cut, value.len()))
    }

    pub(crate) fn of_parts(
        display: Option<&'a [u8]>,
        uri: &'a [u8],
        params: Params<'a>,
        tag: Option<&'a [u8]>,
    ) -> NameAddr<'a> {
        NameAddr { display, uri, params, tag }
    }

    fn with_params(
        display: Option<&'a [u8]>,
        uri: &'a [u8],
        params: &'a [u8],
    ) -> Result<NameAddr<'a>, Defect> {
        let scheme = eight::find(uri, b':').is_some_and(|at| at > 0) || uri == b"*";
        let params = Params::new(params);
        // Nearly always there is nothing, or a tag and nothing else.
        let only = params.as_bytes().strip_prefix(b";tag=").filter(|tag| class::is_word(tag, TOKEN));
        let tag = only.or_else(|| params.value(b"tag").filter(|tag| !tag.is_empty()));
        // A tag is compared with others for the life of a dialog: it must be one word.
        let sound = only.is_some() || tag.is_none_or(|tag| class::is_word(tag, NAME));
        if scheme && sound { Ok(NameAddr { display, uri, params, tag }) } else { Err(Defect::NameAddr) }
    }

    /// The `tag` parameter (RFC 3261 §19.3).
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.tag
    }

    /// A header parameter: `None` when absent, `Some(b"")` for a flag.
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params.find(name).map(|param| param.value.unwrap_or_default())
    }

    /// The display name with escapes read.
    pub fn display_text(&self) -> Option<Cow<'a, [u8]>> {
        self.display.map(unescape_quoted)
    }

    /// The URI's parts.
    pub fn parse_uri(&self) -> Result<Uri<'a>, Defect> {
        Uri::parse(self.uri)
    }

    /// Whether this is the `*` of a Contact.
    pub fn is_star(&self) -> bool {
        self.uri == b"*"
    }
}
