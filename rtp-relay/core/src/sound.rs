//! What a bridge sounds like: quiet noise, a prompt, or comfort noise packets.

use crate::config::Prompt;
use crate::random::SplitMix;
use relay_values::{Law, Sound};

/// Level of a comfort noise packet in −dBov, in the low seven bits of its only byte (RFC 3389 §3.1). A sine of 0 dBm0
/// lies 6.2 dB below the overload of G.711, so this is the −60 dBm0 of [`MU_HISS`] and [`A_HISS`].
const COMFORT_NOISE_LEVEL: u8 = 66;

/// Quiet values of µ-law: ±0, ±8, ±16 and ±24 of 32,768. Drawn evenly their root mean square is 15; 0 dBm0 is 15,769
/// (overload 3.17 dB above), so the noise lies at −60 dBm0. Twice over, so that both laws draw four bits a sample.
const MU_HISS: [u8; 16] =
    [0xff, 0x7f, 0xfe, 0x7e, 0xfd, 0x7d, 0xfc, 0x7c, 0xff, 0x7f, 0xfe, 0x7e, 0xfd, 0x7d, 0xfc, 0x7c];

/// Quiet values of A-law: ±8 ten times and ±24 six times in sixteen. Their root mean square is 16: −60 dBm0 again.
const A_HISS: [u8; 16] =
    [0xd5, 0x55, 0xd5, 0x55, 0xd5, 0x55, 0xd5, 0x55, 0xd5, 0x55, 0xd4, 0x54, 0xd4, 0x54, 0xd4, 0x54];

/// Bytes of a packet that holds `samples` of a sound.
pub(crate) fn bytes(sound: Sound, samples: usize) -> usize {
    match sound {
        // G.711 has a byte a sample (RFC 3551 §4.5.14).
        Sound::Noise(_) | Sound::Prompt(_) => samples,
        Sound::ComfortNoise => 1,
    }
}

/// Fill `out` with a sound. `at` is how many samples of it were heard before; `seed` makes no two packets alike.
pub(crate) fn play(sound: Sound, prompt: Option<&Prompt>, at: u32, seed: u64, out: &mut [u8]) {
    let recorded = |law| prompt.map(|p| if law == Law::Mu { &*p.mu } else { &*p.a });
    match sound {
        Sound::Noise(law) => hiss(law, seed, out),
        Sound::Prompt(law) => match recorded(law) {
            Some(samples) if !samples.is_empty() => go_round(samples, at as usize % samples.len(), out),
            Some(_) | None => hiss(law, seed, out),
        },
        Sound::ComfortNoise => out.fill(COMFORT_NOISE_LEVEL),
    }
}

fn hiss(law: Law, seed: u64, out: &mut [u8]) {
    let values = match law {
        Law::Mu => &MU_HISS,
        Law::A => &A_HISS,
    };
    let mut random = SplitMix::new(seed);
    for sixteen in out.chunks_mut(16) {
        let mut bits = random.next();
        for sample in sixteen {
            *sample = values.get((bits & 15) as usize).copied().unwrap_or_default();
            bits >>= 4;
        }
    }
}

/// Copy `samples` from `at` on, over and over.
fn go_round(samples: &[u8], mut at: usize, mut out: &mut [u8]) {
    while !out.is_empty() {
        let Some(rest) = samples.get(at..) else { return };
        let n = rest.len().min(out.len());
        let (now, later) = out.split_at_mut(n);
        now.copy_from_slice(rest.get(..n).unwrap_or_default());
        (out, at) = (later, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// G.711 back to 16 bits, after the tables of ITU-T G.711.
    fn linear(law: Law, code: u8) -> f64 {
        let (sign, magnitude) = match law {
            Law::Mu => {
                let c = !code;
                let (exponent, mantissa) = (i32::from(c >> 4 & 7), i32::from(c & 15));
                (c & 0x80 != 0, (((mantissa << 3) + 0x84) << exponent) - 0x84)
            }
            Law::A => {
                let c = code ^ 0x55;
                let (exponent, mantissa) = (i32::from(c >> 4 & 7), i32::from(c & 15));
                let m = (mantissa << 4) + 8;
                (c & 0x80 == 0, if exponent == 0 { m } else { (m + 0x100) << (exponent - 1) })
            }
        };
        f64::from(if sign { -magnitude } else { magnitude })
    }

    fn level(law: Law) -> f64 {
        let mut out = [0; 80_000];
        play(Sound::Noise(law), None, 0, 7, &mut out);
        let power = out.iter().map(|&c| linear(law, c).powi(2)).sum::<f64>() / out.len() as f64;
        20.0 * (power.sqrt() / 15_769.0).log10()
    }

    #[test]
    fn the_noise_lies_near_sixty_below_the_reference_level_in_both_laws() {
        for law in [Law::Mu, Law::A] {
            let level = level(law);
            assert!((-61.0..-59.0).contains(&level), "{law:?}: {level:.1} dBm0");
        }
    }

    #[test]
    fn no_two_packets_of_noise_are_alike_and_the_same_seed_is() {
        let packet = |seed| {
            let mut out = [0; 160];
            play(Sound::Noise(Law::A), None, 0, seed, &mut out);
            out
        };
        assert_eq!(packet(1), packet(1));
        assert_ne!(packet(1), packet(2));
    }

    #[test]
    fn a_prompt_goes_round_without_a_seam() {
        let prompt = Prompt { mu: Arc::from([1, 2, 3]), a: Arc::from([]) };
        let mut out = [0; 8];
        play(Sound::Prompt(Law::Mu), Some(&prompt), 5, 0, &mut out);
        assert_eq!(out, [3, 1, 2, 3, 1, 2, 3, 1]);
        play(Sound::Prompt(Law::A), Some(&prompt), 5, 0, &mut out);
        assert!(out.iter().all(|c| A_HISS.contains(c)), "an empty prompt is noise: {out:?}");
    }

    #[test]
    fn comfort_noise_is_one_byte_of_level() {
        assert_eq!((bytes(Sound::ComfortNoise, 160), bytes(Sound::Noise(Law::Mu), 160)), (1, 160));
        let mut out = [0];
        play(Sound::ComfortNoise, None, 0, 0, &mut out);
        assert_eq!(out, [66]);
    }
}
