//! How a direction of a call will have sounded: the transmission rating R of ITU-T G.107 (06/2015, its sections below) and the mean opinion score
//! that follows from it, by loss, jitter and delay.
//!
//! Everything that we do not know has its default value (§7.7): R = Ro − Is − Id − Ie,eff (§7.1) begins at 93.2. What the
//! codec makes of loss is in G.113 appendix I: known for G.711, G.723.1 and G.729 only, and so are the estimates.
//! It is assumed that receivers conceal lost packets of G.711 (its appendix I), that losses are random (BurstR = 1), and that a receiver lets
//! packets wait for twice the jitter. Delays that nobody has measured count as none: without RTCP the estimate is the better one.

use relay_values::FlowStats;

/// Basic signal-to-noise ratio (§7.2) and simultaneous impairments (§7.3) with all defaults.
const RO: f64 = 94.768_8;
const IS: f64 = 1.413_6;

/// Talker echo loudness rating and weighted echo path loss by default, in dB.
const TELR: f64 = 65.0;
const WEPL: f64 = 110.0;

/// What an estimate says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quality {
    /// Transmission rating, 0 to 100.
    pub(super) r: f64,
    /// Mean opinion score, 1 to 4.5.
    pub(super) mos: f64,
}

/// What a codec makes of a loss (G.113 appendix I), and what it needs to look ahead, in milliseconds.
struct Codec {
    ie: f64,
    bpl: f64,
    ahead_ms: f64,
}

impl Codec {
    /// By the payload types that RFC 3551 §6 fixes; what others are was said in an SDP that is gone.
    fn of(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 | 8 => Some(Self { ie: 0.0, bpl: 25.1, ahead_ms: 0.0 }),
            4 => Some(Self { ie: 15.0, bpl: 16.1, ahead_ms: 7.5 }),
            18 => Some(Self { ie: 11.0, bpl: 19.0, ahead_ms: 5.0 }),
            _ => None,
        }
    }
}

/// The estimate for whoever hears `flow`; `back` is what he says himself. `None` for codecs that G.113 says nothing of, and
/// where there was next to nothing to hear.
pub(super) fn estimate(flow: &FlowStats, back: &FlowStats) -> Option<Quality> {
    let codec = Codec::of(flow.payload_type?)?;
    let expected = flow.packets.saturating_add(flow.lost);
    if expected < 50 {
        return None;
    }
    let loss_percent = 100.0 * flow.lost as f64 / expected as f64;
    let ms = |us: u32| f64::from(us) / 1_000.0;
    // What was reported of this flow says how far its receiver is, what was reported of the other how far its sender.
    let network = ms(flow.reported.rtt_us) / 2.0 + ms(back.reported.rtt_us) / 2.0;
    let delay_ms = network + ms(flow.packet_time_us) + codec.ahead_ms + 2.0 * ms(flow.jitter_us);
    Some(rate(codec.ie, codec.bpl, loss_percent, delay_ms))
}

fn rate(ie: f64, bpl: f64, loss_percent: f64, delay_ms: f64) -> Quality {
    let r = (RO - IS - delay(delay_ms) - equipment(ie, bpl, loss_percent)).clamp(0.0, 100.0);
    Quality { r: (r * 10.0).round() / 10.0, mos: (score(r) * 100.0).round() / 100.0 }
}

/// Ie,eff (§7.5) with BurstR = 1.
fn equipment(ie: f64, bpl: f64, loss_percent: f64) -> f64 {
    ie + (95.0 - ie) * loss_percent / (loss_percent + bpl)
}

