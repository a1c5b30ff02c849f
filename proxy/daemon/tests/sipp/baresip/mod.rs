//! baresip as the tier's phone and as the carrier's: a user agent with audio of its own, which knows neither PRACK nor UPDATE nor
//! session timers, so that the appliance has to be the one who does.

mod phone;

use crate::audited::Audited;
use crate::flows::scenario::Scenario;
use crate::flows::table::sdp;
use crate::peer::{PATIENCE, Sipp};
use crate::space::Space;
use bascule::{Notice, config};
use phone::{CALLED, Habits, Phone};
use proxy_core::{CallRecord, CloseReason, MoveOutcome, Transport};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// The appliance, with links to spaces of their own for the carrier, the edge in the north and the edge in the south.
struct House {
    n: u8,
    folder: PathBuf,
    config: String,
    running: Option<(Audited, Receiver<Notice>)>,
    spaces: [Space; 3],
}

#[derive(Clone, Copy)]
enum Room {
    Carrier = 0,
    North = 1,
    South = 2,
}

/// How the house is set up.
struct Plan<'a> {
    /// Of the tier's side.
    transport: &'a str,
    /// Of the edge groups.
    group: &'a str,
    /// At the end.
    more: &'a str,
}

const PLAIN: Plan<'static> = Plan { transport: "udp", group: "probe = { enabled = false }", more: "" };

fn ours(n: u8, room: Room) -> Ipv4Addr {
    Ipv4Addr::new(10, 213, n, 16 * room as u8 + 1)
}

fn theirs(n: u8, room: Room) -> Ipv4Addr {
    Ipv4Addr::new(10, 213, n, 16 * room as u8 + 2)
}

impl House {
    fn new(n: u8, plan: &Plan<'_>) -> Self {
        let mut house = Self::closed(n, plan);
        house.opens();
        house
    }

    /// Its appliance has yet to start: a tier that is not there at the first probe is down at once, for its host says so.
    fn closed(n: u8, plan: &Plan<'_>) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("baresip-{n}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let spaces = [Room::Carrier, Room::North, Room::South].map(|room| {
            let space = Space::with(3 * n + room as u8, ours(n, room).into(), &[theirs(n, room).into()]);
            if !matches!(room, Room::Carrier) {
                // Where media goes, and where calls are transferred to.
                space.knows(ours(n, Room::Carrier).into(), ours(n, room).into());
            }
            space
        });
        Self { n, folder, config: text(n, plan), running: None, spaces }
    }

    fn opens(&mut self) {
        let appliance = Audited::start(config::parse("baresip.toml", &self.config).unwrap()).unwrap();
        let events = appliance.events();
        self.running = Some((appliance, events));
    }

    fn phone(&self, room: Room, habits: &Habits) -> Phone {
        Phone::starts(&self.folder, &self.spaces[room as usize], theirs(self.n, room).into(), habits)
    }

    /// Where calls are made to from there.
    fn number(&self, room: Room) -> String {
        let port = match room {
            Room::Carrier => 5060,
            Room::North | Room::South => 5070,
        };
        format!("sip:{CALLED}@{}", SocketAddr::from((ours(self.n, Room::Carrier), port)))
    }

    /// The carrier calls with a scenario.
    fn carrier_calls(&self, scenario: &Scenario) -> Sipp {
        let to = SocketAddr::from((ours(self.n, Room::Carrier), 5060)).to_string();
        let file = scenario.write(&self.folder);
        let at = SocketAddr::from((theirs(self.n, Room::Carrier), 5060));
        let space = Some(&self.spaces[Room::Carrier as usize]);
        Sipp::in_space(space, &self.folder, at, &file, Transport::Udp, &[&to, "-s", CALLED, "-m", "1"])
    }

    /// The next call that has ended.
    fn ended(&self) -> Arc<CallRecord> {
        let (_, events) = self.running.as_ref().expect("the appliance has started");
        let deadline = Instant::now() + PATIENCE;
        loop {
            match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Notice::Finished(record)) => return record,
                Ok(_) => {}
                Err(_) => panic!("no call has ended"),
            }
        }
    }

    fn stops(self) {
        let (appliance, _) = self.running.expect("the appliance has started");
        assert_eq!(appliance.live_calls(), 0);
        appliance.stop();
    }
}

const EDGE: Habits = Habits { name: "edge", tone: 440, answers: "auto", transport: "udp" };
const CARRIER: Habits = Habits { name: "carrier", tone: 880, answers: "auto", transport: "udp" };

