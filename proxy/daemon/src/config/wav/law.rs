//! G.711, both laws, a sample at a time. ITU-T G.711 tables 1 and 2; 16-bit samples, left-justified.

/// What encodes below are codes for magnitudes up to here; what is louder is clipped (table 2: 8,159 of 14 bits).
const MU_CLIP: i32 = 32_635;

/// Added before a µ-law segment is looked for, so that every segment begins at a power of two.
const MU_BIAS: i32 = 0x84;

/// A-law and µ-law send 13 and 14 bits; the rest of 16 is below their steps.
pub(super) fn mu(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let biased = i32::from(sample).abs().min(MU_CLIP) + MU_BIAS;
    // 0x84 up to 0x7fff: the highest bit is 7 up to 14.
    let segment = 24_u32.saturating_sub(biased.leading_zeros());
    let step = (biased >> (segment + 3)) & 0x0f;
    !(sign | (segment as u8) << 4 | step as u8)
}

pub(super) fn from_mu(code: u8) -> i16 {
    let code = !code;
    let magnitude = (((i32::from(code) & 0x0f) << 3) + MU_BIAS) << ((code & 0x70) >> 4);
    let sample = magnitude - MU_BIAS;
    (if code & 0x80 == 0 { sample } else { -sample }) as i16
}

pub(super) fn a(sample: i16) -> u8 {
    // Even bits are inverted on the line (§3.3); the sign bit is 1 for positive samples.
    let (mask, magnitude) =
        if sample >= 0 { (0xd5, i32::from(sample) >> 3) } else { (0x55, -(i32::from(sample) >> 3) - 1) };
    // 5 bits are segments 0 and 1, each bit more is the next one.
    let segment = 27_u32.saturating_sub(magnitude.leading_zeros());
    let step = (magnitude >> segment.max(1)) & 0x0f;
    ((segment as u8) << 4 | step as u8) ^ mask
}

pub(super) fn from_a(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (segment, step) = ((code & 0x70) >> 4, (i32::from(code) & 0x0f) << 4);
    let magnitude = match segment {
        0 => step + 8,
        _ => (step + 0x108) << (segment - 1),
    };
    (if code & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_decodes_to_a_sample_that_encodes_to_it() {
        for code in 0..=u8::MAX {
            assert_eq!(a(from_a(code)), code, "A-law {code:#04x}");
            // µ-law has two zeros.
            let expected = if code == 0x7f { 0xff } else { code };
            assert_eq!(mu(from_mu(code)), expected, "µ-law {code:#04x}");
        }
    }

    #[test]
    fn silence_and_the_loudest_samples_are_what_the_tables_say() {
        assert_eq!((mu(0), a(0)), (0xff, 0xd5));
        assert_eq!((mu(i16::MAX), mu(i16::MIN)), (0x80, 0x00));
        assert_eq!((a(i16::MAX), a(i16::MIN)), (0xaa, 0x2a));
        assert_eq!((from_mu(0x80), from_a(0xaa)), (32_124, 32_256));
    }

    #[test]
    fn a_sample_changes_by_less_than_half_a_step_of_its_segment() {
        for sample in (i16::MIN..=i16::MAX).step_by(7) {
            let least = i32::from(sample).abs();
            for decoded in [from_mu(mu(sample)), from_a(a(sample))] {
                let off = (i32::from(decoded) - i32::from(sample)).abs();
                assert!(off <= 16 + least / 24, "{sample} became {decoded}");
            }
        }
    }
}
