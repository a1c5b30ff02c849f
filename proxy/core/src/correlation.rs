//! How an INVITE to the tier says which call it is, and which leg it continues.

pub(crate) mod session_id;
#[cfg(test)]
mod tests;

use crate::limits::MAX_CORRELATION;
use crate::{Correlation, MoveReason};
use sip_wire::{Builder, HeaderName};
use smallvec::SmallVec;

/// What is known of a call when an INVITE to the tier is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// Call-ID of the call's first tier leg.
    pub(crate) call_id: &'a [u8],
    /// Call-ID of the tier leg that was lost; the same as the first one's until the second move.
    pub(crate) lost_call_id: &'a [u8],
    /// Call-ID of the carrier leg.
    pub(crate) carrier_call_id: &'a [u8],
    /// The call's own UUID (RFC 7989 §4).
    pub(crate) session_id: [u8; 16],
    /// The UUID of whoever is at the other end, where it has told.
    pub(crate) remote_session_id: Option<[u8; 16]>,
    /// Name of the region that was lost; empty for a first INVITE.
    pub(crate) from_region: &'a str,
    /// Name of the region that the INVITE goes to.
    pub(crate) to_region: &'a str,
    /// Why the call moves; `None` for a first INVITE.
    pub(crate) reason: Option<MoveReason>,
    /// The lost leg's dialog as the INVITE's receiver knows it (RFC 3891 §3): Call-ID, the tier's tag, which is the
    /// `to-tag`, and our tag, which is the `from-tag`.
    pub(crate) replaces: Option<(&'a [u8], &'a [u8], &'a [u8])>,
}

/// Writes what the configuration asks for. A first INVITE gets a Session-ID and nothing more: it continues no other.
pub(crate) fn write(correlation: &Correlation, facts: &Facts<'_>, out: &mut Builder) {
    if correlation.session_id {
        session_id::write(&facts.session_id, facts.remote_session_id.as_ref(), out);
    }
    if facts.reason.is_none() {
        return;
    }
    if let Some((call_id, to_tag, from_tag)) = facts.replaces.filter(|_| correlation.replaces)
        && [call_id, to_tag, from_tag].into_iter().all(is_sound)
    {
        // RFC 3891 §6.1, and the option tag of §6.2.
        out.parts(HeaderName::Replaces, &[call_id, b";to-tag=", to_tag, b";from-tag=", from_tag]);
        out.header(HeaderName::Supported, b"replaces");
    }
    if let Some(text) = correlation.uui.as_deref().and_then(|template| render(template, facts)) {
        // RFC 7433 §4.1.
        out.parts(HeaderName::UserToUser, &[&hexadecimal(&text), b";encoding=hex"]);
    }
    for (name, template) in &correlation.headers {
        if let Some(text) = render(template, facts) {
            out.other(name.as_bytes(), &text);
        }
    }
}

type Text = SmallVec<[u8; 128]>;

/// A template with its placeholders filled in, once: what comes in is not looked at again. Unknown placeholders stay as
/// written, control characters are left out. `None` where nothing is left, or more than [`MAX_CORRELATION`].
fn render(template: &str, facts: &Facts<'_>) -> Option<Text> {
    let session_id = session_id::text(&facts.session_id);
    let value_of = |name: &str| match name {
        "call_id" => Some(facts.call_id),
        "lost_call_id" => Some(facts.lost_call_id),
        "carrier_call_id" => Some(facts.carrier_call_id),
        "session_id" => Some(&session_id[..]),
        "from_region" => Some(facts.from_region.as_bytes()),
        "to_region" => Some(facts.to_region.as_bytes()),
        "reason" => Some(facts.reason.map_or("", MoveReason::as_str).as_bytes()),
        _ => None,
    };
    let mut text = Text::new();
    let mut put = |bytes: &[u8]| {
        text.extend(bytes.iter().copied().filter(|b| !b.is_ascii_control()));
        text.len() <= MAX_CORRELATION
    };
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let filled = behind.split_once('}').and_then(|(name, after)| Some((value_of(name)?, after)));
        let (value, after) = filled.unwrap_or((b"{", behind));
        if !put(before.as_bytes()) || !put(value) {
            return None;
        }
        rest = after;
    }
    (put(rest.as_bytes()) && !text.is_empty()).then_some(text)
}

fn hexadecimal(bytes: &[u8]) -> SmallVec<[u8; 256]> {
    let mut out = SmallVec::new();
    for byte in bytes {
        let mut pair = [0; 2];
        crate::ids::hex(u64::from(*byte), &mut pair);
        out.extend_from_slice(&pair);
    }
    out
}

/// Whether a part of Replaces can stand between semicolons and be read back.
fn is_sound(part: &[u8]) -> bool {
    let stands = |b: &u8| b.is_ascii_graphic() && !b";,\"<>".contains(b);
    !part.is_empty() && part.len() <= MAX_CORRELATION && part.iter().all(stands)
}
