//! A prompt from a WAV file: RIFF, mono, 8,000 samples a second, G.711 or 16-bit PCM, made into both laws.

mod law;

use relay_core::Prompt;
use std::io::Read;
use std::path::Path;

/// Longest prompt: 60 s. Nobody is moved for longer than that, and both laws of it are 1 MB.
const MAX_SAMPLES: usize = 60 * 8_000;

/// Shortest: what fits into one packet of 20 ms.
const MIN_SAMPLES: usize = 160;

/// Bytes that are read of a file: the longest prompt in 16 bits, and as much again for chunks that are not sound.
const MAX_BYTES: u64 = 4 * MAX_SAMPLES as u64;

/// Why a file is not a prompt.
#[derive(Debug, thiserror::Error)]
pub(super) enum WavError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("is not a file")]
    NotAFile,
    #[error("is not a WAV file: it does not begin with RIFF and WAVE")]
    NotWave,
    #[error("is longer than {} bytes", MAX_BYTES)]
    TooBig,
    #[error("has no `{0}` chunk")]
    NoChunk(&'static str),
    #[error("holds {0}: it has to be G.711 A-law or µ-law, or 16-bit PCM")]
    Codec(String),
    #[error("has {0} channels: it has to be mono")]
    Channels(u16),
    #[error("has {0} samples a second: it has to be 8000")]
    Rate(u32),
    #[error("lasts {0} s: 60 s are the most")]
    TooLong(usize),
    #[error("lasts less than one packet of 20 ms")]
    TooShort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Pcm16,
    A,
    Mu,
}

/// Read a prompt.
pub(super) fn read(path: &Path) -> Result<Prompt, WavError> {
    // A pipe would have us wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(WavError::NotAFile);
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(WavError::TooBig);
    }
    parse(&bytes)
}

/// RIFF: `"RIFF" size "WAVE"`, then chunks of `id size content`, each padded to an even length. Numbers are
/// little-endian.
fn parse(bytes: &[u8]) -> Result<Prompt, WavError> {
    let (Some(b"RIFF"), Some(b"WAVE")) = (bytes.get(..4), bytes.get(8..12)) else {
        return Err(WavError::NotWave);
    };
    let mut rest = bytes.get(12..).unwrap_or_default();
    let (mut codec, mut sound) = (None, None);
    while let (Some(id), Some(size)) = (rest.get(..4), u32_at(rest, 4)) {
        let content = rest.get(8..).unwrap_or_default();
        // A writer that could not seek back leaves a size that is too large: what is there counts.
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(content.len());
        let (content, after) = content.split_at(size);
        match id {
            b"fmt " => codec = Some(format(content)?),
            b"data" if sound.is_none() => sound = Some(content),
            _ => {}
        }
        rest = after.get(size % 2..).unwrap_or_default();
    }
    let codec = codec.ok_or(WavError::NoChunk("fmt "))?;
    let sound = sound.ok_or(WavError::NoChunk("data"))?;
    let samples = if codec == Codec::Pcm16 { sound.len() / 2 } else { sound.len() };
    match samples {
        0..MIN_SAMPLES => return Err(WavError::TooShort),
        MIN_SAMPLES..=MAX_SAMPLES => {}
        _ => return Err(WavError::TooLong(samples / 8_000)),
    }
    let linear: Vec<i16> = match codec {
        Codec::Pcm16 => sound.chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]])).collect(),
        Codec::A => sound.iter().map(|s| law::from_a(*s)).collect(),
        Codec::Mu => sound.iter().map(|s| law::from_mu(*s)).collect(),
    };
    Ok(Prompt {
        mu: if codec == Codec::Mu { sound.into() } else { linear.iter().map(|s| law::mu(*s)).collect() },
        a: if codec == Codec::A { sound.into() } else { linear.iter().map(|s| law::a(*s)).collect() },
    })
}

/// `WAVEFORMATEX`: tag, channels, samples a second, bytes a second, bytes a block, bits a sample; `0xfffe` has its true
/// tag at byte 24.
fn format(content: &[u8]) -> Result<Codec, WavError> {
    let missing = WavError::NoChunk("fmt ");
    let (Some(tag), Some(channels), Some(rate), Some(bits)) =
        (u16_at(content, 0), u16_at(content, 2), u32_at(content, 4), u16_at(content, 14))
    else {
        return Err(missing);
    };
    let tag = if tag == 0xfffe { u16_at(content, 24).ok_or(missing)? } else { tag };
    let codec = match (tag, bits) {
        (1, 16) => Codec::Pcm16,
        (6, 8) => Codec::A,
        (7, 8) => Codec::Mu,
        (1, bits) => return Err(WavError::Codec(format!("PCM of {bits} bits"))),
        (tag, _) => return Err(WavError::Codec(format!("format {tag}"))),
    };
    match (channels, rate) {
        (1, 8_000) => Ok(codec),
        (1, rate) => Err(WavError::Rate(rate)),
        (channels, _) => Err(WavError::Channels(channels)),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(tag: u16, channels: u16, rate: u32, bits: u16, sound: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0odd\0fmt \x10\0\0\0".to_vec();
        bytes.extend([tag.to_le_bytes(), channels.to_le_bytes()].concat());
        bytes.extend([rate.to_le_bytes(), (rate * 2).to_le_bytes()].concat());
        bytes.extend([2_u16.to_le_bytes(), bits.to_le_bytes()].concat());
        bytes.extend(b"data");
        bytes.extend(u32::try_from(sound.len()).unwrap().to_le_bytes());
        bytes.extend(sound);
        bytes
    }

    #[test]
    fn each_of_the_three_codings_becomes_both_laws() {
        let quiet = parse(&wav(1, 1, 8_000, 16, &[0; 400])).unwrap();
        assert_eq!((&*quiet.mu, &*quiet.a), (&[0xff; 200][..], &[0xd5; 200][..]));
        let mu = parse(&wav(7, 1, 8_000, 8, &[0x80; 200])).unwrap();
        assert_eq!((mu.mu[0], mu.a[199]), (0x80, 0xaa));
        let a = parse(&wav(6, 1, 8_000, 8, &[0x2a; 200])).unwrap();
        assert_eq!((a.mu[0], a.a[199]), (0x00, 0x2a));
    }

    #[test]
    fn what_is_not_a_prompt_is_refused_and_says_why() {
        let said = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
        assert!(said(b"ID3\x04").contains("RIFF"));
        assert!(said(&wav(1, 2, 8_000, 16, &[0; 400])).contains("2 channels"));
        assert!(said(&wav(1, 1, 44_100, 16, &[0; 400])).contains("44100"));
        assert!(said(&wav(1, 1, 8_000, 24, &[0; 400])).contains("24 bits"));
        assert!(said(&wav(85, 1, 8_000, 0, &[0; 400])).contains("format 85"));
        assert!(said(&wav(7, 1, 8_000, 8, &[0; 159])).contains("20 ms"));
        assert!(said(&wav(7, 1, 8_000, 8, &[0; 480_001])).contains("60 s"));
    }

    #[test]
    fn a_file_cut_anywhere_is_refused_or_shorter_and_never_a_panic() {
        let whole = wav(7, 1, 8_000, 8, &[0x55; 1_000]);
        for end in 0..whole.len() {
            if let Ok(prompt) = parse(&whole[..end]) {
                assert!(prompt.mu.len() < 1_000);
            }
        }
    }
}
