//! The other side's arithmetic of RFC 7616, with MD5.

use super::header;
use md5::{Digest, Md5};

/// MD5 of the parts with a colon between each two, in hexadecimal digits.
pub fn md5(parts: &[&str]) -> String {
    Md5::digest(parts.join(":")).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One field of credentials or of a challenge.
pub fn field<'a>(value: &'a str, name: &str) -> &'a str {
    let mut fields =
        value.trim_start_matches("Digest ").split(", ").filter_map(|field| field.split_once('='));
    fields.find(|(field, _)| *field == name).map(|(_, value)| value.trim_matches('"')).unwrap_or_default()
}

/// The `response` that these credentials of a request ought to have.
pub fn expected(request: &str, value: &str, password: &str) -> String {
    let method = header(request, "CSeq").split(' ').nth(1).unwrap();
    respond(value, method, password)
}

/// The same for another method than that of the message in which they stand: an ACK's are its INVITE's.
pub fn respond(value: &str, method: &str, password: &str) -> String {
    let ha1 = md5(&[field(value, "username"), field(value, "realm"), password]);
    let ha2 = md5(&[method, field(value, "uri")]);
    let (nonce, qop) = (field(value, "nonce"), field(value, "qop"));
    if qop.is_empty() {
        return md5(&[&ha1, nonce, &ha2]);
    }
    md5(&[&ha1, nonce, field(value, "nc"), field(value, "cnonce"), qop, &ha2])
}

/// Fails unless the request shows this user's password, for this nonce.
pub fn shows(request: &str, name: &str, nonce: &str, password: &str) {
    let value = header(request, name);
    assert_eq!(field(value, "nonce"), nonce, "{request}");
    assert_eq!(field(value, "response"), expected(request, value, password), "{request}");
    let uri = request.split(' ').nth(1).unwrap();
    assert_eq!(field(value, "uri"), uri, "{request}");
}
