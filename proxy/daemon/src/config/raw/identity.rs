//! `[[identity]]`: who calls whom, as a neighbour says it and is told it.

use super::Maybe;
use serde::Deserialize;
use serde_spanned::Spanned;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawIdentity {
    /// How others refer to it.
    /// Required.
    pub(in crate::config) name: Maybe<String>,
    /// How they dial.
    pub(in crate::config) plan: Option<Spanned<RawNumberPlan>>,
    /// How the called number is written, in the request URI and To.
    /// Default: "as_said".
    pub(in crate::config) called: Maybe<RawNumber>,
    /// How the calling number is written, in From.
    /// Default: "as_said".
    pub(in crate::config) calling: Maybe<RawNumber>,
    /// How the asserted number is written.
    /// Default: "as_said".
    pub(in crate::config) asserted: Maybe<RawNumber>,
    /// How diverting numbers are written.
    /// Default: "as_said".
    pub(in crate::config) diverting: Maybe<RawNumber>,
    /// Behind the @ of the called number: `ours`, `theirs` or a name.
    /// Default: "theirs".
    pub(in crate::config) called_host: Maybe<String>,
    /// Behind the @ of the calling number.
    /// Default: "ours".
    pub(in crate::config) calling_host: Maybe<String>,
    /// Behind the @ of the asserted number.
    /// Default: "ours".
    pub(in crate::config) asserted_host: Maybe<String>,
    /// Behind the @ of diverting numbers.
    /// Without it: as it was said.
    pub(in crate::config) diverting_host: Maybe<String>,
    /// Whether what they assert is believed (P-Asserted-Identity, Remote-Party-ID, Diversion, History-Info,
    /// charging, `verstat`); else it is removed (RFC 3325 §5).
    /// Default: true.
    pub(in crate::config) trusts: Option<bool>,
    /// Whether they are told who calls although the caller wants that withheld (RFC 3325 §7).
    /// Default: true.
    pub(in crate::config) trusted: Option<bool>,
    /// Headers that name the caller to them.
    /// Default: ["asserted"].
    pub(in crate::config) assert: Maybe<Vec<RawAssertion>>,
    /// Whether those name the calling number where nobody has asserted one.
    /// Default: false.
    pub(in crate::config) assert_always: bool,
    /// Who hides callers that ask for it (RFC 3323).
    /// Default: "next".
    pub(in crate::config) privacy: Option<RawPrivacy>,
    /// How diversions are told.
    /// Default: "as_said".
    pub(in crate::config) diversion: Option<RawDiversion>,
    /// Trunk group (RFC 4904) in what they are sent.
    /// Default: "as_said".
    pub(in crate::config) trunk_group: Maybe<RawTrunkGroup>,
    /// Whether they are sent P-Charging-Vector (RFC 7315).
    /// Default: false.
    pub(in crate::config) charging: bool,
    /// Whether they are sent the caller's User-to-User (RFC 7433).
    /// Default: false.
    pub(in crate::config) uui: bool,
    /// Whether they are sent the caller's Identity (RFC 8224).
    /// Default: true.
    pub(in crate::config) passports: Option<bool>,
    /// Further headers that are taken from their INVITEs; 16 at most.
    /// Default: [].
    pub(in crate::config) takes: Vec<Spanned<String>>,
    /// Further headers that are sent to them, where the other side's were taken; 16 at most.
    /// Default: [].
    pub(in crate::config) sends: Vec<Spanned<String>>,
    /// Beginnings of numbers, in E.164, that may be shown there as the caller's.
    /// Without it: every number.
    pub(in crate::config) presents: Vec<Spanned<String>>,
    /// Shown in place of a number that may not be, in E.164.
    /// Without it: such callers are anonymous.
    pub(in crate::config) default_caller: Maybe<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawNumberPlan {
    /// Country code of national numbers, up to 3 digits.
    /// Without it: national numbers are not known as such.
    pub(in crate::config) country: Maybe<String>,
    /// What stands before a national number, up to 4 digits.
    /// Without it: nothing does.
    pub(in crate::config) national: Maybe<String>,
    /// What stands before a foreign one, up to 6 digits.
    /// Without it: nothing does.
    pub(in crate::config) international: Maybe<String>,
    /// What is dialled to get a line, up to 4 digits.
    /// Without it: nothing is.
    pub(in crate::config) access: Maybe<String>,
    /// Numbers of so many digits and no prefix are national: 10 in North America; 0: none are.
    /// Default: 0.
    /// Range: 0 to 15.
    pub(in crate::config) national_digits: Maybe<i64>,
    /// Numbers of at most so many digits are short codes, which stay as they are.
    /// Default: 0.
    /// Range: 0 to 15.
    pub(in crate::config) short_digits: Maybe<i64>,
    /// Whether any other number without a prefix is global and lacks its `+`.
    /// Default: false.
    pub(in crate::config) bare_is_global: bool,
}

/// A format alone, or with what stands before the number.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(in crate::config) enum RawNumber {
    /// A format alone.
    Plain(RawFormat),
    /// A format, and what stands before the number.
    Prefixed(RawPrefixed),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawPrefixed {
    /// How the number is written.
    /// Required.
    pub(in crate::config) format: RawFormat,
    /// What stands before it: up to 8 of the digits, `*`, `#` and `+`.
    /// Required.
    pub(in crate::config) prefix: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawFormat {
    /// As the call has it.
    AsSaid,
    /// `+4930123`.
    E164,
    /// `4930123`.
    Digits,
    /// `030123` at home, `004930123` from abroad.
    National,
    /// `004930123`.
    International,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawAssertion {
    /// P-Asserted-Identity (RFC 3325).
    Asserted,
    /// P-Preferred-Identity, for carriers to whom we are a user.
    Preferred,
    /// Remote-Party-ID.
    RemoteParty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawPrivacy {
    /// Whoever comes after us.
    Next,
    /// We do: From is anonymous where `user` or `id` was asked for.
    Us,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawDiversion {
    /// Not at all.
    Withheld,
    /// As they were said, in whichever header.
    AsSaid,
    /// As Diversion (RFC 5806).
    Diversion,
    /// As History-Info (RFC 7044).
    HistoryInfo,
}

/// `"as_said"`, `"removed"`, or the words of a trunk group.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(in crate::config) enum RawTrunkGroup {
    /// One of two words.
    Word(RawTrunkGroupWord),
    /// The group's own words.
    Put(RawTrunkGroupPut),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawTrunkGroupWord {
    /// As it was said.
    AsSaid,
    /// None.
    Removed,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawTrunkGroupPut {
    /// `tgrp`.
    /// Required.
    pub(in crate::config) group: String,
    /// `trunk-context`.
    /// Required.
    pub(in crate::config) context: String,
    /// Whether Contact names it, too.
    /// Default: false.
    #[serde(default)]
    pub(in crate::config) contact: bool,
}
