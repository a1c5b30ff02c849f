//! What stands inside header values: lists, addresses, a Via.

/// Where this ASCII character stands first. Values are short: eight bytes at a time find it soonest.
pub(crate) fn find(bytes: &[u8], at: u8) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = bytes.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let zero_where_equal = u64::from_le_bytes(*word) ^ (ONES * u64::from(at));
        let hit = zero_where_equal.wrapping_sub(ONES) & !zero_where_equal & TOPS;
        if hit != 0 {
            return Some(n * 8 + hit.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|byte| *byte == at).map(|place| words.len() * 8 + place)
}

/// What stands before and after the first of these ASCII characters.
pub(crate) fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let found = find(text.as_bytes(), at)?;
    Some((text.get(..found)?, text.get(found + 1..)?))
}

/// The parts between these ASCII characters, at least one.
pub(crate) fn parts(text: &str, at: u8) -> impl Iterator<Item = &str> {
    let mut left = Some(text);
    std::iter::from_fn(move || {
        let text = left?;
        let (part, rest) = cut(text, at).map_or((text, None), |(part, rest)| (part, Some(rest)));
        left = rest;
        Some(part)
    })
}

/// A Via.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Via<'m> {
    /// `UDP`, `TCP`, …
    pub(crate) transport: &'m str,
    /// Host and port, as they stand.
    pub(crate) sent_by: &'m str,
    /// What follows.
    parameters: &'m str,
}

impl<'m> Via<'m> {
    /// `SIP/2.0/UDP host:port;parameters`, with blanks where they may stand (§20.42).
    pub(crate) fn read(value: &'m str) -> Self {
        let (place, parameters) = cut(value, b';').unwrap_or((value, ""));
        let after = cut(place, b'/').and_then(|(_, rest)| cut(rest, b'/')).map_or("", |(_, rest)| rest);
        let after = after.trim_ascii_start();
        let blank = after.bytes().position(|byte| matches!(byte, b' ' | b'\t'));
        let (transport, sent_by) = after.split_at(blank.unwrap_or(after.len()));
        Self { transport, sent_by: sent_by.trim_ascii(), parameters }
    }

    /// The value of a parameter; empty if it stands without one.
    pub(crate) fn parameter(&self, name: &str) -> Option<&'m str> {
        parts(self.parameters, b';').find_map(|p| {
            let (n, value) = cut(p, b'=').unwrap_or((p, ""));
            n.trim_ascii().eq_ignore_ascii_case(name).then(|| value.trim_ascii())
        })
    }

    /// The port in `sent-by`; 5060 if there is none.
    pub(crate) fn port(&self) -> Option<u16> {
        let host_over = self.sent_by.rfind(']').map_or(0, |at| at + 1);
        match self.sent_by.get(host_over..)?.split_once(':') {
            Some((_, port)) => port.trim().parse().ok(),
            None => Some(5060),
        }
    }

    /// The host in `sent-by`, without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &'m str {
        match self.sent_by.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, _)) => host,
            None => self.sent_by.split(':').next().unwrap_or_default().trim(),
        }
    }

    /// Parameters other than those that are marked on the way (`received`, RFC 3261 §18.2.1; `rport`, RFC 3581 §4) and
    /// those of overload control, which answer (RFC 7339 §4).
    pub(crate) fn unmarked(&self) -> impl Iterator<Item = &'m str> {
        const MARKS: [&str; 6] = ["received", "rport", "oc", "oc-algo", "oc-validity", "oc-seq"];
        let marks = |p: &&str| {
            let name = cut(p, b'=').map_or(*p, |(name, _)| name).trim_ascii();
            !MARKS.iter().any(|mark| name.eq_ignore_ascii_case(mark))
        };
        parts(self.parameters, b';').map(str::trim_ascii).filter(|p| !p.is_empty()).filter(marks)
    }
}

/// The parts of a list, split where a comma stands outside of quotes and brackets.
pub(crate) fn commas(value: &str) -> impl Iterator<Item = &str> {
    let mut left = Some(value);
    std::iter::from_fn(move || {
        let value = left?;
        let (part, rest) = match comma(value) {
            Some(at) => (value.get(..at).unwrap_or_default(), value.get(at + 1..)),
            None => (value, None),
        };
        left = rest;
        Some(part.trim_ascii())
    })
    .filter(|part| !part.is_empty())
}

