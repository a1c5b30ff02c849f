//! The configuration that answers make, with a word on everything that somebody will want to change.

use super::answers::{Answers, Carried, FIRST_PORT, Numbers, PORTS_PER_CALL, Region};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// Writing into a string cannot fail.
macro_rules! put {
    ($out:expr, $($words:tt)*) => {{
        let _ = writeln!($out, $($words)*);
    }};
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| self::quoted(text)).collect();
    format!("[{}]", quoted.join(", "))
}

pub(super) fn configuration(answers: &Answers) -> String {
    let mut out = String::new();
    put!(out, "# Made by `bascule init`. `bascule check --config FILE` before every start and reload;");
    put!(out, "# every key is explained in configuration.md (/usr/share/doc/bascule).\n");
    put!(out, "# A request from nobody we know: \"drop\" (silence) or \"reject\" (403).");
    put!(out, "unknown_source = \"drop\"\n");
    listeners(answers, &mut out);
    media(answers, &mut out);
    for region in &answers.region {
        self::region(region, answers, &mut out);
    }
    let groups: Vec<String> = answers.region.iter().map(|region| region.name.clone()).collect();
    put!(
        out,
        "# Where calls go: edge groups, best first. A call whose region dies goes on in the next one.\n"
    );
    put!(out, "[[site]]\nname = \"main\"\ngroups = {}\n", list(&groups));
    identities(answers, &mut out);
    trunk(answers, &mut out);
    put!(out, "# The number plan: the longest prefix wins, and no `prefix` takes every number.\n");
    put!(out, "[[route.inbound]]\nsite = \"main\"\n");
    put!(out, "[[route.outbound]]\ntrunks = [{}]\n", quoted(&answers.carrier));
    put!(out, "# How edges and carriers are asked whether they are there.");
    put!(out, "[probe]\ninterval = \"200ms\"\ntimeout = \"200ms\"\n");
    put!(out, "# Answered calls whose region is lost.\n[rehome]");
    put!(out, "deadline = \"10s\"          # without a new leg by then the call ends");
    put!(
        out,
        "fill = \"noise\"            # what the carrier hears meanwhile: \"noise\", \"prompt\" or \"nothing\""
    );
    put!(out, "emergency = {}   # called numbers whose calls go first\n", list(&answers.emergency));
    put!(out, "[limits]\nmax_calls = {}\n", answers.calls);
    put!(out, "[admin]\nlisten = \"127.0.0.1:9090\"          # /metrics, /healthz");
    put!(out, "socket = \"/run/bascule/admin.sock\"  # bascule status, regions, drain, drill\n");
    put!(out, "# A JSON line a call.\n[records]\nfile = \"/var/log/bascule/calls.jsonl\"");
    out
}

fn listeners(answers: &Answers, out: &mut String) {
    let (transport, port) = match answers.transport {
        Carried::Udp => ("udp", 5060),
        Carried::Tcp => ("tcp", 5060),
        Carried::Tls => ("tls", 5061),
    };
    let at = |ip: IpAddr| SocketAddr::new(ip, port);
    put!(out, "# Towards carriers.\n[[listener]]\nname = \"carriers\"");
    put!(out, "transport = \"{transport}\"");
    put!(out, "bind = \"{}\"", at(answers.address));
    if let Some(public) = answers.public {
        put!(out, "advertised = \"{}\"   # what carriers see", at(public));
    }
    if let Some(tls) = &answers.tls {
        put!(out, "certificate = {}", quoted(&tls.certificate));
        put!(out, "key = {}   # for the service's user alone", quoted(&tls.key));
    }
    put!(out, "\n# Towards the tier.\n[[listener]]\nname = \"tier\"\nbind = \"{}\"\n", answers.tier);
}

