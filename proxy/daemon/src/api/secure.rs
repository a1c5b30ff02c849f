//! TLS before the first request: a handshake with an end, beside the places of those who have shaken hands.

use super::Denied;
use crate::limits::{HANDSHAKE, HTTP_HANDSHAKES, HTTP_HANDSHAKES_OF_ONE};
use crate::tls::TlsFailure;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Handshakes under way, by who has begun them: [`HTTP_HANDSHAKES`] at most.
#[derive(Clone, Default)]
pub(super) struct Handshakes(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them, until it is dropped.
pub(super) struct Place {
    of: Handshakes,
    ip: IpAddr,
}

impl Handshakes {
    /// One more, if there is a place.
    pub(super) fn begin(&self, ip: IpAddr) -> Option<Place> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has = under_way.get(&ip).copied().unwrap_or_default();
        if has >= HTTP_HANDSHAKES_OF_ONE || under_way.values().sum::<usize>() >= HTTP_HANDSHAKES {
            return None;
        }
        under_way.insert(ip, has + 1);
        Some(Place { of: self.clone(), ip })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(has) = under_way.get_mut(&self.ip) {
            *has -= 1;
            if *has == 0 {
                under_way.remove(&self.ip);
            }
        }
    }
}

/// Shakes hands, for so long at most.
pub(super) async fn take(
    config: Arc<ServerConfig>,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Denied> {
    let why = match timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(error)) => {
            let why = TlsFailure::from(&error);
            tracing::debug!(reason = why.as_str(), %error, "TLS handshake of the admin API failed");
            why
        }
        Err(_) => TlsFailure::Timeout,
    };
    Err(match why {
        TlsFailure::NotTls => Denied::NotTls,
        TlsFailure::Timeout => Denied::HandshakeTimeout,
        _ => Denied::Handshake,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: usize) -> IpAddr {
        IpAddr::from([192, 0, 2, u8::try_from(n).unwrap()])
    }

    #[test]
    fn one_address_has_few_all_have_some_and_each_place_comes_back() {
        let handshakes = Handshakes::default();
        let mut of_one: Vec<_> =
            (0..HTTP_HANDSHAKES_OF_ONE).map(|_| handshakes.begin(ip(0)).unwrap()).collect();
        assert!(handshakes.begin(ip(0)).is_none() && handshakes.begin(ip(1)).is_some());
        of_one.pop();
        of_one.push(handshakes.begin(ip(0)).unwrap());
        let others = (0..).map(|n| ip(1 + n / HTTP_HANDSHAKES_OF_ONE)).map_while(|ip| handshakes.begin(ip));
        let others: Vec<_> = others.collect();
        assert_eq!(of_one.len() + others.len(), HTTP_HANDSHAKES);
        assert!(handshakes.begin(ip(200)).is_none());
        drop((of_one, others));
        assert!(handshakes.0.lock().unwrap().is_empty(), "nothing is kept of who has gone");
    }
}
