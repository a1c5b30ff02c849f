//! Why a PASSporT does not speak for its call.

/// One reason each. The code is what RFC 8224 §6.2.2 has for it, should somebody want to refuse the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// There is no Identity header field (428).
    #[error("no Identity header field")]
    Missing,
    /// None whose `ppt` is known here: as good as none (428).
    #[error("no PASSporT of a known kind")]
    UnknownExtension,
    /// Not an Identity value, not a token, not the claims that its kind needs (438).
    #[error("cannot be read")]
    Malformed,
    /// `info` and `x5u` differ, or are no `https` URL (436).
    #[error("does not say where its certificate is")]
    BadInfo,
    /// No certificate can be read where it should be (437).
    #[error("the certificate cannot be read")]
    BadCertificate,
    /// No trusted authority stands behind the certificate (437).
    #[error("nobody who is trusted stands behind the certificate")]
    Untrusted,
    /// The certificate, or one above it, is not valid now (437).
    #[error("the certificate is not valid now")]
    Expired,
    /// The certificate does not cover the number that it signs for (437, RFC 8226 §9).
    #[error("the certificate does not cover the number")]
    NotEntitled,
    /// Signed too long ago (403).
    #[error("too old")]
    Stale,
    /// Signed in the future (403).
    #[error("of the future")]
    Future,
    /// The signature does not fit (438).
    #[error("the signature does not fit")]
    Signature,
    /// Signed for another caller (438).
    #[error("names another caller")]
    Calling,
    /// Signed for another destination, and no diversion leads from there to here (438).
    #[error("names another destination")]
    Called,
}
