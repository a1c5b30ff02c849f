//! Numbers: read as one neighbour dials them, kept in E.164, written as the next one dials them.

use smallvec::SmallVec;
use std::borrow::Cow;

/// Digits of the longest number (ITU-T E.164 §6.2.1).
const MAX_DIGITS: usize = 15;

/// How a neighbour says numbers that are not global. With nothing in it every number stays as it was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NumberPlan {
    /// Country code of national numbers: `49`. Empty: national numbers are not known as such.
    pub country: String,
    /// What stands before a national number: `0`; empty where nothing does.
    pub national: String,
    /// What stands before a foreign one: `00`, `011`.
    pub international: String,
    /// What is dialled to get a line, before everything: `9`.
    pub access: String,
    /// Numbers of so many digits and no prefix are national: 10 in North America. 0: none are.
    pub national_digits: u8,
    /// Numbers of at most so many digits are short codes, which stay as they are.
    pub short_digits: u8,
    /// Any other number without a prefix is global and lacks its `+`.
    pub bare_is_global: bool,
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NumberFormat {
    /// As the call has it.
    #[default]
    AsSaid,
    /// `+4930123`.
    E164,
    /// `4930123`.
    Digits,
    /// `030123` at home, `004930123` from abroad.
    National,
    /// `004930123`.
    International,
}

/// How numbers are written in one place of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NumberStyle {
    /// The number itself.
    pub format: NumberFormat,
    /// What stands before it, as some carriers want it: `9`, `1099#`. Short codes have none.
    pub prefix: String,
}

impl NumberStyle {
    /// Whether it leaves everything as it is.
    pub(crate) fn is_plain(&self) -> bool {
        self.format == NumberFormat::AsSaid && self.prefix.is_empty()
    }
}

/// A number's digits, without visual separators (RFC 3966 §5.1.1).
type Digits = SmallVec<[u8; 24]>;

impl NumberPlan {
    /// Whether it knows nothing.
    pub(super) fn is_blank(&self) -> bool {
        *self == Self::default()
    }

    /// A user part as it is kept: a number in E.164 with its `+` where the plan can tell, its parameters behind it. Short
    /// codes, names and what is no number stay as they were said.
    pub(crate) fn canonical<'a>(&self, user: &'a [u8]) -> Cow<'a, [u8]> {
        if self.is_blank() {
            return Cow::Borrowed(user);
        }
        let (number, params) = split(user);
        let number = sip_wire::unescape(number);
        let Some((global, digits)) = read(&number) else { return Cow::Borrowed(user) };
        let context = context(params);
        let whole: Digits = match (global, context) {
            (true, _) => digits,
            (false, Some(context)) => context.iter().chain(&digits).copied().collect(),
            (false, None) => match self.global(&digits) {
                Some(whole) => whole,
                None => return Cow::Borrowed(user),
            },
        };
        if whole.is_empty() || whole.len() > MAX_DIGITS {
            return Cow::Borrowed(user);
        }
        Cow::Owned(joined(&[b"+", &whole], params))
    }

    /// The global number behind digits without a `+`.
    fn global(&self, said: &[u8]) -> Option<Digits> {
        let is_short = |digits: &[u8]| digits.len() <= usize::from(self.short_digits);
        let after = |digits: &'_ [u8], prefix: &str| -> Option<Digits> {
            let prefix = prefix.as_bytes();
            digits.strip_prefix(prefix).filter(|_| !prefix.is_empty()).map(Digits::from_slice)
        };
        if is_short(said) {
            return None;
        }
        let line = after(said, &self.access).filter(|rest| !is_short(rest));
        let digits = line.as_deref().unwrap_or(said);
        let home = |rest: &[u8]| -> Digits { self.country.bytes().chain(rest.iter().copied()).collect() };
        if let Some(foreign) = after(digits, &self.international) {
            return Some(foreign);
        }
        if !self.country.is_empty() {
            if let Some(rest) = after(digits, &self.national) {
                return Some(home(&rest));
            }
            if digits.len() == usize::from(self.national_digits) {
                return Some(home(digits));
            }
        }
        self.bare_is_global.then(|| Digits::from_slice(digits))
    }

    /// A user part as it is written for whoever has this plan. Only what is a global number changes.
    pub(crate) fn written<'a>(&self, style: &NumberStyle, user: &'a [u8]) -> Cow<'a, [u8]> {
        if style.is_plain() {
            return Cow::Borrowed(user);
        }
        let (number, params) = split(user);
        let digits = match read(number) {
            Some((true, digits)) if !digits.is_empty() && digits.len() <= MAX_DIGITS => digits,
            _ => return Cow::Borrowed(user),
        };
        let prefix = style.prefix.as_bytes();
        let home = digits.strip_prefix(self.country.as_bytes()).filter(|_| !self.country.is_empty());
        // Where nobody knows what stands before a foreign number, its + does.
        let abroad = if self.international.is_empty() { b"+" } else { self.international.as_bytes() };
        Cow::Owned(match (style.format, home) {
            (NumberFormat::AsSaid | NumberFormat::E164, _) => joined(&[prefix, b"+", &digits], params),
            (NumberFormat::Digits, _) => joined(&[prefix, &digits], params),
            (NumberFormat::National, Some(rest)) => joined(&[prefix, self.national.as_bytes(), rest], params),
            (NumberFormat::National | NumberFormat::International, _) => {
                joined(&[prefix, abroad, &digits], params)
            }
        })
    }
}

