//! Via (RFC 3261 §20.42, RFC 3581).

use crate::class::{self, NAME, TOKEN};
use crate::eight;
use crate::fault::Defect;
use crate::header::HeaderName;
use crate::host;
use crate::lex::{is_blank, is_named, sub, trim, unquote};
use crate::values::{Param, Params};
use std::net::IpAddr;

/// One Via value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, `TLS`… as written.
    pub transport: &'a [u8],
    /// sent-by's host, an IPv6 address with its brackets.
    pub host: &'a [u8],
    /// sent-by's port.
    pub port: Option<u16>,
    /// The transaction's branch.
    pub branch: Option<&'a [u8]>,
    /// Where the request came from, as the next element saw it; see [`Via::received_ip`].
    pub received: Option<&'a [u8]>,
    /// RFC 3581: `Some(None)` asks for the port, `Some(Some(port))` answers.
    pub rport: Option<Option<u16>>,
    /// RFC 3261 §18.1.1.
    pub maddr: Option<&'a [u8]>,
    /// Whether it asks for overload control, or answers that (`oc`, RFC 7339 §4.1).
    pub oc: bool,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one value.
    pub fn parse(value: &'a [u8]) -> Result<Via<'a>, Defect> {
        const BAD: Defect = Defect::Malformed(HeaderName::Via);
        let rest = trim(protocol(trim(value)).ok_or(BAD)?);
        let (transport, rest) = rest.split_at(class::run(rest, TOKEN));
        if transport.is_empty() || !rest.first().is_some_and(|b| is_blank(*b)) {
            return Err(BAD);
        }
        // No quoted string may stand before the parameters, so the first semicolon begins them.
        let (sent_by, params) = rest.split_at(eight::find(rest, b';').unwrap_or(rest.len()));
        let (host, port) = host::split(sent_by).map_err(|_| BAD)?;
        let params = Params::new(params);
        let mut via = Via {
            transport,
            host,
            port,
            branch: None,
            received: None,
            rport: None,
            maddr: None,
            oc: false,
            params,
        };
        for piece in params.pieces() {
            let param = Param::parse(piece);
            // Two `;` with nothing between them, or one at the end.
            if param.name.is_empty() {
                return Err(BAD);
            } else if is_named(param.name, b"branch") {
                via.branch = via.branch.or(param.value);
            } else if is_named(param.name, b"received") {
                via.received = via.received.or(param.value);
            } else if is_named(param.name, b"maddr") {
                via.maddr = via.maddr.or(param.value);
            } else if is_named(param.name, b"rport") {
                let number = match param.value {
                    None | Some(b"") => None,
                    Some(digits) => Some(crate::lex::port(digits).ok_or(BAD)?),
                };
                via.rport = via.rport.or(Some(number));
            } else if is_named(param.name, b"oc") {
                via.oc = true;
            }
        }
        via.branch = via.branch.filter(|branch| !branch.is_empty());
        if via.branch.is_some_and(|branch| !class::is_word(branch, NAME)) {
            return Err(BAD);
        }
        Ok(via)
    }

    /// The branch when RFC 3261 made it: it starts with the magic cookie and goes on behind it (RFC 3261 §8.1.1.7;
    /// RFC 4475 §3.2.1). Without it a transaction is matched by RFC 2543's rules (RFC 3261 §17.2.3).
    pub fn rfc3261_branch(&self) -> Option<&'a [u8]> {
        let branch = self.branch?;
        let cookie = branch.len() > 7 && sub(branch, 0, 7).eq_ignore_ascii_case(b"z9hG4bK");
        cookie.then_some(branch)
    }

    /// sent-by's host as an address.
    pub fn ip(&self) -> Option<IpAddr> {
        host::ip(self.host)
    }

    /// `received` as an address; IPv6 with or without brackets (RFC 5118 §4.5).
    pub fn received_ip(&self) -> Option<IpAddr> {
        host::ip(&unquote(self.received?))
    }
}

/// What stands behind `SIP/2.0/`, which may be written with blanks around its slashes.
fn protocol(value: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = value.strip_prefix(b"SIP/2.0/") {
        return Some(rest);
    }
    let mut parts = value.splitn(3, |b| *b == b'/');
    let (name, version, rest) = (trim(parts.next()?), trim(parts.next()?), trim(parts.next()?));
    (name.eq_ignore_ascii_case(b"SIP") && version == b"2.0").then_some(rest)
}
