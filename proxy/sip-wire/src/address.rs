//! `name-addr` and `addr-spec` with header parameters: From, To, Contact, Route, identities (RFC 3261 §20.10).

use crate::fault::Defect;
use crate::lex::{byte, is_blank, is_name, is_token_byte, is_uri, quoted_end, sub, trim, unescape_quoted};
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
        match memchr::memchr2(b'<', b'"', value) {
            Some(at) if byte(value, at) == b'<' => {
                let words = trim(sub(value, 0, at));
                if !words.iter().all(|b| is_display_byte(*b)) {
                    return Err(Defect::NameAddr);
                }
                let display = Some(words).filter(|words| !words.is_empty());
                NameAddr::bracketed(display, sub(value, at, value.len()))
            }
            // A quote may still stand in a parameter's value behind a bare URI.
            _ => NameAddr::bare(value),
        }
    }

    fn bracketed(display: Option<&'a [u8]>, rest: &'a [u8]) -> Result<NameAddr<'a>, Defect> {
        let close = memchr::memchr(b'>', rest).filter(|_| byte(rest, 0) == b'<').ok_or(Defect::NameAddr)?;
        let params = trim(sub(rest, close + 1, rest.len()));
        if !matches!(params.first(), None | Some(b';')) {
            return Err(Defect::NameAddr);
        }
        NameAddr { display, uri: sub(rest, 1, close), params: Params::new(params) }.checked()
    }

    fn bare(value: &'a [u8]) -> Result<NameAddr<'a>, Defect> {
        let cut = memchr::memchr(b';', value).unwrap_or(value.len());
        let uri = trim(sub(value, 0, cut));
        // RFC 3261 §20.10: a URI with a comma or a question mark must stand in brackets.
        if memchr::memchr2(b'?', b',', uri).is_some() {
            return Err(Defect::NameAddr);
        }
        NameAddr { display: None, uri, params: Params::new(sub(value, cut, value.len())) }.checked()
    }

    fn checked(self) -> Result<NameAddr<'a>, Defect> {
        let sound = is_uri(self.uri);
        let scheme = memchr::memchr(b':', self.uri).is_some_and(|at| at > 0) || self.uri == b"*";
        // A tag is compared with others for the life of a dialog: it must be one word.
        let tag = self.tag().is_none_or(is_name);
        if sound && scheme && tag { Ok(self) } else { Err(Defect::NameAddr) }
    }

    /// The `tag` parameter (RFC 3261 §19.3).
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.value(b"tag").filter(|tag| !tag.is_empty())
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

/// Unquoted display names are tokens (RFC 3261 §25.1). Carriers also send round brackets, slashes, ampersands and
/// letters beyond ASCII there; none of these can be mistaken for another part of the header, so they are accepted.
fn is_display_byte(b: u8) -> bool {
    is_token_byte(b)
        || is_blank(b)
        || b >= 0x80
        || matches!(b, b'(' | b')' | b'/' | b'&' | b'#' | b'$' | b'=' | b'?' | b'^')
}