/// The number, and its parameters with their semicolon.
fn split(user: &[u8]) -> (&[u8], &[u8]) {
    user.split_at(user.iter().position(|b| *b == b';').unwrap_or(user.len()))
}

/// Whether a number is global, and its digits; `None` for what is none: a name, a service code with `*` or `#`.
fn read(number: &[u8]) -> Option<(bool, Digits)> {
    let is_separator = |b: &u8| matches!(b, b'-' | b'.' | b'(' | b')');
    let start = number.iter().position(|b| !is_separator(b))?;
    let number = number.get(start..)?;
    let (global, rest) = match number {
        [b'+', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut digits = Digits::new();
    for byte in rest.iter().filter(|b| !is_separator(b)) {
        if !byte.is_ascii_digit() || digits.len() > 2 * MAX_DIGITS {
            return None;
        }
        digits.push(*byte);
    }
    (!digits.is_empty()).then_some((global, digits))
}

/// The digits of a `phone-context` that is a global number's beginning (RFC 3966 §5.1.5).
fn context(params: &[u8]) -> Option<Digits> {
    let value = sip_wire::Params::new(params).value(b"phone-context")?;
    let (global, digits) = read(value)?;
    global.then_some(digits)
}

/// The pieces of a number, and its parameters. A global number has no `phone-context` any more.
fn joined(number: &[&[u8]], params: &[u8]) -> Vec<u8> {
    let mut out = number.concat();
    for piece in params.split(|b| *b == b';').filter(|piece| !piece.is_empty()) {
        let name = piece.split(|b| *b == b'=').next().unwrap_or_default();
        if !name.eq_ignore_ascii_case(b"phone-context") {
            out.push(b';');
            out.extend_from_slice(piece);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn germany() -> NumberPlan {
        NumberPlan {
            country: "49".into(),
            national: "0".into(),
            international: "00".into(),
            short_digits: 6,
            ..NumberPlan::default()
        }
    }

    fn america() -> NumberPlan {
        NumberPlan {
            country: "1".into(),
            national: "1".into(),
            international: "011".into(),
            access: "9".into(),
            national_digits: 10,
            short_digits: 4,
            ..NumberPlan::default()
        }
    }

    fn canonical(plan: &NumberPlan, user: &str) -> String {
        String::from_utf8(plan.canonical(user.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn a_number_is_kept_in_e164_however_it_was_dialled() {
        let (germany, america) = (germany(), america());
        for (plan, said, kept) in [
            (&germany, "030123456", "+4930123456"),
            (&germany, "004420794600", "+4420794600"),
            (&germany, "+49 30".replace(' ', "").as_str(), "+4930"),
            (&germany, "+49-(30).123.456", "+4930123456"),
            (&germany, "%2B4930123456", "+4930123456"),
            (&germany, "30123456;phone-context=+49", "+4930123456"),
            (&germany, "030123456;npdi;rn=+4955", "+4930123456;npdi;rn=+4955"),
            (&america, "2015550123", "+12015550123"),
            (&america, "12015550123", "+12015550123"),
            (&america, "912015550123", "+12015550123"),
            (&america, "9011442079460123", "+442079460123"),
        ] {
            assert_eq!(canonical(plan, said), kept, "{said}");
        }
        let bare = NumberPlan { bare_is_global: true, ..NumberPlan::default() };
        assert_eq!(canonical(&bare, "4930123456"), "+4930123456");
    }

    #[test]
    fn short_codes_names_and_what_is_no_number_stay_as_they_were_said() {
        for said in ["110", "116117", "*67", "**21*030#", "alice", "anonymous", "", "1;tgrp=x", "30123456"] {
            assert_eq!(canonical(&germany(), said), said);
        }
        let long = format!("+{}", "1".repeat(16));
        assert_eq!(canonical(&germany(), &long), long, "E.164 has 15 digits");
        assert_eq!(canonical(&NumberPlan::default(), "(0)30-1"), "(0)30-1", "without a plan nothing changes");
        assert_eq!(canonical(&america(), "911"), "911", "an access code is no part of a short code");
    }

    #[test]
    fn a_number_is_written_as_its_reader_dials() {
        let style = |format, prefix: &str| NumberStyle { format, prefix: prefix.into() };
        let (germany, america) = (germany(), america());
        for (plan, style, kept, written) in [
            (&germany, style(NumberFormat::E164, ""), "+4930123456;npdi", "+4930123456;npdi"),
            (&germany, style(NumberFormat::Digits, ""), "+4930123456", "4930123456"),
            (&germany, style(NumberFormat::National, ""), "+4930123456", "030123456"),
            (&germany, style(NumberFormat::National, ""), "+4420794600", "004420794600"),
            (&germany, style(NumberFormat::International, ""), "+4930123456", "004930123456"),
            (&germany, style(NumberFormat::Digits, "1099#"), "+4930123456", "1099#4930123456"),
            (&germany, style(NumberFormat::AsSaid, "9"), "+4930123456", "9+4930123456"),
            (&america, style(NumberFormat::National, ""), "+12015550123", "12015550123"),
            (&america, style(NumberFormat::National, "9"), "+442079460123", "9011442079460123"),
            (&germany, style(NumberFormat::National, "9"), "110", "110"),
            (&germany, style(NumberFormat::National, "9"), "alice", "alice"),
            (&NumberPlan::default(), style(NumberFormat::National, ""), "+4930123456", "+4930123456"),
        ] {
            let out = plan.written(&style, kept.as_bytes()).into_owned();
            assert_eq!(String::from_utf8(out).unwrap(), written, "{style:?} {kept}");
        }
    }

    #[test]
    fn what_is_written_for_a_plan_is_read_by_it_again() {
        for plan in [germany(), america()] {
            for format in [NumberFormat::E164, NumberFormat::National, NumberFormat::International] {
                for number in ["+4930123456", "+12015550123", "+442079460123", "+8613800138000"] {
                    let style = NumberStyle { format, prefix: String::new() };
                    let written = plan.written(&style, number.as_bytes()).into_owned();
                    assert_eq!(*plan.canonical(&written), *number.as_bytes(), "{format:?} {plan:?}");
                }
            }
        }
    }
}
