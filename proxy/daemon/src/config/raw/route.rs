//! `[[route.inbound]]` and `[[route.outbound]]`: the number plan.

use super::Maybe;
use serde::Deserialize;
use serde_spanned::Spanned;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawRoutes {
    /// From a carrier to a site.
    pub(in crate::config) inbound: Vec<Spanned<RawInbound>>,
    /// From a site to carriers.
    pub(in crate::config) outbound: Vec<Spanned<RawOutbound>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawInbound {
    /// Of this trunk's calls alone.
    /// Without it: of every trunk's.
    pub(in crate::config) trunk: Maybe<String>,
    /// Beginning of the called number as the call has it, or a service (`urn:service:sos`).
    /// Without it: every number.
    pub(in crate::config) prefix: Maybe<String>,
    /// Where they go.
    /// Required.
    pub(in crate::config) site: Maybe<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawOutbound {
    /// Declares that its trunks are told who calls whom in different ways, so that the check does not warn.
    /// Default: false.
    #[serde(default)]
    pub(in crate::config) identity_differs: bool,
    /// Of this site's calls alone.
    /// Without it: of every site's.
    pub(in crate::config) site: Maybe<String>,
    /// Beginning of the called number as the call has it, or a service (`urn:service:sos`).
    /// Without it: every number.
    pub(in crate::config) prefix: Maybe<String>,
    /// Best first; or each with its cost.
    /// Required.
    pub(in crate::config) trunks: Maybe<Vec<Spanned<RawTrunkChoice>>>,
}

/// A trunk's name alone, or with what decides its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(in crate::config) enum RawTrunkChoice {
    /// The trunk's name: tried in the order of the list.
    Ranked(String),
    /// The trunk and what decides its place.
    Priced(RawPricedTrunk),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawPricedTrunk {
    /// The trunk's name.
    /// Required.
    pub(in crate::config) trunk: String,
    /// Cheaper ones come first.
    /// Required.
    pub(in crate::config) cost: i64,
    /// Share among those that cost the same; 0 comes last.
    /// Default: 1.
    pub(in crate::config) weight: Option<i64>,
}
