//! Numbers in logs: enough to recognise a call by, not enough to call somebody.

use std::fmt;

/// A number or user name as logs show it: the last two characters, and how many there were.
#[derive(Clone, Copy)]
pub struct Redacted<'a>(pub &'a str);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0.chars().count();
        // Two characters out of four would be half of it.
        let shown = if length > 4 { 2 } else { 0 };
        for c in self.0.chars().skip(length - shown) {
            fmt::Write::write_char(f, if c.is_control() { '?' } else { c })?;
        }
        write!(f, "…({length})")
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_by_its_end_and_length_only() {
        assert_eq!(Redacted("+4930123456").to_string(), "56…(11)");
        assert_eq!(Redacted("1234").to_string(), "…(4)");
        assert_eq!(Redacted("").to_string(), "…(0)");
        assert_eq!(format!("{:?}", Redacted("alice\r\n")), "??…(7)");
    }
}
