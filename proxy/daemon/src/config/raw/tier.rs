//! `[[region]]`, `[[edge_group]]`, `[[site]]`, and what trunks have in common with edge groups.

use super::{Maybe, RawAccount, RawProbe, RawTls};
use crate::config::words::{Source, Whereabouts};
use serde::Deserialize;
use serde_spanned::Spanned;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawRegion {
    /// How others refer to it.
    /// Required.
    pub(in crate::config) name: Maybe<String>,
    /// Answered calls that it takes over in a second, all shards together.
    /// Range: 1 to 1000000.
    /// Without it: as many as come.
    pub(in crate::config) moves_per_second: Maybe<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawEdgeGroup {
    /// How others refer to it.
    /// Required.
    pub(in crate::config) name: Maybe<String>,
    /// The region that it lives and dies with.
    /// Required.
    pub(in crate::config) region: Maybe<String>,
    /// Through which it is reached.
    /// Without it: the only one.
    pub(in crate::config) listener: Maybe<String>,
    /// Its SIP hosts.
    /// Required.
    pub(in crate::config) edges: Maybe<Vec<Spanned<RawTarget>>>,
    /// Networks that its requests come from, beside the edges' own addresses.
    /// Default: [].
    #[serde(default)]
    pub(in crate::config) sources: Vec<Spanned<Source>>,
    /// Domains: its requests are those of whoever shows a certificate of one of them.
    /// Default: [].
    #[serde(default)]
    pub(in crate::config) certificates: Vec<Spanned<String>>,
    /// How it is called over TLS.
    pub(in crate::config) tls: Maybe<RawTls>,
    /// From where its media is taken.
    /// Default: "address".
    pub(in crate::config) latching: Option<RawLatching>,
    /// How its edges are probed, where otherwise than `[probe]` says.
    pub(in crate::config) probe: Option<RawProbe>,
    /// What becomes of its 3xx.
    /// Default: "refuse".
    pub(in crate::config) redirect: Option<RawRedirects>,
    /// What becomes of its REFER.
    /// Default: "refuse".
    pub(in crate::config) refer: Option<RawRefers>,
    /// Name of the `[[identity]]` that it is told by.
    /// Without it: numbers as they were said.
    pub(in crate::config) identity: Maybe<String>,
    /// Whether it is asked for reliable provisionals (RFC 3262) where the caller knows none.
    /// Default: false.
    #[serde(default)]
    pub(in crate::config) offer_100rel: bool,
    /// What its final responses mean to the hunt: codes from 400 to 699, or classes (`"5xx"`); a single code goes
    /// before its class.
    /// Without it: as `[hunt] advance_on` says.
    #[serde(default)]
    pub(in crate::config) codes: RawCodes,
    /// What it knows us by, an account for each realm.
    #[serde(default)]
    pub(in crate::config) auth: Vec<Spanned<RawAccount>>,
    /// What its own access list lets through, as far as it is known: for warnings alone.
    pub(in crate::config) admits: Maybe<RawAdmits>,
    /// Networks that its media comes from, where media bypasses us: for warnings alone.
    /// Default: [].
    #[serde(default)]
    pub(in crate::config) media: Vec<Spanned<Source>>,
    /// Names of the codecs that it takes: for warnings where groups of one site differ.
    pub(in crate::config) codecs: Maybe<Vec<Spanned<String>>>,
}

/// Codes, or classes of them, and what follows.
pub(in crate::config) type RawCodes = BTreeMap<Spanned<String>, Spanned<RawAfter>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawAfter {
    /// On to the next address of the same trunk or group, or else to the next one.
    Next,
    /// On to the next trunk or group: this one has spoken for all its addresses.
    Leave,
    /// No further: the caller hears the code.
    Stop,
}

/// What a neighbour's own access list lets through.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawAdmits {
    /// Networks that may send it SIP.
    /// Default: [].
    pub(in crate::config) signalling: Vec<Spanned<Source>>,
    /// Networks that may send it media.
    /// Default: [].
    pub(in crate::config) media: Vec<Spanned<Source>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawRedirects {
    /// Ends the hunt; the caller hears 480.
    Refuse,
    /// The caller hears it with its Contacts.
    Pass,
    /// Followed, to addresses of the same trunk or group.
    Follow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawRefers {
    /// 603.
    Refuse,
    /// The other leg's user agent does it.
    Pass,
    /// We do it.
    Transfer,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawTarget {
    /// How commands, metrics and records name it; without `/`.
    /// Without it: the owner's name and its place.
    pub(in crate::config) name: Maybe<String>,
    /// Address or host name; without a port 5060, or 5061 for TLS; a name without a port is looked up by NAPTR and
    /// SRV (RFC 3263).
    /// Required.
    pub(in crate::config) address: Maybe<Whereabouts>,
    /// Its share among the targets of its owner; 0 takes it out of use.
    /// Default: 1.
    /// Range: 0 to 65535.
    pub(in crate::config) weight: Maybe<i64>,
    /// Domain that its certificate has to be of.
    /// Without it: as `tls` of its owner says.
    pub(in crate::config) server_name: Maybe<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawLatching {
    /// Exactly the address and port of the SDP.
    Exact,
    /// The address of the SDP, any port.
    Address,
    /// For peers behind a NAT: the best of those who send within half a second of the first packet, and no other
    /// from then on.
    Learn,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawSite {
    /// Declares that its groups are told who calls whom in different ways, so that the check does not warn.
    /// Default: false.
    #[serde(default)]
    pub(in crate::config) identity_differs: bool,
    /// How others refer to it.
    /// Required.
    pub(in crate::config) name: Maybe<String>,
    /// Edge groups, best first.
    /// Required.
    pub(in crate::config) groups: Maybe<Vec<Spanned<String>>>,
    /// How the INVITE that moves a call says which call it continues.
    pub(in crate::config) correlation: Maybe<RawCorrelation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawCorrelation {
    /// `Session-ID` (RFC 7989) in every INVITE to the tier.
    /// Default: false.
    pub(in crate::config) session_id: bool,
    /// Template of a `User-to-User` (RFC 7433), which is sent hex-encoded. Placeholders: `{call_id}`,
    /// `{lost_call_id}`, `{carrier_call_id}`, `{session_id}`, `{from_region}`, `{to_region}`, `{reason}`.
    pub(in crate::config) uui: Maybe<String>,
    /// `Replaces` (RFC 3891) that names the lost leg's dialog.
    /// Default: false.
    pub(in crate::config) replaces: bool,
    /// Header fields by name, each with a template; 8 at most.
    pub(in crate::config) headers: BTreeMap<Spanned<String>, Spanned<String>>,
}
