//! Why a handshake came to nothing: one value each for the log line, the metric label and the test.

use rustls::{AlertDescription, CertificateError, Error};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every value.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for logs and metric labels.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

reasons! {
    /// Why a handshake came to nothing.
    TlsFailure {
        /// It took too long.
        Timeout = "timeout",
        /// The peer closed the connection, or it broke.
        Closed = "closed",
        /// What came is no TLS: plain SIP, most likely.
        NotTls = "not_tls",
        /// No version in common: the peer has nothing newer than TLS 1.1.
        Version = "version",
        /// No cipher, group or signature scheme in common.
        NothingInCommon = "nothing_in_common",
        /// The peer showed no certificate, and has to.
        NoCertificate = "no_certificate",
        /// Its certificate has expired, or is not valid yet.
        Expired = "expired",
        /// Nobody whom we believe has signed it.
        UnknownIssuer = "unknown_issuer",
        /// It is of another domain than that which was called.
        WrongName = "wrong_name",
        /// It cannot be read, or is not for this, or its signature is wrong.
        BadCertificate = "bad_certificate",
        /// The peer does not believe ours, or wants one that we do not have.
        RefusedOurs = "refused_ours",
        /// The peer has ended it with another alert.
        Alert = "alert",
        /// The peer breaks the protocol.
        Misbehaved = "misbehaved",
        /// Nothing says how this peer is called: no target is at its address.
        NotConfigured = "not_configured",
    }
}

impl From<&io::Error> for TlsFailure {
    fn from(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(error) => error.into(),
            None => Self::Closed,
        }
    }
}

impl From<&Error> for TlsFailure {
    fn from(error: &Error) -> Self {
        use rustls::PeerIncompatible as Incompatible;
        match error {
            Error::InvalidMessage(_) => Self::NotTls,
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(why) => why.into(),
            Error::AlertReceived(alert) => (*alert).into(),
            Error::PeerIncompatible(
                Incompatible::ServerDoesNotSupportTls12Or13
                | Incompatible::ServerTlsVersionIsDisabledByOurConfig
                // Whoever speaks 1.2 names its algorithms (RFC 5246 §7.4.1.4.1).
                | Incompatible::SignatureAlgorithmsExtensionRequired
                | Incompatible::SupportedVersionsExtensionRequired
                | Incompatible::Tls12NotOffered
                | Incompatible::Tls12NotOfferedOrEnabled,
            ) => Self::Version,
            Error::PeerIncompatible(_) => Self::NothingInCommon,
            // Others may be added to the library.
            _ => Self::Misbehaved,
        }
    }
}

impl From<&CertificateError> for TlsFailure {
    fn from(why: &CertificateError) -> Self {
        match why {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::Expired,
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            // Others may be added to the library.
            _ => Self::BadCertificate,
        }
    }
}

impl From<AlertDescription> for TlsFailure {
    fn from(alert: AlertDescription) -> Self {
        match alert {
            AlertDescription::ProtocolVersion => Self::Version,
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
                Self::NothingInCommon
            }
            AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied => Self::RefusedOurs,
            AlertDescription::CloseNotify | AlertDescription::UserCanceled => Self::Closed,
            // Every other one says only that it is over.
            _ => Self::Alert,
        }
    }
}

/// Handshakes by what became of them.
#[derive(Debug, Default)]
pub(crate) struct HandshakeTally {
    done: AtomicU64,
    failed: [AtomicU64; TlsFailure::ALL.len()],
}

impl HandshakeTally {
    pub(crate) fn succeed(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fail(&self, why: TlsFailure) {
        if let Some(count) = self.failed.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Those that came to nothing, by reason.
    pub(crate) fn failed(&self) -> impl Iterator<Item = (TlsFailure, u64)> + '_ {
        TlsFailure::ALL.iter().copied().zip(self.failed.iter().map(|n| n.load(Ordering::Relaxed)))
    }
}
