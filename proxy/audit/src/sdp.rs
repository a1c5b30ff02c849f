//! What the rules want to know of a session description (RFC 8866).

use crate::key::{Key, hash, joined};
use crate::limits::MAX_MEDIA;

/// A session description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// User name and session of `o=`.
    pub(crate) session: Key,
    /// Its version.
    pub(crate) version: Option<u64>,
    lines: Vec<Line>,
    /// Everything but `o=`.
    pub(crate) rest: Key,
}

/// An `m=` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    kind: Key,
    refused: bool,
    direction: Direction,
}

/// RFC 3264 §5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    fn read(line: &str) -> Option<Self> {
        match line.strip_prefix("a=")? {
            "sendrecv" => Some(Self::SendRecv),
            "sendonly" => Some(Self::SendOnly),
            "recvonly" => Some(Self::RecvOnly),
            "inactive" => Some(Self::Inactive),
            _ => None,
        }
    }

    /// Whether an answer may say this to an offer (RFC 3264 §6.1).
    fn may_answer(self, offer: Self) -> bool {
        match offer {
            Self::SendRecv => true,
            Self::SendOnly => matches!(self, Self::RecvOnly | Self::Inactive),
            Self::RecvOnly => matches!(self, Self::SendOnly | Self::Inactive),
            Self::Inactive => self == Self::Inactive,
        }
    }
}

impl Description {
    pub(crate) fn read(text: &str) -> Self {
        let (mut session, mut version, mut rest) = (0, None, 0);
        let mut lines: Vec<Line> = Vec::new();
        let mut of_all = Direction::SendRecv;
        for line in text.lines() {
            if let Some(origin) = line.strip_prefix("o=") {
                let mut words = origin.split(' ');
                let mut word = || words.next().unwrap_or_default();
                session = joined(hash(word().as_bytes()), hash(word().as_bytes()));
                version = word().parse().ok();
                continue;
            }
            rest = joined(rest, hash(line.as_bytes()));
            if let Some(media) = line.strip_prefix("m=") {
                let mut words = media.split(' ');
                let kind = hash(words.next().unwrap_or_default().as_bytes());
                let refused = words.next().is_some_and(|p| p.split('/').next() == Some("0"));
                if lines.len() < MAX_MEDIA {
                    lines.push(Line { kind, refused, direction: of_all });
                }
            } else if let Some(direction) = Direction::read(line) {
                match lines.last_mut() {
                    Some(line) => line.direction = direction,
                    None => of_all = direction,
                }
            }
        }
        Self { session, version, lines, rest }
    }

    /// Whether nothing is left of the session: what is said of it then ends it.
    pub(crate) fn refuses_everything(&self) -> bool {
        self.lines.iter().all(|line| line.refused)
    }

    /// What is wrong with this as an answer to that offer.
    pub(crate) fn wrong_as_answer_to(&self, offer: &Self) -> Option<String> {
        let (said, asked) = (self.lines.len(), offer.lines.len());
        if said != asked {
            return Some(format!("{said} m-lines answer {asked}"));
        }
        self.lines.iter().zip(&offer.lines).zip(1..).find_map(|((said, asked), n)| {
            if said.kind != asked.kind {
                Some(format!("line {n} is of another kind than what was offered"))
            } else if asked.refused && !said.refused {
                Some(format!("line {n}, which was not offered, is accepted"))
            } else if !said.refused && !said.direction.may_answer(asked.direction) {
                Some(format!("{:?} answers {:?} in line {n}", said.direction, asked.direction))
            } else {
                None
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(text: &str) -> Description {
        Description::read(&format!("v=0\r\no=- 1 1 IN IP4 h\r\n{text}"))
    }

    #[test]
    fn an_answer_has_the_offers_lines_and_directions_that_fit() {
        let offer = described("m=audio 1 RTP/AVP 0\r\na=sendonly\r\nm=video 0 RTP/AVP 31\r\n");
        let wrong = |text: &str| described(text).wrong_as_answer_to(&offer);
        assert_eq!(wrong("a=recvonly\r\nm=audio 5 RTP/AVP 0\r\nm=video 0 RTP/AVP 31\r\n"), None);
        assert_eq!(
            wrong("m=audio 0 RTP/AVP 0\r\nm=video 0 RTP/AVP 31\r\n"),
            None,
            "refused lines have no direction"
        );
        for (text, why) in [
            ("m=audio 5 RTP/AVP 0\r\na=recvonly\r\n", "1 m-lines answer 2"),
            (
                "m=video 0 RTP/AVP 31\r\nm=audio 5 RTP/AVP 0\r\n",
                "line 1 is of another kind than what was offered",
            ),
            (
                "a=inactive\r\nm=audio 5 RTP/AVP 0\r\nm=video 7 RTP/AVP 31\r\n",
                "line 2, which was not offered, is accepted",
            ),
            ("m=audio 5 RTP/AVP 0\r\nm=video 0 RTP/AVP 31\r\n", "SendRecv answers SendOnly in line 1"),
        ] {
            assert_eq!(wrong(text).as_deref(), Some(why));
        }
    }

    #[test]
    fn the_origin_is_apart_from_the_rest() {
        let (one, two) =
            (described("m=audio 1 RTP/AVP 0\r\n"), "v=0\r\no=- 1 2 IN IP4 h\r\nm=audio 1 RTP/AVP 0\r\n");
        let two = Description::read(two);
        assert_eq!((one.session, one.rest), (two.session, two.rest));
        assert_eq!((one.version, two.version), (Some(1), Some(2)));
    }
}
