//! Identity profiles: what a neighbour is believed and told of who calls whom.

use super::names::Names;
use super::policy::ranged;
use crate::config::complaint::Complaints;
use crate::config::raw::{
    Maybe, RawAssertion, RawDiversion, RawFormat, RawIdentity, RawNumber, RawNumberPlan, RawPrivacy,
    RawTrunkGroup, RawTrunkGroupWord,
};
use proxy_core::{
    Asserts, Diversions, HostPart, Hosts, Marking, NumberFormat, NumberPlan, NumberStyle, Numbers,
    PrivacyService, Profile, ProfileId,
};
use serde_spanned::Spanned;
use sip_wire::HeaderName;

/// Further headers in one profile: each is looked for in every INVITE.
const MAX_FURTHER: usize = 16;

/// The profile that a trunk or an edge group names.
pub(super) fn chosen(
    written: &Maybe<String>,
    profiles: &Names<'_>,
    complaints: &mut Complaints,
) -> Option<ProfileId> {
    profiles.find(written.as_ref()?, complaints).map(ProfileId)
}

pub(super) fn read(sections: &[Spanned<RawIdentity>], complaints: &mut Complaints) -> Vec<Profile> {
    sections.iter().map(|section| profile(section, complaints)).collect()
}

fn profile(section: &Spanned<RawIdentity>, complaints: &mut Complaints) -> Profile {
    let raw = section.get_ref();
    let base = Profile::default();
    let plan = raw.plan.as_ref().map(|plan| number_plan(plan.get_ref(), complaints)).unwrap_or_default();
    let styles = [&raw.called, &raw.calling, &raw.asserted, &raw.diverting]
        .map(|style| number_style(style, &plan, complaints));
    let [called, calling, asserted, diverting] = styles;
    let asserts = match &raw.assert {
        None => Asserts { always: raw.assert_always, ..base.asserts },
        Some(list) => Asserts {
            asserted: list.get_ref().contains(&RawAssertion::Asserted),
            preferred: list.get_ref().contains(&RawAssertion::Preferred),
            remote_party: list.get_ref().contains(&RawAssertion::RemoteParty),
            always: raw.assert_always,
        },
    };
    let presents: Vec<String> = raw.presents.iter().map(|own| global(own, complaints)).collect();
    let default_caller = raw.default_caller.as_ref().map(|number| global(number, complaints));
    caller_ids(section, &presents, default_caller.as_deref(), complaints);
    Profile {
        name: raw.name.as_ref().map(|name| name.get_ref().clone()).unwrap_or_default(),
        plan,
        numbers: Numbers { called, calling, asserted, diverting },
        hosts: Hosts {
            called: host(&raw.called_host, complaints).unwrap_or(base.hosts.called),
            calling: host(&raw.calling_host, complaints).unwrap_or(base.hosts.calling),
            asserted: host(&raw.asserted_host, complaints).unwrap_or(base.hosts.asserted),
            diverting: host(&raw.diverting_host, complaints),
        },
        trusts: raw.trusts.unwrap_or(base.trusts),
        trusted: raw.trusted.unwrap_or(base.trusted),
        asserts,
        privacy: match raw.privacy {
            Some(RawPrivacy::Us) => PrivacyService::Us,
            Some(RawPrivacy::Next) | None => PrivacyService::Next,
        },
        diversion: match raw.diversion {
            Some(RawDiversion::Withheld) => Diversions::Withheld,
            Some(RawDiversion::Diversion) => Diversions::Diversion,
            Some(RawDiversion::HistoryInfo) => Diversions::HistoryInfo,
            Some(RawDiversion::AsSaid) | None => Diversions::AsSaid,
        },
        marking: marking(&raw.trunk_group, complaints),
        charging: raw.charging,
        uui: raw.uui,
        passports: raw.passports.unwrap_or(base.passports),
        takes: further(&raw.takes, complaints),
        sends: further(&raw.sends, complaints),
        presents,
        default_caller,
    }
}

fn number_plan(raw: &RawNumberPlan, complaints: &mut Complaints) -> NumberPlan {
    let mut digits = |written: &Maybe<String>, most: usize, what: &str| {
        let Some(written) = written else { return String::new() };
        let text = written.get_ref();
        if text.len() > most || !text.bytes().all(|b| b.is_ascii_digit()) {
            complaints
                .error(written.span(), format!("`{}` is no {what}", text.escape_debug()))
                .advise(format!("write at most {most} digits, without + and blanks"));
        }
        text.clone()
    };
    let (country, national) = (digits(&raw.country, 3, "country code"), digits(&raw.national, 4, "prefix"));
    let (international, access) = (digits(&raw.international, 6, "prefix"), digits(&raw.access, 4, "prefix"));
    let mut count = |written: &Maybe<i64>, what: &str| {
        let count = written.as_ref().map_or(0, |n| ranged(n, 0, 15, what, complaints));
        u8::try_from(count).unwrap_or(0)
    };
    NumberPlan {
        national_digits: count(&raw.national_digits, "`national_digits`"),
        short_digits: count(&raw.short_digits, "`short_digits`"),
        bare_is_global: raw.bare_is_global,
        country,
        national,
        international,
        access,
    }
}

