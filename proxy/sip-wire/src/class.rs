//! Classes of bytes, all in one table: a run of bytes of a class costs a load and a test for each.

/// `token` (RFC 3261 §25.1).
pub(crate) const TOKEN: u8 = 1;
/// What may name a transaction or dialog for its whole life (a branch, a tag): visible ASCII without the marks that part
/// values. RFC 3261 says `token`; `=`, `:`, `@` and `/` are seen in the field and harm nobody.
pub(crate) const NAME: u8 = 1 << 1;
/// A Call-ID: any visible bytes (RFC 3261 §25.1, `word`).
pub(crate) const VISIBLE: u8 = 1 << 2;
/// What may stand in a URI: no blanks, control characters, quotes or angle brackets.
pub(crate) const URI: u8 = 1 << 3;
/// A host name or an IPv4 address. An underscore is no part of a host name, but is seen in Vias of private networks, and
/// harms nobody.
pub(crate) const HOST: u8 = 1 << 4;
/// Unquoted display names are tokens and blanks (RFC 3261 §25.1). Carriers also send round brackets, slashes, ampersands
/// and letters beyond ASCII there; none of these can be mistaken for another part of the header, so they are accepted.
pub(crate) const DISPLAY: u8 = 1 << 5;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        let token = b.is_ascii_alphanumeric()
            || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        let display = token
            || matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0x80..)
            || matches!(b, b'(' | b')' | b'/' | b'&' | b'#' | b'$' | b'=' | b'?' | b'^');
        let visible = b > b' ' && b != 0x7f;
        let all = [
            (TOKEN, token),
            (NAME, b.is_ascii_graphic() && !matches!(b, b'"' | b',' | b'<' | b'>')),
            (VISIBLE, visible),
            (URI, visible && !matches!(b, b'<' | b'>' | b'"')),
            (HOST, b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')),
            (DISPLAY, display),
        ];
        let mut class = 0;
        while class < all.len() {
            if all[class].1 {
                table[i] |= all[class].0;
            }
            class += 1;
        }
        i += 1;
    }
    table
};

/// Whether a byte is of a class.
#[inline]
#[expect(clippy::indexing_slicing, reason = "the table has an entry for every byte")]
pub(crate) const fn is(b: u8, class: u8) -> bool {
    CLASSES[b as usize] & class != 0
}

/// How many bytes from the start on are of a class.
#[inline]
pub(crate) fn run(bytes: &[u8], class: u8) -> usize {
    // Four at a time: the four loads do not wait for each other.
    let all = |four: &&[u8; 4]| four.iter().all(|b| is(*b, class));
    let whole = bytes.as_chunks().0.iter().take_while(all).count() * 4;
    let rest = bytes.get(whole..).unwrap_or_default();
    whole + rest.iter().take_while(|b| is(**b, class)).count()
}

/// Whether all bytes are of a class, and there is one at least.
#[inline]
pub(crate) fn is_word(bytes: &[u8], class: u8) -> bool {
    !bytes.is_empty() && run(bytes, class) == bytes.len()
}
