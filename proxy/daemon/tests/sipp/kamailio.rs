//! Kamailio between the appliance and phones: a proxy that record-routes, forks and repeats what is not answered.

use crate::certified::Certified;
use crate::peer::{PATIENCE, is_open};
use proxy_core::Transport;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Its two sockets, and who is behind them.
pub(crate) struct Proxy<'a> {
    pub(crate) name: &'a str,
    pub(crate) transport: Transport,
    /// Its socket for the appliance.
    pub(crate) ours: SocketAddr,
    /// Where the appliance listens.
    pub(crate) us: SocketAddr,
    /// Its socket for phones.
    pub(crate) phones_side: SocketAddr,
    /// What it shows and believes where it speaks TLS; phones do not.
    pub(crate) certified: Option<&'a Certified>,
    /// All of these ring when the appliance calls.
    pub(crate) phones: &'a [SocketAddr],
    pub(crate) digest: Digest,
}

/// Who has to show who he is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digest {
    Nobody,
    /// The proxy wants to know who the appliance is.
    Asks,
    /// The appliance wants to know who the proxy is, which answers for its phones.
    Shows,
}

/// Who the appliance is to a proxy that asks.
pub(crate) const ACCOUNT: &str =
    r#"{ realm = "carrier.example", username = "bascule", password = "zanzibar" }"#;

/// Who the proxy is to an appliance that asks.
pub(crate) const ASKED: &str = r#"challenge = { realm = "edge.example", algorithms = ["md5"],
                users = [{ username = "acme", password = "zanzibar" }] }"#;

/// The INVITE goes out again with the credentials and, as many a Kamailio has it, with the CSeq that it had.
const SHOWS: &str = r#"loadmodule "uac.so"
modparam("uac", "credential", "acme:edge.example:zanzibar")"#;

const AGAIN: &str = r#"failure_route[ASKED] {
    if (!t_is_canceled() && t_check_status("401") && uac_auth()) {
        t_on_failure("REFUSED");
        t_relay();
    }
}

# What is refused once more is the phone's to hear.
failure_route[REFUSED] {
    exit;
}"#;

/// Every nonce is counted (RFC 7616 §3.4.5), so that none is taken twice for the same request.
const MODULES: &str = r#"loadmodule "auth.so"
modparam("auth", "nonce_count", 1)
modparam("auth", "nc_array_order", 10)
modparam("auth", "qop", "auth")
modparam("auth", "algorithm", "SHA-256")
loadmodule "usrloc.so"
loadmodule "registrar.so""#;

/// Of everything that comes from the appliance, and may be challenged (RFC 3261 §22.1). By its address: what comes over a
/// connection that Kamailio has opened itself may be said to have come to either of its sockets.
const ASKS: &str = r#"if ($si == "{us_ip}" && !is_method("ACK|CANCEL")) {
        if (!is_present_hf("Proxy-Authorization") || !pv_proxy_authenticate("carrier.example", "zanzibar", "0")) {
            proxy_challenge("carrier.example", "1");
            exit;
        }
        consume_credentials();
    }
    if (is_method("REGISTER")) {
        if (!save("location")) {
            sl_reply_error();
        }
        exit;
    }"#;

/// Where we have registered is where calls for us go.
const FINDS: &str = r#"$ru = "sip:bascule@carrier.example";
        if (!lookup("location")) {
            sl_send_reply("404", "Not Registered");
            exit;
        }"#;

/// What the appliance registers there.
pub(crate) const REGISTERS: &str =
    r#"register = { aor = "sip:bascule@carrier.example", contact = "line1", expires = "60s" }"#;

/// A Kamailio that runs. Ends with the story, whatever the story comes to.
pub(crate) struct Kamailio {
    child: Child,
    log: PathBuf,
}