fn number_style(written: &Maybe<RawNumber>, plan: &NumberPlan, complaints: &mut Complaints) -> NumberStyle {
    let Some(written) = written else { return NumberStyle::default() };
    let (format, prefix) = match written.get_ref() {
        RawNumber::Plain(format) => (*format, String::new()),
        RawNumber::Prefixed(prefixed) => (prefixed.format, prefixed.prefix.clone()),
    };
    if prefix.len() > 8 || !prefix.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'*' | b'#')) {
        complaints
            .error(written.span(), format!("`{}` cannot stand before a number", prefix.escape_debug()))
            .advise("write at most 8 of the digits, `*`, `#` and `+`");
    }
    if format == RawFormat::National && plan.country.is_empty() {
        complaints.error(written.span(), "nobody knows which numbers are national").advise(
            "add `plan = { country = \"49\", national = \"0\", international = \"00\" }` to this profile",
        );
    }
    let format = match format {
        RawFormat::AsSaid => NumberFormat::AsSaid,
        RawFormat::E164 => NumberFormat::E164,
        RawFormat::Digits => NumberFormat::Digits,
        RawFormat::National => NumberFormat::National,
        RawFormat::International => NumberFormat::International,
    };
    NumberStyle { format, prefix }
}

fn host(written: &Maybe<String>, complaints: &mut Complaints) -> Option<HostPart> {
    let written = written.as_ref()?;
    let text = written.get_ref().as_str();
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
    if text.is_empty() || text.len() > 255 || !text.bytes().all(is_host) {
        complaints
            .error(written.span(), format!("`{}` is no host", text.escape_debug()))
            .advise("write \"ours\", \"theirs\", or a name or address such as \"sip.example.com\"");
    }
    Some(match text {
        "ours" => HostPart::Ours,
        "theirs" => HostPart::Theirs,
        name => HostPart::Named(name.to_owned()),
    })
}

/// A number in E.164, or the beginning of one.
pub(super) fn global(written: &Spanned<String>, complaints: &mut Complaints) -> String {
    let text = written.get_ref();
    let digits = text.strip_prefix('+').unwrap_or_default();
    if !(1..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        complaints
            .error(written.span(), format!("`{}` is no number in E.164", text.escape_debug()))
            .advise("write it with its country code, such as \"+4930123456\"");
    }
    text.clone()
}

fn caller_ids(
    section: &Spanned<RawIdentity>,
    presents: &[String],
    default_caller: Option<&str>,
    complaints: &mut Complaints,
) {
    let raw = section.get_ref();
    match (&raw.default_caller, default_caller) {
        (None, _) if !presents.is_empty() => {
            complaints
                .warn(section.span(), "callers whose number `presents` does not name are anonymous")
                .advise("add `default_caller = \"+4930123456\"`: carriers refuse calls from nobody");
        }
        (Some(written), Some(_)) if presents.is_empty() => {
            complaints
                .warn(written.span(), "`default_caller` is never shown: every number may be")
                .advise("add `presents = [\"+4930123\"]`: the numbers that may be shown there");
        }
        (Some(written), Some(number)) if !presents.iter().any(|own| number.starts_with(own.as_str())) => {
            complaints
                .error(written.span(), format!("`{number}` may not be shown there itself"))
                .at("no entry of `presents` begins so")
                .advise("add it to `presents`");
        }
        _ => {}
    }
}

fn marking(written: &Maybe<RawTrunkGroup>, complaints: &mut Complaints) -> Marking {
    let Some(written) = written else { return Marking::default() };
    match written.get_ref() {
        RawTrunkGroup::Word(RawTrunkGroupWord::AsSaid) => Marking::AsSaid,
        RawTrunkGroup::Word(RawTrunkGroupWord::Removed) => Marking::Removed,
        RawTrunkGroup::Put(put) => {
            // RFC 4904 §4: both are made of what can stand in a parameter of a tel URI.
            let is_word = |text: &str| {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()+:[]/&$".contains(&b);
                (1..=128).contains(&text.len()) && text.bytes().all(allowed)
            };
            for (key, text) in [("group", &put.group), ("context", &put.context)] {
                if !is_word(text) {
                    complaints
                        .error(written.span(), format!("`{}` cannot be a `{key}`", text.escape_debug()))
                        .advise(
                            "write letters, digits, dots and hyphens, such as \"tg-1\" and \"example.com\"",
                        );
                }
            }
            Marking::Put { group: put.group.clone(), context: put.context.clone(), in_contact: put.contact }
        }
    }
}

/// Names of headers that we neither build nor judge ourselves.
fn further(list: &[Spanned<String>], complaints: &mut Complaints) -> Vec<String> {
    for (at, name) in list.iter().enumerate() {
        let text = name.get_ref();
        if !super::correlation::is_token(text) {
            complaints
                .error(name.span(), format!("`{}` cannot be the name of a header field", text.escape_debug()))
                .advise("write letters, digits and hyphens, such as \"X-Account\"");
        } else if HeaderName::lookup(text.as_bytes()) != HeaderName::Other {
            complaints
                .error(
                    name.span(),
                    format!("`{text}` has a meaning of its own: a copy of it could contradict ours"),
                )
                .advise("the profile's other keys say what becomes of those that tell of identity");
        } else if at >= MAX_FURTHER {
            complaints
                .error(name.span(), "too many further headers")
                .advise(format!("name at most {MAX_FURTHER}"));
        }
    }
    list.iter().map(|name| name.get_ref().clone()).collect()
}
