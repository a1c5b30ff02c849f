//! A called number, as it stands in the user part of a URI.

/// A number without its decoration: what is compared is `digits`, and whether a `+` stood before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number<'a> {
    /// Whether the number is global: begins with `+` (RFC 3966 §5.1.4).
    pub(super) global: bool,
    rest: &'a str,
}

impl<'a> Number<'a> {
    /// Everything from the first `;` on is parameters (`+15551234;npdi`), not number.
    pub(super) fn new(user: &'a str) -> Self {
        let number = user.split_once(';').map_or(user, |(number, _)| number);
        match number.trim_start_matches(is_separator).strip_prefix('+') {
            Some(rest) => Self { global: true, rest },
            None => Self { global: false, rest: number },
        }
    }

    /// The digits, or letters for a name: visual separators are not part of a number (RFC 3966 §5.1.1).
    pub(super) fn digits(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.rest.bytes().filter(|&b| !is_separator(char::from(b)))
    }
}

/// RFC 3966 §3: `visual-separator = "-" / "." / "(" / ")"`.
const fn is_separator(c: char) -> bool {
    matches!(c, '-' | '.' | '(' | ')')
}

#[cfg(test)]
mod tests {
    use super::Number;

    fn read(user: &str) -> (bool, String) {
        let number = Number::new(user);
        (number.global, number.digits().map(char::from).collect())
    }

    #[test]
    fn decoration_and_parameters_fall_away_and_the_plus_is_remembered() {
        assert_eq!(read("+1-(201) 555.0123".replace(' ', "").as_str()), (true, "12015550123".into()));
        assert_eq!(read("0044.20"), (false, "004420".into()));
        assert_eq!(read("(+44)20"), (true, "4420".into()));
        assert_eq!(read("+49;npdi;rn=+4930"), (true, "49".into()));
        assert_eq!(read("*67#"), (false, "*67#".into()));
        assert_eq!(read("alice"), (false, "alice".into()));
        assert_eq!(read("+"), (true, String::new()));
        assert_eq!(read(""), (false, String::new()));
    }
}
