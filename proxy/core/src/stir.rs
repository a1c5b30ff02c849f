//! Who calls, signed and verified (RFC 8224): what the core wants done and what came of it. Keys, certificates and their
//! arithmetic are elsewhere; a shard asks with [`Output::Stir`](crate::Output::Stir) and goes on when
//! [`Input::Stir`](crate::Input::Stir) or the call's patience says so.

use crate::ids::CallKey;
use crate::{Config, GroupId, Owner, RejectReason, TargetId, UnsignedReason, VerifyReason};
use relay_values::Duration;
use std::sync::Arc;

/// A policy, by its place in [`Config::stir`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StirId(pub u16);

/// What is signed for a trunk, and what is verified of its calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StirPolicy {
    /// Its name in the configuration. Whoever signs and verifies knows it by that.
    pub name: Arc<str>,
    /// Calls to the trunk are signed.
    pub sign: Option<SignPolicy>,
    /// Calls from the trunk are verified.
    pub verify: Option<VerifyPolicy>,
}

/// How calls are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignPolicy {
    /// Beginnings of the numbers that are known to be our callers', in E.164: attested A.
    pub owns: Vec<String>,
    /// What is attested of other numbers.
    pub others: Attestation,
    /// Edge groups whose calls come from elsewhere: attested C, whatever the number.
    pub gateways: Vec<GroupId>,
    /// How long an INVITE waits for its signature.
    pub wait: Duration,
    /// Without a signature it does not leave.
    pub required: bool,
}

/// How calls are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyPolicy {
    /// How long a call waits for the result.
    pub wait: Duration,
    /// Codes of RFC 8224 §6.2.2 with which calls are refused: of 403, 428, 436, 437 and 438. Others are marked and go on.
    pub refuse: Vec<u16>,
}

/// How much is known of a caller (RFC 8588 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attestation {
    /// Who it is, and that the number is theirs.
    A,
    /// Who it is.
    B,
    /// Where the call came from.
    C,
}

impl Attestation {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::C];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

/// Names what was asked, and by whom. Comes back with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StirTicket {
    pub(crate) call: CallKey,
    pub(crate) serial: u32,
}

/// Something to sign or to verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StirTask {
    /// To be given back.
    pub ticket: StirTicket,
    /// [`StirPolicy::name`].
    pub policy: Arc<str>,
    /// What.
    pub work: StirWork,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StirWork {
    /// Sign.
    Sign(ToSign),
    /// Verify.
    Verify(ToVerify),
}

/// What is to be signed. Numbers are user parts in E.164, with their parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToSign {
    /// The caller, as the trunk is told.
    pub calling: Box<[u8]>,
    /// Where the call goes.
    pub called: Box<[u8]>,
    /// Whom it was for, where that is somebody else (RFC 8946).
    pub was_for: Option<Box<[u8]>>,
    /// How much is known of the caller.
    pub attest: Attestation,
    /// Identity values that the call has already, each with a line feed behind it: their caller is not signed for again.
    pub passed: Box<[u8]>,
}

/// What is to be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToVerify {
    /// Identity values, each with a line feed behind it.
    pub identities: Box<[u8]>,
    /// The Date header field; empty without one.
    pub date: Box<[u8]>,
    /// User parts that name the caller: what is asserted, and From.
    pub calling: Vec<Box<[u8]>>,
    /// User parts that are called: the request URI's, and To's.
    pub called: Vec<Box<[u8]>>,
}

impl StirTask {
    /// What the call is told when nobody has time for it.
    pub fn busy(&self) -> StirAnswer {
        let said = match &self.work {
            StirWork::Sign(_) => StirSaid::Unsigned(UnsignedReason::Busy),
            StirWork::Verify(_) => StirSaid::Verified(Verification::only(VerifyReason::Busy)),
        };
        StirAnswer { ticket: self.ticket, said }
    }
}

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StirAnswer {
    /// The task's.
    pub ticket: StirTicket,
    /// What.
    pub said: StirSaid,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StirSaid {
    /// Signed.
    Signed(Signature),
    /// Not signed.
    Unsigned(UnsignedReason),
    /// Verified, whatever the result.
    Verified(Verification),
}

/// Header fields to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signature {
    /// Values of Identity.
    pub identities: Vec<Box<[u8]>>,
    /// The value of Date that belongs to them (RFC 8224 §4.1).
    pub date: Box<[u8]>,
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Whether the call was what it claimed, or why not.
    pub reason: VerifyReason,
    /// What its signer attested.
    pub attest: Option<Attestation>,
    /// The number that was signed for: digits alone.
    pub number: Box<str>,
}

