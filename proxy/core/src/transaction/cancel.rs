//! The CANCEL for an INVITE (RFC 3261 §9.1).

use super::ack::same_path;
use bytes::Bytes;
use sip_wire::{HeaderName, Message, Method};

/// Cancels the INVITE `request`. `reason` is the value of a Reason header field (RFC 3326).
pub(super) fn cancel(request: &Message, reason: Option<&str>) -> Option<Bytes> {
    let mut cancel = same_path(request, Method::Cancel)?;
    cancel.header(HeaderName::To, request.header(HeaderName::To)?);
    if let Some(reason) = reason {
        cancel.header(HeaderName::Reason, reason.as_bytes());
    }
    Some(cancel.finish())
}
