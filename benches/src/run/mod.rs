//! The side-by-side runs.

pub mod admin;
pub mod calls;
pub mod failover;
pub mod observed;
pub mod outage;
pub mod overload;
pub mod relay;
pub mod soak;
pub mod streams;
pub mod tls;
pub mod wire;

use crate::load::Engine;
use crate::load::clock::{Clock, Nanos, run_number};
use crate::load::media::Media;
use crate::load::uac::{Over, Uac, UacConfig};
use crate::load::uas::{Uas, UasConfig};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How a bench is run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Within a minute, once, nothing kept.
    pub quick: bool,
    /// Only these devices; empty: all.
    pub only: Vec<String>,
    /// An older build of ours, measured beside this one where a bench knows how.
    pub before: Option<PathBuf>,
}

impl Options {
    /// Whether a device, or a part of a bench, is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|n| n == name)
    }
}

/// The ends that a bench drives in this thread.
#[derive(Debug, Clone)]
pub struct Ends {
    /// The caller's address.
    pub uac: SocketAddr,
    /// The answerer's, if it runs here.
    pub uas: Option<SocketAddr>,
    /// The device's.
    pub device: SocketAddr,
    /// From answer to BYE.
    pub hold: Option<Nanos>,
    /// Every n-th call carries media; 0: none.
    pub media_every: u64,
    /// Keep every call's times.
    pub trace: bool,
}

impl Ends {
    /// Bind everything.
    ///
    /// # Errors
    ///
    /// What the system says about binding.
    pub fn engine(&self) -> io::Result<Engine> {
        let uac = self.caller();
        let talk = self.hold.map(|h| h - uac.hush);
        let media = match self.uas {
            Some(uas) if self.media_every > 0 => Some(Media::new(self.uac, uas)?),
            _ => None,
        };
        let uas =
            self.uas.map(|bind| Uas::new(UasConfig { bind, ring: 0, code: 200, talk, no_media: false }));
        Ok(Engine { clock: Clock::new(), uac: Some(Uac::new(uac)?), uas: uas.transpose()?, media })
    }

    /// What the caller is told.
    pub(crate) fn caller(&self) -> UacConfig {
        UacConfig {
            bind: self.uac,
            to: self.device,
            over: Over::Udp,
            number: "+442079460000".to_owned(),
            hold: self.hold,
            hush: self.hold.map_or(0, |h| h.min(200_000_000)),
            media_every: self.media_every,
            trace: self.trace,
            run: run_number(),
        }
    }
}
