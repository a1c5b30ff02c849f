//! What a neighbour may say of who calls whom, and how it is told.

use super::number::{NumberPlan, NumberStyle};
use std::sync::LazyLock;

/// How identity is read from a trunk or edge group, and how it is written for it.
///
/// The default is the profile of whoever has none: numbers as they were said, our own host part, display name, Privacy,
/// P-Asserted-Identity, Diversion, PASSporTs, and nothing that is not named here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name in the configuration.
    pub name: String,
    /// How it dials.
    pub plan: NumberPlan,
    /// How numbers are written for it, by place.
    pub numbers: Numbers,
    /// What stands behind the @, by header.
    pub hosts: Hosts,
    /// Whether what it asserts is believed: P-Asserted-Identity, Remote-Party-ID, Diversion, History-Info, charging and
    /// `verstat`. What an untrusted neighbour asserts is removed (RFC 3325 §5).
    pub trusts: bool,
    /// Whether it is told who calls although the caller wants that withheld (RFC 3325 §7): it is of our trust domain.
    pub trusted: bool,
    /// The headers that name the caller to it, beside From.
    pub asserts: Asserts,
    /// Whether we are the privacy service of the caller (RFC 3323 §5), or whoever comes after us is.
    pub privacy: PrivacyService,
    /// How diversions are told.
    pub diversion: Diversions,
    /// Trunk groups (RFC 4904) in what it is sent.
    pub marking: Marking,
    /// It is sent P-Charging-Vector (RFC 7315 §4.6).
    pub charging: bool,
    /// It is sent the caller's User-to-User (RFC 7433).
    pub uui: bool,
    /// It is sent the caller's Identity (RFC 8224) and the Date that belongs to it.
    pub passports: bool,
    /// Names of further headers that are taken from its INVITEs.
    pub takes: Vec<String>,
    /// Names of further headers that are sent to it, where the other side's were taken.
    pub sends: Vec<String>,
    /// Beginnings of the numbers that it may be shown as the caller's, in E.164; empty: every one.
    pub presents: Vec<String>,
    /// Shown in place of a number that it may not be shown, in E.164.
    pub default_caller: Option<String>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            name: String::new(),
            plan: NumberPlan::default(),
            numbers: Numbers::default(),
            hosts: Hosts::default(),
            trusts: true,
            trusted: true,
            asserts: Asserts::default(),
            privacy: PrivacyService::default(),
            diversion: Diversions::default(),
            marking: Marking::default(),
            charging: false,
            uui: false,
            passports: true,
            takes: Vec::new(),
            sends: Vec::new(),
            presents: Vec::new(),
            default_caller: None,
        }
    }
}

impl Profile {
    /// The default one: whoever has none of its own has this.
    pub fn plain() -> &'static Self {
        static PLAIN: LazyLock<Profile> = LazyLock::new(Profile::default);
        &PLAIN
    }

    /// Whether this number, in E.164, may be shown as the caller's.
    pub(crate) fn may_present(&self, number: &[u8]) -> bool {
        self.presents.is_empty() || self.presents.iter().any(|own| number.starts_with(own.as_bytes()))
    }
}

/// How numbers are written, by place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbers {
    /// Request URI and To.
    pub called: NumberStyle,
    /// From.
    pub calling: NumberStyle,
    /// P-Asserted-Identity, P-Preferred-Identity, Remote-Party-ID.
    pub asserted: NumberStyle,
    /// Diversion and History-Info.
    pub diverting: NumberStyle,
}

/// A host part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HostPart {
    /// The listener's advertised address.
    #[default]
    Ours,
    /// The target's address.
    Theirs,
    /// This one.
    Named(String),
}

/// What stands behind the @.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// From.
    pub calling: HostPart,
    /// To. The request URI has the target's address always.
    pub called: HostPart,
    /// P-Asserted-Identity, P-Preferred-Identity, Remote-Party-ID.
    pub asserted: HostPart,
    /// Diversion and History-Info; `None`: as it was said.
    pub diverting: Option<HostPart>,
}

impl Default for Hosts {
    fn default() -> Self {
        Self { calling: HostPart::Ours, called: HostPart::Theirs, asserted: HostPart::Ours, diverting: None }
    }
}

/// The headers that name the caller beside From.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asserts {
    /// P-Asserted-Identity (RFC 3325 §9.1).
    pub asserted: bool,
    /// P-Preferred-Identity (RFC 3325 §9.2): for carriers to whom we are a user.
    pub preferred: bool,
    /// Remote-Party-ID, for carriers that have stayed with it.
    pub remote_party: bool,
    /// They name the calling number where nobody has asserted one.
    pub always: bool,
}

impl Default for Asserts {
    fn default() -> Self {
        Self { asserted: true, preferred: false, remote_party: false, always: false }
    }
}

/// Who serves the caller's privacy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PrivacyService {
    /// Whoever comes after us: Privacy passes as it was said, and nothing is hidden.
    #[default]
    Next,
    /// We do: From is anonymous where `user` or `id` was asked for, what was done is no longer asked for.
    Us,
}

/// How diversions are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Diversions {
    /// Not at all.
    Withheld,
    /// As they were said, in whichever header.
    #[default]
    AsSaid,
    /// As Diversion (RFC 5806), from History-Info too (RFC 7544 §4).
    Diversion,
    /// As History-Info (RFC 7044), from Diversion too (RFC 7544 §5).
    HistoryInfo,
}

/// Trunk groups in what a neighbour is sent (RFC 4904).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Marking {
    /// As the user parts were said.
    #[default]
    AsSaid,
    /// None.
    Removed,
    /// These words in the request URI, and in Contact where that is wanted.
    Put {
        /// `tgrp`.
        group: String,
        /// `trunk-context`.
        context: String,
        /// Contact names it, too: the group that the call comes from.
        in_contact: bool,
    },
}
