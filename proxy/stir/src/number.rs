//! Telephone numbers in the one form that can be compared (RFC 8224 §8.3).

use crate::limits::MAX_NUMBER;

/// A number as a PASSporT has it: digits, `*` and `#` alone, without `+`, separators and parameters. `None` if it is no
/// number: a name, nothing, or too long.
pub fn canonical(user: &[u8]) -> Option<String> {
    let end = user.iter().position(|b| *b == b';').unwrap_or(user.len());
    let user = user.get(..end)?;
    let user = user.strip_prefix(b"+").unwrap_or(user);
    let mut out = String::with_capacity(user.len().min(MAX_NUMBER));
    let mut has_digit = false;
    for byte in user {
        match byte {
            b'0'..=b'9' => has_digit = true,
            b'*' | b'#' => {}
            b'-' | b'.' | b'(' | b')' => continue,
            _ => return None,
        }
        if out.len() == MAX_NUMBER {
            return None;
        }
        out.push(char::from(*byte));
    }
    has_digit.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        for written in
            ["+12155551212", "12155551212", "+1-215-555-1212", "1(215)555.1212", "+12155551212;verstat=x"]
        {
            assert_eq!(canonical(written.as_bytes()).as_deref(), Some("12155551212"), "{written}");
        }
        assert_eq!(canonical(b"911").as_deref(), Some("911"));
        assert_eq!(canonical(b"*67").as_deref(), Some("*67"));
    }

    #[test]
    fn what_is_no_number_has_no_form() {
        for written in
            ["", "+", "alice", "anonymous", "12a", "*", "++1", "1 2", "12345678901234567890123456789012x"]
        {
            assert_eq!(canonical(written.as_bytes()), None, "{written}");
        }
        assert_eq!(canonical("1".repeat(33).as_bytes()), None);
    }
}
