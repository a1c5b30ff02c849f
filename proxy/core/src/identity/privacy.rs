//! What a caller wants withheld (RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1.3).

/// The words of a Privacy header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Privacy(u8);

const ID: u8 = 1;
const USER: u8 = 2;
const HEADER: u8 = 4;
const SESSION: u8 = 8;
const HISTORY: u8 = 16;
const NONE: u8 = 32;
const CRITICAL: u8 = 64;

/// Each word and its bit. Others are left out: nobody could serve them.
const WORDS: [(&[u8], u8); 7] = [
    (b"id", ID),
    (b"user", USER),
    (b"header", HEADER),
    (b"session", SESSION),
    (b"history", HISTORY),
    (b"none", NONE),
    (b"critical", CRITICAL),
];

impl Privacy {
    /// Reads a value: words between semicolons, and commas, as some write them.
    pub(super) fn read(value: &[u8]) -> Self {
        let words = value.split(|b| matches!(b, b';' | b',')).map(<[u8]>::trim_ascii);
        let bit = |word: &[u8]| {
            WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map_or(0, |(_, bit)| *bit)
        };
        Self(words.fold(0, |all, word| all | bit(word)))
    }

    /// Whether From is not to name the caller. `none` asks for the opposite of everything else (RFC 3323 §4.2).
    pub(super) fn hides_caller(self) -> bool {
        self.0 & NONE == 0 && self.0 & (ID | USER) != 0
    }

    /// Whether what was asserted stays inside the trust domain (RFC 3325 §7).
    pub(super) fn hides_assertion(self) -> bool {
        self.0 & NONE == 0 && self.0 & ID != 0
    }

    /// Whether who diverted the call stays inside, too (RFC 7044 §10.1.3).
    pub(super) fn hides_history(self) -> bool {
        self.0 & NONE == 0 && self.0 & (HISTORY | HEADER) != 0
    }

    /// What is still to be asked for when we have done our part: `user` and `header` always, since every leg of ours has
    /// headers of its own; `session`, since the media is anchored; `id` and `history` where nothing of it was told. Empty
    /// when there is nothing left (RFC 3323 §5.1).
    pub(super) fn left(self, told: bool) -> Vec<u8> {
        let mut rest = self.0 & !(USER | HEADER | SESSION);
        if !told {
            rest &= !(ID | HISTORY);
        }
        if rest == CRITICAL {
            rest = 0;
        }
        let words: Vec<&[u8]> =
            WORDS.iter().filter(|(_, bit)| rest & bit != 0).map(|(word, _)| *word).collect();
        words.join(&b';')
    }
}

#[cfg(test)]
mod tests {
    use super::Privacy;

    fn left(said: &str, told: bool) -> String {
        String::from_utf8(Privacy::read(said.as_bytes()).left(told)).unwrap()
    }

    #[test]
    fn words_are_read_whatever_they_are_written_like() {
        for said in ["id", "ID;critical", "user ; header", "x, id"] {
            assert!(Privacy::read(said.as_bytes()).hides_caller(), "{said}");
        }
        for said in ["", "none", "id;none", "header", "session", "identity"] {
            assert!(!Privacy::read(said.as_bytes()).hides_caller(), "{said}");
        }
        assert!(Privacy::read(b"id").hides_assertion() && !Privacy::read(b"user").hides_assertion());
    }

    #[test]
    fn what_was_done_is_not_asked_for_again() {
        assert_eq!(left("user;header;session", true), "");
        assert_eq!(left("id;user;critical", true), "id;critical");
        assert_eq!(left("id;user;critical", false), "");
        assert_eq!(left("none", false), "none");
    }
}
