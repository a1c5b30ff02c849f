//! Who shows whom who he is: accounts of ours, and users of a trunk that has to show itself.

use super::names::number;
use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawAccount, RawAlgorithm, RawChallenge};
use proxy_core::{Account, AccountsId, Authentication, Demand, DemandId, DigestHash, Secret};
use relay_values::Duration;
use serde_spanned::Spanned;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// Bytes of a password, and of the file that holds one.
const MAX_SECRET: usize = 1_024;

/// What a neighbour knows us by.
pub(super) fn accounts(
    list: &[Spanned<RawAccount>],
    authentication: &mut Authentication,
    complaints: &mut Complaints,
) -> Option<AccountsId> {
    if list.is_empty() {
        return None;
    }
    let mut compiled: Vec<Account> = Vec::new();
    for entry in list {
        let realm = &entry.get_ref().realm;
        if realm.is_none() {
            complaints.missing(entry.span(), "this account", "realm", "\"carrier.example\"");
        }
        let account = account(entry, quoted(realm, "realm", complaints), complaints);
        if compiled.iter().any(|other| other.realm == account.realm) {
            complaints
                .error(entry.span(), format!("two accounts for the realm `{}`", account.realm))
                .at("second")
                .advise("keep one: a challenge names nothing but its realm");
        }
        compiled.push(account);
    }
    authentication.accounts.push(compiled.into());
    Some(AccountsId(number(authentication.accounts.len() - 1)))
}

/// What a trunk has to show.
pub(super) fn demand(
    raw: &Maybe<RawChallenge>,
    authentication: &mut Authentication,
    complaints: &mut Complaints,
) -> Option<DemandId> {
    let written = raw.as_ref()?;
    let (at, raw) = (written.span(), written.get_ref());
    if raw.realm.is_none() {
        complaints.missing(at.clone(), "this challenge", "realm", "\"edge.example\"");
    }
    let realm = quoted(&raw.realm, "realm", complaints);
    if raw.users.is_empty() && !complaints.was_removed(&at, "users") {
        complaints.error(at.clone(), "a challenge that nobody can answer").at("no `users`").advise(
            "add `users = [{ username = \"carrier\", password_file = \"/etc/bascule/carrier.secret\" }]`",
        );
    }
    let hashes = hashes(&raw.algorithms, complaints);
    let users: Vec<Account> = raw.users.iter().map(|user| user_of(user, &realm, complaints)).collect();
    for (place, (user, entry)) in users.iter().zip(&raw.users).enumerate() {
        if users.iter().take(place).any(|other| other.username == user.username) {
            complaints
                .error(entry.span(), format!("two users are named `{}`", user.username))
                .at("second")
                .advise("keep one of them");
        }
        if let Secret::Ha1(hash, _) = &user.secret
            && hashes.iter().any(|offered| offered != hash)
        {
            complaints
                .error(
                    entry.span(),
                    format!("this `ha1` is of {} alone, and other algorithms are offered", hash.as_str()),
                )
                .advise("offer that one alone in `algorithms`, or keep the password");
        }
    }
    let nonce_life = raw.nonce_life.as_ref().map_or(Duration::from_secs(60), |life| {
        let seconds = life.get_ref().0.as_secs();
        if !(5..=3_600).contains(&seconds) || life.get_ref().0.subsec_nanos() != 0 {
            complaints
                .error(life.span(), "`nonce_life` has to be a whole number of seconds, from 5s to 1h")
                .advise("60s is usual: a call is challenged anew, whatever is set here");
        }
        Duration::from_secs(seconds)
    });
    let demand = Demand { realm, users, hashes, integrity: raw.integrity, nonce_life };
    authentication.demands.push(Arc::new(demand));
    Some(DemandId(number(authentication.demands.len() - 1)))
}

fn user_of(entry: &Spanned<RawAccount>, realm: &str, complaints: &mut Complaints) -> Account {
    if let Some(own) = &entry.get_ref().realm {
        complaints.error(own.span(), "a user of a challenge has the challenge's realm").advise("remove it");
    }
    account(entry, realm.into(), complaints)
}

fn hashes(raw: &Maybe<Vec<RawAlgorithm>>, complaints: &mut Complaints) -> Vec<DigestHash> {
    let Some(written) = raw else { return vec![DigestHash::Sha256, DigestHash::Md5] };
    let named = written.get_ref().iter().map(|algorithm| match algorithm {
        RawAlgorithm::Md5 => DigestHash::Md5,
        RawAlgorithm::Sha256 => DigestHash::Sha256,
        RawAlgorithm::Sha512_256 => DigestHash::Sha512_256,
    });
    let hashes: Vec<DigestHash> = named.collect();
    let twice = hashes.iter().enumerate().any(|(place, hash)| hashes.iter().take(place).any(|h| h == hash));
    if hashes.is_empty() || twice {
        complaints
            .error(written.span(), "`algorithms` has to name one or more, each once")
            .advise("write `algorithms = [\"sha256\", \"md5\"]`, best first");
    }
    hashes
}

