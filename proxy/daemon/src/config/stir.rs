//! Keys, certificates and hosts: what the shell signs and verifies callers with.

use crate::stir::Host;
use std::fmt;

/// One `[[stir]]`: the other half of [`proxy_core::StirPolicy`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StirSettings {
    /// Its name.
    pub name: String,
    /// What calls are signed with.
    pub sign: Option<SignSettings>,
    /// What calls are verified with.
    pub verify: Option<VerifySettings>,
}

/// What calls are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct SignSettings {
    /// The key, in PEM.
    pub key: Vec<u8>,
    /// Where its certificate is, for whoever verifies.
    pub certificate: String,
    /// A UUID that names us as the origin of a call (RFC 8588 §5).
    pub origid: String,
}

/// Never the key.
impl fmt::Debug for SignSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignSettings").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// What calls are verified with.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifySettings {
    /// Authorities whose certificates speak for numbers, in PEM.
    pub authorities: Vec<u8>,
    /// Hosts that certificates may be fetched from.
    pub hosts: Vec<Host>,
    /// Authorities that those hosts' own certificates are of, in PEM.
    pub https_authorities: Vec<u8>,
    /// Certificates that are here already, by their URL.
    pub certificates: Vec<(String, Vec<u8>)>,
}

/// The certificates by their URLs only.
impl fmt::Debug for VerifySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = self.certificates.iter().map(|(url, _)| url.as_str()).collect();
        f.debug_struct("VerifySettings")
            .field("hosts", &self.hosts)
            .field("certificates", &known)
            .finish_non_exhaustive()
    }
}