fn media(answers: &Answers, out: &mut String) {
    let family = |ip: IpAddr| if ip.is_ipv4() { "v4" } else { "v6" };
    put!(out, "# What stands in every SDP. The tier has to reach this address, too.\n[media]");
    put!(out, "{} = \"{}\"", family(answers.address), answers.address);
    if let Some(public) = answers.public {
        put!(out, "advertised_{} = \"{public}\"   # what both sides are told", family(public));
    }
    let last = FIRST_PORT + answers.calls * PORTS_PER_CALL - 1;
    put!(
        out,
        "ports = \"{FIRST_PORT}-{last}\"   # {PORTS_PER_CALL} a call: 2 legs, each with RTP and RTCP\n"
    );
}

fn region(region: &Region, answers: &Answers, out: &mut String) {
    let name = quoted(&region.name);
    put!(out, "[[region]]\nname = {name}\n");
    put!(out, "[[edge_group]]\nname = {name}\nregion = {name}\nlistener = \"tier\"");
    if answers.numbers != Numbers::AsSaid {
        put!(out, "identity = \"tier\"");
    }
    put!(out, "edges = [");
    for (at, edge) in (1..).zip(&region.edges) {
        put!(
            out,
            "    {{ name = {}, address = {} }},",
            quoted(&format!("{}-{at}", region.name)),
            quoted(edge)
        );
    }
    put!(out, "]\n");
}

/// Between the two sides numbers are in E.164.
fn identities(answers: &Answers, out: &mut String) {
    let format = match answers.numbers {
        Numbers::AsSaid => return,
        Numbers::E164 => "e164",
        Numbers::National => "national",
    };
    put!(out, "# How numbers are written. `bascule route` shows the very message.\n");
    put!(out, "[[identity]]\nname = \"tier\"\ncalled = \"e164\"\ncalling = \"e164\"\nasserted = \"e164\"\n");
    put!(out, "[[identity]]\nname = {}", quoted(&answers.carrier_identity()));
    if let Some(country) = answers.country.as_deref().filter(|_| answers.numbers == Numbers::National) {
        let plan = match country {
            "1" => "national = \"\", international = \"011\", national_digits = 10".to_owned(),
            _ => "national = \"0\", international = \"00\"".to_owned(),
        };
        put!(
            out,
            "plan = {{ country = {}, {plan} }}   # what is dialled before which numbers",
            quoted(country)
        );
    }
    put!(out, "called = \"{format}\"\ncalling = \"{format}\"\nasserted = \"e164\"");
    put!(out, "# presents = [\"+4930123\"]        # beginnings of the numbers that you may show there");
    put!(out, "# default_caller = \"+49301230\"   # and what is shown in place of others\n");
}

fn trunk(answers: &Answers, out: &mut String) {
    put!(out, "[[trunk]]\nname = {}\nlistener = \"carriers\"", quoted(&answers.carrier));
    if answers.numbers != Numbers::AsSaid {
        put!(out, "identity = {}", quoted(&answers.carrier_identity()));
    }
    put!(out, "sources = {}   # from anywhere else its calls are a stranger's", list(&answers.sources));
    put!(out, "targets = [");
    for target in &answers.targets {
        let server_name = answers.tls.as_ref().and_then(|tls| tls.server_name.as_ref());
        let server_name =
            server_name.map_or(String::new(), |name| format!(", server_name = {}", quoted(name)));
        put!(out, "    {{ address = {}{server_name} }},", quoted(target));
    }
    put!(out, "]");
    if let Some(ca) = answers.tls.as_ref().and_then(|tls| tls.ca.as_ref()) {
        put!(out, "tls = {{ ca = {} }}", quoted(ca));
    }
    if let Some(account) = &answers.account {
        put!(
            out,
            "auth = [{{ realm = {}, username = {}, password_file = {} }}]",
            quoted(&account.realm),
            quoted(&account.username),
            quoted(&account.password_file)
        );
    }
    put!(
        out,
        "latching = \"address\"   # where its media comes from: \"exact\", \"address\" or, behind a NAT, \"learn\""
    );
    put!(out, "# max_calls = 100        # of this carrier alone");
    put!(out, "# calls_per_second = 20\n");
}

impl Answers {
    /// A name of its own, whatever the carrier is called.
    fn carrier_identity(&self) -> String {
        format!("to {}", self.carrier)
    }
}
