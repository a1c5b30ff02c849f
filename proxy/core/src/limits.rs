//! Every limit of the signalling core, with the arithmetic behind it.

use relay_values::Duration;

/// A call's plan holds at most this many targets: 8 attempts at 200 ms without response are 1.6 s, already longer than
/// a caller's patience with silence.
pub(crate) const MAX_PLAN: usize = 16;

/// Route headers that a dialog remembers, for the life of the call. Real paths have one to four; Max-Forwards begins at 70,
/// so that a longer one is no path. It is not cut, since it would lead elsewhere: the call is refused.
pub(crate) const MAX_ROUTE_SET: usize = 70;

/// How long a peer that took no stream is sent large requests by datagram without another try: a call a minute may lose
/// the time that a connection takes.
pub(crate) const WITHOUT_STREAMS: Duration = Duration::from_secs(60);

/// Peers remembered for that: some 100 bytes each.
pub(crate) const MAX_WITHOUT_STREAMS: usize = 4_096;

/// TLS connections whose peers are remembered, with the names that they have proved: a few hundred bytes each. More than a
/// shell has places for.
pub(crate) const MAX_PROVEN: usize = 131_072;

/// Bytes of a user part: a number has 15 digits, with its routing number and trunk marking (RFC 4694, RFC 4904) some 150
/// bytes.
pub(crate) const MAX_USER: usize = 1_024;

/// Bytes of a display name. It is shown to people: a longer one is left out.
pub(crate) const MAX_DISPLAY: usize = 1_024;

/// Provisional responses that wait for the caller to acknowledge the one before them. A target may send a second one only
/// when the first is acknowledged (RFC 3262 §3), so they come of forks: a handful of phones ring.
pub(crate) const MAX_PROVISIONALS: usize = 4;

/// Early dialogs of one INVITE beside the one that spoke last; a dialog takes about half a KiB. Of more forks than that the
/// first are forgotten: they can still answer.
pub(crate) const MAX_EARLY_DIALOGS: usize = 8;

/// Entries of a call's diversion history that are read: a call that was diverted more often goes in circles.
pub(crate) const MAX_DIVERSIONS: usize = 20;

/// Requests carried between the legs at once. Real dialogs have one or two (an INFO beside a re-INVITE).
pub(crate) const MAX_CARRIED: usize = 8;

/// Bytes of Diversion, of Identity and of Resource-Priority that pass from one leg to the other; each is kept for the
/// life of the call. A signed PASSporT in full form is 600 to 1,200 bytes, so three fit: the caller's own and two for
/// diversions (RFC 8946).
pub(crate) const MAX_PASSED: usize = 4_096;

/// Fields of one challenge, or of one set of credentials: RFC 7616 knows twelve.
pub(crate) const MAX_AUTH_FIELDS: usize = 32;

/// Bytes of a realm, a nonce or an opaque that we say again, in every request of a dialog: real ones have 16 to 200.
pub(crate) const MAX_NONCE: usize = 1_024;

/// Challenges of one kind in a response that are looked at: an algorithm or three from each of a few proxies.
pub(crate) const MAX_CHALLENGES: usize = 16;

/// Nonces of ours whose counts a shard remembers, about 100 bytes each: 1,000 calls a second from trunks that have to show who
/// they are, for the minute that a nonce lasts. Above it the oldest are too old.
pub(crate) const MAX_NONCES: usize = 65_536;

/// A registrar that does not answer REGISTER for so long is left for the next one: four retransmissions at T1 of 500 ms.
pub(crate) const REGISTER_PATIENCE: Duration = Duration::from_secs(8);

/// When every registrar has failed the first of them is asked again after so long; the time doubles with every round, up to the
/// second (RFC 5626 §4.5).
pub(crate) const REGISTER_AGAIN: Duration = Duration::from_secs(30);
pub(crate) const REGISTER_SLOWEST: Duration = Duration::from_secs(1_800);

/// The shortest binding that is worth anything: it is asked for again after two to four seconds.
pub(crate) const REGISTER_SHORTEST: Duration = Duration::from_secs(4);

/// The longest that a registrar may want with 423: a week.
pub(crate) const REGISTER_MAX: Duration = Duration::from_secs(604_800);

/// How often one request shows who we are: to the first challenge, to one that takes its nonce for too old, and to a second
/// proxy behind the one that asked first. Who asks on is not to be satisfied.
pub(crate) const MAX_SHOWN: u8 = 4;

/// How long a signature may be used again, for the next target of a hunt: half of the minute for which readers believe it
/// (RFC 8224 §6.2), so that the other half is left for its way.
pub(crate) const SIGNATURE_LIFE: Duration = Duration::from_secs(30);

/// Bytes of Reason, Warning and the like that one leg says and the other hears: real ones have 20 to 200.
pub(crate) const MAX_SAID: usize = 1_024;

/// Redirections that one call follows: a number that was ported twice, and two mistakes.
pub(crate) const MAX_REDIRECTIONS: usize = 4;

