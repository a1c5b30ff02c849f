//! SDP of the far ends.

use super::{Agent, Role, Sdp};
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
        let (port, direction) = (leg.port, leg.direction);
        let first = if leg.fax {
            format!("m=image {port} udptl t38\r\na=T38FaxRateManagement:transferredTCF\r\na={direction}\r\n")
        } else {
            format!(
                "m=audio {port} RTP/AVP {codec} {event}\r\na=rtpmap:{codec} {name}/8000\r\n\
                 a=rtpmap:{event} telephone-event/8000\r\na={direction}\r\n"
            )
        };
        // A line that was refused stays (RFC 3264 §8); only the first offer brings one.
        let begins = leg.role == Role::Caller && leg.version == 1 && leg.invite.is_none();
        let wanted = leg.picture.as_ref().filter(|_| begins || leg.remote_picture.is_some());
        let picture = match (wanted, leg.lines) {
            (_, 0 | 1) => String::new(),
            (Some((port, _)), _) => {
                format!("m=video {port} RTP/AVP 98\r\na=rtpmap:98 H264/8000\r\na={direction}\r\n")
            }
            (None, _) => "m=video 0 RTP/AVP 98\r\n".to_owned(),
        };
        format!(
            "v=0\r\no=user{mark} 77{port} {} IN IP4 {media}\r\ns=call at {mark}\r\nc=IN IP4 {media}\r\nt=0 0\r\n{first}{picture}",
            leg.version
        )
        .into_bytes()
    }

    /// The other end's description: where to send to, and whether it listens.
    pub(super) fn described(&mut self, now: Time, leg: usize, message: &Message) -> bool {
        let Some(body) = sdp::find(message) else { return false };
        let Ok(session) = sdp::Session::parse(body) else { return false };
        let is_first = |media: &&sdp::Media<'_>| media.kind != b"video" && media.port != 0;
        let Some(audio) = session.media().iter().find(is_first) else { return false };
        let picture = session.media().iter().find(|media| media.kind == b"video" && media.port != 0);
        let picture = picture.and_then(|media| Some(SocketAddr::new(media.address?, media.port)));
        let remote = audio.address.map(|ip| SocketAddr::new(ip, audio.port));
        let told = match (audio.direction.sends(), audio.direction.receives()) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        };
        let state = &mut self.legs[leg];
        state.remote_media = remote.filter(|at| at.port() != 0);
        state.remote_picture = picture.filter(|_| state.picture.is_some());
        state.fax = audio.transport() == sdp::Transport::Udptl;
        state.lines = session.media().len();
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
