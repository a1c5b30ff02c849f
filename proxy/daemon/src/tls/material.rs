//! Certificates and keys as files hold them (PEM, RFC 7468).

use super::{Domains, PROVIDER};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate with those between it and its root, and its key.
pub(crate) struct Pair {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    /// Whose it is.
    pub(crate) domains: Domains,
    validity: Option<(SystemTime, SystemTime)>,
}

/// How a certificate stands at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Valid,
    /// Not for so long yet.
    Early(Duration),
    /// For no longer than this.
    Ending(Duration),
    /// No more.
    Over,
}

/// Before a certificate has only so much time left its end is nobody's concern: those of automatic authorities are renewed
/// a month before.
const SOON: Duration = Duration::from_hours(14 * 24);

/// Why there is no certificate with its key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PairError {
    #[error("the certificate file {} cannot be read: {error}", .path.display())]
    Certificate { path: PathBuf, error: io::Error },
    #[error("there is no certificate in {}", .0.display())]
    NoCertificate(PathBuf),
    #[error("what stands in {} is no certificate", .0.display())]
    BadCertificate(PathBuf),
    #[error("the key file {} cannot be read: {error}", .path.display())]
    Key { path: PathBuf, error: io::Error },
    #[error("there is no private key in {} that can be used", .0.display())]
    NoKey(PathBuf),
    #[error("the key in {} does not belong to the certificate in {}", .key.display(), .certificate.display())]
    Unfit { key: PathBuf, certificate: PathBuf },
}

/// Why nobody would be believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootsError {
    #[error("the file of authorities {} cannot be read: {error}", .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("there is no authority's certificate in {}", .0.display())]
    Empty(PathBuf),
    #[error("what stands in {} is no authority's certificate", .0.display())]
    Bad(PathBuf),
}

/// Read a certificate and its key.
pub(crate) fn read_pair(certificate: &Path, key: &Path) -> Result<Pair, PairError> {
    let chain = match certificates(certificate) {
        Ok(chain) if chain.is_empty() => return Err(PairError::NoCertificate(certificate.to_owned())),
        Ok(chain) => chain,
        Err(Some(error)) => return Err(PairError::Certificate { path: certificate.to_owned(), error }),
        Err(None) => return Err(PairError::BadCertificate(certificate.to_owned())),
    };
    let Some(validity) = chain.first().and_then(|first| validity(first)) else {
        return Err(PairError::BadCertificate(certificate.to_owned()));
    };
    let text = std::fs::read(key).map_err(|error| PairError::Key { path: key.to_owned(), error })?;
    let secret = PrivateKeyDer::from_pem_slice(&text).map_err(|_| PairError::NoKey(key.to_owned()))?;
    CertifiedKey::from_der(chain.clone(), secret.clone_key(), &PROVIDER).map_err(|why| match why {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            PairError::Unfit { key: key.to_owned(), certificate: certificate.to_owned() }
        }
        rustls::Error::InvalidCertificate(_) => PairError::BadCertificate(certificate.to_owned()),
        _ => PairError::NoKey(key.to_owned()),
    })?;
    let domains = chain.first().map(|first| Domains::of(first)).unwrap_or_default();
    Ok(Pair { chain, key: secret, domains, validity: Some(validity) })
}

/// Read those whose signature is believed.
pub(crate) fn read_roots(path: &Path) -> Result<Arc<RootCertStore>, RootsError> {
    let found = match certificates(path) {
        Ok(found) if found.is_empty() => return Err(RootsError::Empty(path.to_owned())),
        Ok(found) => found,
        Err(Some(error)) => return Err(RootsError::Unreadable { path: path.to_owned(), error }),
        Err(None) => return Err(RootsError::Bad(path.to_owned())),
    };
    let mut roots = RootCertStore::empty();
    // A system's file may have some that nobody can read; one that has nothing else is a mistake.
    let (good, _) = roots.add_parsable_certificates(found);
    if good == 0 { Err(RootsError::Bad(path.to_owned())) } else { Ok(Arc::new(roots)) }
}

/// `Err(None)` where what is there is no PEM.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Option<io::Error>> {
    let text = std::fs::read(path).map_err(Some)?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, PemError>>();
    found.map_err(|_| None)
}

fn validity(der: &[u8]) -> Option<(SystemTime, SystemTime)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let validity = certificate.validity();
    Some((at(validity.not_before.timestamp()), at(validity.not_after.timestamp())))
}

impl Pair {
    pub(crate) fn standing(&self, now: SystemTime) -> Standing {
        let Some((from, until)) = self.validity else { return Standing::Valid };
        if let Ok(early) = from.duration_since(now)
            && !early.is_zero()
        {
            return Standing::Early(early);
        }
        match until.duration_since(now) {
            Err(_) => Standing::Over,
            Ok(left) if left < SOON => Standing::Ending(left),
            Ok(_) => Standing::Valid,
        }
    }
}

/// Never the key.
impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("domains", &self.domains).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_told_in_time() {
        let day = Duration::from_hours(24);
        let now = UNIX_EPOCH + 10_000 * day;
        let standing = |from: SystemTime, until: SystemTime| {
            let validity = Some((from, until));
            let key = PrivateKeyDer::Pkcs8(Vec::new().into());
            Pair { chain: Vec::new(), key, domains: Domains::default(), validity }.standing(now)
        };
        assert_eq!(standing(now - day, now + 90 * day), Standing::Valid);
        assert_eq!(standing(now, now + 13 * day), Standing::Ending(13 * day));
        assert_eq!(standing(now - 9 * day, now - day), Standing::Over);
        assert_eq!(standing(now + day, now + 90 * day), Standing::Early(day));
    }
}
