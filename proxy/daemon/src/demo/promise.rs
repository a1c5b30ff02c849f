//! What the demo promises, and what is said when it did not hold.

use super::closing::{Closing, MOST_EXTRA, ms};
use std::fmt;

/// Something that did not hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Broken {
    /// Calls got no answer.
    Failed(usize),
    /// The region's death was not seen.
    NotSeen,
    /// No call was affected, so nothing was shown.
    NobodyAffected,
    /// An affected call waited too long, this many milliseconds more than usual.
    TooSlow(f64),
    /// Calls that spoke in which one side did not hear the other.
    Deaf(usize),
    /// Packets that were heard in another call than they were spoken in.
    Bled(u64),
    /// Answered calls that ended though their region lives.
    LostElsewhere(usize),
    /// No call was up in the dead region, so nothing was shown.
    NobodyThere,
    /// Calls that were up in the dead region and were not kept.
    Lost(usize),
    /// SIP that the carrier got in calls that went over.
    CarrierTold(u64),
    /// Places where an RTP line to the carrier broke.
    LineBroke(u64),
    /// Calls that were still up at the end.
    LeftUp(usize),
    /// Calls without a record.
    WithoutRecord(usize),
    /// The appliance did not end clean, and why.
    Unclean(String),
    /// Somebody ended the demo before its end.
    Interrupted,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(n) => write!(f, "calls that got no answer: {n}"),
            Self::NotSeen => f.write_str("the appliance has not seen that the region is down"),
            Self::NobodyAffected => {
                f.write_str("no call was affected by the region's death, so nothing was shown")
            }
            Self::TooSlow(extra) => {
                write!(
                    f,
                    "a call waited {extra} ms longer than usual, promised were less than {}",
                    ms(MOST_EXTRA)
                )
            }
            Self::Deaf(n) => write!(f, "calls in which one side did not hear the other: {n}"),
            Self::Bled(n) => {
                write!(f, "RTP packets that were heard in a call that they do not belong to: {n}")
            }
            Self::LostElsewhere(n) => write!(f, "answered calls that ended though their region lives: {n}"),
            Self::NobodyThere => {
                f.write_str("no call was up in the region when it died, so nothing was shown")
            }
            Self::Lost(n) => write!(f, "answered calls that did not outlive their region: {n}"),
            Self::CarrierTold(n) => {
                write!(
                    f,
                    "SIP messages that the carrier got in calls that went over: {n}, promised were none"
                )
            }
            Self::LineBroke(n) => write!(f, "places where an RTP line to the carrier broke: {n}"),
            Self::LeftUp(n) => write!(f, "calls that were still up at the end: {n}"),
            Self::WithoutRecord(n) => write!(f, "calls without a call record: {n}"),
            Self::Unclean(why) => write!(f, "the appliance did not end clean: {why}"),
            Self::Interrupted => f.write_str("the demo was interrupted"),
        }
    }
}

/// Everything that did not hold.
pub(super) fn broken(closing: &Closing, unclean: Option<String>, interrupted: bool) -> Vec<Broken> {
    // What was cut short promises nothing.
    if interrupted {
        return vec![Broken::Interrupted];
    }
    let table = &closing.table;
    let some = |n: usize, broken: fn(usize) -> Broken| (n > 0).then(|| broken(n));
    let extra = table.extra_pdd_ms.map(|extra| extra.max);
    let affected = closing.were_ringing + closing.went_there_first;
    let checks = [
        some(table.calls_failed, Broken::Failed),
        table.region_down_ms.is_none().then_some(Broken::NotSeen),
        (affected == 0).then_some(Broken::NobodyAffected),
        extra.filter(|extra| *extra >= ms(MOST_EXTRA)).map(Broken::TooSlow),
        some(closing.spoke - closing.heard_each_other, Broken::Deaf),
        (closing.foreign_packets > 0).then_some(Broken::Bled(closing.foreign_packets)),
        some(closing.lost_elsewhere, Broken::LostElsewhere),
        (table.live_at_kill == 0).then_some(Broken::NobodyThere),
        some(table.live_at_kill - table.live_kept, Broken::Lost),
        (table.carrier_sip_during_move > 0).then_some(Broken::CarrierTold(table.carrier_sip_during_move)),
        (table.carrier_seq_breaks > 0).then_some(Broken::LineBroke(table.carrier_seq_breaks)),
        some(closing.left_up, Broken::LeftUp),
        some(closing.without_record, Broken::WithoutRecord),
        unclean.map(Broken::Unclean),
    ];
    checks.into_iter().flatten().collect()
}
