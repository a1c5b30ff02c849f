//! Nonces that prove themselves, and which of them were used how often (RFC 7616 §3.3, §5.4, §5.5).
//!
//! A nonce says when it was made, its number, and a code over both and whom it was made for: nothing is remembered of it until
//! somebody has answered it rightly. From then on its counts are, so that nobody says the same again.

use crate::ids::{hex, unhex};
use crate::limits::MAX_NONCES;
use crate::rng::Rng;
use hmac::{Hmac, Mac};
use relay_values::{Duration, Time};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Digits of a nonce: its second (8), its number (16), the code (32).
const DIGITS: usize = 8 + 16 + 32;

/// A nonce as it stands in a message.
pub(super) type Nonce = [u8; DIGITS];

/// Those of one shard.
#[derive(Debug)]
pub(crate) struct Nonces {
    key: Key,
    /// Of the last one.
    number: u64,
    /// Those below this number are too old, whatever their time: their counts are forgotten.
    floor: u64,
    /// By number, those that were answered rightly.
    used: BTreeMap<u64, Counts>,
}

struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Which counts of a nonce were seen.
#[derive(Debug, Clone, Copy)]
struct Counts {
    /// When the nonce was made, in seconds.
    made: u64,
    highest: u32,
    /// Bit n: the count n below the highest.
    seen: u64,
}

/// What a nonce is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// Good: for [`Nonces::count`].
    Good {
        number: u64,
        made: u64,
    },
    /// Not of our making, or not for this neighbour.
    Foreign,
    TooOld,
}

impl Nonces {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let mut key = [0; 32];
        for part in key.chunks_exact_mut(8) {
            part.copy_from_slice(&rng.next_u64().to_be_bytes());
        }
        Self { key: Key(key), number: 0, floor: 0, used: BTreeMap::new() }
    }

    /// Another key: what was made before is foreign.
    pub(crate) fn set_key(&mut self, key: [u8; 32]) {
        self.key = Key(key);
    }

    /// A new one for whoever asks from there.
    pub(super) fn make(&mut self, now: Time, source: IpAddr, realm: &str) -> Nonce {
        self.number += 1;
        self.write(seconds(now), self.number, source, realm)
    }

    fn write(&self, made: u64, number: u64, source: IpAddr, realm: &str) -> Nonce {
        let mut nonce = [0; DIGITS];
        let (second, rest) = nonce.split_at_mut(8);
        let (place, code) = rest.split_at_mut(16);
        hex(made, second);
        hex(number, place);
        for (byte, digits) in self.code(made, number, source, realm).iter().zip(code.chunks_exact_mut(2)) {
            hex(u64::from(*byte), digits);
        }
        nonce
    }

    fn code(&self, made: u64, number: u64, source: IpAddr, realm: &str) -> [u8; 16] {
        let mut code = [0; 16];
        // A key of any length is fine.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key.0) else { return code };
        mac.update(&made.to_be_bytes());
        mac.update(&number.to_be_bytes());
        match source.to_canonical() {
            IpAddr::V4(ip) => mac.update(&ip.octets()),
            IpAddr::V6(ip) => mac.update(&ip.octets()),
        }
        mac.update(realm.as_bytes());
        for (to, byte) in code.iter_mut().zip(mac.finalize().into_bytes()) {
            *to = byte;
        }
        code
    }

    /// What one is worth that comes from there.
    pub(super) fn worth(
        &self,
        now: Time,
        source: IpAddr,
        realm: &str,
        nonce: &[u8],
        life: Duration,
    ) -> Worth {
        let read = |from: usize, to: usize| nonce.get(from..to).and_then(unhex);
        let (Some(made), Some(number)) = (read(0, 8), read(8, 24)) else { return Worth::Foreign };
        let ours = self.write(made, number, source, realm);
        if !bool::from(subtle::ConstantTimeEq::ct_eq(&ours[..], nonce)) {
            return Worth::Foreign;
        }
        let age = Duration::from_secs(seconds(now).saturating_sub(made));
        if age > life || number < self.floor { Worth::TooOld } else { Worth::Good { number, made } }
    }

    /// Takes a count of a good nonce. False if that was taken before, or is so far behind that nobody knows.
    ///
    /// Where there are too many nonces in use the one that was made first is given up, and so is whatever was made before it:
    /// who comes with such a one is told that it is too old, and asks for a new one.
    pub(super) fn count(&mut self, now: Time, number: u64, made: u64, count: u32, life: Duration) -> bool {
        let oldest = seconds(now).saturating_sub(life.as_secs());
        while let Some((first, counts)) = self.used.first_key_value() {
            let is_full = self.used.len() >= MAX_NONCES && !self.used.contains_key(&number);
            if counts.made >= oldest && !is_full {
                break;
            }
            self.floor = first + 1;
            self.used.pop_first();
        }
        if number < self.floor {
            return false;
        }
        let counts = self.used.entry(number).or_insert(Counts { made, highest: 0, seen: 0 });
        counts.take(count)
    }
}

