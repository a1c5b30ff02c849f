//! What can be typed.

use crate::init::InitArgs;
use crate::operate::{
    CallArgs, CallsArgs, DetachArgs, DrainArgs, DrillArgs, RegionsArgs, RouteArgs, ScannersArgs, StatusArgs,
    TraceArgs,
};
use crate::pages::PagesArgs;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// SIP back-to-back user agent and RTP relay at the carrier edge.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch a region die under load: the real appliance on loopback, nothing to configure
    Demo(bascule::demo::Args),
    /// Ask a few questions and write a first configuration that passes the check; exit 0, 1 (warnings) or 2 (not written)
    Init(InitArgs),
    /// Run the service in the foreground
    Run(Config),
    /// Check a configuration: every complaint at once, and how many calls it can hold here; exit 0, 1 (warnings) or 2 (errors)
    Check(CheckArgs),
    /// Show where a call would go, and the very message that would leave, without sending it; exit 0, 1 (refused) or 2
    Route(RouteArgs),
    /// Show the running service: calls, what carries media and why not something faster, what was dropped
    Status(StatusArgs),
    /// Show every region of the running service: state, evidence, live calls, last switch
    Regions(RegionsArgs),
    /// Show live calls of the running service: all, or those of a number, trunk, site, region or state
    Calls(CallsArgs),
    /// Show one live call: where it was tried, what its moves cost; or end it
    Call(CallArgs),
    /// Show the strangers that the running service meets with silence, for people or for nftables; or forget them
    Scanners(ScannersArgs),
    /// Show what is kept of a call's signalling: the ladder of both legs, the messages, or a capture for Wireshark and sngrep
    Trace(TraceArgs),
    /// Take a region or an edge out of use: no new calls, and those that are up move away unheard; or back
    Drain(DrainArgs),
    /// Cut a share of a region's real calls off as an outage would, watch, restore
    Drill(DrillArgs),
    /// Take away what a killed service has left in the kernel: its streams are forwarded until the service is back
    Detach(DetachArgs),
    /// Write the manual pages and shell completions, for a package
    #[command(hide = true)]
    Pages(PagesArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) file: Config,
    /// Look its host names up now, and say what they are; a name without an address is a warning
    #[arg(long)]
    pub(crate) resolve: bool,
    /// Print every way that a firewall has to leave open, for every region
    #[arg(long)]
    pub(crate) firewall: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}
