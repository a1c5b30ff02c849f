//! The ACK for a 300-699 (RFC 3261 §17.1.1.3). The ACK for a 2xx is the dialog's.

use bytes::Bytes;
use sip_wire::{Builder, HeaderName, Message, Method};

/// Acknowledges `response` to the INVITE `request`: on the request's path, in its transaction.
pub(super) fn ack(request: &Message, response: &Message) -> Option<Bytes> {
    let mut ack = same_path(request, Method::Ack)?;
    // The tag that the far end gave comes with the response.
    ack.header(HeaderName::To, response.header(HeaderName::To)?);
    Some(ack.finish())
}

/// What ACK and CANCEL have in common: a request with the Request-URI, the top Via, the Route set, From, Call-ID and
/// CSeq number of the INVITE. To is left to the caller.
pub(super) fn same_path(invite: &Message, method: Method<'_>) -> Option<Builder> {
    let mut request = Builder::request(method, invite.uri());
    request.header(HeaderName::Via, invite.values(HeaderName::Via).next()?);
    for route in invite.lines(HeaderName::Route) {
        request.header(HeaderName::Route, route);
    }
    request
        .number(HeaderName::MaxForwards, 70)
        .header(HeaderName::From, invite.header(HeaderName::From)?)
        .header(HeaderName::CallId, invite.header(HeaderName::CallId)?);
    let number = Decimal::new(invite.cseq().ok()?.number);
    request.parts(HeaderName::CSeq, &[number.as_bytes(), b" ", method.as_bytes()]);
    Some(request)
}

/// A CSeq number in digits, without an allocation.
struct Decimal([u8; 10], usize);

impl Decimal {
    fn new(mut number: u32) -> Self {
        let mut digits = [b'0'; 10];
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            used += 1;
            if number == 0 {
                break;
            }
        }
        Self(digits, 10 - used)
    }

    fn as_bytes(&self) -> &[u8] {
        self.0.get(self.1..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn numbers_are_written_as_they_are_spoken() {
        for number in [0, 7, 10, 101, 4_294_967_295] {
            assert_eq!(Decimal::new(number).as_bytes(), number.to_string().as_bytes());
        }
    }
}