impl Verification {
    /// A result of which nothing more is known.
    pub fn only(reason: VerifyReason) -> Self {
        Self { reason, attest: None, number: "".into() }
    }
}

/// What the record has of it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StirRecord {
    /// What the last INVITE attested.
    pub attested: Option<Attestation>,
    /// Why the last INVITE that was to be signed was not.
    pub unsigned: Option<UnsignedReason>,
    /// What verification of the caller found.
    pub verified: Option<VerifyReason>,
    /// What the caller's own signer attested, where that was found true.
    pub vouched: Option<Attestation>,
}

impl VerifyReason {
    /// The code of RFC 8224 §6.2.2; `None` where there is nothing to refuse for.
    pub const fn code(self) -> Option<u16> {
        match self {
            Self::Passed | Self::Busy => None,
            Self::NoIdentity | Self::UnknownExtension => Some(428),
            Self::Stale | Self::Future => Some(403),
            Self::BadInfo
            | Self::HostNotAllowed
            | Self::PrivateAddress
            | Self::Unreachable
            | Self::Timeout => Some(436),
            Self::BadCertificate | Self::Untrusted | Self::Expired | Self::NotEntitled => Some(437),
            Self::Malformed | Self::Signature | Self::Calling | Self::Called => Some(438),
        }
    }

    /// The value of `verstat` (3GPP TS 24.229 §7.2A.20): failed where something is wrong, none where nobody knows.
    pub const fn verstat(self) -> &'static str {
        match self {
            Self::Passed => "TN-Validation-Passed",
            Self::NoIdentity | Self::UnknownExtension | Self::Unreachable | Self::Timeout | Self::Busy => {
                "No-TN-Validation"
            }
            Self::Malformed
            | Self::BadInfo
            | Self::HostNotAllowed
            | Self::PrivateAddress
            | Self::BadCertificate
            | Self::Untrusted
            | Self::Expired
            | Self::NotEntitled
            | Self::Stale
            | Self::Future
            | Self::Signature
            | Self::Calling
            | Self::Called => "TN-Validation-Failed",
        }
    }
}

impl VerifyPolicy {
    /// The refusal that this result deserves, if any.
    pub(crate) fn refusal(&self, found: VerifyReason) -> Option<(u16, RejectReason)> {
        let code = found.code().filter(|code| self.refuse.contains(code))?;
        let reason = match code {
            428 => RejectReason::NoIdentity,
            436 => RejectReason::BadIdentityInfo,
            437 => RejectReason::UnsupportedCredential,
            403 => RejectReason::StaleDate,
            _ => RejectReason::InvalidIdentity,
        };
        Some((code, reason))
    }
}

impl SignPolicy {
    /// What is attested of a number whose call comes from this group.
    pub(crate) fn attests(&self, number: &[u8], from: Option<GroupId>) -> Attestation {
        if from.is_some_and(|group| self.gateways.contains(&group)) {
            return Attestation::C;
        }
        let is_ours = self.owns.iter().any(|own| number.starts_with(own.as_bytes()));
        if is_ours { Attestation::A } else { self.others }
    }
}

impl Config {
    fn stir_of(&self, owner: Owner) -> Option<&StirPolicy> {
        if self.stir.is_empty() {
            return None;
        }
        self.stir.get(usize::from(self.manners(owner).stir?.0))
    }

    /// How calls to a target are signed, if they are.
    pub(crate) fn signing(&self, target: TargetId) -> Option<(&StirPolicy, &SignPolicy)> {
        if self.stir.is_empty() {
            return None;
        }
        let policy = self.stir_of(self.target(target)?.owner)?;
        policy.sign.as_ref().map(|sign| (policy, sign))
    }

    /// How calls from a neighbour are verified, if they are.
    pub(crate) fn verifying(&self, owner: Owner) -> Option<(&StirPolicy, &VerifyPolicy)> {
        let policy = self.stir_of(owner)?;
        policy.verify.as_ref().map(|verify| (policy, verify))
    }
}
