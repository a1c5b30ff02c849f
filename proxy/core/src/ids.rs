//! Names that we give out: they carry the shard and the slot, so that what comes back is found without a table.

use relay_values::Leg;

/// A call inside its shard. The nonce tells a call from the earlier ones that had the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CallKey {
    /// Place in the shard's slab.
    pub(crate) slot: u32,
    /// Drawn at random for each call.
    pub(crate) nonce: u32,
}

/// Length of a local tag: shard (2), leg (1), slot (8), nonce (8).
const TAG_LEN: usize = 19;

/// A tag of ours in From or To: `<shard><leg><slot><nonce>`, all in hexadecimal but the leg (`a` or `b`).
///
/// The nonce is 32 random bits (RFC 3261 §19.3 asks for at least that much), so that a stranger who counts slots cannot
/// name a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LocalTag([u8; TAG_LEN]);

impl LocalTag {
    /// The tag of a leg of a call.
    pub(crate) fn new(shard: u8, leg: Leg, call: CallKey) -> Self {
        let mut text = [0; TAG_LEN];
        let (head, rest) = text.split_at_mut(2);
        hex(u64::from(shard), head);
        let (side, rest) = rest.split_at_mut(1);
        side.fill(match leg {
            Leg::A => b'a',
            Leg::B => b'b',
        });
        let (slot, nonce) = rest.split_at_mut(8);
        hex(u64::from(call.slot), slot);
        hex(u64::from(call.nonce), nonce);
        Self(text)
    }

    /// The call and leg that a tag names, if it is one of ours.
    pub(crate) fn decode(tag: &[u8]) -> Option<(u8, Leg, CallKey)> {
        let tag: &[u8; TAG_LEN] = tag.try_into().ok()?;
        let shard = u8::try_from(unhex(tag.get(..2)?)?).ok()?;
        let leg = match tag.get(2)? {
            b'a' => Leg::A,
            b'b' => Leg::B,
            _ => return None,
        };
        let slot = u32::try_from(unhex(tag.get(3..11)?)?).ok()?;
        let nonce = u32::try_from(unhex(tag.get(11..)?)?).ok()?;
        Some((shard, leg, CallKey { slot, nonce }))
    }

    /// As it stands in a message.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Writes `value` as lower-case hexadecimal, filling `out` from the right.
pub(crate) fn hex(mut value: u64, out: &mut [u8]) {
    for byte in out.iter_mut().rev() {
        let digit = (value & 0xf) as u8;
        *byte = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        value >>= 4;
    }
}

/// Reads lower-case hexadecimal of at most 16 digits.
pub(crate) fn unhex(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0, |value, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some((value << 4) | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_its_shard_leg_and_call() {
        let call = CallKey { slot: 77, nonce: 0xdead_beef };
        let tag = LocalTag::new(3, Leg::B, call);
        assert_eq!(tag.as_bytes(), b"03b0000004ddeadbeef");
        assert_eq!(LocalTag::decode(tag.as_bytes()), Some((3, Leg::B, call)));
    }

    #[test]
    fn a_strangers_tag_names_nothing() {
        for tag in
            [&b""[..], b"1928301774", b"03c0000004ddeadbeef", b"03B0000004DDEADBEEF", b"03b0000004ddeadbeef0"]
        {
            assert_eq!(LocalTag::decode(tag), None);
        }
    }
}
