//! Both sides of mutual TLS: an authority, what it has signed, and who is told of it.

use crate::tls_ca::{Ca, Holder};
use std::path::{Path, PathBuf};

/// Certificates and keys in a folder: the appliance's and the carrier's.
#[derive(Debug, Clone)]
pub(crate) struct Certified(PathBuf);

impl Certified {
    pub(crate) fn new(folder: &Path) -> Self {
        let ca = Ca::new("both sides");
        ca.write(folder, "ca");
        ca.signs(Holder::of(&["sip.us.example"])).write(folder, "us");
        ca.signs(Holder::of(&["sip:carrier.example"])).write(folder, "carrier");
        let at = folder.display();
        let same = format!(
            "method = TLSv1.2+\nverify_certificate = yes\nrequire_certificate = yes\nprivate_key = {at}/carrier.key\n\
             certificate = {at}/carrier.pem\nca_list = {at}/ca.pem\n"
        );
        let certified = Self(folder.to_owned());
        let text = format!("[server:default]\n{same}\n[client:default]\n{same}");
        std::fs::write(certified.kamailio(), text).unwrap();
        certified
    }

    /// What Kamailio's module reads.
    pub(crate) fn kamailio(&self) -> PathBuf {
        self.0.join("kamailio-tls.cfg")
    }

    /// Of the appliance's listener for the carrier.
    pub(crate) fn listener(&self) -> String {
        let at = self.0.display();
        format!(
            "certificate = \"{at}/us.pem\"\nkey = \"{at}/us.key\"\nclient_ca = \"{at}/ca.pem\"\nrequire_client = true"
        )
    }

    /// Of the trunk, which is known by its certificate.
    pub(crate) fn trunk(&self) -> String {
        let at = self.0.display();
        format!(
            "certificates = [\"carrier.example\"]\ntls = {{ server_name = \"carrier.example\", ca = \"{at}/ca.pem\" }}"
        )
    }
}
