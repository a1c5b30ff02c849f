//! What all INVITEs that begin a leg of ours have in common, whether they place a call, move one or transfer one.

use super::Call;
use super::leg::finish;
use crate::dialog::put_cseq;
use crate::face::Face;
use bytes::Bytes;
use sip_wire::{Builder, HeaderName, Method};

/// The way there: request URI, Via and Max-Forwards.
pub(super) fn to(uri: &[u8], face: &Face, branch: &[u8], hops: u8) -> Builder {
    let mut out = Builder::request(Method::Invite, uri);
    out.parts(HeaderName::Via, &[&face.via, branch]);
    out.number(HeaderName::MaxForwards, u64::from(hops));
    out
}

/// The dialog that it asks for: Call-ID, CSeq, and where and how we are spoken to in it.
pub(super) fn put_dialog(out: &mut Builder, contact: &[u8], call_id: &[u8], cseq: u32, allow: &[u8]) {
    out.header(HeaderName::CallId, call_id);
    put_cseq(out, cseq, Method::Invite);
    out.header(HeaderName::Contact, contact);
    out.header(HeaderName::Allow, allow);
}

impl Call {
    /// The end of it: our name, and what is offered.
    pub(super) fn finish_invite(&self, mut out: Builder, offer: Option<&[u8]>) -> Bytes {
        if let Some(product) = &self.pinned.config.product {
            out.header(HeaderName::UserAgent, product.as_bytes());
        }
        finish(out, offer)
    }
}
