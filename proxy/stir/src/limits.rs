//! Every limit of this crate, with the arithmetic behind it.

/// Seconds by which a PASSporT may be older or newer than its reader's clock (RFC 8224 §6.2 step 4 proposes 60).
pub const FRESH: u64 = 60;

/// Bytes of what lies behind a certificate's URL. A chain of four takes some 4 KiB; one with a thousand numbers in it 40.
pub const MAX_BUNDLE: usize = 65_536;

/// Bytes of one Identity value. A full PASSporT has 600 to 1,200, with rich call data some 4,000.
pub(crate) const MAX_IDENTITY: usize = 8_192;

/// Identity values of one INVITE that are looked at: the caller's own and a few diversions. A call that was diverted more
/// often goes in circles.
pub(crate) const MAX_IDENTITIES: usize = 8;

/// Destinations in one PASSporT. A call has one; RFC 8225 has room for more.
pub(crate) const MAX_DESTINATIONS: usize = 16;

/// Bytes of a number: E.164 has 15 digits, an access code or two before it.
pub(crate) const MAX_NUMBER: usize = 32;

/// Certificates in one bundle, and so the longest chain: leaf, two intermediates and a root, twice over.
pub(crate) const MAX_CHAIN: usize = 8;

/// Authorities that are trusted at once: the US list has some dozen.
pub(crate) const MAX_ROOTS: usize = 256;

/// Entries of one TNAuthList: what fits into [`MAX_BUNDLE`] at 16 bytes each.
pub(crate) const MAX_ENTRIES: usize = 4_096;