impl Kamailio {
    /// Is there when this returns.
    pub(crate) fn starts(folder: &Path, proxy: &Proxy<'_>) -> Self {
        let file = |what: &str| folder.join(format!("kamailio-{}.{what}", proxy.name));
        let (config, log) = (file("cfg"), file("log"));
        std::fs::write(&config, text(proxy)).unwrap();
        let folder = folder.display().to_string();
        // Whoever ends the story by force leaves it to the clock to end this one.
        let child = Command::new("timeout")
            .args(["--kill-after=5", "200", "kamailio", "-DD", "-E", "-m", "64", "-M", "8"])
            .args(["-w", &folder, "-Y", &folder, "-f"])
            .arg(&config)
            .env("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin")
            .stdin(Stdio::null())
            .stdout(File::create(file("out")).unwrap())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("timeout(1) does not start: {error}"));
        let mut kamailio = Self { child, log };
        let deadline = Instant::now() + PATIENCE;
        let process = kamailio.child.id();
        let phones = if proxy.transport == Transport::Tls { Transport::Tcp } else { proxy.transport };
        let sockets = [(proxy.ours, proxy.transport), (proxy.phones_side, phones)];
        while !sockets.iter().all(|(at, transport)| is_open(process, at.port(), *transport)) {
            if let Some(status) = kamailio.child.try_wait().unwrap() {
                panic!(
                    "Kamailio ended, {status} (127: type apt-get install kamailio): {}",
                    kamailio.complaints()
                );
            }
            assert!(Instant::now() < deadline, "Kamailio never listened: {}", kamailio.complaints());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        kamailio
    }

    /// What it has to say of what went wrong.
    pub(crate) fn complaints(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default().chars().take(4_000).collect()
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        // Its children are its own to end: a kill would leave them.
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.child.wait();
    }
}

fn text(proxy: &Proxy<'_>) -> String {
    let (transport, without_tcp) = match proxy.transport {
        Transport::Udp => ("udp", "yes"),
        Transport::Tcp => ("tcp", "no"),
        Transport::Tls => ("tls", "no"),
    };
    let phones_transport = if proxy.transport == Transport::Tls { "tcp" } else { transport };
    let tls = proxy.certified.map(|certified| {
        let config = certified.kamailio();
        let config = config.display();
        format!("enable_tls=yes\nloadmodule \"tls.so\"\nmodparam(\"tls\", \"config\", \"{config}\")")
    });
    let [first, others @ ..] = proxy.phones else { panic!("a proxy without a phone") };
    let others: Vec<String> = others
        .iter()
        .map(|phone| format!("append_branch(\"sip:phone@{phone};transport={phones_transport}\");"))
        .collect();
    // A phone's connection comes from a port of the kernel's choice, and has to be found when the phone is called back.
    let alias = match proxy.transport {
        Transport::Udp => "force_rport();".to_owned(),
        Transport::Tcp | Transport::Tls => {
            format!(
                "force_rport(); if ($Rp == {}) {{ force_tcp_alias({}); }}",
                proxy.phones_side.port(),
                first.port()
            )
        }
    };
    let straight = r#"$du = "sip:{us};transport={transport}";"#;
    let (modules, asks, inbound, again) = match proxy.digest {
        Digest::Nobody => ("", "", straight.to_owned(), ""),
        Digest::Asks => (MODULES, ASKS, FINDS.to_owned(), ""),
        Digest::Shows => (SHOWS, "", format!("{straight}\n        t_on_failure(\"ASKED\");"), AGAIN),
    };
    include_str!("kamailio.cfg")
        .replace("{modules}", modules)
        .replace("{asks}", asks)
        .replace("{inbound}", &inbound)
        .replace("{again}", again)
        .replace("{us_ip}", &proxy.us.ip().to_string())
        .replace("{without_tcp}", without_tcp)
        .replace("{alias}", &alias)
        .replace("{others}", &others.join("\n        "))
        .replace("{transport}", transport)
        .replace("{phones_transport}", phones_transport)
        .replace("{tls}", &tls.unwrap_or_default())
        .replace("{ours}", &proxy.ours.to_string())
        .replace("{us}", &proxy.us.to_string())
        .replace("{phones_side}", &proxy.phones_side.to_string())
        .replace("{phones_side_port}", &proxy.phones_side.port().to_string())
        .replace("{first}", &first.to_string())
}
