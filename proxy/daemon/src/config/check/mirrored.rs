//! Whether a call looks the same whichever way it goes.

use crate::config::complaint::Complaints;
use crate::config::raw::RawConfig;
use proxy_core::{Config, Owner, Profile, identity_differences};
use std::ops::Range;

/// Warns of every pair of choices of one route or site at which the other side would be told differently who calls, unless
/// that is declared.
pub(super) fn warn(raw: &RawConfig, config: &Config, complaints: &mut Complaints) {
    for (written, route) in raw.route.outbound.iter().zip(&config.outbound) {
        let trunks = route.trunks.iter().map(|choice| choice.trunk).map(|id| {
            (config.trunks.get(id.index()).map_or("", |t| t.name.as_str()), config.profile(Owner::Trunk(id)))
        });
        let (section, declared) = (written.span(), written.get_ref().identity_differs);
        compare(trunks, "trunk", "this route", (section, declared), complaints);
    }
    for (written, site) in raw.site.iter().zip(&config.sites) {
        let groups = site.groups.iter().map(|id| {
            (config.groups.get(id.index()).map_or("", |g| g.name.as_str()), config.profile(Owner::Edge(*id)))
        });
        let (section, declared) = (written.span(), written.get_ref().identity_differs);
        compare(groups, "edge group", "this site", (section, declared), complaints);
    }
}

/// Each choice against the first.
fn compare<'a>(
    mut choices: impl Iterator<Item = (&'a str, &'a Profile)>,
    kind: &str,
    place: &str,
    (section, declared): (Range<usize>, bool),
    complaints: &mut Complaints,
) {
    let Some((first, profile)) = choices.next() else { return };
    let mut differs = false;
    for (other, others) in choices {
        let found = identity_differences(profile, others);
        differs |= !found.is_empty();
        if !found.is_empty() && !declared {
            complaints
                .warn(
                    section.clone(),
                    format!("{kind} `{other}` is told otherwise than `{first}` who calls: {}", found.join(", ")),
                )
                .at(format!("a call that goes the other way of {place} looks different"))
                .advise("give both the same `identity`, or declare it with `identity_differs = true`; see `bascule route --diff`");
        }
    }
    if declared && !differs {
        complaints
            .warn(section, format!("`identity_differs` at {place}, but nothing differs"))
            .advise("remove it, so that a difference to come is told");
    }
}
