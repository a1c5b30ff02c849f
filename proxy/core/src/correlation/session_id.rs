//! Session-ID: a name for the whole call, whatever legs it has (RFC 7989).

use crate::ids::{hex, unhex};
use sip_wire::{Builder, HeaderName, Params};

/// Stands for a UUID that is not known yet (RFC 7989 §5).
pub(crate) const NIL: [u8; 16] = [0; 16];

/// 32 hexadecimal digits in lower case, without the usual dashes.
pub(crate) fn text(uuid: &[u8; 16]) -> [u8; 32] {
    let mut text = [0; 32];
    let whole = u128::from_be_bytes(*uuid);
    let (high, low) = text.split_at_mut(16);
    hex((whole >> 64) as u64, high);
    hex(whole as u64, low);
    text
}

/// Writes `Session-ID: local;remote=…` with the nil UUID for a remote one that is not known.
pub(crate) fn write(local: &[u8; 16], remote: Option<&[u8; 16]>, out: &mut Builder) {
    out.parts(HeaderName::SessionId, &[&text(local), b";remote=", &text(remote.unwrap_or(&NIL))]);
}

/// Reads the header's value: the sender's UUID, and ours as it knows it. A nil UUID, or none, is `None` there; before
/// RFC 7989 there was no `remote` (RFC 7989 §11). Capital letters are forgiven.
pub(crate) fn parse(value: &[u8]) -> Option<([u8; 16], Option<[u8; 16]>)> {
    let semicolon = value.iter().position(|b| *b == b';').unwrap_or(value.len());
    let (local, params) = value.split_at_checked(semicolon)?;
    let remote = match Params::new(params).find(b"remote") {
        None => None,
        Some(param) => Some(uuid(param.value?)?).filter(|remote| *remote != NIL),
    };
    Some((uuid(local)?, remote))
}

fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let text: [u8; 32] = text.trim_ascii().try_into().ok()?;
    let text = text.map(|b| b.to_ascii_lowercase());
    let (high, low) = text.split_at_checked(16)?;
    let whole = (u128::from(unhex(high)?) << 64) | u128::from(unhex(low)?);
    Some(whole.to_be_bytes())
}
