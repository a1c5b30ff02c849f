//! `[admin]`: where operators come in, and what they are shown there.

use crate::config::complaint::Complaints;
use crate::config::raw::RawAdmin;
use crate::tls::Tls;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A socket's path: unix(7) has room for 108 bytes with the final zero, and it is made under a longer name at first.
const MAX_SOCKET_PATH: usize = 96;

pub(super) fn listen(raw: &RawAdmin, complaints: &mut Complaints) -> Option<SocketAddr> {
    let Some(listen) = &raw.listen else {
        let written = [(&raw.certificate, "certificate"), (&raw.key, "key")];
        if let Some((at, key)) = written.into_iter().find_map(|(path, key)| Some((path.as_ref()?, key))) {
            complaints
                .error(at.span(), format!("`{key}` of a listener that is not there"))
                .advise("add `listen = \"192.0.2.1:9090\"`, or remove it");
        }
        return None;
    };
    let at = *listen.get_ref();
    if at.ip().is_loopback() {
        return Some(at);
    }
    if raw.certificate.is_none() {
        complaints
            .warn(listen.span(), format!("metrics on {at} are open to whoever can reach it"))
            .at("in clear, so that the API is not served there")
            .advise("add `certificate`, `key` and `access`; or bind 127.0.0.1");
    } else if raw.access.is_none() {
        complaints
            .warn(listen.span(), format!("nobody is known to the API on {at}"))
            .at("there are no tokens")
            .advise("add `access = \"/etc/bascule/access.toml\"`, or bind 127.0.0.1");
    }
    Some(at)
}

pub(super) fn socket(raw: &RawAdmin, complaints: &mut Complaints) -> Option<PathBuf> {
    let written = raw.socket.as_ref()?;
    let path = written.get_ref();
    let length = path.as_os_str().len();
    if length == 0 || length > MAX_SOCKET_PATH || path.file_name().is_none() {
        complaints
            .error(written.span(), format!("`{}` cannot be the path of a socket", path.display()))
            .at(format!("{length} bytes"))
            .advise(format!(
                "write a file of up to {MAX_SOCKET_PATH} bytes, such as \"/run/bascule/admin.sock\""
            ));
    }
    Some(path.clone())
}

/// What the listener shows to browsers and scripts.
pub(super) fn secure(tls: &mut Tls, raw: &RawAdmin, complaints: &mut Complaints) {
    let (certificate, key) = match (&raw.certificate, &raw.key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(one), None) | (None, Some(one)) => {
            complaints
                .error(one.span(), "a certificate and its key belong together")
                .advise("write both `certificate` and `key`, or none: then the listener speaks in clear");
            return;
        }
        (None, None) => return,
    };
    let Some(pair) = super::tls::pair(certificate, key, complaints) else { return };
    if let Err(error) = tls.administer(&pair) {
        complaints
            .error(certificate.span(), format!("the admin listener cannot speak TLS: {error}"))
            .advise("use a certificate that openssl(1) can verify");
    }
}
