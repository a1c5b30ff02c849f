//! The file that says who may do what. Read again when it has changed; what cannot be read leaves what was read before.
//!
//! ```toml
//! [[access]]
//! name = "grafana"
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"   # of the token
//! roles = ["telephony.edge.view"]
//!
//! [[access]]
//! name = "night shift"
//! gid = 1002   # on the admin socket
//! roles = ["telephony.edge.edit", "telephony.calls.view"]
//! ```
//!
//! A token is drawn at random with 256 bits (`bascule token`), so one SHA-256 keeps it: there is nothing to guess.

use super::serve::Way;
use super::who::{Role, Roles, Who};
use crate::limits::{ACCESS_AGE, ACCESS_FILE};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use subtle::ConstantTimeEq;

/// Longest token that is looked at.
const MAX_TOKEN: usize = 512;

/// Who may do what, as it stands.
pub(crate) struct Access {
    path: Option<PathBuf>,
    held: Mutex<Held>,
}

struct Held {
    looked: Instant,
    stamp: Option<Stamp>,
    list: Arc<List>,
}

/// A file that has another one is another file.
type Stamp = (u64, u64, i64, i64, u64);

#[derive(Debug, Default)]
struct List {
    tokens: Vec<Token>,
    users: Vec<User>,
}

#[derive(Debug)]
struct Token {
    name: String,
    digest: [u8; 32],
    roles: Roles,
}

#[derive(Debug)]
struct User {
    name: String,
    uid: Option<u32>,
    gid: Option<u32>,
    roles: Roles,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    access: Vec<RawAccess>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccess {
    name: String,
    sha256: Option<String>,
    uid: Option<u32>,
    gid: Option<u32>,
    roles: Vec<String>,
}

impl Access {
    /// Without a file whoever may open the admin socket may everything there, and nobody anything elsewhere.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let (stamp, list) = match path {
            Some(path) => read(path).map(|(stamp, list)| (Some(stamp), list))?,
            None => (None, List::default()),
        };
        let held = Held { looked: Instant::now(), stamp, list: Arc::new(list) };
        Ok(Self { path: path.map(Path::to_owned), held: Mutex::new(held) })
    }

    /// Whether there is a file at all.
    pub(crate) fn is_kept(&self) -> bool {
        self.path.is_some()
    }

    /// Who this is: by what the system says of the other end, and by the token that it has brought. `None`: nobody.
    pub(crate) fn who(&self, way: Way, token: Option<&str>) -> Option<Who> {
        let list = self.list();
        let by_token = match token {
            // Who brings a token that is none may have been somebody once: it is not let in by another door.
            Some(token) => Some(list.with_token(token)?),
            None => None,
        };
        let by_user = match way {
            Way::Unix { uid, gid } => self.user(&list, uid, gid),
            Way::Tcp { .. } | Way::Tls => None,
        };
        match (by_token, by_user) {
            (Some(token), Some(user)) => Some(Who { name: token.name, roles: token.roles.and(user.roles) }),
            (one, other) => one.or(other),
        }
    }

    fn user(&self, list: &List, uid: u32, gid: u32) -> Option<Who> {
        let ours = rustix::process::geteuid().as_raw();
        if uid == 0 || uid == ours || !self.is_kept() {
            return Some(Who { name: format!("uid {uid}"), roles: Roles::ALL });
        }
        let mut fit = list.users.iter().filter(|u| u.uid == Some(uid) || u.gid == Some(gid)).peekable();
        let name = format!("{} (uid {uid})", fit.peek()?.name);
        Some(Who { name, roles: fit.fold(Roles::default(), |all, user| all.and(user.roles)) })
    }

    fn list(&self) -> Arc<List> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = self.path.as_ref().filter(|_| held.looked.elapsed() >= ACCESS_AGE) {
            held.looked = Instant::now();
            let changed = std::fs::metadata(path).map(|now| Some(stamp(&now)) != held.stamp);
            match changed.and_then(|changed| if changed { read(path).map(Some) } else { Ok(None) }) {
                Ok(None) => {}
                Ok(Some((stamp, list))) => {
                    tracing::info!(
                        tokens = list.tokens.len(),
                        users = list.users.len(),
                        "access file read again"
                    );
                    (held.stamp, held.list) = (Some(stamp), Arc::new(list));
                }
                Err(error) => tracing::error!(%error, "access file: what was read before still holds"),
            }
        }
        Arc::clone(&held.list)
    }
}