/// Targets that one transfer tries.
pub(crate) const MAX_TRANSFER_TRIES: u8 = 3;

/// REFERs of one call whose NOTIFYs are still expected. A phone has one.
pub(crate) const MAX_REFERRALS: usize = 4;

/// Contacts of redirections that one call keeps.
pub(crate) const MAX_CONTACTS: usize = 8;

/// Bytes of a header field that says which call a new tier leg continues, before its hexadecimal form. Three Call-IDs of
/// 255 bytes, a UUID and two names fit. A longer one is left out: cut short it would name another call.
pub(crate) const MAX_CORRELATION: usize = 1_024;

/// Calls that begin to move in one input. Each takes about 20 µs (an INVITE built, three table entries): 64 of them are
/// 1.3 ms, after which the shard looks at its sockets again before it goes on.
pub(crate) const MOVES_PER_TURN: usize = 64;

/// A target region's unused rate is kept for this long: a tenth of a second's worth may go at once.
pub(crate) const MOVE_BURST: Duration = Duration::from_millis(100);

/// A call that found no target waits this long before it looks again, within its deadline.
pub(crate) const MOVE_RETRY: Duration = Duration::from_millis(250);

/// How long a moved call waits for its new peer's first packet before it is taken as settled: held calls have none.
pub(crate) const SETTLE: Duration = Duration::from_secs(2);

/// Moves that a call's record keeps; a call is moved at most once in `min_interval`, but calls last for hours.
pub(crate) const MAX_RECEIPTS: usize = 16;

/// Legs left behind at once: as many as a shard's calls in a region that dies twice. A dialog takes about half a KiB.
pub(crate) const MAX_GHOSTS: usize = 40_000;

/// A leg left behind is forgotten after this: no call centre's call lasts longer unattended, and media timeouts have
/// ended it at the other end long before.
pub(crate) const GHOST_LIFE: Duration = Duration::from_secs(3600);

/// BYEs sent to left legs in one input, and the pause after that many: 1,000 a second, beside new calls.
pub(crate) const GHOSTS_PER_TURN: usize = 50;
pub(crate) const GHOST_PAUSE: Duration = Duration::from_millis(50);

/// BYE transactions (32 s each) with an edge that is up and does not answer them.
pub(crate) const GHOST_TRIES: u8 = 3;

/// Longest session description that is kept for a later move. Real ones have 200 to 600 bytes, with ICE 3,000.
pub(crate) const MAX_KEPT_SDP: usize = 8192;

/// A region that said 503 is left alone for as long as it asked (RFC 3261 §21.5.4), unless the call's deadline is as near
/// as this: refused once more is no worse than ended. Eight tries of `MOVE_RETRY`.
pub(crate) const LAST_CHANCE: Duration = Duration::from_secs(2);

/// Lines of one call that are relayed: speech, picture, slides or real-time text, and a fax line beside them. Each costs
/// two pairs of ports and about two KiB at the relay.
pub const MAX_LINES: usize = 4;

/// Longest session interval (RFC 4028) that a peer may ask for, in seconds: a day, as no call lasts. Whoever wants more is
/// refreshed earlier, or asked elsewhere.
pub(crate) const MAX_SESSION: u32 = 86_400;

/// Shortest session interval, in seconds, that is kept where a peer names one below what it was allowed: it is refreshed
/// every 15 s, and a peer that asks for less is the one who has to live with the end.
pub(crate) const MIN_SESSION: u32 = 30;

/// 422 to the INVITE of one target that are heeded: every proxy on the way may want more than the one before it.
pub(crate) const MAX_INTERVALS_ASKED: u32 = 3;

/// A refresh that crosses another offer waits this long: a round-trip or two.
pub(crate) const REFRESH_HELD: Duration = Duration::from_secs(1);

/// A refresh that was refused for a reason of the peer's own is tried again after this, and so many times: 30 s fit before
/// the end of the shortest session (90 s, refreshed after 45, ended after 60) only in part, and well before that of others.
pub(crate) const REFRESH_AGAIN: Duration = Duration::from_secs(10);
pub(crate) const MAX_REFRESH_TRIES: u8 = 3;

/// A peer that has not answered OPTIONS is asked again after this, and is gone after so many questions in vain: three times
/// 64 × T1 and two pauses are just under two minutes.
pub(crate) const WATCH_AGAIN: Duration = Duration::from_secs(10);
pub(crate) const MAX_WATCH_MISSES: u8 = 3;

/// A call that has nothing to do for longer is looked at after this. What waits in the timer wheel for a call that has
/// ended is forgotten only when its time comes: at 1,000 calls a second and shard that is 128,000 entries of 24 bytes
/// (3 MiB) instead of 900,000 for sessions of half an hour.
pub(crate) const MAX_NAP: Duration = Duration::from_secs(128);

