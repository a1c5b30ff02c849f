//! A packet of reports (RFC 3550 §6.4) as sipcapture's agents write it.

use serde_json::{Value, json};

const SENDER: u8 = 200;
const RECEIVER: u8 = 201;

/// The header and who reports; what a sender says of himself; one block.
const HEAD: usize = 8;
const SENDER_INFO: usize = 20;
const BLOCK: usize = 24;

/// What the first packet of a compound says; `None` if it is no report, or if they are not whole: sealed ones do not look whole.
pub(super) fn told(bytes: &[u8]) -> Option<Value> {
    if !is_whole(bytes) {
        return None;
    }
    let (kind, count) = (*bytes.get(1)?, usize::from(bytes.first()? & 0x1f));
    let mut blocks_at = HEAD;
    let mut out = json!({ "type": kind, "ssrc": word(bytes, 4)?, "report_count": count });
    match kind {
        SENDER => {
            blocks_at += SENDER_INFO;
            out["sender_information"] = json!({
                "ntp_timestamp_sec": word(bytes, 8)?,
                "ntp_timestamp_usec": word(bytes, 12)?,
                "rtp_timestamp": word(bytes, 16)?,
                "packets": word(bytes, 20)?,
                "octets": word(bytes, 24)?,
            });
        }
        RECEIVER => {}
        _ => return None,
    }
    let length = length(bytes)?;
    let blocks = bytes.get(blocks_at..length)?.chunks_exact(BLOCK).take(count);
    let blocks: Vec<Value> = blocks.map(block).collect::<Option<_>>()?;
    if blocks.len() < count {
        return None;
    }
    out["report_blocks"] = Value::Array(blocks);
    Some(out)
}

fn block(bytes: &[u8]) -> Option<Value> {
    let lost = word(bytes, 4)?;
    Some(json!({
        "source_ssrc": word(bytes, 0)?,
        "fraction_lost": lost >> 24,
        // Signed, of 24 bits: more may come than was expected.
        "packets_lost": ((lost << 8) as i32) >> 8,
        "highest_seq_no": word(bytes, 8)?,
        "ia_jitter": word(bytes, 12)?,
        "lsr": word(bytes, 16)?,
        "dlsr": word(bytes, 20)?,
    }))
}

/// Of the first packet, with its header.
fn length(bytes: &[u8]) -> Option<usize> {
    let &[_, _, high, low] = bytes.first_chunk()?;
    Some(4 * (usize::from(u16::from_be_bytes([high, low])) + 1))
}

/// Whether packets stand one behind the other up to the end (RFC 3550 appendix A.2).
fn is_whole(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let rest = length(bytes).and_then(|length| bytes.get(length..));
        let Some(rest) = rest.filter(|_| bytes.first().is_some_and(|first| first >> 6 == 2)) else {
            return false;
        };
        bytes = rest;
    }
    true
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(kind: u8, words: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0x81, kind, 0, u8::try_from(words.len()).unwrap()];
        words.iter().for_each(|word| bytes.extend(word.to_be_bytes()));
        bytes
    }

    const BLOCK: [u32; 6] = [7, 0x40ff_fffe, 65_546, 80, 3, 4];

    #[test]
    fn a_senders_report_is_told_with_what_it_says_of_the_other_direction() {
        let bytes = report(SENDER, &[&[9, 1, 2, 3, 100, 16_000][..], &BLOCK].concat());
        let source = [0x81, 202, 0, 1, 0, 0, 0, 9];
        let told = told(&[&bytes[..], &source].concat()).unwrap();
        let expected = json!({
            "type": 200, "ssrc": 9, "report_count": 1,
            "sender_information": {
                "ntp_timestamp_sec": 1, "ntp_timestamp_usec": 2, "rtp_timestamp": 3, "packets": 100, "octets": 16_000,
            },
            "report_blocks": [{
                "source_ssrc": 7, "fraction_lost": 64, "packets_lost": -2, "highest_seq_no": 65_546,
                "ia_jitter": 80, "lsr": 3, "dlsr": 4,
            }],
        });
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_cut_off_sealed_or_something_else_is_not_told() {
        let bytes = report(RECEIVER, &[&[9][..], &BLOCK].concat());
        assert_eq!(told(&bytes).unwrap()["report_blocks"][0]["ia_jitter"], 80);
        for length in 0..bytes.len() {
            assert_eq!(told(&bytes[..length]), None, "{length}");
        }
        // An index and a tag behind it (RFC 3711 §3.4).
        let sealed = [&bytes[..], &[0x80, 0, 0, 1], &[0xab; 10]].concat();
        assert_eq!(told(&sealed), None);
        assert_eq!(told(&report(203, &[9])), None);
        // More blocks than there is room for.
        assert_eq!(told(&[0x9f, 201, 0, 1, 0, 0, 0, 9]), None);
    }
}
