//! URIs: `sip`, `sips` (RFC 3261 §19.1), `tel` (RFC 3966), and any other kept whole.

use crate::class::{self, URI};
use crate::eight;
use crate::fault::Defect;
use crate::host;
use crate::lex::{sub, unescape};
use crate::values::Params;
use std::borrow::Cow;
use std::net::IpAddr;

/// A URI's scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip`
    Sip,
    /// `sips`
    Sips,
    /// `tel`
    Tel,
    /// `urn`
    Urn,
    /// Any other scheme's name as written.
    Other(&'a [u8]),
}

/// A URI's parts, borrowed and still escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uri<'a> {
    /// Its scheme.
    pub scheme: Scheme<'a>,
    /// `sip`: what stands before `@` (and before a password), its own parameters included (see [`Uri::user_name`]).
    /// `tel`: the number.
    pub user: Option<&'a [u8]>,
    /// `sip`: the password.
    pub password: Option<&'a [u8]>,
    /// `sip`: the host, an IPv6 address with its brackets. Empty for other schemes.
    pub host: &'a [u8],
    /// `sip`: the port.
    pub port: Option<u16>,
    /// `sip`, `tel`: the URI's parameters.
    pub params: Params<'a>,
    /// `sip`: what stands behind `?`.
    pub headers: Option<&'a [u8]>,
    /// Everything behind the scheme's colon.
    pub opaque: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Reads a URI. Blanks, control characters, quotes and angle brackets are never part of one.
    pub fn parse(text: &'a [u8]) -> Result<Uri<'a>, Defect> {
        if class::run(text, URI) != text.len() {
            return Err(Defect::Uri);
        }
        let colon = eight::find(text, b':').ok_or(Defect::Uri)?;
        let scheme = scheme(sub(text, 0, colon))?;
        let opaque = sub(text, colon + 1, text.len());
        if opaque.is_empty() {
            return Err(Defect::Uri);
        }
        let blank = Uri {
            scheme,
            user: None,
            password: None,
            host: b"",
            port: None,
            params: Params::default(),
            headers: None,
            opaque,
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => blank.sip(),
            Scheme::Tel => blank.tel(),
            Scheme::Urn | Scheme::Other(_) => Ok(blank),
        }
    }

    fn sip(self) -> Result<Uri<'a>, Defect> {
        let text = self.opaque;
        // `;`, `?`, `/` and `:` may stand in the user part, `@` may not, so the first `@` ends it.
        let (user, password, rest) = match eight::find(text, b'@') {
            None => (None, None, text),
            Some(at) => {
                let (info, rest) = (sub(text, 0, at), sub(text, at + 1, text.len()));
                match eight::find(info, b':') {
                    None => (Some(info), None, rest),
                    Some(at) => (Some(sub(info, 0, at)), Some(sub(info, at + 1, info.len())), rest),
                }
            }
        };
        let (rest, headers) = cut(rest, b'?');
        let (address, params) = cut(rest, b';');
        let (host, port) = host::split(address)?;
        let params = params.map(Params::new).unwrap_or_default();
        Ok(Uri { user, password, host, port, params, headers, ..self })
    }

    fn tel(self) -> Result<Uri<'a>, Defect> {
        let (number, params) = cut(self.opaque, b';');
        if number.is_empty() {
            return Err(Defect::Uri);
        }
        Ok(Uri { user: Some(number), params: params.map(Params::new).unwrap_or_default(), ..self })
    }

    /// The value of a URI parameter: `None` when absent, `Some(b"")` for a flag such as `lr`.
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params.find(name).map(|param| param.value.unwrap_or_default())
    }

    /// The user part up to its first `;`: the number, where a telephone subscriber stands there (RFC 3261 §19.1.6).
    pub fn user_name(&self) -> Option<&'a [u8]> {
        self.user.map(|user| cut(user, b';').0)
    }

    /// The parameters inside the user part, such as RFC 4904's `tgrp` and `trunk-context`; for `tel` the URI's own.
    pub fn user_params(&self) -> Params<'a> {
        match (self.scheme, self.user) {
            (Scheme::Tel, _) => self.params,
            (_, Some(user)) => cut(user, b';').1.map(Params::new).unwrap_or_default(),
            (_, None) => Params::default(),
        }
    }

    /// The whole user part with `%HH` read (RFC 3261 §19.1.2). The result may hold any byte, NUL too.
    pub fn user_unescaped(&self) -> Option<Cow<'a, [u8]>> {
        self.user.map(unescape)
    }

    /// The host as an address.
    pub fn ip(&self) -> Option<IpAddr> {
        host::ip(self.host)
    }

    /// Whether it is `sip` or `sips`, which can be routed by its host.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }
}

fn scheme(name: &[u8]) -> Result<Scheme<'_>, Defect> {
    let sound = name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    match name {
        _ if !sound => Err(Defect::Uri),
        name if name.eq_ignore_ascii_case(b"sip") => Ok(Scheme::Sip),
        name if name.eq_ignore_ascii_case(b"sips") => Ok(Scheme::Sips),
        name if name.eq_ignore_ascii_case(b"tel") => Ok(Scheme::Tel),
        name if name.eq_ignore_ascii_case(b"urn") => Ok(Scheme::Urn),
        name => Ok(Scheme::Other(name)),
    }
}

/// Before and behind the first `stop`.
fn cut(text: &[u8], stop: u8) -> (&[u8], Option<&[u8]>) {
    match eight::find(text, stop) {
        Some(at) => (sub(text, 0, at), Some(sub(text, at + 1, text.len()))),
        None => (text, None),
    }
}
