//! A call leaves signed and is believed where it arrives; what is not true of it is told, and by default told only.

use crate::audited::Audited;
use crate::authority::{Authority, Issued, ORIGID, Wish};
use crate::world::{Place, Ua, eventually, load, metric};
use crate::zone::Zone;
use bascule::Notice;
use proxy_core::{Attestation, CallRecord, VerifyReason};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sip_wire::{HeaderName, Message};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CALLER: &str = "+4930111111";
const CALLED: &str = "+4930222222";
const URL: &str = "https://certificates.example.com/sp.pem";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Files of one story.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bascule-stir-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}

/// An authority, a provider's certificate, and the policies made of them.
struct World {
    root: Authority,
    issued: Issued,
    folder: Folder,
}

impl World {
    fn new(name: &str) -> Self {
        let root = Authority::root_at("STI-CA", now());
        let issued = root.intermediate("Intermediate").issue(Wish::default());
        Self { root, issued, folder: Folder::new(name) }
    }

    /// `[[stir]]` that signs with the provider's key, whose certificate is at `url`, and verifies by `verify`.
    fn stir(&self, url: &str, verify: &str) -> String {
        let key = self.folder.put("key.pem", &self.issued.key);
        let roots = self.folder.put("roots.pem", &self.root.pem);
        format!(
            r#"
            [[stir]]
            name = "us"
            [stir.sign]
            key = "{key}"
            certificate = "{url}"
            origid = "{ORIGID}"
            owns = ["+4930111"]
            wait = "5s"
            required = true
            [stir.verify]
            authorities = "{roots}"
            wait = "5s"
            {verify}
            "#
        )
    }

    /// The certificate is here already.
    fn known(&self) -> String {
        let file = self.folder.put("sp.pem", &self.issued.bundle);
        format!("certificates = [{{ url = \"{URL}\", file = \"{file}\" }}]")
    }
}

/// The usual carrier, whose calls are signed and verified.
fn start(place: Place, stir: &str) -> Audited {
    let n = place.0;
    let route = "[[route.outbound]]\ntrunks = [\"acme\"]\n";
    let trunk = format!(
        "name = \"acme\"\nstir = \"us\"\ntargets = [\"127.77.{n}.2\"]\nprobe = {{ enabled = false }}"
    );
    let trunk = trunk.replace("[\"127.77", "[{ address = \"127.77").replace("\"]", "\" }]");
    let text = place.config(&format!("{route}{stir}")).replace("name = \"acme\"", &trunk);
    Audited::start(load(&text)).unwrap()
}

