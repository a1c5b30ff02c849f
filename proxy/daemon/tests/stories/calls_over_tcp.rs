use super::world::{PATIENCE, Place, call, eventually, hang_up, metric};
use sip_wire::{Frame, Framer, HeaderName, Message};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

const TCP: &str = r#"
    [[listener]]
    name = "stream"
    transport = "tcp"
    bind = "127.77.NN.1:5060"
"#;

fn tcp(place: Place) -> String {
    TCP.replace("NN", &place.0.to_string())
}

/// A TCP user agent.
pub(crate) struct Stream {
    pub(crate) stream: TcpStream,
    framer: Framer,
}

impl Stream {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, framer: Framer::new() }
    }

    pub(crate) fn next(&mut self) -> Message {
        loop {
            match self.framer.next() {
                Some(Ok(Frame::Message(bytes))) => return Message::parse(bytes).unwrap(),
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("{error:?}"),
                None => {
                    let mut buffer = [0; 4_096];
                    let n = self.stream.read(&mut buffer).expect("nothing came");
                    assert_ne!(n, 0, "closed");
                    self.framer.push(&buffer[..n]);
                }
            }
        }
    }
}

fn connect(place: Place) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((place.ip(2), 0)).into()).unwrap();
    socket.connect(&place.appliance().into()).unwrap();
    socket.into()
}

fn options(place: Place, n: u32) -> String {
    format!(
        "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/TCP {1};branch=z9hG4bKo{n}\r\nFrom: <sip:x@{1}>;tag=1\r\n\
         To: <sip:{0}>\r\nCall-ID: o{n}\r\nCSeq: {n} OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        place.appliance(),
        place.ip(2)
    )
}

// Rules: framing-stream, response-route
#[test]
fn requests_in_pieces_and_in_lumps_are_answered_on_their_connection_and_pings_too() {
    let place = Place(40);
    let _appliance = place.start(&tcp(place));
    let mut peer = Stream::new(connect(place));
    for piece in options(place, 1).as_bytes().chunks(7) {
        peer.stream.write_all(piece).unwrap();
    }
    assert_eq!(peer.next().code(), Some(200));
    let lump = options(place, 2) + &options(place, 3);
    peer.stream.write_all(lump.as_bytes()).unwrap();
    assert_eq!((peer.next().code(), peer.next().code()), (Some(200), Some(200)));
    peer.stream.write_all(b"\r\n\r\n").unwrap();
    let mut pong = [0; 2];
    peer.stream.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"\r\n");
}

#[test]
fn a_peer_that_never_reads_holds_up_nobody_else() {
    let place = Place(41);
    let appliance = place.start(&tcp(place));
    let mut rude = connect(place);
    rude.set_nonblocking(true).unwrap();
    // Asks until its own sending is stuck, because it does not read the answers.
    let many: String = (0..200).map(|n| options(place, n)).collect();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(2);
    while std::time::Instant::now() < until && rude.write(many.as_bytes()).is_ok() {}
    let mut polite = Stream::new(connect(place));
    polite.stream.write_all(options(place, 9_999).as_bytes()).unwrap();
    assert_eq!(polite.next().code(), Some(200));
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let call = call(place, &carrier, &edge, "beside", "+4930123456");
    hang_up(place, &carrier, &edge, &call);
    // It is cut off: its answers fill what is kept for it, or are not taken in time.
    let closed =
        |reason: &str| metric(&appliance, &format!("bascule_streams_closed_total{{reason=\"{reason}\"}}"));
    eventually("the rude one is cut off", || {
        let _ = rude.write(many.as_bytes());
        closed("queue_full") + closed("not_reading") >= 1.0
    });
}