fn account(entry: &Spanned<RawAccount>, realm: Box<str>, complaints: &mut Complaints) -> Account {
    let raw = entry.get_ref();
    if raw.username.is_none() {
        complaints.missing(entry.span(), "this account", "username", "\"bascule\"");
    }
    Account {
        realm,
        username: quoted(&raw.username, "username", complaints),
        secret: secret(entry, complaints),
    }
}

/// A text that stands in quotes in a header field, as it is.
fn quoted(text: &Maybe<String>, what: &str, complaints: &mut Complaints) -> Box<str> {
    let Some(text) = text else { return "".into() };
    let wrong = |c: char| c.is_control() || matches!(c, '"' | '\\');
    let value = text.get_ref();
    if value.is_empty() || value.len() > 255 || value.contains(wrong) {
        complaints
            .error(
                text.span(),
                format!("a `{what}` has 1 to 255 bytes, no quote, backslash or control character"),
            )
            .advise("write it as the other side does");
    }
    value.as_str().into()
}

fn secret(entry: &Spanned<RawAccount>, complaints: &mut Complaints) -> Secret {
    let RawAccount { password, password_file, ha1, .. } = entry.get_ref();
    let nothing = || Secret::Password(Box::default());
    match (password, password_file, ha1) {
        (Some(password), None, None) => plain(password.get_ref().0.as_bytes(), password.span(), complaints),
        (None, Some(file), None) => from_file(file.get_ref(), file.span(), complaints),
        (None, None, Some(ha1)) => {
            let digits = ha1.get_ref().0.as_bytes();
            let known = [DigestHash::Md5, DigestHash::Sha256];
            let hash = known.into_iter().find(|hash| hash.digits() == digits.len());
            match hash.filter(|_| digits.iter().all(u8::is_ascii_hexdigit)) {
                Some(hash) => Secret::Ha1(hash, digits.to_ascii_lowercase().into()),
                None => {
                    complaints
                        .error(ha1.span(), "an `ha1` has 32 hexadecimal digits (MD5) or 64 (SHA-256)")
                        .advise("it is the hash of `username:realm:password`");
                    nothing()
                }
            }
        }
        (None, None, None) => {
            let removed = ["password", "password_file", "ha1"];
            if !removed.iter().any(|key| complaints.was_removed(&entry.span(), key)) {
                complaints
                    .error(entry.span(), "an account without a secret")
                    .advise("add `password_file = \"/etc/bascule/carrier.secret\"`, `password` or `ha1`");
            }
            nothing()
        }
        _ => {
            complaints
                .error(entry.span(), "an account with more than one secret")
                .advise("keep one of `password`, `password_file` and `ha1`");
            nothing()
        }
    }
}

fn plain(password: &[u8], at: Range<usize>, complaints: &mut Complaints) -> Secret {
    if password.is_empty() || password.len() > MAX_SECRET {
        complaints
            .error(at, format!("a password has 1 to {MAX_SECRET} bytes"))
            .advise("write the one that was agreed with the other side");
    }
    Secret::Password(password.into())
}

/// The first line of a file.
fn from_file(path: &Path, at: Range<usize>, complaints: &mut Complaints) -> Secret {
    let read = || {
        let metadata = std::fs::metadata(path)?;
        // A pipe would have us wait for its writer.
        if !metadata.is_file() {
            return Err(std::io::Error::other("not a file"));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(MAX_SECRET as u64 + 2).read_to_end(&mut bytes)?;
        Ok((bytes, metadata.permissions().mode()))
    };
    match read() {
        Ok((bytes, mode)) => {
            if mode & 0o004 != 0 {
                complaints
                    .warn(at.clone(), format!("everybody on this host may read {}", path.display()))
                    .advise("chmod o-r");
            }
            plain(bytes.split(|b| matches!(*b, b'\r' | b'\n')).next().unwrap_or_default(), at, complaints)
        }
        Err(error) => {
            complaints
                .error(at, format!("{} cannot be read: {error}", path.display()))
                .advise("put the password on the first line of a file that only the service may read");
            Secret::Password(Box::default())
        }
    }
}
