//! The appliance on addresses of one story's own, and what it has recorded when the story is over.

use crate::audited::Audited;
use crate::certified::Certified;
use crate::kamailio::{Digest, Kamailio, Proxy};
use crate::peer::{PATIENCE, Sipp};
use bascule::{Notice, config};
use proxy_core::{CallRecord, CloseReason, Receipt, StepOutcome, Transport};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

/// Twenty calls, twenty a second.
pub(crate) const TWENTY: [&str; 4] = ["-m", "20", "-r", "20"];

/// The steps of a call that went where it should at the first try.
pub(crate) const ANSWERED_IN_THE_NORTH: [(&str, StepOutcome); 1] = [("north-1", StepOutcome::Answered)];

/// Twenty calls, and more to say of them.
pub(crate) fn twenty<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&TWENTY[..], more].concat()
}

/// The appliance in the middle of 127.90.`n`.x: itself .1, the carrier .2, the edge in the north .11, in the south .12.
pub(crate) struct Place {
    n: u8,
    probe: &'static str,
    trunk: String,
    more: String,
    /// The carrier is a proxy that speaks TLS with us.
    proxy: Option<(Certified, Kamailio)>,
    running: Option<(Audited, Receiver<Notice>)>,
    finished: Vec<Arc<CallRecord>>,
    records: PathBuf,
}

/// What the scenarios of benches/sipp play.
const TONE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/sipp/tone.alaw");

impl Place {
    pub(crate) fn new(n: u8) -> Self {
        let mut place = Self::with(n, "probe = { enabled = false }");
        place.starts();
        place
    }

    /// The same with probes of the tier, slow to condemn: the machine may be busy with the other stories.
    /// Its appliance has yet to start: a tier that is not there at the first probe is down at once, for its host says so.
    pub(crate) fn probed(n: u8) -> Self {
        Self::with(n, r#"probe = { interval = "500ms", timeout = "500ms", fall = 6, rise = 2 }"#)
    }

    /// The same with a tier that may transfer calls. One shard has them all: a leg goes from call to call inside one only.
    pub(crate) fn transferring(n: u8) -> Self {
        let mut place = Self::with(n, "probe = { enabled = false }\nrefer = \"transfer\"");
        "[process]\nshards = 1\n".clone_into(&mut place.more);
        place.starts();
        place
    }

    /// The same with a carrier whose REFER is passed on, and more in its configuration.
    pub(crate) fn probed_with(n: u8, more: &str) -> Self {
        Self { trunk: "refer = \"pass\"".to_owned(), more: more.to_owned(), ..Self::probed(n) }
    }

    /// The usual place with more to say of the carrier, and of the rest.
    pub(crate) fn with_trunk(n: u8, trunk: &str, more: &str) -> Self {
        let mut place = Self::with(n, "probe = { enabled = false }");
        (place.trunk, place.more) = (trunk.to_owned(), more.to_owned());
        place.starts();
        place
    }

    /// The same with a carrier that is a proxy, over mutual TLS; its phone is at .3 and speaks TCP with it at .4.
    pub(crate) fn probed_over_tls(n: u8) -> Self {
        let mut place = Self::probed(n);
        let certified = Certified::new(&place.folder());
        let proxy = Proxy {
            name: "carrier",
            transport: Transport::Tls,
            certified: Some(&certified),
            ours: (place.ip(2), 5060).into(),
            us: place.carriers_side(),
            phones_side: place.phones_side(),
            digest: Digest::Nobody,
            phones: &[(place.ip(3), 5060).into()],
        };
        let kamailio = Kamailio::starts(&place.folder(), &proxy);
        place.proxy = Some((certified, kamailio));
        place
    }

    fn phones_side(&self) -> SocketAddr {
        (self.ip(4), 5062).into()
    }

    fn with(n: u8, probe: &'static str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("sipp-{n}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            n,
            probe,
            trunk: String::new(),
            more: String::new(),
            proxy: None,
            running: None,
            finished: Vec::new(),
            records: folder.join("calls.jsonl"),
        }
    }

    /// The appliance starts.
    pub(crate) fn starts(&mut self) {
        let mut text =
            config(self.n, self.probe, &self.trunk, &self.records.display().to_string()) + &self.more;
        if let Some((certified, _)) = &self.proxy {
            let (shown, asked) = (certified.listener(), certified.trunk());
            let secure = format!("name = \"carriers\"\ntransport = \"tls\"\n{shown}\n");
            text = text.replacen("name = \"carriers\"\n", &secure, 1);
            text = text.replacen("name = \"acme\"\n", &format!("name = \"acme\"\n{asked}\n"), 1);
        }
        let appliance = Audited::start(config::parse("sipp.toml", &text).unwrap()).unwrap();
        let events = appliance.events();
        self.running = Some((appliance, events));
    }

