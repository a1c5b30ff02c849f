//! `bascule detach`.

use super::Failure;
use super::args::DetachArgs;
use super::report::print;
use crate::complain::say;
use std::process::ExitCode;

/// Take away what a killed service has left in the kernel, which goes on forwarding until somebody looks after it.
pub(crate) fn detach(args: &DetachArgs) -> ExitCode {
    match datapath::xdp::detach(&args.dir) {
        Ok(0) => print("nothing was left"),
        Ok(pins) => print(&format!("{pins} pins taken away: the kernel forwards nothing of an earlier run")),
        Err(why) => {
            let advice = "stop the service first, or run this as root";
            say(&Failure::new(format!("nothing was taken away: {why}"), advice).to_string());
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
