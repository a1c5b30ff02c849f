//! SDP and RTP of the far ends.

use super::{Agent, Out, Role, Side, Stage, Wake};
use relay_values::{Duration, Time};
use sip_wire::{Message, sdp};
use std::net::SocketAddr;

/// Between two packets. Real phones send 50 a second; the rules under test look at the first, the last and the gaps.
pub(crate) const PACKET_INTERVAL: Duration = Duration::from_millis(500);

/// Longer than any of our scripts holds or mutes, and than 64*T1, which ends a call that nobody acknowledges.
const DEAF: Duration = Duration::from_secs(40);

impl Agent {
    /// Our description, in its present direction. Each is a new version (RFC 3264 §8) unless `again`.
    pub(super) fn description(&mut self, leg: usize, again: bool) -> Vec<u8> {
        let (media, mark) = (self.media, self.side.mark());
        let leg = &mut self.legs[leg];
        leg.version += u32::from(!again || leg.version == 0);
        format!(
            "v=0\r\no=user{mark} 77{} {} IN IP4 {media}\r\ns=call at {mark}\r\nc=IN IP4 {media}\r\nt=0 0\r\n\
             m=audio {} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na={}\r\n",
            leg.port, leg.version, leg.port, leg.direction
        )
        .into_bytes()
    }

    /// The other end's description: where to send to, and whether it listens.
    pub(super) fn described(&mut self, now: Time, leg: usize, message: &Message) -> bool {
        let Some(body) = sdp::find(message) else { return false };
        let Ok(session) = sdp::Session::parse(body) else { return false };
        let Some(audio) = session.audio() else { return false };
        let remote = audio.address.map(|ip| SocketAddr::new(ip, audio.port));
        let told = match (audio.direction.sends(), audio.direction.receives()) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        };
        let state = &mut self.legs[leg];
        state.remote_media = remote.filter(|at| at.port() != 0);
        state.told = told.to_owned();
        if !state.talking && state.remote_media.is_some() {
            state.talking = true;
            self.talk(now, leg);
        }
        true
    }

    /// Answers the direction that was offered.
    pub(super) fn mirror(&mut self, leg: usize) {
        let leg = &mut self.legs[leg];
        leg.direction = match leg.told.as_str() {
            "sendonly" => "recvonly",
            "recvonly" => "sendonly",
            "inactive" => "inactive",
            _ => "sendrecv",
        };
    }

    /// One packet, and the next one later. It says whose it is.
    pub(super) fn talk(&mut self, now: Time, leg: usize) {
        let side = self.side;
        let Some(state) = self.legs.get_mut(leg) else { return };
        if state.stage == Stage::Over {
            state.talking = false;
            return;
        }
        // A phone that hears nothing for so long takes the call for dead.
        let quiet = state.stage == Stage::Up
            && now.since(state.heard_at.max(state.answered.unwrap_or_default())) > DEAF;
        if quiet {
            return self.bye(now, leg);
        }
        if let Some(to) = state.remote_media.filter(|_| state.may_talk()) {
            let mut packet = vec![0x80, 0];
            let step = (now.as_millis() / 20) as u32;
            packet.extend((step as u16).to_be_bytes());
            packet.extend((step * 160).to_be_bytes());
            packet.extend((leg as u32 | 0x5500_0000).to_be_bytes());
            packet.push(u8::from(side == Side::Carrier));
            packet.extend((state.call as u32).to_be_bytes());
            packet.extend([0xd5; 11]);
            let from = if state.caller.nat { state.port + 1000 } else { state.port };
            self.out.push_back(Out::Rtp(from, to, packet));
        }
        self.wake_at(now + PACKET_INTERVAL, Wake::Talk(leg));
    }

    /// A packet came to a media port of ours: from the other end of the same call, or a leak.
    pub fn hear(&mut self, now: Time, port: u16, packet: &[u8]) {
        let port = if self.by_port.contains_key(&port) { port } else { port.wrapping_sub(1000) };
        let (side, Some(&leg)) = (self.side, self.by_port.get(&port)) else { return };
        let leg = &mut self.legs[leg];
        let from_other = packet.get(12) == Some(&u8::from(side.other() == Side::Carrier));
        let same_call = packet.get(13..17) == Some(&(leg.call as u32).to_be_bytes()[..]);
        if from_other && same_call {
            leg.heard += 1;
            leg.heard_at = now;
        } else {
            leg.foreign += 1;
        }
    }

    /// RTP that a leg of this call and role has heard, all its legs together.
    pub fn heard(&self, call: usize, role: Role) -> u32 {
        self.legs.iter().filter(|leg| leg.call == call && leg.role == role).map(|leg| leg.heard).sum()
    }
}