/// Packets that a talk has at least: two seconds of it have a hundred, if the machine is not too busy to play them.
const TALK: u64 = 50;

fn they_talk() {
    std::thread::sleep(Duration::from_secs(2));
}

/// Audio has gone both ways for so many packets of 20 ms, and nothing was lost.
fn talked(record: &CallRecord, packets: u64) {
    let media = record.media.as_deref().expect("the relay has counted");
    for flow in [&media.from_a, &media.from_b] {
        assert!(flow.forwarded >= packets && flow.lost == 0 && flow.payload_type == Some(8), "{record:#?}");
    }
}

fn is_a_good_call(record: &CallRecord, close: CloseReason, packets: u64) {
    assert_eq!((record.code, record.close), (200, close), "{record:#?}");
    talked(record, packets);
}

#[test]
fn phones_talk_hold_send_digits_and_hang_up_from_either_side() {
    let house = House::new(1, &PLAIN);
    let (mut carrier, mut edge) = (house.phone(Room::Carrier, &CARRIER), house.phone(Room::North, &EDGE));
    for (close, held) in [(CloseReason::ByeFromA, false), (CloseReason::ByeFromB, true)] {
        carrier.is_told("dial", &house.number(Room::Carrier));
        edge.tells("CALL_ESTABLISHED");
        carrier.tells("CALL_ESTABLISHED");
        they_talk();
        let (talks, listens) = if held { (&mut edge, &mut carrier) } else { (&mut carrier, &mut edge) };
        talks.is_told("hold", "");
        listens.tells("CALL_REMOTE_SDP");
        std::thread::sleep(Duration::from_millis(500));
        talks.is_told("resume", "");
        listens.tells("CALL_REMOTE_SDP");
        talks.is_told("sndcode", "5");
        assert_eq!(listens.tells("CALL_DTMF_START"), "5");
        they_talk();
        talks.is_told("hangup", "");
        listens.tells("CALL_CLOSED");
        talks.tells("CALL_CLOSED");
        is_a_good_call(&house.ended(), close, 2 * TALK);
    }
    house.stops();
}

#[test]
fn the_tiers_phone_calls_the_carriers_over_tcp() {
    let house = House::new(2, &Plan { transport: "tcp", ..PLAIN });
    let edge = Habits { transport: "tcp", ..EDGE };
    let (mut carrier, mut edge) = (house.phone(Room::Carrier, &CARRIER), house.phone(Room::North, &edge));
    edge.is_told("dial", &format!("{};transport=tcp", house.number(Room::North)));
    carrier.tells("CALL_ESTABLISHED");
    edge.tells("CALL_ESTABLISHED");
    they_talk();
    carrier.is_told("hangup", "");
    edge.tells("CALL_CLOSED");
    is_a_good_call(&house.ended(), CloseReason::ByeFromB, TALK);
    house.stops();
}

#[test]
fn a_caller_who_wants_prack_and_short_sessions_has_them_though_the_phone_knows_neither() {
    let house = House::new(3, &Plan { more: "[session]\nexpires = \"6s\"\nmin_se = \"4s\"\n", ..PLAIN });
    let mut edge = house.phone(Room::North, &Habits { answers: "early", ..EDGE });
    let wishes = [
        "Require: 100rel",
        "Supported: timer",
        "Session-Expires: 6;refresher=uas",
        "Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE",
    ];
    let mut s = Scenario::caller("baresip_asked")
        .calls(&wishes, &sdp(1, ""))
        .gets(180, "INVITE", &["Require: 100rel", "RSeq:"])
        .acknowledges_early("")
        .gets(200, "PRACK", &[])
        .gets(183, "INVITE", &["Require: 100rel", "RSeq:", "m=audio"])
        .acknowledges_early("")
        .gets(200, "PRACK", &[])
        .gets(200, "INVITE", &["Session-Expires: 6;refresher=uas", "Require: timer"])
        .acknowledges("");
    for _ in 0..2 {
        s = s.hears("UPDATE", &["Session-Expires: 6;refresher=uac"]).answers_with(
            200,
            &["Require: timer", "Session-Expires: 6;refresher=uac"],
            "",
        );
    }
    let carrier = house.carrier_calls(&s.hangs_up());
    edge.has_seen("SIP/2.0 183");
    std::thread::sleep(Duration::from_millis(300));
    edge.is_told("accept", "");
    carrier.succeeds(1);
    edge.tells("CALL_CLOSED");
    let said = edge.said();
    let heard = |method: &str| said.lines().any(|line| line.starts_with(method));
    assert!(heard("INVITE ") && !heard("PRACK ") && !heard("UPDATE "), "the carrier's concern: {said}");
    let record = house.ended();
    assert_eq!((record.code, record.close), (200, CloseReason::ByeFromA), "{record:#?}");
    house.stops();
}

