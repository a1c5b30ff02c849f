//! Keys, authorities and hosts, read once for each configuration.

use super::fetch::Web;
use super::place::Host;
use crate::config::{DnsSettings, SignSettings, StirSettings, VerifySettings};
use std::collections::HashMap;
use stir::{Signer, Trust};

/// All policies. What is not there or cannot be read was complained of when the file was checked.
#[derive(Debug)]
pub(super) struct Table {
    offices: Vec<Office>,
}

/// What one policy is carried out with.
#[derive(Debug)]
pub(super) struct Office {
    name: String,
    pub(super) signer: Option<Signer>,
    pub(super) verifier: Option<Verifier>,
}

/// What is believed.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) trust: Trust,
    pub(super) hosts: Vec<Host>,
    pub(super) web: Option<Web>,
    /// Bundles that are here already, by URL.
    pub(super) known: HashMap<String, Vec<u8>>,
}

impl Table {
    pub(super) fn new(settings: &[StirSettings], dns: &DnsSettings) -> Self {
        let office = |policy: &StirSettings| Office {
            name: policy.name.clone(),
            signer: policy.sign.as_ref().and_then(signer),
            verifier: policy.verify.as_ref().and_then(|settings| verifier(settings, dns)),
        };
        Self { offices: settings.iter().map(office).collect() }
    }

    /// The place of a policy.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.offices.iter().position(|office| office.name == name)
    }

    pub(super) fn get(&self, office: usize) -> Option<&Office> {
        self.offices.get(office)
    }
}

fn signer(settings: &SignSettings) -> Option<Signer> {
    Signer::new(&settings.key, &settings.certificate, &settings.origid).ok()
}

fn verifier(settings: &VerifySettings, dns: &DnsSettings) -> Option<Verifier> {
    Some(Verifier {
        trust: Trust::read(&settings.authorities)?,
        hosts: settings.hosts.clone(),
        web: if settings.hosts.is_empty() { None } else { Web::new(&settings.https_authorities, dns) },
        known: settings.certificates.iter().cloned().collect(),
    })
}
