//! An answer that keeps to the lines of its offer (RFC 3264 §6).

use crate::lex::sub;
use crate::sdp::session::Session;
use crate::sdp::{Direction, Lines, Media};
use smallvec::SmallVec;

impl Session<'_> {
    /// The same answer with one `m=` line for each of the offer's, in the offer's order, as RFC 3264 §6 wants it: some
    /// devices put theirs in an order of their own, or leave out what they refuse. A line that the answer lacks is refused, and
    /// one that was not offered is left out. `None` where it is in order already.
    pub fn aligned(&self, offer: &Session<'_>) -> Option<Vec<u8>> {
        let (asked, given) = (offer.media(), self.media());
        let fits = |(asked, given): (&Media<'_>, &Media<'_>)| is_same(asked, given);
        if asked.len() == given.len() && asked.iter().zip(given).all(fits) {
            return None;
        }
        let sections = self.sections();
        let head = sections.first().map_or(self.body.len(), |start| *start);
        let mut out = Vec::with_capacity(self.body.len() + 32 * asked.len());
        out.extend_from_slice(sub(self.body, 0, head));
        end_line(&mut out);
        let mut used: SmallVec<[bool; 4]> = given.iter().map(|_| false).collect();
        for (place, line) in asked.iter().enumerate() {
            let is_free = |at: &usize| {
                used.get(*at) == Some(&false) && given.get(*at).is_some_and(|other| is_same(line, other))
            };
            let found = Some(place).filter(is_free).or_else(|| (0..given.len()).find(is_free));
            if let Some(at) = found
                && let (Some(used), Some(start)) = (used.get_mut(at), sections.get(at))
            {
                *used = true;
                let end = sections.get(at + 1).copied().unwrap_or(self.body.len());
                out.extend_from_slice(sub(self.body, *start, end));
                end_line(&mut out);
            } else {
                for part in [&b"m="[..], line.kind, b" 0 ", line.proto, b" ", line.formats, b"\r\n"] {
                    out.extend_from_slice(part);
                }
            }
        }
        Some(out)
    }

    /// The same answer where no line sends more than the offer's receives, nor receives more than that sends (RFC 3264 §6.1).
    /// `None` where none does.
    pub fn narrowed(&self, offer: &Session<'_>) -> Option<Vec<u8>> {
        let (asked, given) = (offer.media(), self.media());
        let narrow = |(place, given): (usize, &Media<'_>)| {
            let may = asked.get(place).map_or(Direction::SendRecv, |asked| asked.direction.mirrored());
            given.direction.within(may)
        };
        let directions: SmallVec<[Direction; 4]> = given.iter().enumerate().map(narrow).collect();
        if given.iter().zip(&directions).all(|(given, narrow)| given.port == 0 || given.direction == *narrow)
        {
            return None;
        }
        let mut out = Vec::with_capacity(self.body.len() + 16 * given.len());
        let mut ends = given.iter().zip(&directions);
        let mut close = |out: &mut Vec<u8>| {
            if let Some((_, direction)) = ends.next().filter(|(given, _)| given.port != 0) {
                out.extend_from_slice(b"a=");
                out.extend_from_slice(direction.as_str().as_bytes());
                out.extend_from_slice(b"\r\n");
            }
        };
        let mut inside = false;
        for line in Lines::new(self.body).flatten() {
            // What is said for all is said by each line now.
            if line.letter == b'a' && Direction::parse(line.value).is_some() {
                continue;
            }
            if line.letter == b'm' && std::mem::replace(&mut inside, true) {
                close(&mut out);
            }
            out.extend_from_slice(sub(self.body, line.start, line.end));
            end_line(&mut out);
        }
        close(&mut out);
        Some(out)
    }

    /// Where each `m=` line starts.
    fn sections(&self) -> SmallVec<[usize; 4]> {
        Lines::new(self.body).flatten().filter(|line| line.letter == b'm').map(|line| line.start).collect()
    }
}

/// Whether a line of an answer can be about this one of the offer: the same kind of media over the same transport.
fn is_same(asked: &Media<'_>, given: &Media<'_>) -> bool {
    asked.kind.eq_ignore_ascii_case(given.kind) && (asked.transport() == given.transport() || given.port == 0)
}