impl Counts {
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            let ahead = count - self.highest;
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        let bit = 1_u64.checked_shl(behind).unwrap_or(0);
        let is_new = count != 0 && bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}

fn seconds(now: Time) -> u64 {
    now.as_nanos() / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(60);
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    fn nonces() -> Nonces {
        Nonces::new(&mut Rng::new(1))
    }

    #[test]
    fn a_nonce_is_good_for_its_neighbour_and_its_time() {
        let mut nonces = nonces();
        let nonce = nonces.make(at(100), HERE, "r");
        assert_eq!(nonces.worth(at(160), HERE, "r", &nonce, LIFE), Worth::Good { number: 1, made: 100 });
        assert_eq!(nonces.worth(at(161), HERE, "r", &nonce, LIFE), Worth::TooOld);
        let there = "192.0.2.2".parse().unwrap();
        assert_eq!(nonces.worth(at(100), there, "r", &nonce, LIFE), Worth::Foreign);
        assert_eq!(nonces.worth(at(100), HERE, "s", &nonce, LIFE), Worth::Foreign);
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert!(matches!(nonces.worth(at(100), mapped, "r", &nonce, LIFE), Worth::Good { .. }));
        assert_ne!(nonces.make(at(100), HERE, "r"), nonce, "no two are the same");
    }

    #[test]
    fn what_was_changed_or_is_of_another_shard_or_endless_is_foreign() {
        let mut nonces = nonces();
        let nonce = nonces.make(at(100), HERE, "r");
        for place in 0..nonce.len() {
            let mut other = nonce;
            other[place] = if other[place] == b'0' { b'1' } else { b'0' };
            assert_eq!(nonces.worth(at(100), HERE, "r", &other, LIFE), Worth::Foreign, "{place}");
        }
        let another = Nonces::new(&mut Rng::new(2));
        assert_eq!(another.worth(at(100), HERE, "r", &nonce, LIFE), Worth::Foreign);
        for other in [&b""[..], &nonce[..40], &[&nonce[..], b"0"].concat(), &[b'0'; 65_000]] {
            assert_eq!(nonces.worth(at(100), HERE, "r", other, LIFE), Worth::Foreign);
        }
    }

    #[test]
    fn a_count_is_taken_once_in_any_order_within_the_window() {
        let mut nonces = nonces();
        let mut take = |count| nonces.count(at(100), 1, 100, count, LIFE);
        assert!(take(1) && !take(1) && !take(0));
        assert!(take(5) && take(3) && take(4) && !take(3) && !take(5));
        assert!(take(100) && !take(100 - 64), "too far behind");
        assert!(take(100 - 63) && !take(100 - 63));
        assert!(take(u32::MAX) && !take(101));
    }

    #[test]
    fn when_too_many_are_in_use_the_oldest_are_too_old() {
        let mut nonces = nonces();
        let first = nonces.make(at(100), HERE, "r");
        for number in 1..=MAX_NONCES as u64 {
            assert!(nonces.count(at(100), number, 100, 1, LIFE));
        }
        assert!(matches!(nonces.worth(at(100), HERE, "r", &first, LIFE), Worth::Good { .. }));
        assert!(nonces.count(at(100), MAX_NONCES as u64 + 1, 100, 1, LIFE));
        assert_eq!(
            nonces.worth(at(100), HERE, "r", &first, LIFE),
            Worth::TooOld,
            "no replay of what is forgotten"
        );
        assert_eq!(nonces.used.len(), MAX_NONCES);
        assert!(nonces.count(at(161), MAX_NONCES as u64 + 2, 161, 1, LIFE));
        assert_eq!(nonces.used.len(), 1, "what is too old needs no room");
    }
}
