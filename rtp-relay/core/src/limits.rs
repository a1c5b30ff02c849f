//! What bounds the relay, each with its arithmetic.

use relay_values::Duration;

/// Longest packet carried, in bytes. Media is sent below an Ethernet's 1,500; 2,048 leaves room for odd tunnels, and
/// four fit the page pairs that receive buffers are made of. A jumbo frame (9,000) is not media.
pub const MAX_PACKET: usize = 2048;

/// Pairs tried for one leg when binding fails. A foreign program holds few ports of a media range; eight misses in a
/// row mean that the system has run out of something.
pub const MAX_BIND_TRIES: u8 = 8;

/// How long a pair that could not be bound is left alone. Whoever holds it will not go away within seconds, and a
/// failed try costs two system calls.
pub const FAILED_REST: Duration = Duration::from_secs(60);

/// Granularity of the silence watch. Inactivity is configured in seconds; a quarter second late is on time.
pub const WATCH_TICK: Duration = Duration::from_millis(250);

/// Slots of the watch's wheel: 64 × 250 ms = 16 s, one turn for the default inactivity of 12 s. Longer times go round
/// more than once.
pub const WATCH_SLOTS: usize = 64;

/// A step forward of the sequence number that is still loss and not a restart (RFC 3550 appendix A.1).
pub const MAX_DROPOUT: u16 = 3000;

/// A step backward of the sequence number that is still reordering (RFC 3550 appendix A.1).
pub const MAX_MISORDER: u16 = 100;

/// Clock rate assumed when signalling gives none: that of G.711 and of nearly all telephony (RFC 3551 §4.5.14).
pub const DEFAULT_CLOCK_RATE: u32 = 8000;

/// How often the packets that a flow needs before it is offered to a fast path again are doubled: 2⁶ times those of the
/// first offer. With 8 of those it is ten seconds of speech; a flow that no fast path can carry costs next to nothing.
pub const MOST_PATIENCE: u8 = 6;

/// So many packets in a row that have come part two bursts of losses: Gmin as RFC 3611 §4.7.2 recommends it, with which
/// losses of up to 5 % that lie evenly are no burst.
pub const BURST_GAP: u32 = 16;

/// Most packets in a compound of RTCP. Two or three are usual; every one has at least four bytes, so without a bound a
/// packet could hold 512.
pub const MAX_RTCP_PACKETS: usize = 32;

/// Mean time between two reports of our own, of which the first comes after half of it (RFC 3550 §6.2).
pub const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// The least and the most of it that is waited, in percent: 0.5 to 1.5 over e − 3/2 = 1.218, as timer reconsideration would
/// have it (RFC 3550 §6.3.1). There are two in a session, so there is nothing to reconsider.
pub const REPORT_SPREAD: (u32, u32) = (41, 123);

/// How often a flow that signalling has taken back is offered again with its first packet. Packets that were under way by the
/// sockets take it back at once: a burst at a peer's begin is two or three of them.
pub const MOST_RETURNS: u8 = 3;

/// A bridge speaks when nothing has come for this many packet times: one packet may be late by a whole one.
pub const QUIET_PACKETS: u32 = 2;

/// Shortest time in a packet of fill. Below it a bridge would be a flood; nobody agrees on less in telephony.
pub const MIN_FILL_TIME: Duration = Duration::from_millis(5);

/// Longest time in a packet of fill: a receiver need not accept more (RFC 3551 §4.2). 200 ms of G.711 are 1,600 bytes,
/// which [`MAX_PACKET`] holds.
pub const MAX_FILL_TIME: Duration = Duration::from_millis(200);

/// Time between two looks at the flows of the regions. A quarter of a packet time: it adds no more than that to the
/// detection, and 200 sweeps a second over 2,000 flows are a thousandth of a core.
pub const SILENCE_TICK: Duration = Duration::from_millis(5);

/// A tick that is late by this much is void: for a whole packet time nobody listened.
pub const LATE_TICK: Duration = Duration::from_millis(20);

/// Packets in a row that make a flow regular: a third of a second of speech. Fewer would let talkspurts of half a word
/// count, more would leave new calls out for long.
pub const STEADY_PACKETS: u8 = 16;

/// Shortest time between packets of a regular flow. G.711 is spoken at 10 to 30 ms, sometimes at 5.
pub const SHORTEST_BEAT: Duration = Duration::from_millis(5);

/// Longest time between packets of a regular flow. 60 ms are the most that telephony uses; comfort noise is rarer.
pub const LONGEST_BEAT: Duration = Duration::from_millis(60);

/// Natural logarithm of the mean number of ticks to a false alarm: e²⁵ = 7.2 · 10¹⁰ ticks of 5 ms are eleven years.
pub const FALSE_ALARM_LOG: f32 = 25.0;

/// The most that one tick may add to the sum: a fifth of what is needed.
pub const TICK_BOUND: f32 = 5.0;

/// How long a flow learns where its peer sends from, counted from the first packet of the first candidate. Both ends of a
/// call begin to send within a round trip of the answer: half a second is one to the other side of the world and back, and
/// the time to start a phone's sending.
pub const LEARN_TIME: Duration = Duration::from_millis(500);

/// Sources that a flow weighs against each other while it learns: the peer, the one before it, and two more. With the
/// packets of [`LEARN_PACKETS`] it bounds what strangers get in during the time of a window.
pub const LEARN_CANDIDATES: usize = 4;

/// Packets of one source that pass while a flow learns. In half a second of 5 ms packets there are 100.
pub const LEARN_PACKETS: u16 = 128;

/// How long one who was here before the description must be the only one before he is taken for the peer. Whoever moves
/// has moved after a round trip; that which goes on for two seconds is where it was.
pub const STALE_TIME: Duration = Duration::from_secs(2);

/// Who sends to the ports of a session so soon after they were taken cannot know of it: the invitation that names them has
/// not come back. Two packet times of 20 ms and a half.
pub const AT_ONCE: Duration = Duration::from_millis(50);

/// A stream that was heard at a port this short a time before a session took it goes on from a call that is over. Whoever
/// sends at all sends more often; the last packets of a phone that has hung up come in less, and the port rests for longer.
pub const GHOST_TIME: Duration = Duration::from_secs(2);

/// Time between the reports of an event that is believed when we end it in its sender's place: packet times of telephony.
pub const MIN_EVENT_STEP: Duration = Duration::from_millis(5);

/// The longest such time. RFC 4733 §2.5.1.2 speaks of 50 ms.
pub const MAX_EVENT_STEP: Duration = Duration::from_millis(60);

/// Where the reports do not say: the packet time of nearly all telephony (RFC 3551 §4.2).
pub const USUAL_EVENT_STEP: Duration = Duration::from_millis(20);

/// A stream whose source has been silent for this long and whose numbers go on elsewhere has strayed. Ten packets of 20 ms: a
/// stranger who speaks beside a peer that is heard is something else.
pub const STRAYED_AFTER: Duration = Duration::from_millis(200);

/// Hosts that are counted by themselves: enough to show who tries among the many who err. A packet of a stranger costs a look
/// at each.
pub const INTRUDERS: usize = 32;

/// Counts of those hosts are halved in this time.
pub const FADE_TIME: Duration = Duration::from_secs(10);

/// A host that tries so many ports within [`SPRAY_TIME`] is looking for calls: peers have a handful.
pub const SPRAY_PORTS: u32 = 16;

/// See [`SPRAY_PORTS`].
pub const SPRAY_TIME: Duration = Duration::from_secs(10);
