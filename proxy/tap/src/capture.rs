//! Capture files: pcap, and pcapng with any number of interfaces.

use crate::frame::{Frames, Link, Packet};
use crate::limits::BLOCK;
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};
use std::io::Read;
use std::time::Duration;

/// Why a file is no capture that can be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It is neither pcap nor pcapng, or ends in the middle.
    #[error("not a capture, or broken at packet {frame}: {why}")]
    Format {
        /// Packets that were read before.
        frame: u64,
        /// What the reader says.
        why: String,
    },
    /// Its packets begin with headers that are not known here.
    #[error("packets of link type {number} cannot be read; Ethernet, raw IP, loopback and Linux cooked can")]
    Link {
        /// The link type's number.
        number: i32,
    },
}

/// What a file had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Since the first packet.
    pub at: Duration,
    /// Its number, as other programs count: from 1.
    pub frame: u64,
    /// What it carried.
    pub packet: Packet,
}

/// An interface of a pcapng file.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: Option<Link>,
    number: i32,
    /// Units of a timestamp in a second.
    resolution: u64,
    /// Seconds to be added.
    offset: i64,
}

/// Every packet of a file that carries UDP, TCP, or says that a destination is unreachable.
///
/// # Errors
/// Where the file is no capture, is cut off, or has packets of a link type that is not known.
pub fn read(file: impl Read + Send, each: &mut dyn FnMut(Captured)) -> Result<(), CaptureError> {
    let mut number = 0;
    let broken =
        |frame: u64, why: &dyn std::fmt::Debug| CaptureError::Format { frame, why: format!("{why:?}") };
    let mut reader = create_reader(BLOCK, file).map_err(|why| broken(0, &why))?;
    let mut frames = Frames::default();
    let (mut began, mut interfaces, mut nanoseconds) = (None, Vec::new(), false);
    let mut packet = |number: u64, time: Duration, link: Link, bytes: &[u8]| {
        let at = time.saturating_sub(*began.get_or_insert(time));
        if let Some(packet) = frames.read(at, link, bytes) {
            each(Captured { at, frame: number, packet });
        }
    };
    loop {
        let length = match reader.next() {
            Ok((length, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        nanoseconds = header.is_nanosecond_precision();
                        interfaces = vec![interface(header.network.0, 1, 0)];
                    }
                    PcapBlockOwned::Legacy(block) => {
                        number += 1;
                        let fraction =
                            if nanoseconds { block.ts_usec } else { block.ts_usec.saturating_mul(1_000) };
                        let time =
                            Duration::from_secs(block.ts_sec.into()) + Duration::from_nanos(fraction.into());
                        packet(number, time, known(&interfaces, 0)?.0, block.data);
                    }
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => interfaces.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
                        let resolution = block.ts_resolution().unwrap_or(1_000_000);
                        interfaces.push(interface(block.linktype.0, resolution, block.ts_offset()));
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                        number += 1;
                        let (link, of) = known(&interfaces, block.if_id as usize)?;
                        let units = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                        packet(number, of.time(units), link, block.packet_data());
                    }
                    PcapBlockOwned::NG(Block::SimplePacket(block)) => {
                        // It has no time of its own.
                        number += 1;
                        let (link, _) = known(&interfaces, 0)?;
                        packet(number, Duration::ZERO, link, block.packet_data());
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                length
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::Incomplete(_)) => {
                reader.refill().map_err(|why| broken(number, &why))?;
                continue;
            }
            Err(why) => return Err(broken(number, &why)),
        };
        reader.consume(length);
    }
}

fn interface(number: i32, resolution: u64, offset: i64) -> Interface {
    Interface { link: Link::numbered(number), number, resolution, offset }
}

fn known(interfaces: &[Interface], number: usize) -> Result<(Link, Interface), CaptureError> {
    let interface = interfaces.get(number).copied();
    match interface {
        Some(of) => of.link.map(|link| (link, of)).ok_or(CaptureError::Link { number: of.number }),
        None => Err(CaptureError::Format { frame: 0, why: format!("there is no interface {number}") }),
    }
}

impl Interface {
    fn time(self, units: u64) -> Duration {
        let seconds = (units / self.resolution).saturating_add_signed(self.offset);
        let rest = u128::from(units % self.resolution) * 1_000_000_000 / u128::from(self.resolution);
        Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(rest).unwrap_or(0))
    }
}