    /// What the appliance says next, if it does before this moment.
    fn told(&self, deadline: Instant) -> Option<Notice> {
        let (_, events) = self.running.as_ref().expect("the appliance has started");
        events.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }

    /// An address of this story's network.
    pub(crate) fn v4(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 90, self.n, host)
    }

    fn ip(&self, host: u8) -> IpAddr {
        self.v4(host).into()
    }

    /// A copy of a scenario with some of its text changed; its path.
    pub(crate) fn changed(&self, scenario: &str, from: &str, to: &str) -> String {
        let text =
            std::fs::read_to_string(Path::new(TONE).with_file_name(format!("{scenario}.xml"))).unwrap();
        assert!(text.contains(from), "{scenario} has no {from}");
        let path = self.folder().join(format!("{scenario}_changed.xml"));
        std::fs::write(&path, text.replace(from, to)).unwrap();
        path.display().to_string()
    }

    /// A copy of a scenario that plays another tone, the same upside down: A-law's sign is its first bit (ITU-T G.711).
    pub(crate) fn retuned(&self, scenario: &str) -> String {
        let path = self.folder().join("other.alaw");
        std::fs::write(&path, other_tone()).unwrap();
        self.changed(scenario, "tone.alaw", &path.display().to_string())
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.records.parent().unwrap().to_owned()
    }

    /// Where carriers send to.
    pub(crate) fn carriers_side(&self) -> SocketAddr {
        (self.ip(1), 5060).into()
    }

    /// Where the tier sends to.
    pub(crate) fn tiers_side(&self) -> SocketAddr {
        (self.ip(1), 5070).into()
    }

    /// The carrier calls.
    pub(crate) fn carrier_calls(&self, scenario: &str, args: &[&str]) -> Sipp {
        Sipp::caller(&self.folder(), self.ip(2), self.carriers_side(), scenario, args)
    }

    /// The carrier calls from another address of its own.
    pub(crate) fn carrier_calls_too(&self, scenario: &str, args: &[&str]) -> Sipp {
        Sipp::caller(&self.folder(), self.ip(3), self.carriers_side(), scenario, args)
    }

    /// The phone behind the carrier's proxy calls.
    pub(crate) fn phone_calls(&self, scenario: &str, args: &[&str]) -> Sipp {
        let args = [&["-t", "t1"], args].concat();
        Sipp::caller(&self.folder(), self.ip(3), self.phones_side(), scenario, &args)
    }

    /// The carrier is called.
    pub(crate) fn carrier(&self, scenario: &str, args: &[&str]) -> Sipp {
        Sipp::answerer(&self.folder(), self.ip(2), scenario, args)
    }

    /// The edge in the north calls, and is there to answer probes when this returns: its calls take a while.
    pub(crate) fn north_calls(&self, scenario: &str, args: &[&str]) -> Sipp {
        let mut north = Sipp::caller(&self.folder(), self.ip(11), self.tiers_side(), scenario, args);
        north.listens((self.ip(11), 5060).into());
        north
    }

    /// The edge in the north, which is tried first.
    pub(crate) fn north(&self, scenario: &str, args: &[&str]) -> Sipp {
        Sipp::answerer(&self.folder(), self.ip(11), scenario, args)
    }

    /// The edge in the south.
    pub(crate) fn south(&self, scenario: &str, args: &[&str]) -> Sipp {
        Sipp::answerer(&self.folder(), self.ip(12), scenario, args)
    }

    /// The receipts of so many moves.
    pub(crate) fn receipts(&mut self, moves: usize) -> Vec<Arc<Receipt>> {
        let deadline = Instant::now() + PATIENCE;
        let mut receipts = Vec::new();
        while receipts.len() < moves {
            match self.told(deadline) {
                Some(Notice::Moved(receipt)) => receipts.push(receipt),
                Some(Notice::Finished(record)) => self.finished.push(record),
                Some(Notice::Health { .. } | Notice::Moves { .. }) => {}
                None => panic!("{} of {moves} moves were told: {receipts:#?}", receipts.len()),
            }
        }
        receipts
    }

    /// The value of a metric.
    pub(crate) fn counted(&self, name: &str) -> String {
        let (appliance, _) = self.running.as_ref().expect("the appliance has started");
        counted(appliance, name)
    }

    /// The records of so many calls, and not one more; the appliance is stopped, and the file says the same.
    pub(crate) fn ends_with(mut self, calls: usize) -> Vec<Arc<CallRecord>> {
        let deadline = Instant::now() + PATIENCE;
        let mut records = std::mem::take(&mut self.finished);
        while records.len() < calls {
            match self.told(deadline) {
                Some(Notice::Finished(record)) => records.push(record),
                Some(Notice::Health { .. } | Notice::Moved(_) | Notice::Moves { .. }) => {}
                None => panic!("{} of {calls} calls were recorded: {records:#?}", records.len()),
            }
        }
        let (appliance, _) = self.running.expect("the appliance has started");
        assert_eq!(appliance.live_calls(), 0);
        appliance.stop();
        let text = std::fs::read_to_string(&self.records).unwrap_or_default();
        let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), calls, "{text}");
        for (line, record) in lines.iter().zip(&records) {
            assert_eq!(line["a_call_id"], record.a_call_id.as_str());
            assert_eq!(line["close"], record.close.as_str());
            assert_eq!(line["code"], record.code);
        }
        records
    }
}