fn comma(value: &str) -> Option<usize> {
    // Most have none.
    find(value.as_bytes(), b',')?;
    let (mut quoted, mut deep, mut escaped) = (false, 0_u32, false);
    value.bytes().position(|c| {
        match c {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => deep += 1,
            b'>' if !quoted => deep = deep.saturating_sub(1),
            b',' => return !quoted && deep == 0,
            _ => {}
        }
        false
    })
}

/// What stands between angle brackets, or else before the parameters.
pub(crate) fn inside(value: &str) -> &str {
    let before = |text, at| cut(text, at).map_or(text, |(before, _)| before);
    match cut(after_name(value), b'<') {
        Some((_, rest)) => before(rest, b'>'),
        None => before(value, b';').trim_ascii(),
    }
}

/// A value without its quoted display name, which may hold anything.
fn after_name(value: &str) -> &str {
    if !value.starts_with('"') {
        return value;
    }
    let mut escaped = false;
    for (i, c) in value.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return value.get(i + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    value
}

/// From or To: the URI, and the tag.
pub(crate) fn address(value: &str) -> (&str, &str) {
    let rest = after_name(value);
    let before = |text, at| cut(text, at).map_or(text, |(before, _)| before);
    let (uri, parameters) = match cut(rest, b'<') {
        Some((_, bracketed)) => cut(bracketed, b'>').unwrap_or((bracketed, bracketed)),
        None => (before(rest, b';').trim_ascii(), cut(rest, b'>').map_or(rest, |(_, after)| after)),
    };
    let tag = parts(parameters, b';').skip(1).find_map(|p| {
        let (name, tag) = cut(p, b'=')?;
        name.trim_ascii().eq_ignore_ascii_case("tag").then(|| tag.trim_ascii())
    });
    (uri, tag.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_found_wherever_it_stands() {
        for before in 0..40 {
            for (filler, at) in
                [(b'a', b';'), (b';' - 1, b';'), (b';' + 1, b';'), (0xc3, b'C'), (0, 1), (0x80, 0)]
            {
                let mut bytes = vec![filler; before];
                assert_eq!(find(&bytes, at), None);
                bytes.extend([at, filler, at, filler, filler, filler, filler, at, filler]);
                assert_eq!(find(&bytes, at), Some(before), "{before} of {filler}");
            }
        }
    }

    #[test]
    fn an_address_is_its_uri_and_its_tag() {
        for (value, uri, tag) in [
            ("<sip:a@b>;tag=1", "sip:a@b", "1"),
            ("<sip:a@b;tag=no>", "sip:a@b;tag=no", ""),
            ("sip:a@b;x=y;tag=1", "sip:a@b", "1"),
            ("\"a <b>;tag=no\" <sip:a@b> ; Tag = 2 ;tag=3", "sip:a@b", "2"),
            ("<sip:a@b", "sip:a@b", ""),
            ("", "", ""),
        ] {
            assert_eq!(address(value), (uri, tag), "{value}");
        }
    }

    #[test]
    fn host_and_port_are_found_with_an_address_of_either_kind() {
        for (sent_by, host, port) in [
            ("h", "h", Some(5060)),
            ("h:6", "h", Some(6)),
            ("[::1]", "::1", Some(5060)),
            ("[::1]:7", "::1", Some(7)),
            ("h:x", "h", None),
        ] {
            let via = Via { sent_by, ..Via::default() };
            assert_eq!((via.host(), via.port()), (host, port));
        }
    }

    #[test]
    fn a_list_is_split_outside_of_quotes_and_brackets() {
        let value = r#""a, \", b" <sip:x?y=1,2>;p=1 , <sip:z,>,, sip:w"#;
        let parts: Vec<_> = commas(value).collect();
        assert_eq!(parts, [r#""a, \", b" <sip:x?y=1,2>;p=1"#, "<sip:z,>", "sip:w"]);
        assert_eq!(parts.into_iter().map(inside).collect::<Vec<_>>(), ["sip:x?y=1,2", "sip:z,", "sip:w"]);
    }
}