#[test]
fn a_phone_transfers_its_caller_to_the_other_region_and_the_carriers_phone_talks_on() {
    let house = House::new(4, &Plan { group: "probe = { enabled = false }\nrefer = \"transfer\"", ..PLAIN });
    let (mut carrier, mut edge) = (house.phone(Room::Carrier, &CARRIER), house.phone(Room::North, &EDGE));
    let mut other = house.phone(Room::South, &Habits { name: "other", tone: 1000, ..EDGE });
    carrier.is_told("dial", &house.number(Room::Carrier));
    edge.tells("CALL_ESTABLISHED");
    carrier.tells("CALL_ESTABLISHED");
    they_talk();
    edge.is_told("transfer", &format!("sip:{CALLED}@{}:5060", theirs(house.n, Room::South)));
    other.tells("CALL_ESTABLISHED");
    edge.tells("CALL_CLOSED");
    they_talk();
    carrier.is_told("hangup", "");
    other.tells("CALL_CLOSED");
    is_a_good_call(&house.ended(), CloseReason::ByeFromA, 2 * TALK);
    house.stops();
}

#[test]
fn a_phone_whose_region_dies_is_replaced_by_the_other_regions_and_the_carriers_phone_goes_on() {
    let probe = r#"probe = { interval = "500ms", timeout = "500ms", fall = 6, rise = 2 }"#;
    let mut house = House::closed(5, &Plan { group: probe, ..PLAIN });
    let mut edge = house.phone(Room::North, &EDGE);
    let mut other = house.phone(Room::South, &Habits { name: "other", tone: 1000, ..EDGE });
    let mut carrier = house.phone(Room::Carrier, &CARRIER);
    house.opens();
    carrier.is_told("dial", &house.number(Room::Carrier));
    carrier.tells("CALL_ESTABLISHED");
    edge.tells("CALL_ESTABLISHED");
    they_talk();
    edge.freezes();
    other.tells("CALL_ESTABLISHED");
    they_talk();
    other.is_told("hold", "");
    carrier.tells("CALL_REMOTE_SDP");
    other.is_told("resume", "");
    carrier.tells("CALL_REMOTE_SDP");
    carrier.is_told("hangup", "");
    other.tells("CALL_CLOSED");
    let record = house.ended();
    is_a_good_call(&record, CloseReason::ByeFromA, 2 * TALK);
    assert_eq!(record.moves[0].outcome, MoveOutcome::Moved, "{record:#?}");
    house.stops();
}

fn text(n: u8, Plan { transport, group, more }: &Plan<'_>) -> String {
    let here = ours(n, Room::Carrier);
    let [carrier, north, south] = [Room::Carrier, Room::North, Room::South].map(|room| theirs(n, room));
    format!(
        r#"
        [[listener]]
        name = "carriers"
        bind = "{here}:5060"
        [[listener]]
        name = "tier"
        bind = "{here}:5070"
        transport = "{transport}"
        [media]
        v4 = "{here}"
        ports = "30000-30199"
        [[region]]
        name = "north"
        [[region]]
        name = "south"
        [[edge_group]]
        name = "north"
        region = "north"
        listener = "tier"
        edges = [{{ name = "north-1", address = "{north}:5060" }}]
        {group}
        [[edge_group]]
        name = "south"
        region = "south"
        listener = "tier"
        edges = [{{ name = "south-1", address = "{south}:5060" }}]
        {group}
        [[site]]
        name = "main"
        groups = ["north", "south"]
        [[trunk]]
        name = "acme"
        listener = "carriers"
        targets = [{{ name = "acme-1", address = "{carrier}:5060" }}]
        probe = {{ enabled = false }}
        [[route.inbound]]
        site = "main"
        [[route.outbound]]
        trunks = ["acme"]
        # The machine may be busy with the other stories: slow is not dead here.
        [hunt]
        no_response = "3s"
        {more}
        "#
    )
}
