//! A challenge, as somebody whom we have asked puts it (RFC 3261 §20.44, RFC 7616 §3.3), and which of them we answer.

use super::account::Account;
use super::algorithm::{Algorithm, Qop};
use super::fields::{Broken, Fields, Value, once};
use super::pass::Pass;
use crate::ChallengeOutcome;
use crate::limits::{MAX_CHALLENGES, MAX_NONCE};
use sip_wire::{HeaderName, Message, unfold};

/// One challenge that we can make something of. Texts are as they came, without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(super) realm: Box<[u8]>,
    pub(super) nonce: Box<[u8]>,
    pub(super) opaque: Option<Box<[u8]>>,
    pub(super) algorithm: Algorithm,
    /// It named its algorithm.
    pub(super) says_algorithm: bool,
    /// What it wants protected; `None` as RFC 2069 had it.
    pub(super) qop: Option<Qop>,
    /// The nonce was too old, the credentials were right.
    pub(super) stale: bool,
}

/// Why there is nothing to be made of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unread {
    /// Another scheme than Digest.
    Scheme,
    /// An algorithm or a quality of protection that we do not know.
    Unknown,
    Broken,
}

impl From<Broken> for Unread {
    fn from(_: Broken) -> Self {
        Self::Broken
    }
}

impl Challenge {
    /// Reads one, and its realm.
    fn read(value: &[u8]) -> Result<(Self, Vec<u8>), Unread> {
        let value = unfold(value);
        let fields = Fields::of_digest(&value).ok_or(Unread::Scheme)?;
        let (mut realm, mut nonce, mut opaque, mut algorithm, mut qop, mut stale) = Default::default();
        for field in fields {
            let (name, value) = field?;
            let place = match name.to_ascii_lowercase().as_slice() {
                b"realm" => &mut realm,
                b"nonce" => &mut nonce,
                b"opaque" => &mut opaque,
                b"algorithm" => &mut algorithm,
                b"qop" => &mut qop,
                b"stale" => &mut stale,
                _ => continue,
            };
            once(place, value)?;
        }
        let (realm, nonce): (Value<'_>, Value<'_>) = realm.zip(nonce).ok_or(Unread::Broken)?;
        let texts = [Some(realm), Some(nonce), opaque];
        if texts.iter().flatten().any(|text| text.raw.len() > MAX_NONCE) {
            return Err(Unread::Broken);
        }
        let named = algorithm.map(|word: Value<'_>| Algorithm::parse(word.raw).ok_or(Unread::Unknown));
        let said = named.transpose()?;
        let challenge = Self {
            realm: realm.raw.into(),
            nonce: nonce.raw.into(),
            opaque: opaque.map(|opaque: Value<'_>| opaque.raw.into()),
            algorithm: said.unwrap_or(Algorithm::DEFAULT),
            says_algorithm: said.is_some(),
            qop: qop.map(best_qop).transpose()?,
            stale: stale.is_some_and(|stale: Value<'_>| stale.is("true")),
        };
        Ok((challenge, realm.meant().into_owned()))
    }
}

/// What of a list of qualities we do: `auth` where it may be, since that can be said before the body is known.
fn best_qop(list: Value<'_>) -> Result<Qop, Unread> {
    let words = || list.raw.split(|b| *b == b',').filter_map(|word| Qop::parse(word.trim_ascii()));
    let best = words().find(|qop| *qop == Qop::Auth).or_else(|| words().next());
    best.ok_or(Unread::Unknown)
}

/// Where challenges stand, and where their answers do (RFC 3261 §22.2, §22.3). A response that was put together by a proxy
/// that forked may have both kinds.
const PLACES: [(HeaderName, HeaderName); 2] = [
    (HeaderName::WwwAuthenticate, HeaderName::Authorization),
    (HeaderName::ProxyAuthenticate, HeaderName::ProxyAuthorization),
];

/// Chooses what to show: for each realm that is ours the first challenge that we know how to answer (RFC 8760 §2.4), but not
/// to somebody who has seen just that, and does not say that its nonce was too old. `request` is the one that was refused.
pub(crate) fn choose(
    response: &Message,
    request: &Message,
    accounts: &[Account],
    cnonce: [u8; 16],
) -> Result<Vec<Pass>, ChallengeOutcome> {
    let mut passes: Vec<Pass> = Vec::new();
    let mut why = ChallengeOutcome::Broken;
    for (asks, shows) in PLACES {
        for value in response.lines(asks).take(MAX_CHALLENGES) {
            let (challenge, realm) = match Challenge::read(value) {
                Ok(read) => read,
                Err(Unread::Broken) => continue,
                Err(Unread::Scheme | Unread::Unknown) => {
                    why = ChallengeOutcome::UnknownAlgorithm;
                    continue;
                }
            };
            if passes.iter().any(|pass| pass.is_for(shows, &challenge)) {
                continue;
            }
            let ours = accounts.iter().find(|account| account.realm.as_bytes() == realm);
            let Some(account) = ours else {
                why = ChallengeOutcome::ForeignRealm;
                continue;
            };
            let Some(ha1) = account.ha1(challenge.algorithm.hash) else {
                why = ChallengeOutcome::UnknownAlgorithm;
                continue;
            };
            if !challenge.stale && has_shown(request, shows, &challenge) {
                return Err(ChallengeOutcome::NotAccepted);
            }
            passes.push(Pass::new(shows, challenge, &account.username, ha1, cnonce));
        }
    }
    if passes.is_empty() { Err(why) } else { Ok(passes) }
}

/// Whether a request has answered this very nonce.
fn has_shown(request: &Message, field: HeaderName, challenge: &Challenge) -> bool {
    request.lines(field).any(|value| {
        let mut fields = Fields::of_digest(value).into_iter().flatten().flatten();
        fields.any(|(name, value)| name.eq_ignore_ascii_case(b"nonce") && *value.raw == *challenge.nonce)
    })
}

#[cfg(test)]
mod tests {
    use super::super::account::Secret;
    use super::super::algorithm::DigestHash;
    use super::*;
    use bytes::Bytes;

    fn account(realm: &str) -> Account {
        let secret = Secret::Password((*b"zanzibar").into());
        Account { realm: realm.into(), username: "bob".into(), secret }
    }

    fn message(text: String) -> Message {
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn chosen(challenges: &[&str], shown: &str) -> Result<Vec<String>, ChallengeOutcome> {
        let lines: String = challenges.iter().map(|line| format!("{line}\r\n")).collect();
        let response = message(format!("SIP/2.0 401 Unauthorized\r\n{lines}\r\n"));
        let request = message(format!("INVITE sip:b@c SIP/2.0\r\n{shown}CSeq: 1 INVITE\r\n\r\n"));
        let passes = choose(&response, &request, &[account("ours"), account("also")], *b"0123456789abcdef")?;
        let asked = super::super::algorithm::Asked { method: b"INVITE", uri: b"sip:b@c", body: b"" };
        Ok(passes.iter().map(|pass| String::from_utf8(pass.show(&asked)).unwrap()).collect())
    }

    #[test]
    fn the_first_that_is_known_is_answered_for_each_realm_of_ours() {
        let shown = chosen(
            &[
                r#"WWW-Authenticate: Digest realm="ours", nonce="1", algorithm=AKAv1-MD5"#,
                r#"WWW-Authenticate: Digest realm="theirs", nonce="2", algorithm=SHA-256"#,
                r#"WWW-Authenticate: Digest realm="ours", nonce="3", algorithm=SHA-256, qop="auth,auth-int""#,
                r#"WWW-Authenticate: Digest realm="ours", nonce="4", algorithm=MD5"#,
                r#"Proxy-Authenticate: Digest realm="also",nonce="5",opaque="o""#,
            ],
            "",
        )
        .unwrap();
        assert_eq!(shown.len(), 2);
        let first = r#"Digest username="bob", realm="ours", nonce="3", uri="sip:b@c", response=""#;
        assert!(shown[0].starts_with(first), "{shown:?}");
        assert!(shown[0].ends_with(r#"algorithm=SHA-256, qop=auth, nc=00000001, cnonce="0123456789abcdef""#));
        assert!(shown[1].contains(r#"nonce="5""#) && shown[1].ends_with(r#", opaque="o""#), "{shown:?}");
    }

    #[test]
    fn nothing_is_said_to_a_realm_that_is_not_ours_and_nothing_twice() {
        let theirs = r#"WWW-Authenticate: Digest realm="theirs", nonce="2""#;
        assert_eq!(chosen(&[theirs], ""), Err(ChallengeOutcome::ForeignRealm));
        let ours = r#"WWW-Authenticate: Digest realm="ours", nonce="2""#;
        let shown = "Authorization: Digest username=\"bob\", realm=\"ours\", nonce=\"2\"\r\n";
        assert_eq!(chosen(&[ours], shown), Err(ChallengeOutcome::NotAccepted));
        let stale = r#"WWW-Authenticate: Digest realm="ours", nonce="2", stale=TRUE"#;
        assert_eq!(chosen(&[stale], shown).unwrap().len(), 1);
        let fresh = r#"WWW-Authenticate: Digest realm="ours", nonce="3""#;
        assert_eq!(chosen(&[fresh], shown).unwrap().len(), 1);
    }

    #[test]
    fn what_is_broken_unknown_or_endless_is_not_answered() {
        let endless = format!("WWW-Authenticate: Digest realm=\"ours\", nonce=\"{}\"", "n".repeat(60_000));
        for (line, why) in [
            ("WWW-Authenticate: Digest realm=\"ours\"", ChallengeOutcome::Broken),
            ("WWW-Authenticate: Digest realm=\"ours\", nonce=\"a\", nonce=\"b\"", ChallengeOutcome::Broken),
            ("WWW-Authenticate: Digest realm=\"ours, nonce=\"a\"", ChallengeOutcome::Broken),
            (endless.as_str(), ChallengeOutcome::Broken),
            ("Subject: nothing", ChallengeOutcome::Broken),
            ("WWW-Authenticate: Basic realm=\"ours\"", ChallengeOutcome::UnknownAlgorithm),
            (
                "WWW-Authenticate: Digest realm=\"ours\", nonce=\"a\", qop=\"auth-conf\"",
                ChallengeOutcome::UnknownAlgorithm,
            ),
        ] {
            assert_eq!(chosen(&[line], ""), Err(why), "{}", &line[..line.len().min(80)]);
        }
    }

    #[test]
    fn a_hash_that_is_kept_is_good_for_its_own_algorithm_alone() {
        let digits = DigestHash::Md5.of(&[b"bob", b"ours", b"zanzibar"]);
        let kept =
            Account { secret: Secret::Ha1(DigestHash::Md5, digits.as_bytes().into()), ..account("ours") };
        assert_eq!(kept.ha1(DigestHash::Md5), account("ours").ha1(DigestHash::Md5));
        assert_eq!(kept.ha1(DigestHash::Sha256), None);
        assert!(!format!("{kept:?} {:?}", account("ours")).contains("zanzibar"));
    }
}
