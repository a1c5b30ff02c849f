//! Two carriers, one of them at two addresses.

use super::{EAST, Stage, config, invite, sdp};
use proxy_core::*;

/// The first trunk.
pub const FIRST: &str = super::CARRIER;
/// Its other address, where a story gives it one.
pub const FIRST_TOO: &str = "192.0.2.3:5060";
/// The second trunk.
pub const SECOND: &str = "192.0.2.2:5060";

/// Two trunks, best first.
pub fn two_trunks() -> Config {
    let mut config = config();
    let id = address(&mut config, 1, "second-1", SECOND);
    config.trunks.push(Trunk {
        name: "second".into(),
        sources: vec![],
        targets: vec![id],
        ..config.trunks[0].clone()
    });
    config.outbound[0].trunks = TrunkChoice::ranked([TrunkId(0), TrunkId(1)]);
    config
}

/// Gives the first trunk a second address, which is taken only where the first has failed.
pub fn at_two_addresses(config: &mut Config) {
    let id = address(config, 0, "carrier-2", FIRST_TOO);
    config.trunks[0].targets.push(id);
    for target in config.targets.iter_mut().filter(|target| target.name == "carrier-1") {
        target.weight = u16::MAX;
    }
}

fn address(config: &mut Config, trunk: u16, name: &str, remote: &str) -> TargetId {
    config.targets.push(Target {
        name: name.into(),
        owner: Owner::Trunk(TrunkId(trunk)),
        peer: super::peer(remote),
        rank: 0,
        weight: 1,
        probe: None,
    });
    TargetId(u16::try_from(config.targets.len() - 1).unwrap())
}

/// A call out of the east.
pub fn from_edge(call: &str) -> String {
    invite(call, &sdp("198.51.100.1", 4000)).replace("192.0.2.1:5060", EAST)
}

/// How many INVITEs have come there since somebody looked.
pub fn invites(stage: &mut Stage, at: &str) -> usize {
    stage.take(at).iter().filter(|m| m.starts_with("INVITE ")).count()
}
