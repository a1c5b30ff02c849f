//! What can be typed after `bascule demo`.

use super::timeline;
use clap::{Args as ClapArgs, ValueEnum};

/// Definitions that the numbers of the closing table are read by.
const DEFINITIONS: &str = "\
What the numbers mean:
  calls_placed          INVITEs that the carrier sent, retransmissions not counted
  calls_answered        of these, how many got a 2xx
  calls_failed          of these, how many got none: refused, or unanswered at the end
  calls_dropped         answered calls that the appliance ended
  placed_during_outage  calls placed after the region died; it does not come back
  region_down_ms        from the region's death to the appliance taking it for down
  extra_pdd_ms          post-dial delay of the affected calls less the median post-dial delay before the death.
                        Post-dial delay: from INVITE to the first response above 100 that the carrier has once a
                        phone rings in a region that lives; for a call that rang in the dead region, from its death.
                        Affected: calls that the appliance tried in the dead region in vain, or that rang there.
  live_at_kill          calls that were answered and up in the region when it died; some of them for as long as they
                        like to talk, up to 60 until well after the death, speaking both ways all the while
  live_kept             of these, how many nobody but their caller ended; those that stayed have heard the other region
  carrier_sip_during_move  SIP messages that the carrier got in these calls after the death and before it hung up
  carrier_seq_breaks    places, over all calls, where the RTP line that the carrier hears broke: a sequence number that
                        does not follow, a timestamp that does not advance or count, another SSRC
  gap_media_ms          from the dead region's last packet to the next one of any kind: the caller hears nothing at all
  gap_conversation_ms   from the dead region's last packet to the other region's first: the caller hears nobody

Exit status 0 when the demo kept its promise: no call failed, the region was seen down, at least one call was affected,
none of them waited 400 ms more than usual, both sides of every call that spoke heard each other, no answered call was
lost, in the dead region or elsewhere, the carrier got no SIP in those that went over and heard one unbroken line, every
call left its record, and the appliance ended clean. Else 1 and a sentence.";

/// `bascule demo`.
#[derive(Debug, Clone, Copy, ClapArgs)]
#[command(after_long_help = DEFINITIONS)]
pub struct Args {
    /// How long the whole thing may take
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u64).range(timeline::LEAST_SECONDS..=timeline::MOST_SECONDS))]
    pub seconds: u64,
    /// How the region dies
    #[arg(long, value_enum, default_value_t = How::Freeze)]
    pub how: How,
    /// Print the closing table as one JSON object, and nothing else on standard output
    #[arg(long)]
    pub json: bool,
}

/// How the region dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum How {
    /// It stands still: its sockets stay open, nothing is read and nothing is said, as with SIGSTOP or a lost link
    Freeze,
    /// Its sockets close, so that the system answers with ICMP, as with SIGKILL
    Kill,
}
