//! An agent that wants to know who the appliance is, by the letter of RFC 7616 and with arithmetic of its own.

use super::Agent;
use crate::maps::{Map, Set};
use md5::{Digest, Md5};
use relay_values::Time;
use sip_wire::{HeaderName, Message, Method};

/// Realm, user and password by which every agent knows the appliance.
pub(crate) const ACCOUNT: [&str; 3] = ["agents.example", "bascule", "zanzibar"];

/// What it has asked and was shown.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Requests that one nonce is good for.
    uses: u32,
    /// How often each nonce was answered rightly.
    nonces: Map<String, u32>,
    /// Responses that were taken: none is taken again.
    taken: Set<String>,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// Requests that showed nothing.
    pub first: u32,
    /// Requests that showed what was right once: a nonce that was used up.
    pub stale: u32,
    /// Requests that were wrong in what they showed.
    pub wrong: u32,
    /// Requests that were believed.
    pub believed: u32,
}

impl Asking {
    pub(super) fn for_uses(uses: u32) -> Self {
        Self { uses, ..Self::default() }
    }
}

impl Agent {
    /// Whether a request was answered with a challenge, or refused for what it shows. ACK and CANCEL are not asked (RFC 3261 §22.1).
    pub(super) fn asks(&mut self, now: Time, request: &Message, key: &str) -> bool {
        let Some(asking) = &mut self.asking else { return false };
        if matches!(request.method(), Method::Ack | Method::Cancel) {
            return false;
        }
        let shown = request.header(HeaderName::Authorization).map(String::from_utf8_lossy);
        let mut stale = "";
        if let Some(shown) = shown {
            let method = String::from_utf8_lossy(request.method().as_bytes());
            if field(&shown, "response") != response(&shown, &method) {
                self.asked.wrong += 1;
                self.reply(now, request, key, 403);
                return true;
            }
            let once = format!("{} {}", field(&shown, "nonce"), field(&shown, "nc"));
            match asking.nonces.get_mut(field(&shown, "nonce")) {
                Some(used) if *used < asking.uses && asking.taken.insert(once) => {
                    *used += 1;
                    self.asked.believed += 1;
                    return false;
                }
                Some(_) | None => {
                    self.asked.stale += 1;
                    stale = ", stale=true";
                }
            }
        } else {
            self.asked.first += 1;
        }
        let (nonce, tag) = (self.token("nonce"), self.token("tag"));
        if let Some(asking) = &mut self.asking {
            asking.nonces.insert(nonce.clone(), 0);
        }
        let [realm, ..] = ACCOUNT;
        let mut out = self.response(request, 401, Some(&tag));
        let challenge =
            format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", algorithm=MD5{stale}");
        out.header(HeaderName::WwwAuthenticate, challenge.as_bytes());
        self.answer(now, key, 401, out.finish());
        true
    }
}

/// What a field of credentials says.
fn field<'a>(shown: &'a str, name: &str) -> &'a str {
    let mut fields =
        shown.trim_start_matches("Digest ").split(", ").filter_map(|field| field.split_once('='));
    fields.find(|(field, _)| *field == name).map(|(_, value)| value.trim_matches('"')).unwrap_or_default()
}

/// The response that these credentials ought to have (RFC 7616 §3.4.1).
fn response(shown: &str, method: &str) -> String {
    let [realm, user, password] = ACCOUNT;
    let (ha1, ha2) = (md5(&[user, realm, password]), md5(&[method, field(shown, "uri")]));
    let middle = ["nonce", "nc", "cnonce", "qop"].map(|name| field(shown, name));
    let [nonce, nc, cnonce, qop] = middle;
    md5(&[&ha1, nonce, nc, cnonce, qop, &ha2])
}

/// The parts with a colon between each two, hashed, in hexadecimal digits.
fn md5(parts: &[&str]) -> String {
    Md5::digest(parts.join(":")).iter().map(|byte| format!("{byte:02x}")).collect()
}