/// The value of one of this appliance's metrics.
pub(crate) fn counted(appliance: &Audited, name: &str) -> String {
    let text = appliance.metrics_text();
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
    text.lines().find_map(value).unwrap_or_else(|| panic!("no {name} is counted"))
}

/// Every call ended this way, after these steps.
pub(crate) fn all_ended(
    records: &[Arc<CallRecord>],
    code: u16,
    close: CloseReason,
    steps: &[(&str, StepOutcome)],
) {
    for record in records {
        assert_eq!((record.code, record.close), (code, close), "{record:#?}");
        assert_eq!(steps_of(record), steps, "{record:#?}");
    }
}

/// Who was tried, and what became of it.
pub(crate) fn steps_of(record: &CallRecord) -> Vec<(&str, StepOutcome)> {
    record.steps.iter().map(|step| (step.target.as_str(), step.outcome)).collect()
}

/// Media went both ways in this call, and what came in order went out in full.
pub(crate) fn heard_both_ways(record: &CallRecord) {
    let media = record.media.as_deref().expect("the relay has counted");
    for flow in [&media.from_a, &media.from_b] {
        assert!(flow.forwarded > 0 && flow.lost == 0, "{record:#?}");
        assert_eq!(flow.bytes, flow.packets * (12 + 160), "20 ms of G.711 in each: {record:#?}");
        assert_eq!((flow.packet_time_us, flow.duplicates), (20_000, 0), "{record:#?}");
        assert!(matches!(flow.payload_type, Some(0 | 8)), "{record:#?}");
    }
}

/// What every scenario plays that is not retuned, and what those play that are.
pub(crate) fn tone() -> Vec<u8> {
    std::fs::read(TONE).unwrap()
}

pub(crate) fn other_tone() -> Vec<u8> {
    tone().into_iter().map(|sample| sample ^ 0x80).collect()
}

fn config(n: u8, probe: &str, trunk: &str, records: &str) -> String {
    format!(
        r#"
        [[listener]]
        name = "carriers"
        bind = "127.90.{n}.1:5060"
        [[listener]]
        name = "tier"
        bind = "127.90.{n}.1:5070"
        [media]
        v4 = "127.90.{n}.1"
        ports = "30000-30399"
        [[region]]
        name = "north"
        [[region]]
        name = "south"
        [[edge_group]]
        name = "north"
        region = "north"
        listener = "tier"
        edges = [{{ name = "north-1", address = "127.90.{n}.11:5060" }}]
        {probe}
        [[edge_group]]
        name = "south"
        region = "south"
        listener = "tier"
        edges = [{{ name = "south-1", address = "127.90.{n}.12:5060" }}]
        {probe}
        [[site]]
        name = "main"
        groups = ["north", "south"]
        [[trunk]]
        name = "acme"
        listener = "carriers"
        sources = ["127.90.{n}.2", "127.90.{n}.3"]
        targets = [{{ name = "acme-1", address = "127.90.{n}.2:5060" }}]
        probe = {{ enabled = false }}
        {trunk}
        [[route.inbound]]
        site = "main"
        [[route.outbound]]
        trunks = ["acme"]
        # The machine may be busy with the other stories: slow is not dead here.
        [hunt]
        no_response = "3s"
        [records]
        file = "{records}"
        "#
    )
}
