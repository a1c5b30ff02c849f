//! PEM (RFC 7468): the blocks of a text that are of one kind.

use x509_parser::pem::Pem;

/// The contents of the blocks with one of these labels, in order, as many as `most`. `None` where the text has a block that
/// cannot be read.
pub(crate) fn blocks(text: &[u8], labels: &[&str], most: usize) -> Option<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for block in Pem::iter_from_buffer(text).take(most + 1) {
        let Pem { label, contents } = block.ok()?;
        if labels.contains(&label.as_str()) {
            found.push((label, contents));
        }
    }
    (found.len() <= most).then_some(found)
}
