//! What stands before every request: who asks, whether they may, and how long it may take.

use super::answer::{Refusal, dress};
use super::flow::Shown;
use super::routes::{self, Needs};
use super::serve::Way;
use super::who::Who;
use super::{Api, Denied};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long an answer may take to begin: a busy shard is waited for half a second, the health thread five, and a client may
/// take five for its body.
const DEADLINE: Duration = Duration::from_secs(15);

pub(super) async fn guard(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let response = match admit(&api, &mut request) {
        Ok(()) => match tokio::time::timeout(DEADLINE, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                let advice = "look at the log; a shard or the health thread may be stuck";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "no answer in time", advice).into_response()
            }
        },
        Err(refusal) => {
            if let Some(why) = refusal.reason() {
                api.desk.denied().count(why);
            }
            refusal.into_response()
        }
    };
    dress(response)
}

/// Lets a request pass that may, with [`Who`] and [`Shown`] beside it.
fn admit(api: &Api, request: &mut Request) -> Result<(), Refusal> {
    let known = request.extensions().get::<MatchedPath>();
    // What is no route of ours is answered so by the fallback.
    let Some(needs) = known.and_then(|path| routes::needs(request.method(), path.as_str())) else {
        return Ok(());
    };
    let role = match needs {
        Needs::Nothing => return Ok(()),
        Needs::Somebody => None,
        Needs::Role(role) => Some(role),
    };
    let forbidden = |message: &str, advice: &str, why| {
        Err(Refusal::new(StatusCode::FORBIDDEN, message, advice).because(why))
    };
    let headers = request.headers();
    if is_of_another_site(headers) {
        return forbidden(
            "asked for by another site's page",
            "open it by its own address",
            Denied::CrossSite,
        );
    }
    let way = request.extensions().get::<Way>().copied().unwrap_or(Way::Tcp { loopback: false });
    // Over TLS the certificate has said who we are: to no name of somebody else's.
    if matches!(way, Way::Tcp { .. }) && !is_addressed(headers) {
        return forbidden("asked for by a name", "ask for it by its address, or as localhost", Denied::Host);
    }
    if matches!(way, Way::Tcp { loopback: false }) {
        let advice = "a token would be read on its way: name a certificate in [admin], or use the admin socket, 127.0.0.1 or `ssh -L`";
        return forbidden("this listener has no TLS", advice, Denied::NoTls);
    }
    let token = bearer(headers);
    let Some(who) = api.access.who(way, token) else {
        let advice = match way {
            Way::Unix { .. } => {
                "be root or the service's user, or have an entry with your `uid` or `gid` added to the access file"
            }
            _ if api.access.is_kept() => "send `Authorization: Bearer TOKEN` with a token of the access file",
            _ => "name an access file in [admin], or use the admin socket",
        };
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "nobody that we know", advice);
        return Err(refusal.because(Denied::Nobody));
    };
    if let Some(role) = role.filter(|role| !who.roles.allow(*role)) {
        let message = format!("`{}` may not do that", who.name);
        return forbidden(&message, &format!("it needs the role {role}"), Denied::Role);
    }
    let shown = Shown { way, token: token.map(str::to_owned), role };
    request.extensions_mut().insert::<Shown>(shown);
    request.extensions_mut().insert::<Who>(who);
    Ok(())
}

/// Another site's page has no business here, token or not: by what browsers say of who asks (Fetch Metadata Request Headers,
/// W3C), and by the Origin (RFC 6454 §7) that they put on every change.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let ours = |origin: &HeaderValue| {
        let (origin, host) = (origin.as_bytes(), headers.get(header::HOST).map(HeaderValue::as_bytes));
        let named = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
        named.is_some() && named == host
    };
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
        || headers.get(header::ORIGIN).is_some_and(|origin| !ours(origin))
}

/// By an address, or as `localhost`: any other name may have been pointed at us by somebody else (DNS rebinding).
fn is_addressed(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let host = host.to_str().unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || literal.parse::<IpAddr>().is_ok()
}

/// RFC 6750 §2.1. The scheme's name is read in any case (RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?;
    let (scheme, token) = value.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
    // Something that is no token of ours is a wrong one.
    Some(if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(fields: &[(header::HeaderName, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn an_address_or_localhost_is_us_and_a_name_is_somebodys() {
        for host in ["127.0.0.1", "127.0.0.1:9090", "[::1]:9090", "[::1]", "localhost", "LocalHost:80"] {
            assert!(is_addressed(&with(&[(header::HOST, host)])), "{host}");
        }
        for host in ["", "evil.example", "evil.example:9090", "127.0.0.1.evil.example", "::1:evil", "[::1"] {
            assert!(!is_addressed(&with(&[(header::HOST, host)])), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_another_site() {
        let of =
            |origin| is_of_another_site(&with(&[(header::HOST, "127.0.0.1:9090"), (header::ORIGIN, origin)]));
        assert!(!of("http://127.0.0.1:9090"));
        for origin in
            ["null", "http://127.0.0.1", "http://127.0.0.1:90900", "http://evil.example", "127.0.0.1:9090"]
        {
            assert!(of(origin), "{origin}");
        }
    }
}