/// Id = Idte + Idle + Idd (§7.4), where the way of the echo is as long as that of the speech: Tr = 2T, Ta = T.
fn delay(t: f64) -> f64 {
    // The talker's echo. Roe = −1.5 (No − RLR), and with all defaults that is Ro.
    let terv = TELR - 40.0 * ((1.0 + t / 10.0) / (1.0 + t / 150.0)).log10() + 6.0 * (-0.3 * t * t).exp();
    let re = 80.0 + 2.5 * (terv - 14.0);
    let half = (RO - re) / 2.0;
    let talker = (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-t).exp());
    // The listener's.
    let rle = 10.5 * (WEPL + 7.0) * (2.0 * t + 1.0).powf(-0.25);
    let half = (RO - rle) / 2.0;
    let listener = half + (half * half + 169.0).sqrt();
    // Waiting for each other.
    let wait = if t <= 100.0 {
        0.0
    } else {
        let x = (t / 100.0).log2();
        25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
    };
    talker + listener + wait
}

/// The score for a rating (annex B).
fn score(r: f64) -> f64 {
    match r {
        _ if r <= 0.0 => 1.0,
        _ if r >= 100.0 => 4.5,
        // The polynomial falls below 1 for small ratings.
        _ => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relay_values::Reported;

    fn near(value: f64, expected: f64, within: f64) {
        assert!((value - expected).abs() <= within, "{value} is not {expected} ± {within}");
    }

    #[test]
    fn nothing_wrong_is_the_default_of_the_recommendation() {
        // §7.7: all defaults give R = 93.2.
        let best = rate(0.0, 25.1, 0.0, 0.0);
        near(best.r, 93.2, 0.05);
        near(best.mos, 4.41, 0.005);
    }

    #[test]
    fn ratings_and_scores_go_together_as_annex_b_says() {
        // Annex B, table: the least score of each category of satisfaction.
        for (r, mos) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            near(score(r), mos, 0.01);
        }
        assert_eq!((score(-5.0), score(100.0)), (1.0, 4.5));
        assert!((1..100).all(|r| score(f64::from(r)) >= 1.0));
    }

    #[test]
    fn half_of_the_impairment_is_there_at_the_loss_that_names_the_robustness() {
        near(equipment(0.0, 25.1, 25.1), 47.5, 1e-9);
        near(equipment(11.0, 19.0, 0.0), 11.0, 1e-9);
        // G.729 at 2 % (G.113 appendix I): 11 + 84 × 2 / 21.
        near(equipment(11.0, 19.0, 2.0), 19.0, 1e-9);
    }

    #[test]
    fn delay_is_free_at_first_and_dear_beyond_a_sixth_of_a_second() {
        // The curve of G.114 figure 1: about 90 at 150 ms, below 80 at 250 ms or so, about 60 at 400 ms.
        let r = |ms| rate(0.0, 25.1, 0.0, ms).r;
        near(r(150.0), 89.5, 1.0);
        assert!(r(300.0) < 80.0 && r(300.0) > 68.0, "{}", r(300.0));
        near(r(400.0), 62.0, 4.0);
        assert!((0..100).all(|n| r(f64::from(n * 10)) >= r(f64::from(n * 10 + 10))), "it never gets better");
    }

    #[test]
    fn a_call_is_judged_by_what_the_relay_knows_of_it_and_not_at_all_by_what_it_does_not() {
        let flow = FlowStats {
            packets: 980,
            lost: 20,
            payload_type: Some(18),
            packet_time_us: 20_000,
            jitter_us: 5_000,
            reported: Reported { rtt_us: 40_000, ..Reported::default() },
            ..FlowStats::default()
        };
        let back = FlowStats { reported: Reported { rtt_us: 60_000, ..Reported::default() }, ..flow };
        let quality = estimate(&flow, &back).unwrap();
        // 2 % of G.729, and 20 + 30 + 20 + 5 + 10 ms.
        assert_eq!(quality, rate(11.0, 19.0, 2.0, 85.0));
        assert!(quality.mos > 3.5 && quality.mos < 3.9, "{quality:?}");
        assert_eq!(estimate(&FlowStats { payload_type: Some(111), ..flow }, &back), None);
        assert_eq!(estimate(&FlowStats { packets: 3, lost: 0, ..flow }, &back), None);
    }
}