fn text(message: &Message, name: HeaderName) -> String {
    message.header(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

/// An edge calls, and the carrier refuses: what the carrier was told of it.
fn calls_out(place: Place, edge: &Ua, carrier: &Ua, call_id: &str) -> Message {
    let invite = edge.invite(call_id, CALLED, 40_000).replace("+4917012345", CALLER);
    edge.send(invite, place.tier());
    let told = carrier.request("INVITE");
    carrier.send(carrier.answer(&told, 486, None), place.appliance());
    edge.response(486);
    acknowledge(edge, place.tier(), call_id);
    told
}

/// The carrier calls with these header fields; what the edge was told of it.
fn calls_in(place: Place, carrier: &Ua, edge: &Ua, call_id: &str, caller: &str, fields: &str) -> Message {
    let invite = carrier.invite(call_id, CALLED, 40_000).replace("+4917012345", caller);
    let invite = invite.replacen("Content-Type", &format!("{fields}Content-Type"), 1);
    carrier.send(invite, place.appliance());
    let told = edge.request("INVITE");
    edge.send(edge.answer(&told, 486, None), place.tier());
    carrier.response(486);
    acknowledge(carrier, place.appliance(), call_id);
    told
}

fn acknowledge(caller: &Ua, to: SocketAddr, call_id: &str) {
    let at = caller.at;
    caller.send(
        format!(
            "ACK sip:{CALLED}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{call_id}i;rport\r\n\
             From: <sip:{CALLER}@{at}>;tag=c{call_id}\r\nTo: <sip:{CALLED}@127.0.0.1>\r\nCall-ID: {call_id}\r\n\
             CSeq: 1 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        ),
        to,
    );
}

/// What a provider puts into Identity for a call of ours, its certificate being there.
fn passport(issued: &Issued, url: &str, at: u64) -> String {
    let signer = stir::Signer::new(issued.key.as_bytes(), url, ORIGID).unwrap();
    let party = |number: &str| stir::Party::Number(number.trim_start_matches('+').to_owned());
    signer.shaken(&party(CALLER), &party(CALLED), stir::Attest::A, at).unwrap()
}

/// The next record that there is.
fn record(notices: &Receiver<Notice>) -> Arc<CallRecord> {
    loop {
        if let Notice::Finished(record) =
            notices.recv_timeout(Duration::from_secs(60)).expect("a record comes")
        {
            return record;
        }
    }
}

#[test]
fn a_call_leaves_signed_and_is_believed_where_it_arrives() {
    let (here, there) = (Place(180), Place(181));
    let world = World::new("believed");
    let stir = world.stir(URL, &world.known());
    let sender = start(here, &stir);
    let sent = sender.events();
    let told = calls_out(here, &here.edge(1), &here.carrier(), "out");
    let identity = text(&told, HeaderName::Identity);
    assert!(identity.ends_with(&format!(";info=<{URL}>;alg=ES256;ppt=shaken")), "{identity}");
    assert!(stir::seconds(text(&told, HeaderName::Date).as_bytes()).unwrap().abs_diff(now()) < 60);
    let sent = record(&sent);
    assert_eq!((sent.stir.attested, sent.stir.unsigned), (Some(Attestation::A), None));
    assert!(sender.metrics_text().contains("bascule_stir_signed_total{attest=\"A\"} 1"));
    sender.stop();

    let receiver = start(there, &stir);
    let heard = receiver.events();
    let (carrier, edge) = (there.carrier(), there.edge(1));
    let fields = format!("Identity: {identity}\r\n");
    let told = calls_in(there, &carrier, &edge, "in", CALLER, &fields);
    assert!(text(&told, HeaderName::From).contains(&format!("{CALLER};verstat=TN-Validation-Passed@")));
    assert_eq!(text(&told, HeaderName::Identity), identity, "the signature passes to the byte");
    let verified = record(&heard);
    assert_eq!(
        (verified.stir.verified, verified.stir.vouched),
        (Some(VerifyReason::Passed), Some(Attestation::A))
    );
    // Somebody else has copied it.
    let told = calls_in(there, &carrier, &edge, "copied", "+4930999999", &fields);
    assert!(text(&told, HeaderName::From).contains(";verstat=TN-Validation-Failed@"));
    assert_eq!(record(&heard).stir.verified, Some(VerifyReason::Calling));
    // And nobody has signed.
    let told = calls_in(there, &carrier, &edge, "plain", CALLER, "");
    assert!(text(&told, HeaderName::From).contains(";verstat=No-TN-Validation@"));
    receiver.stop();
}

/// What lies behind a URL, and how often it was asked for.
struct Web {
    at: SocketAddr,
    asked: Arc<AtomicUsize>,
    roots: String,
}

/// A host that answers every request with this, by TLS.
fn web(place: Place, answer: Vec<u8>) -> Web {
    web_of(place, &place.ip(9).to_string(), answer)
}

/// The same with a certificate of this host.
fn web_of(place: Place, host: &str, answer: Vec<u8>) -> Web {
    let root = Authority::root_at("Web", now());
    let listener = TcpListener::bind((place.ip(9), 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let (certificate, key) = root.issue_for_host(host);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::Stream::new(&mut tls, &mut stream);
            let mut request = [0; 2048];
            if stream.read(&mut request).is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(&answer);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    Web { at, asked, roots: root.pem }
}

fn http(status: &str, more: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{more}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

#[test]
fn a_certificate_is_fetched_once_and_kept() {
    let place = Place(182);
    let world = World::new("fetched");
    let web = web(place, http("200 OK", "", &world.issued.bundle));
    let roots = world.folder.put("web.pem", &web.roots);
    let verify =
        format!("hosts = [{{ host = \"{}\", internal = true }}]\nhttps_authorities = \"{roots}\"", web.at);
    let appliance = start(place, &world.stir(&format!("https://{}/sp.pem", web.at), &verify));
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let identity = text(&calls_out(place, &edge, &carrier, "out"), HeaderName::Identity);
    for call in ["one", "two", "three"] {
        let told = calls_in(place, &carrier, &edge, call, CALLER, &format!("Identity: {identity}\r\n"));
        let from = text(&told, HeaderName::From);
        assert!(from.contains(";verstat=TN-Validation-Passed@"), "{from}");
    }
    assert_eq!(web.asked.load(Ordering::SeqCst), 1);
    assert_eq!(metric(&appliance, "bascule_stir_fetched_total"), 1.0);
    appliance.stop();
}

#[test]
fn a_certificate_is_fetched_from_the_host_that_a_name_leads_to_and_proves_to_be_it() {
    let place = Place(186);
    let world = World::new("named");
    let zone = Zone::at(place.ip(53));
    for name in ["certificates.example", "impostor.example"] {
        zone.a(name, 60, &[place.ip(9)]);
    }
    let web = web_of(place, "certificates.example", http("200 OK", "", &world.issued.bundle));
    let roots = world.folder.put("web.pem", &web.roots);
    let port = web.at.port();
    let url = |host: &str| format!("https://{host}:{port}/sp.pem");
    let host = |host: &str| format!("{{ host = \"{host}:{port}\", internal = true }}");
    let (right, wrong) = ("certificates.example", "impostor.example");
    let verify = format!("hosts = [{}, {}]\nhttps_authorities = \"{roots}\"", host(right), host(wrong));
    let stir = world.stir(&url(right), &verify);
    let appliance = start(place, &format!("{stir}\n{}", zone.configured()));
    let notices = appliance.events();
    let (carrier, edge) = (place.carrier(), place.edge(1));
    for (call, host, reason) in [
        ("named", right, VerifyReason::Passed),
        ("named_again", right, VerifyReason::Passed),
        ("impostor", wrong, VerifyReason::Unreachable),
    ] {
        let fields = format!("Identity: {}\r\n", passport(&world.issued, &url(host), now()));
        let told = calls_in(place, &carrier, &edge, call, CALLER, &fields);
        assert_eq!(record(&notices).stir.verified, Some(reason), "{host}");
        assert!(text(&told, HeaderName::From).contains(&format!(";verstat={}@", reason.verstat())));
    }
    assert_eq!(web.asked.load(Ordering::SeqCst), 1, "a certificate is kept, and no other host's is read");
    assert!(zone.asked() > 0);
    appliance.stop();
}

#[test]
fn what_a_url_can_do_to_us_is_to_cost_its_call_a_mark() {
    let place = Place(183);
    let world = World::new("hostile");
    let huge = web(place, http("200 OK", "", &"x".repeat(200_000)));
    let moved = web(place, http("302 Found", &format!("Location: https://{}/\r\n", huge.at), ""));
    let junk = web(place, http("200 OK", "", "nothing of the kind"));
    let other =
        web(place, http("200 OK", "", &Authority::root_at("STI-CA", now()).issue(Wish::default()).bundle));
    let silent = TcpListener::bind((place.ip(9), 0)).unwrap();
    let silent_at = silent.local_addr().unwrap();
    let all = [&huge, &moved, &junk, &other];
    let roots: String = all.iter().map(|web| web.roots.as_str()).collect();
    let roots = world.folder.put("web.pem", &roots);
    let hosts: Vec<String> = all
        .iter()
        .map(|web| web.at)
        .chain([silent_at])
        .map(|at| format!("{{ host = \"{at}\", internal = true }}"))
        .collect();
    // A name that leads inside: nobody has said that it may.
    let verify = format!("hosts = [{}, \"localhost\"]\nhttps_authorities = \"{roots}\"", hosts.join(", "));
    let appliance = start(place, &world.stir(URL, &verify));
    let notices = appliance.events();
    let (carrier, edge) = (place.carrier(), place.edge(1));
    for (n, (url, reason)) in [
        (format!("https://{}/sp.pem", huge.at), VerifyReason::BadCertificate),
        (format!("https://{}/sp.pem", moved.at), VerifyReason::Unreachable),
        (format!("https://{}/sp.pem", junk.at), VerifyReason::BadCertificate),
        (format!("https://{}/sp.pem", other.at), VerifyReason::Untrusted),
        (format!("https://{silent_at}/sp.pem"), VerifyReason::Unreachable),
        ("https://localhost/sp.pem".to_owned(), VerifyReason::PrivateAddress),
        ("https://127.0.0.1/sp.pem".to_owned(), VerifyReason::HostNotAllowed),
        ("https://169.254.169.254/latest/meta-data".to_owned(), VerifyReason::HostNotAllowed),
        ("http://localhost/sp.pem".to_owned(), VerifyReason::BadInfo),
    ]
    .into_iter()
    .enumerate()
    {
        let value = passport(&world.issued, &url, now());
        let fields = format!("Identity: {value}\r\n");
        let told = calls_in(place, &carrier, &edge, &format!("url{n}"), CALLER, &fields);
        let found = record(&notices).stir.verified.unwrap();
        assert_eq!(found, reason, "{url}");
        assert!(text(&told, HeaderName::From).contains(&format!(";verstat={}@", reason.verstat())), "{url}");
    }
    assert_eq!(huge.asked.load(Ordering::SeqCst), 1, "the redirection was not followed");
    eventually("every call is counted", || {
        appliance.metrics_text().contains("bascule_stir_verified_total{result=\"private_address\"} 1")
    });
    appliance.stop();
}

/// Policy marks and lets pass, so each of these calls is heard of at the edge, with what was found.
#[test]
fn a_signature_of_another_day_or_of_nobodys_hand_costs_its_call_a_mark() {
    let place = Place(185);
    let world = World::new("clock");
    let zone = Zone::at(place.ip(53));
    zone.a("inside.example", 60, &[place.ip(9)]);
    zone.alias("here.example", "there.example");
    zone.alias("there.example", "here.example");
    let day = 86_400;
    let known = [
        (URL, world.root.issue(Wish::default())),
        (
            "https://x.example/expired.pem",
            world.root.issue(Wish { from: -2 * day, until: -day, ..Wish::default() }),
        ),
        (
            "https://x.example/early.pem",
            world.root.issue(Wish { from: day, until: 2 * day, ..Wish::default() }),
        ),
    ];
    let files: Vec<String> = (known.iter().enumerate())
        .map(|(n, (url, issued))| {
            let file = world.folder.put(&format!("known{n}.pem"), &issued.bundle);
            format!("{{ url = \"{url}\", file = \"{file}\" }}")
        })
        .collect();
    let verify = format!(
        "certificates = [{}]\nhosts = [\"inside.example\", \"here.example\", \"nowhere.example\"]",
        files.join(", ")
    );
    let appliance = start(place, &format!("{}\n{}", world.stir(URL, &verify), zone.configured()));
    let notices = appliance.events();
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let signed = |n: usize, url: &str, at: u64| passport(&known[n].1, url, at);
    let sound = signed(0, URL, now());
    let rows = [
        ("signed an hour ago", signed(0, URL, now() - 3_600), VerifyReason::Stale),
        ("signed in 1970", signed(0, URL, 0), VerifyReason::Stale),
        ("signed in an hour", signed(0, URL, now() + 3_600), VerifyReason::Future),
        ("signed at the end of time", signed(0, URL, i64::MAX as u64), VerifyReason::Future),
        ("by a certificate that was valid once", signed(1, known[1].0, now()), VerifyReason::Expired),
        ("by one that will be", signed(2, known[2].0, now()), VerifyReason::Expired),
        ("by another key than the certificate's", signed(1, URL, now()), VerifyReason::Signature),
        (
            "a name that leads inside",
            signed(0, "https://inside.example/sp.pem", now()),
            VerifyReason::PrivateAddress,
        ),
        (
            "a name that leads in a circle",
            signed(0, "https://here.example/sp.pem", now()),
            VerifyReason::Unreachable,
        ),
        ("a name of nobody", signed(0, "https://nowhere.example/sp.pem", now()), VerifyReason::Unreachable),
        (
            "a name that nobody allows",
            signed(0, "https://inside.example.org/", now()),
            VerifyReason::HostNotAllowed,
        ),
        ("no token", format!("no.token.here;info=<{URL}>;alg=ES256;ppt=shaken"), VerifyReason::Malformed),
        ("signs alone", ";;;".to_owned(), VerifyReason::Malformed),
        (
            "more than any PASSporT is",
            format!("{};info=<{URL}>;alg=ES256;ppt=shaken", ".".repeat(40_000)),
            VerifyReason::NoIdentity,
        ),
        ("another algorithm", sound.replace("alg=ES256", "alg=none"), VerifyReason::UnknownExtension),
        (
            "another kind than its token's",
            sound.replace("ppt=shaken", "ppt=shaking"),
            VerifyReason::Malformed,
        ),
    ];
    for (n, (name, value, reason)) in rows.iter().enumerate() {
        let counter = format!("bascule_stir_verified_total{{result=\"{}\"}}", reason.as_str());
        let before = metric(&appliance, &counter);
        let told =
            calls_in(place, &carrier, &edge, &format!("row{n}"), CALLER, &format!("Identity: {value}\r\n"));
        assert_eq!(record(&notices).stir.verified, Some(*reason), "{name}");
        assert!(text(&told, HeaderName::From).contains(&format!(";verstat={}@", reason.verstat())), "{name}");
        eventually(name, || metric(&appliance, &counter) == before + 1.0);
    }
    assert!(zone.asked() > 0, "names are asked for where the configuration says");
    let told = calls_in(place, &carrier, &edge, "sound", CALLER, &format!("Identity: {sound}\r\n"));
    assert!(text(&told, HeaderName::From).contains(";verstat=TN-Validation-Passed@"));
    appliance.stop();
}

#[test]
fn a_reload_brings_another_key() {
    let place = Place(184);
    let mut world = World::new("reload");
    let appliance = start(place, &world.stir(URL, &world.known()));
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let first = text(&calls_out(place, &edge, &carrier, "one"), HeaderName::Identity);
    let known = world.known();
    world.issued = world.root.issue(Wish::default());
    let stir = world.stir("https://certificates.example.com/new.pem", &known);
    let route = "[[route.outbound]]\ntrunks = [\"acme\"]\n";
    let n = place.0;
    let trunk = format!(
        "name = \"acme\"\nstir = \"us\"\ntargets = [{{ address = \"127.77.{n}.2\" }}]\nprobe = {{ enabled = false }}"
    );
    let text_of = place.config(&format!("{route}{stir}")).replace("name = \"acme\"", &trunk);
    appliance.reload(&load(&text_of)).unwrap();
    let second = text(&calls_out(place, &edge, &carrier, "two"), HeaderName::Identity);
    assert!(first.contains("sp.pem>") && second.contains("new.pem>"), "{second}");
    appliance.stop();
}