fn end_line(out: &mut Vec<u8>) {
    if out.last().is_some_and(|last| *last != b'\n') {
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use crate::sdp::Session;

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

    fn described(lines: &[&str]) -> String {
        lines.iter().fold(HEAD.to_owned(), |text, line| format!("{text}{line}\r\n"))
    }

    fn aligned(offer: &[&str], answer: &[&str]) -> Option<String> {
        let (offer, answer) = (described(offer), described(answer));
        let offer = Session::parse(offer.as_bytes()).unwrap();
        let answer = Session::parse(answer.as_bytes()).unwrap();
        answer.aligned(&offer).map(|text| String::from_utf8(text).unwrap())
    }

    const AUDIO: &str = "m=audio 4000 RTP/AVP 0";
    const VIDEO: &str = "m=video 4002 RTP/AVP 31";
    const FAX: &str = "m=image 4004 udptl t38";

    fn narrowed(offer: &[&str], answer: &[&str]) -> Option<String> {
        let (offer, answer) = (described(offer), described(answer));
        let offer = Session::parse(offer.as_bytes()).unwrap();
        let answer = Session::parse(answer.as_bytes()).unwrap();
        answer.narrowed(&offer).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn an_answer_does_no_more_than_its_offer_lets_it() {
        assert_eq!(narrowed(&[AUDIO], &[AUDIO]), None);
        assert_eq!(narrowed(&[AUDIO, "a=sendonly"], &[AUDIO, "a=inactive"]), None, "less is no more");
        let inactive = narrowed(&[AUDIO, "a=inactive"], &[AUDIO, "a=ptime:20"]);
        assert_eq!(inactive, Some(described(&[AUDIO, "a=ptime:20", "a=inactive"])));
        let half = narrowed(&[AUDIO, "a=recvonly", VIDEO], &["a=sendrecv", AUDIO, VIDEO]);
        assert_eq!(half, Some(described(&[AUDIO, "a=sendonly", VIDEO, "a=sendrecv"])));
        let refused = narrowed(&[AUDIO, "a=inactive", VIDEO], &[AUDIO, "m=video 0 RTP/AVP 31"]);
        assert_eq!(refused, Some(described(&[AUDIO, "a=inactive", "m=video 0 RTP/AVP 31"])));
    }

    #[test]
    fn an_answer_in_order_is_left_alone() {
        assert_eq!(aligned(&[AUDIO, VIDEO], &[AUDIO, VIDEO]), None);
        assert_eq!(aligned(&[AUDIO, VIDEO], &[AUDIO, "m=video 0 RTP/AVP 31"]), None);
        let keyed = "m=audio 0 RTP/SAVP 0";
        assert_eq!(aligned(&[AUDIO], &[keyed]), None, "what is refused may be called anything");
    }

    #[test]
    fn an_answer_in_another_order_is_put_right_with_its_attributes() {
        let answer = [VIDEO, "a=sendonly", AUDIO, "a=ptime:20"];
        let right = described(&[AUDIO, "a=ptime:20", VIDEO, "a=sendonly"]);
        assert_eq!(aligned(&[AUDIO, VIDEO], &answer), Some(right));
    }

    #[test]
    fn a_line_that_is_left_out_is_refused_and_one_that_nobody_offered_is_left_out() {
        let right = described(&[AUDIO, "m=video 0 RTP/AVP 31"]);
        assert_eq!(aligned(&[AUDIO, VIDEO], &[AUDIO]), Some(right));
        let right = described(&["m=audio 0 RTP/AVP 0", FAX]);
        assert_eq!(aligned(&[AUDIO, FAX], &[FAX]), Some(right));
        assert_eq!(aligned(&[AUDIO], &[AUDIO, VIDEO]), Some(described(&[AUDIO])));
    }

    #[test]
    fn two_lines_of_one_kind_keep_their_order() {
        let second = "m=audio 5000 RTP/AVP 8";
        assert_eq!(aligned(&[AUDIO, VIDEO, AUDIO], &[AUDIO, VIDEO, second]), None);
        let right = described(&[AUDIO, VIDEO, second]);
        assert_eq!(aligned(&[AUDIO, VIDEO, AUDIO], &[AUDIO, second, VIDEO]), Some(right));
    }
}
