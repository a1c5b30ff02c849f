//! How a new tier leg says which call it continues: header fields that no peer can misread.

use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawCorrelation};
use crate::config::words::nearest;
use proxy_core::Correlation;
use serde_spanned::Spanned;
use sip_wire::HeaderName;
use std::sync::Arc;

/// What stands between braces in a template.
const PLACES: [&str; 7] =
    ["call_id", "lost_call_id", "carrier_call_id", "session_id", "from_region", "to_region", "reason"];

/// Bytes of a template: with what it is filled with it stays far below what fits a datagram.
const MAX_TEMPLATE: usize = 256;

/// Header fields of one's own in one INVITE.
const MAX_HEADERS: usize = 8;

/// Built by us for every request, or by a key of this table, though no part of the library's list.
const OURS: [&str; 3] = ["Session-ID", "User-to-User", "Resource-Priority"];

pub(super) fn read(written: &Maybe<RawCorrelation>, complaints: &mut Complaints) -> Option<Arc<Correlation>> {
    let raw = written.as_ref()?;
    let (section, raw) = (raw.span(), raw.get_ref());
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, template) in &raw.headers {
        header_name(name, &headers, complaints);
        check_template(template, complaints);
        headers.push((name.get_ref().clone(), template.get_ref().clone()));
    }
    if headers.len() > MAX_HEADERS {
        complaints
            .error(section.clone(), format!("{} header fields for one INVITE", headers.len()))
            .advise(format!("{MAX_HEADERS} are the most: put several values into one"));
    }
    if let Some(uui) = &raw.uui {
        check_template(uui, complaints);
    }
    if !raw.session_id && !raw.replaces && raw.uui.is_none() && headers.is_empty() {
        complaints
            .warn(section, "this `correlation` says nothing of the call that goes on")
            .advise("add `session_id = true`, `uui = \"{call_id}\"`, `replaces = true` or `headers = { … }`");
    }
    Some(Arc::new(Correlation {
        session_id: raw.session_id,
        uui: raw.uui.as_ref().map(|u| u.get_ref().clone()),
        replaces: raw.replaces,
        headers,
    }))
}

fn header_name(name: &Spanned<String>, before: &[(String, String)], complaints: &mut Complaints) {
    let text = name.get_ref().as_str();
    if !is_token(text) {
        complaints
            .error(name.span(), format!("`{}` cannot be the name of a header field", text.escape_debug()))
            .advise("write letters, digits and hyphens, such as \"X-Continues\"");
    } else if HeaderName::lookup(text.as_bytes()) != HeaderName::Other
        || OURS.iter().any(|ours| ours.eq_ignore_ascii_case(text))
    {
        complaints
            .error(name.span(), format!("`{text}` has a meaning of its own and is built by us where it belongs"))
            .advise("choose another name, such as \"X-Continues\"; Session-ID, User-to-User and Replaces have keys: `session_id`, `uui`, `replaces`");
    } else if before.iter().any(|(other, _)| other.eq_ignore_ascii_case(text)) {
        complaints
            .error(name.span(), format!("`{text}` is there twice: case does not count"))
            .advise("remove one of them");
    }
}

/// RFC 3261 §25.1: `token`.
pub(super) fn is_token(text: &str) -> bool {
    let special = |c| "-.!%*_+`'~".contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || special(c))
}

fn check_template(written: &Spanned<String>, complaints: &mut Complaints) {
    let text = written.get_ref().as_str();
    if text.is_empty() || text.len() > MAX_TEMPLATE {
        complaints
            .error(written.span(), format!("a template of {} bytes", text.len()))
            .advise(format!("write 1 to {MAX_TEMPLATE} bytes, such as \"{{call_id}}\""));
    }
    if text.chars().any(char::is_control) {
        complaints
            .error(written.span(), "a control character in a header field")
            .at("a line end here would begin a header field that nobody wrote")
            .advise("write it on one line, without tabs");
    }
    let mut rest = text;
    while let Some(brace) = rest.find(['{', '}']) {
        let place = rest[brace..].strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let Some((place, after)) = place else {
            complaints
                .error(written.span(), "a brace without its other half")
                .advise("write placeholders as in \"{call_id}\"; a brace itself cannot be sent");
            return;
        };
        if !PLACES.contains(&place) {
            complaints
                .error(written.span(), format!("`{{{}}}` is no placeholder", place.escape_debug()))
                .advise(match nearest(place, PLACES.into_iter()) {
                    Some(near) => format!("did you mean `{{{near}}}`?"),
                    None => format!("known: {{{}}}", PLACES.join("}, {")),
                });
        }
        rest = after;
    }
}