/// Places for four scanners each: 16,384 of them, some 1.2 MB in a shard that has met one. More than that many at a time is a
/// flood from forged addresses, and its list is worth nothing.
pub(crate) const SCANNER_SETS: usize = 4_096;

/// Places for four strangers each that send what looks like part of a call: some 160 KiB.
pub(crate) const CLAIM_SETS: usize = 1_024;

/// Such messages that one stranger may send in a second: a peer's second address carries a few calls' BYEs.
pub(crate) const SOURCE_CLAIMS_PER_SECOND: u32 = 100;

/// And all strangers together, over one shard's sockets. Each costs some 2 µs to be found false: 1 % of a core.
pub(crate) const CLAIMS_PER_SECOND: u32 = 5_000;

/// Places for four sources each whose new requests are counted against a rate: 4,096 addresses of our neighbours.
pub(crate) const RATED_SETS: usize = 1_024;

/// Lines of a stranger's request in which a User-Agent is looked for. Real ones have it among the first fifteen.
pub(crate) const USER_AGENT_LINES: usize = 40;

/// How long what is said of a load holds, where nothing else is said (RFC 7339 §4.3); also what we say ourselves.
pub(crate) const OC_VALIDITY: Duration = Duration::from_millis(500);

/// The longest that we hold back for what a peer said once.
pub(crate) const MAX_VALIDITY: Duration = Duration::from_secs(600);

/// Peers that ask for less at once; only targets are asked.
pub(crate) const MAX_THROTTLES: usize = 1_024;

/// Seconds after which a caller that was turned away may come back (RFC 3261 §20.33).
pub(crate) const RETRY_AFTER: u64 = 2;

/// Calls that an overloaded shard refuses for each message that it handles. A refusal, its INVITE and ACK included, takes a third of
/// what a message takes: a quarter of the time goes to refusals at most, however many are due. What is beyond gets no answer.
pub(crate) const REFUSALS_PER_MESSAGE: u32 = 1;

/// And so many at once: a tenth of a second's worth of what had come before the overload was known, at 40,000 calls/s.
pub(crate) const REFUSALS_AT_ONCE: u32 = 4_096;

/// How long ACKs to answers without a transaction may come after the last of them: 64*T1.
pub(crate) const STATELESS_ACKS: Duration = Duration::from_secs(32);

/// Aliases (CNAME) that one question follows. Real zones have one or two; a loop ends here, too.
pub(crate) const MAX_ALIASES: u8 = 8;

/// Records of one answer that are looked at: as many A records as 4 KiB hold are 250, and a place keeps 16.
pub(crate) const MAX_RECORDS: usize = 64;

/// NAPTR services of one name that are followed: one transport has one or two.
pub(crate) const MAX_SERVICES: usize = 4;

/// Hosts of SRV records of one name: each is a question.
pub(crate) const MAX_HOSTS: usize = 16;

/// Addresses of one place: as many as a call's plan can hold. Each is probed.
pub(crate) const MAX_PLACE_ADDRESSES: usize = 16;

/// Host names of one configuration: with 16 addresses each they are 16,384 targets, a quarter of what numbers have room for.
pub const MAX_PLACES: usize = 1_024;

/// Questions on their way at once, over all names. Each takes a port and some KiB of the resolver.
pub(crate) const MAX_QUESTIONS: usize = 64;

/// What was found is kept for so long at least, though its TTL be 0: one name then costs three questions in 4 s.
pub(crate) const MIN_TTL: Duration = Duration::from_secs(5);

/// And for so long at most before it is asked for again: who moves a service with a TTL of a day is followed within the hour.
pub(crate) const MAX_REFRESH: Duration = Duration::from_secs(3_600);

/// A TTL counts for no more than this (RFC 8767 §4: a week).
pub(crate) const MAX_TTL: Duration = Duration::from_secs(604_800);

/// Between two walks for one name, whatever fails meanwhile.
pub(crate) const MIN_BETWEEN: Duration = Duration::from_secs(5);

/// A name without any address is asked for again after this, then after twice as long, up to `RECHECK`.
pub(crate) const FIRST_RECHECK: Duration = Duration::from_secs(1);

/// Servers that do not answer are asked again after this (RFC 8767 §5), and those that deny a name for which they do not say
/// how long that is true.
pub(crate) const RECHECK: Duration = Duration::from_secs(30);

/// What a server denies is asked for again after this at the latest, however long it says that it will be so.
pub(crate) const MAX_DENIED: Duration = Duration::from_secs(60);

/// A walk (three steps of four attempts of 5 s each, and some time to find that out) is given up after this.
pub(crate) const WALK_TIME: Duration = Duration::from_secs(90);
/// Live calls that one look shows: 256 of some 500 bytes take a shard 0.1 ms.
pub(crate) const CALLS_SHOWN: usize = 256;

/// Places that one look goes through: a tenth of a millisecond, however few of them fit.
pub(crate) const CALLS_LOOKED_AT: u32 = 1_024;