#[test]
fn bad_framing_and_strangers_are_cut_off() {
    let place = Place(42);
    let appliance = place.start(&tcp(place));
    let mut broken = connect(place);
    broken.write_all(b"INVITE sip:x SIP/2.0\r\nVia: x\r\n\r\n").unwrap();
    broken.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(broken.read(&mut [0; 1]).unwrap_or(0), 0, "a message without a length ends the connection");
    let mut stranger = TcpStream::connect(place.appliance()).unwrap();
    stranger.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(stranger.read(&mut [0; 1]).unwrap_or(0), 0);
    eventually("both are counted", || {
        metric(&appliance, "bascule_streams_closed_total{reason=\"no_content_length\"}") == 1.0
            && metric(&appliance, "bascule_streams_refused_total{reason=\"stranger\"}") == 1.0
    });
}

/// The edges of this story are reached over TCP; the carrier stays on UDP.
#[test]
fn a_call_is_carried_from_udp_to_an_edge_on_tcp_which_is_connected_on_demand() {
    let place = Place(43);
    let text = place.config(&tcp(place)).replacen("listener = \"tier\"", "listener = \"stream\"", 1);
    let _appliance = crate::audited::Audited::start(super::world::load(&text)).unwrap();
    let edge = TcpListener::bind((place.ip(11), 5060)).unwrap();
    let carrier = place.carrier();
    carrier.send(carrier.invite("tcp", "+4930123456", 40_000), place.appliance());
    let (stream, from) = edge.accept().unwrap();
    assert_eq!(from.ip(), place.ip(1), "we come from the listener's address");
    let mut stream = Stream::new(stream);
    let invite = stream.next();
    let via = String::from_utf8_lossy(invite.header(sip_wire::HeaderName::Via).unwrap()).into_owned();
    assert!(via.starts_with("SIP/2.0/TCP"), "{via}");
    let refusal = place.edge(1).answer(&invite, 486, None);
    stream.stream.write_all(refusal.as_bytes()).unwrap();
    carrier.response(486);
    let ack = stream.next();
    assert_eq!(ack.method().as_bytes(), b"ACK");
}

#[test]
fn a_refused_connection_moves_the_call_on_to_the_next_edge() {
    let place = Place(44);
    let text = place.config(&tcp(place)).replacen("listener = \"tier\"", "listener = \"stream\"", 1);
    let _appliance = crate::audited::Audited::start(super::world::load(&text)).unwrap();
    let (carrier, south) = (place.carrier(), place.edge(2));
    let call = call(place, &carrier, &south, "refused", "+4930123456");
    hang_up(place, &carrier, &south, &call);
}

#[test]
fn a_peer_that_closes_its_connection_has_the_next_call_on_another_one() {
    let place = Place(94);
    let peer = SocketAddr::from((place.ip(3), 5060));
    let more = format!(
        "{}\n[[trunk]]\nname = \"streams\"\nlistener = \"stream\"\ntargets = [{{ name = \"s\", address = \"{peer}\" }}]\n\
         probe = {{ enabled = false }}\n[[route.outbound]]\ntrunks = [\"streams\"]\n",
        tcp(place)
    );
    let appliance = place.start(&more);
    let (edge, listener) = (place.edge(1), TcpListener::bind(peer).unwrap());
    for call in ["one", "two", "three"] {
        edge.send(edge.invite(call, "+4930123456", 40_000), place.tier());
        let mut line = Stream::new(listener.accept().unwrap().0);
        let invite = line.next();
        assert!(matches!(invite.method(), sip_wire::Method::Invite));
        let mut busy = "SIP/2.0 486 Busy Here\r\n".to_owned();
        for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq]
        {
            let tag = if name == HeaderName::To { ";tag=b" } else { "" };
            let value = String::from_utf8_lossy(invite.header(name).unwrap()).into_owned();
            busy += &format!("{}: {value}{tag}\r\n", name.as_str());
        }
        line.stream.write_all((busy + "Content-Length: 0\r\n\r\n").as_bytes()).unwrap();
        assert!(matches!(line.next().method(), sip_wire::Method::Ack));
        drop(line);
        eventually("the connection is gone", || metric(&appliance, "bascule_streams") == 0.0);
        eventually("the caller hears busy", || edge.next().code() == Some(486));
    }
}
