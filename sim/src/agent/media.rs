//! SDP of the far ends.

use super::{Agent, Sdp};
use relay_values::Time;
use sip_wire::{Message, sdp};
use std::net::SocketAddr;

impl Agent {
    /// Our description, in its present direction. Each is a new version (RFC 3264 §8) unless `again`.
    pub(super) fn description(&mut self, leg: usize, again: bool) -> Vec<u8> {
        let (media, mark) = (self.media, self.side.mark());
        let leg = &mut self.legs[leg];
        leg.version += u32::from(!again || leg.version == 0);
        let (codec, event) = match leg.callee.sdp {
            Sdp::Same | Sdp::Inactive | Sdp::Missing => leg.agreed,
            Sdp::OtherCodec => (8, 101),
            Sdp::OtherEvent => (0, 96),
        };
        leg.agreed = (codec, event);
        let name = if codec == 8 { "PCMA" } else { "PCMU" };
        format!(
            "v=0\r\no=user{mark} 77{} {} IN IP4 {media}\r\ns=call at {mark}\r\nc=IN IP4 {media}\r\nt=0 0\r\n\
             m=audio {} RTP/AVP {codec} {event}\r\na=rtpmap:{codec} {name}/8000\r\n\
             a=rtpmap:{event} telephone-event/8000\r\na={}\r\n",
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
        // An answer names what was offered (RFC 3264 §6.1), and so does the next offer.
        let first = audio.payload_types().next().filter(|codec| matches!(codec, 0 | 8));
        if let (Some(codec), Some(event)) = (first, audio.telephone_event(8000)) {
            state.agreed = (codec, event);
        }
        if state.offered_first.is_empty() {
            state.offered_first = told.to_owned();
        }
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
        if leg.callee.sdp == Sdp::Inactive {
            leg.direction = "inactive";
        }
    }
}