impl List {
    /// Every token is compared, and each as a whole: the time says nothing of any.
    fn with_token(&self, token: &str) -> Option<Who> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let digest = Sha256::digest(token.as_bytes());
        let mut found = None;
        for known in &self.tokens {
            if bool::from(known.digest.as_slice().ct_eq(&digest)) {
                found = Some(Who { name: known.name.clone(), roles: known.roles });
            }
        }
        found
    }
}

fn read(path: &Path) -> io::Result<(Stamp, List)> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.mode() & 0o002 != 0 {
        return Err(bad("everybody may write to it: chmod o-w"));
    }
    let mut text = String::new();
    file.take(ACCESS_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > ACCESS_FILE {
        return Err(bad("it is longer than 1 MiB"));
    }
    Ok((stamp(&about), parse(&text).map_err(bad)?))
}

fn stamp(about: &std::fs::Metadata) -> Stamp {
    (about.dev(), about.ino(), about.mtime(), about.mtime_nsec(), about.len())
}

fn bad(why: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why.into())
}

fn parse(text: &str) -> Result<List, String> {
    let raw: RawFile = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut list = List::default();
    for RawAccess { name, sha256, uid, gid, roles } in raw.access {
        let named = roles.iter().map(|role| {
            Role::named(role)
                .ok_or_else(|| format!("`{name}`: no role `{role}`; there are {}", Role::known()))
        });
        let roles = named.collect::<Result<Roles, _>>()?;
        match (sha256, uid, gid) {
            (Some(hex), None, None) => {
                let digest =
                    unhex(&hex).ok_or_else(|| format!("`{name}`: `sha256` is 64 hexadecimal digits"))?;
                list.tokens.push(Token { name, digest, roles });
            }
            (None, None, None) | (Some(_), _, _) => {
                return Err(format!("`{name}`: write either `sha256`, or `uid` or `gid`"));
            }
            (None, uid, gid) => list.users.push(User { name, uid, gid, roles }),
        }
    }
    Ok(list)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let pairs = text.as_bytes().chunks(2);
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::super::who::Area;
    use super::*;

    /// SHA-256 of `test`.
    const TEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn a_token_is_known_by_its_hash_alone() {
        let text =
            format!("[[access]]\nname = \"g\"\nsha256 = \"{TEST}\"\nroles = [\"telephony.edge.view\"]");
        let list = parse(&text).unwrap();
        let who = list.with_token("test").unwrap();
        assert!(who.name == "g" && who.roles.allow(Role::View(Area::Edge)) && !who.roles.allow(Role::Admin));
        for wrong in ["", "tes", "testt", TEST, &"x".repeat(10_000)] {
            assert_eq!(list.with_token(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        for (text, said) in [
            ("[[access]]\nname = \"a\"\nuid = 7\nroles = [\"admin\"]", "telephony.admin"),
            ("[[access]]\nname = \"a\"\nroles = []", "sha256"),
            ("[[access]]\nname = \"a\"\nsha256 = \"abc\"\nroles = []", "64"),
            ("[[access]]\nname = \"a\"\ntoken = \"secret\"\nroles = []", "token"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_user_of_the_socket_has_what_the_file_gives_and_without_a_file_the_sockets_mode_decides() {
        let other = rustix::process::geteuid().as_raw() + 4_321;
        let way = Way::Unix { uid: other, gid: 77 };
        assert_eq!(Access::open(None).unwrap().who(way, None).unwrap().roles, Roles::ALL);
        let path = std::env::temp_dir().join(format!("bascule-access-{}", std::process::id()));
        let text = "[[access]]\nname = \"night\"\ngid = 77\nroles = [\"telephony.edge.edit\"]";
        std::fs::write(&path, text).unwrap();
        let access = Access::open(Some(&path)).unwrap();
        let who = access.who(way, None).unwrap();
        assert!(who.name.contains("night") && who.roles.allow(Role::Edit(Area::Edge)), "{who:?}");
        assert_eq!(access.who(Way::Unix { uid: other, gid: 78 }, None), None);
        assert_eq!(access.who(way, Some("no such token")), None);
        assert_eq!(access.who(Way::Tcp { loopback: true }, None), None);
        std::fs::remove_file(&path).unwrap();
    }
}
