//! What a completion is about.

use relay_core::PortRef;

/// Which of a port's receives: counted up whenever the port is bound, so that a completion of the last owner's is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(u32);

impl Generation {
    pub(super) const FIRST: Self = Self(0);

    /// The next one. After 2²⁸ bindings of one port it begins anew; a completion is late by one turn at most.
    pub(super) const fn next(self) -> Self {
        Self((self.0 + 1) & Token::VALUE)
    }
}

/// What a request is, in the 64 bits that come back with its completion: kind (4), generation or buffer (28), port (32).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// Somebody has put something into a queue.
    Wake,
    /// There may be news of routes and neighbours.
    News,
    /// A port's receive: many completions, each with a packet, and a last one.
    Receive(PortRef, Generation),
    /// The end of a port's receive was asked for.
    Cancel(PortRef, Generation),
    /// A received packet goes on from this port.
    Forward(PortRef, u16),
    /// A packet of our own making leaves from this port.
    Own(PortRef, u16),
}

impl Token {
    const VALUE: u32 = (1 << 28) - 1;

    pub(super) const fn encode(self) -> u64 {
        let (kind, value, port) = match self {
            Self::Wake => (1, 0, 0),
            Self::News => (2, 0, 0),
            Self::Receive(port, generation) => (3, generation.0, port.index()),
            Self::Cancel(port, generation) => (4, generation.0, port.index()),
            Self::Forward(port, buffer) => (5, buffer as u32, port.index()),
            Self::Own(port, buffer) => (6, buffer as u32, port.index()),
        };
        (kind << 60) | ((value as u64) << 32) | (port as u64 & 0xffff_ffff)
    }

    /// `None` for what none of us has asked for.
    pub(super) const fn decode(bits: u64) -> Option<Self> {
        let port = PortRef::new(bits as u32);
        let value = (bits >> 32) as u32 & Self::VALUE;
        Some(match bits >> 60 {
            1 => Self::Wake,
            2 => Self::News,
            3 => Self::Receive(port, Generation(value)),
            4 => Self::Cancel(port, Generation(value)),
            5 => Self::Forward(port, value as u16),
            6 => Self::Own(port, value as u16),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went() {
        let port = PortRef::new(u32::MAX);
        let last = Generation(Token::VALUE);
        for token in [
            Token::Wake,
            Token::News,
            Token::Receive(PortRef::new(0), Generation::FIRST),
            Token::Receive(port, last),
            Token::Cancel(port, last),
            Token::Forward(port, u16::MAX),
            Token::Own(PortRef::new(7), 9),
        ] {
            assert_eq!(Token::decode(token.encode()), Some(token));
        }
        assert_eq!(last.next(), Generation::FIRST);
        assert_eq!((Token::decode(0), Token::decode(u64::MAX)), (None, None));
    }
}
