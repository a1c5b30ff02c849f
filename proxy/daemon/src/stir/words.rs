//! The core's words for what the arithmetic says, and the other way round.

use proxy_core::{Attestation, Verification, VerifyReason};
use stir::{Attest, Failure, Verdict};

pub(super) const fn attest(attestation: Attestation) -> Attest {
    match attestation {
        Attestation::A => Attest::A,
        Attestation::B => Attest::B,
        Attestation::C => Attest::C,
    }
}

pub(super) const fn reason(failure: Failure) -> VerifyReason {
    match failure {
        Failure::Missing => VerifyReason::NoIdentity,
        Failure::UnknownExtension => VerifyReason::UnknownExtension,
        Failure::Malformed => VerifyReason::Malformed,
        Failure::BadInfo => VerifyReason::BadInfo,
        Failure::BadCertificate => VerifyReason::BadCertificate,
        Failure::Untrusted => VerifyReason::Untrusted,
        Failure::Expired => VerifyReason::Expired,
        Failure::NotEntitled => VerifyReason::NotEntitled,
        Failure::Stale => VerifyReason::Stale,
        Failure::Future => VerifyReason::Future,
        Failure::Signature => VerifyReason::Signature,
        Failure::Calling => VerifyReason::Calling,
        Failure::Called => VerifyReason::Called,
    }
}

pub(super) fn verification(judged: Result<Verdict, Failure>) -> Verification {
    match judged {
        Ok(verdict) => Verification {
            reason: VerifyReason::Passed,
            attest: verdict.attest.map(|attest| match attest {
                Attest::A => Attestation::A,
                Attest::B => Attestation::B,
                Attest::C => Attestation::C,
            }),
            number: verdict.calling.into(),
        },
        Err(failure) => Verification::only(reason(failure)),
    }
}
