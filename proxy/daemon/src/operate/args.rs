//! What can be typed after `bascule status`, `regions`, `drain` and `drill`.

use bascule::api::condition::Condition;
use bascule::api::wishes::Cut;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

const STATUS: &str = "\
Exit status: 0 done; 1 done, and not all is well (a call was not moved, a drill was aborted or dropped a call);
2 not done (refused, or nobody to ask); 130 stopped with Ctrl-C, everything as before.";

/// Where the service is, and in which form it is to answer.
#[derive(Debug, Clone, Args)]
pub(crate) struct Where {
    /// The admin socket; by default what --config says, or else /run/bascule/admin.sock
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    pub(crate) socket: Option<PathBuf>,
    /// The running service's configuration file, for its [admin] socket
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// JSON lines instead of text for people
    #[arg(long)]
    pub(crate) json: bool,
}

/// `bascule status`.
#[derive(Debug, Args)]
#[command(after_help = STATUS)]
pub(crate) struct StatusArgs {
    /// Show it anew every second, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) at: Where,
}

/// `bascule regions`.
#[derive(Debug, Args)]
#[command(after_help = STATUS)]
pub(crate) struct RegionsArgs {
    /// Show it anew every second, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) at: Where,
}

/// `bascule calls`.
#[derive(Debug, Args)]
#[command(after_help = STATUS)]
pub(crate) struct CallsArgs {
    /// Only those whose calling or called number begins like this
    #[arg(long, value_name = "PREFIX")]
    pub(crate) number: Option<String>,
    /// Only those of this trunk
    #[arg(long, value_name = "NAME")]
    pub(crate) trunk: Option<String>,
    /// Only those of this site
    #[arg(long, value_name = "NAME")]
    pub(crate) site: Option<String>,
    /// Only those in this region
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// Only those that are hunting, ringing, answered, moving or closing
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<String>,
    /// Only the one with this Call-ID, of either leg
    #[arg(long, value_name = "CALL-ID")]
    pub(crate) call_id: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) most: usize,
    /// Show them anew every second, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) at: Where,
}

/// `bascule call`.
#[derive(Debug, Args)]
#[command(after_help = STATUS)]
pub(crate) struct CallArgs {
    /// Its name, as `bascule calls` shows it; to look at it, the Call-ID of either leg does as well
    pub(crate) call: String,
    /// Show it anew every second, until Ctrl-C
    #[arg(long, conflicts_with = "end")]
    pub(crate) watch: bool,
    /// End it: BYE to both legs
    #[arg(long)]
    pub(crate) end: bool,
    #[command(flatten)]
    pub(crate) at: Where,
}

/// `bascule route`.
#[derive(Debug, Args)]
pub(crate) struct RouteArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Who calls: the user part of From
    #[arg(long, value_name = "NUMBER")]
    pub(crate) from: String,
    /// Whom: the user part of the request URI
    #[arg(long, value_name = "NUMBER")]
    pub(crate) to: String,
    /// The trunk that the call comes from; the first one if nothing is said
    #[arg(long, value_name = "NAME", conflicts_with = "group")]
    pub(crate) trunk: Option<String>,
    /// The edge group that the call comes from: an outbound call
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// A region that is down meanwhile; may be said again
    #[arg(long, value_name = "NAME")]
    pub(crate) region_down: Vec<String>,
    /// A further header field of their INVITE, `Name: value`; may be said again
    #[arg(long, value_name = "LINE")]
    pub(crate) header: Vec<String>,
    /// The message of every attempt, not of the first alone
    #[arg(long)]
    pub(crate) all: bool,
    /// What two trunks or regions would be told differently, side by side
    #[arg(long, conflicts_with_all = ["all", "json"])]
    pub(crate) diff: bool,
    /// JSON instead of text for people
    #[arg(long)]
    pub(crate) json: bool,
}

/// `bascule trace`.
#[derive(Debug, Args)]
#[command(after_help = STATUS)]
pub(crate) struct TraceArgs {
    #[command(flatten)]
    pub(crate) at: Where,
    /// The Call-ID of either leg, as records and the log have it
    #[arg(value_name = "CALL-ID")]
    pub(crate) call_id: String,
    /// The messages themselves below the ladder
    #[arg(long, short)]
    pub(crate) messages: bool,
    /// Write them into a capture file, which is made or replaced
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub(crate) pcap: Option<PathBuf>,
}

/// `bascule scanners`.
#[derive(Debug, Args)]
#[command(after_help = STATUS)]
pub(crate) struct ScannersArgs {
    /// Forget them: each begins anew
    #[arg(long)]
    pub(crate) forget: bool,
    /// A table for nftables that drops what they send to our SIP ports: `bascule scanners --nft | nft -f -`
    #[arg(long, conflicts_with = "json")]
    pub(crate) nft: bool,
    #[command(flatten)]
    pub(crate) at: Where,
}

/// `bascule drain`.
#[derive(Debug, Args)]
#[command(after_help = STATUS)]
pub(crate) struct DrainArgs {
    /// The region or edge
    #[arg(value_name = "REGION|EDGE")]
    pub(crate) place: String,
    /// Share of its answered calls
    #[arg(long, value_name = "10%", default_value = "100%", value_parser = percent)]
    pub(crate) share: u8,
    /// Only calls whose called number (calling number, from the tier) begins like this
    #[arg(long, value_name = "PREFIX")]
    pub(crate) number: Option<String>,
    /// At most so many calls
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) calls: Option<u32>,
    /// What is not moved by then stays where it is
    #[arg(long, value_name = "60s", default_value = "60s", value_parser = duration)]
    pub(crate) deadline: Duration,
    /// Lift the drain, and move the calls back that began there
    #[arg(long)]
    pub(crate) back: bool,
    #[command(flatten)]
    pub(crate) at: Where,
}

/// `bascule drill`.
#[derive(Debug, Args)]
#[command(after_help = STATUS)]
pub(crate) struct DrillArgs {
    /// The region
    pub(crate) region: String,
    /// Share of its answered calls that are cut off
    #[arg(long, value_name = "5%", value_parser = percent)]
    pub(crate) share: u8,
    /// What they lose
    #[arg(long, value_enum, default_value = "both")]
    pub(crate) cut: Cut,
    /// How long
    #[arg(long = "for", value_name = "10s", default_value = "10s", value_parser = duration)]
    pub(crate) lasts: Duration,
    /// End it as soon as this holds; may be given more than once. Measures: dropped, failed, gap_media_ms,
    /// gap_conversation_ms
    #[arg(long, value_name = "dropped>0", default_value = "dropped>0")]
    pub(crate) abort_if: Vec<Condition>,
    #[command(flatten)]
    pub(crate) at: Where,
}

/// `10%` or `10`.
fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let share = number.parse().ok().filter(|n| (1..=100).contains(n));
    share.ok_or_else(|| "write 1% to 100%".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    bascule::config::duration(text)
        .ok_or_else(|| "write a duration such as \"500ms\", \"60s\" or \"5m\"".to_owned())
}

/// `bascule detach`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 done; 2 not done (a running service uses them, or the system does not let us)."
)]
pub(crate) struct DetachArgs {
    /// The directory of the pins
    #[arg(long, value_name = "DIR", default_value = "/run/bascule/bpf")]
    pub(crate) dir: PathBuf,
}
