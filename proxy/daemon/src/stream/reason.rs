//! Why a connection was not taken or made, and why one ended: one value each for the log line, the metric label and the
//! test.

use proxy_core::TransportFailure;
use sip_wire::FrameError;
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
    /// Why a connection was not taken, or not made.
    StreamRefusal {
        /// From nobody we know, and such are not answered.
        Stranger = "stranger",
        /// Strangers have as many as they may.
        Strangers = "strangers",
        /// Its address has as many as one may have.
        Peer = "peer",
        /// There are as many as there may be.
        Full = "full",
        /// The peer could not be reached a moment ago, or did not read.
        Resting = "resting",
        /// The peer refused, or did not answer in time.
        Unreachable = "unreachable",
        /// A message for a listener that has no streams.
        Listener = "listener",
        /// Too many of its address, or of strangers, have not proved yet who they are.
        Handshakes = "handshakes",
        /// The TLS handshake came to nothing (bascule_tls_handshakes_failed_total says why).
        Handshake = "handshake",
    }
}

reasons! {
    /// Why a connection ended.
    StreamEnd {
        /// The peer closed it, and nothing was owed to it.
        Closed = "closed",
        /// The peer had closed its half; it has had its answers, or they did not come in time.
        HalfClosed = "half_closed",
        /// Closed without the `close_notify` of TLS: the peer has most likely died.
        Truncated = "truncated",
        /// A stranger that had proved nothing yet, when there were too many of them.
        Crowded = "crowded",
        /// Its certificate is nobody's whom we know.
        Stranger = "stranger",
        /// Reset, or another error of the system's.
        Reset = "reset",
        /// Nothing came for too long.
        Idle = "idle",
        /// No whole message came soon enough after it was opened.
        NoMessage = "no_message",
        /// A message that had begun did not end.
        SlowMessage = "slow_message",
        /// A ping of ours was not answered by a peer that has answered others (RFC 5626 §4.4.1).
        NoPong = "no_pong",
        /// A write took too long: the peer does not read.
        NotReading = "not_reading",
        /// More waited to be written than may.
        QueueFull = "queue_full",
        /// A head longer than a message may be.
        HeadTooLong = "head_too_long",
        /// A message longer than one may be.
        MessageTooLong = "message_too_long",
        /// A message without Content-Length (RFC 3261 §18.3).
        NoContentLength = "no_content_length",
        /// A Content-Length that is no number, or two that differ.
        ContentLength = "content_length",
        /// We stop.
        Stopping = "stopping",
    }
}

impl StreamEnd {
    /// Whether what still waits in the kernel is thrown away: the peer does not read it, or has broken the stream's rules.
    pub(super) const fn is_abrupt(self) -> bool {
        match self {
            Self::NotReading
            | Self::QueueFull
            | Self::SlowMessage
            | Self::NoMessage
            | Self::NoPong
            | Self::Crowded => true,
            Self::Closed
            | Self::HalfClosed
            | Self::Truncated
            | Self::Stranger
            | Self::Reset
            | Self::Idle
            | Self::HeadTooLong
            | Self::MessageTooLong
            | Self::NoContentLength
            | Self::ContentLength
            | Self::Stopping => false,
        }
    }
}

impl StreamEnd {
    /// Whether the peer may still read: it has only said that it sends nothing more.
    pub(super) const fn is_half(self) -> bool {
        matches!(self, Self::Closed)
    }

    /// What it says of the peer. One that closes, or is closed for what it has written, is there all the same.
    pub(super) const fn failure(self) -> TransportFailure {
        match self {
            Self::Reset | Self::NoPong | Self::NotReading | Self::QueueFull => TransportFailure::Reset,
            Self::Closed
            | Self::HalfClosed
            | Self::Truncated
            | Self::Stranger
            | Self::Idle
            | Self::NoMessage
            | Self::Crowded
            | Self::SlowMessage
            | Self::HeadTooLong
            | Self::MessageTooLong
            | Self::NoContentLength
            | Self::ContentLength
            | Self::Stopping => TransportFailure::Ended,
        }
    }
}

impl From<FrameError> for StreamEnd {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::HeadTooLong => Self::HeadTooLong,
            FrameError::MessageTooLong => Self::MessageTooLong,
            FrameError::NoContentLength => Self::NoContentLength,
            FrameError::ContentLength => Self::ContentLength,
        }
    }
}

/// Connections by what became of them.
#[derive(Debug, Default)]
pub(crate) struct StreamTally {
    refused: [AtomicU64; StreamRefusal::ALL.len()],
    ended: [AtomicU64; StreamEnd::ALL.len()],
}

impl StreamTally {
    pub(super) fn refuse(&self, why: StreamRefusal) {
        bump(&self.refused, why as usize);
    }

    pub(super) fn end(&self, why: StreamEnd) {
        bump(&self.ended, why as usize);
    }

    /// Those not taken or made, by reason.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (StreamRefusal, u64)> + '_ {
        StreamRefusal::ALL.iter().copied().zip(self.refused.iter().map(|n| n.load(Ordering::Relaxed)))
    }

    /// Those that have ended, by reason.
    pub(crate) fn ended(&self) -> impl Iterator<Item = (StreamEnd, u64)> + '_ {
        StreamEnd::ALL.iter().copied().zip(self.ended.iter().map(|n| n.load(Ordering::Relaxed)))
    }
}

fn bump(counts: &[AtomicU64], index: usize) {
    if let Some(count) = counts.get(index) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}
