//! Every limit of the shell, with the arithmetic behind it.

use std::time::Duration;

/// Messages that may wait for a shard before nothing new is taken. A shard sheds by delay, long before: at 20 ms of it some
/// 1,500 messages wait. In the fifth of a second in which it makes sure, a load of three times its capacity brings some 20,000: what
/// is new of them and does not fit is repeated by its sender.
pub(crate) const INBOX_NEW: usize = 12_288;

/// Messages that may wait for a shard at all; beyond, they are dropped and counted. Only what belongs to calls that are
/// up is taken above [`INBOX_NEW`].
pub(crate) const INBOX_MAX: usize = 16_384;

/// Bytes that may wait, in messages that may have 64 KiB each: 1 KiB for each of [`INBOX_MAX`].
pub(crate) const INBOX_BYTES: usize = 16 << 20;

/// What counts as having waited: less is the turn that every message waits for.
pub(crate) const NOTABLE_WAIT: Duration = Duration::from_millis(2);

/// Messages that other threads may have under way to one shard.
pub(crate) const MAIL_MAX: usize = 4_096;

/// Of those, kept free for what is not a new call.
pub(crate) const MAIL_RESERVE: usize = 1_024;

/// Above so many messages in its inbox a shard leaves mail where it is: streams then wait, and what comes in on one of
/// them takes no place from what comes in by datagram.
pub(crate) const INBOX_MAIL: usize = 1_024;

/// Messages that a shard handles before it looks at sockets, timers and mail again: some 1 ms of work.
pub(crate) const TURN_MESSAGES: usize = 256;

/// How long a timer that is due waits for messages that came before it: longer than a shard that sheds lets them wait.
pub(crate) const TIMER_PATIENCE: Duration = Duration::from_millis(100);

/// Datagrams that one turn takes from one socket: all that are there. An overload of three times the capacity brings 150,000 a
/// second, 500 in a turn of 3 ms, and what is left in the socket is lost without a look, a BYE like a new call. Taking
/// one in, or turning it away, costs 1 µs: 2 ms at most.
pub(crate) const TURN_DATAGRAMS: usize = 2_048;

/// Under load a shard lets messages gather for this long before it looks again. Waking up and going to sleep costs a
/// thread some 20 µs, more than a message does; and a millisecond costs a caller nothing.
pub(crate) const GATHER: Duration = Duration::from_micros(1000);

/// What counts as load: so many datagrams in so long, 5,000/s or some 700 calls/s. Below, every message is handled at
/// once.
pub(crate) const LOAD: (u64, Duration) = (50, Duration::from_millis(10));

/// Mail and relay events that one turn takes.
pub(crate) const TURN_EVENTS: usize = 512;

/// Datagrams that may wait for one listener's socket to take them. The kernel's own buffer comes before it.
pub(crate) const SEND_QUEUE: usize = 8_192;

/// A datagram that a socket would not take is tried again after this.
pub(crate) const SEND_RETRY: Duration = Duration::from_millis(1);

/// Registrars have so long to take a binding back when we stop.
pub(crate) const LEAVING: Duration = Duration::from_secs(2);

/// A shard turns at least this often, so that the watchdog sees it.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);

/// Receive and send buffer of a signalling socket: 4 MiB are some 3,000 INVITEs as the kernel counts them (a 1 KiB
/// datagram takes 1.3 KiB of it), 40 ms at 10,000 calls/s. The system may grant less (net.core.rmem_max).
pub(crate) const SOCKET_BUFFER: usize = 4 << 20;

/// Inputs that may wait for the health core. Evidence beyond is dropped: it repeats itself.
pub(crate) const HEALTH_QUEUE: usize = 4_096;

/// Batches of finished records that may wait for the writer. A batch is what one turn of one shard finished.
pub(crate) const RECORD_BATCHES: usize = 4_096;

/// How long the writer of records lets them gather. At 10,000 calls/s that is 200 records in as many batches at most,
/// far below [`RECORD_BATCHES`].
pub(crate) const RECORD_PAUSE: Duration = Duration::from_millis(20);

/// How often a file of records is looked at while no call ends: whether it has grown old, waits for its sync, or was moved away.
pub(crate) const RECORD_TICK: Duration = Duration::from_millis(500);

/// Bytes of one record in the spool: a call has at most some hundred steps and moves of 300 bytes each.
pub(crate) const SPOOL_ENTRY: usize = 256 << 10;

/// Bytes of a batch that is delivered, one record aside.
pub(crate) const SPOOL_READ: usize = 1 << 20;

/// Bytes that wait to be written into the spool together.
pub(crate) const SPOOL_WRITE: usize = 256 << 10;

/// A spool has so many segments when it is full: so much of it is given back at a time.
pub(crate) const SPOOL_SEGMENTS: u64 = 16;

/// And a segment so many bytes: 1 MiB are some 1,000 records; 8 MiB are read at once after a crash.
pub(crate) const SPOOL_SEGMENT_LEAST: u64 = 64 << 10;
pub(crate) const SPOOL_SEGMENT_MOST: u64 = 8 << 20;

/// Bytes of records that were refused for good and wait for a person. Beyond, they wait in the spool.
pub(crate) const SET_ASIDE: u64 = 64 << 20;

/// How long delivery lets records gather when it has sent all there were: a batch costs a file of its place and a question to the receiver, whatever
/// is in it.
pub(crate) const DELIVERY_GATHER: Duration = Duration::from_millis(100);

/// Bytes of a receiver's answer that are read, so that its connection serves again.
pub(crate) const DELIVERY_ANSWER: usize = 64 << 10;

/// How long a service that ends goes on delivering to a receiver that takes records. What is left goes out after the next start.
pub(crate) const DELIVERY_END: Duration = Duration::from_secs(5);

/// Messages of one shard that may wait for the watcher: at 15,000 calls/s of 14 messages, 75 ms. An entry has 100 bytes, so 1.6 MB a shard.
pub(crate) const OBSERVE_QUEUE: usize = 16_384;

/// How long the watcher lets them gather: a quarter of what the queue holds.
pub(crate) const OBSERVE_PAUSE: Duration = Duration::from_millis(20);

/// Bytes of HEP packets that go out together, one packet aside, and how many such lots may wait: 16 MiB.
pub(crate) const HEP_LOT: usize = 256 << 10;
pub(crate) const HEP_LOTS: usize = 64;

/// The longest packet, which a lot may be longer than [`HEP_LOT`] by; and lots whose memory is kept for the next: what comes between two looks at 15,000
/// calls/s.
pub(crate) const HEP_PACKET: usize = 64 << 10;
pub(crate) const HEP_SPARE: usize = 16;

/// Reports (RTCP) of one relay worker that may wait for the watcher: 50,000 a second. An entry has 1,100 bytes, so 1.1 MB a worker.
pub(crate) const REPORT_QUEUE: usize = 1_024;

/// Reports that a collector is told in a second: of 25,000 calls, each end with one in 5 s (RFC 3550 §6.2). More are dropped, and counted.
pub(crate) const REPORTS_PER_SECOND: u32 = 10_000;

/// Sessions of a generation whose call the watcher knows, some 100 bytes each; two generations are 26 MB at most.
pub(crate) const OBSERVED_SESSIONS: usize = 131_072;

/// How long a HEP collector may take to be connected to, and to take a lot.
pub(crate) const HEP_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of messages that one answer to `bascule trace` holds.
pub(crate) const TRACE_BYTES: usize = 4 << 20;

/// Notices that a subscriber may leave unread.
pub(crate) const NOTICES: usize = 65_536;

/// How long a scrape waits for a busy shard.
pub(crate) const REPORT_TIMEOUT: Duration = Duration::from_millis(500);

/// How long somebody who looks at a call waits for what the relay measures of it. A worker answers in its next turn, within a
/// millisecond where it has time.
pub(crate) const RELAY_ANSWER: Duration = Duration::from_millis(250);

/// Looks for a call by its Call-ID, each at 65,536 places: sixteen of them are a million live calls.
pub(crate) const CALL_LOOKS: usize = 16;

/// Messages that may wait for one stream to take them; a peer that reads slower than that is cut off.
pub(crate) const STREAM_QUEUE: usize = 256;

/// Their bytes: as many as [`STREAM_QUEUE`] messages of 1 KiB. 1,024 connections that do not read hold 256 MiB at most, for
/// [`WRITE_TIMEOUT`].
pub(crate) const STREAM_QUEUE_BYTES: usize = 256 << 10;

/// Answers that a connection's reading side has given by itself (keep-alives, 503) and nobody has read yet.
pub(crate) const STREAM_REPLIES: usize = 16;

/// What one write to a stream gathers at most, one message aside.
pub(crate) const STREAM_WRITE: usize = 64 << 10;

/// Messages that may wait for the stream thread.
pub(crate) const STREAM_OUTBOX: usize = 8_192;

/// How long a connection may take to be made.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a TLS handshake may take, both ways: some round trips, and the certificates of a peer that is busy.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(5);

/// Handshakes that one address may have under way. All of a carrier's connections begin anew when its host does.
pub(crate) const HANDSHAKES_OF_ONE: usize = 64;

/// How long the last word of a TLS connection may take to be written.
pub(crate) const CLOSE_NOTIFY: Duration = Duration::from_secs(1);

/// How long a peer that could not be reached over a stream, or that did not read, is not called again. Meanwhile calls
/// go elsewhere at once instead of each trying in vain.
pub(crate) const REST: Duration = Duration::from_secs(1);

/// Peers remembered for that.
pub(crate) const MAX_RESTING: usize = 4_096;

/// How long an accepted connection may stay without one whole message.
pub(crate) const FIRST_MESSAGE: Duration = Duration::from_secs(30);

/// How long a message may take from its first byte to its last: 64 KiB in this time are 18 kbit/s.
pub(crate) const MESSAGE_TIME: Duration = Duration::from_secs(30);

/// A connection of ours is asked after so much silence whether the peer is still there. RFC 5626 §4.4.1 has clients ask every 95
/// to 120 s.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(100);

/// How long the answer may take (RFC 5626 §4.4.1).
pub(crate) const PONG_TIME: Duration = Duration::from_secs(10);

/// How long answers are still written to a peer that has closed its half: 64 × T1, after which nobody waits for one (RFC 3261
/// §17.1.2.2, timer F).
pub(crate) const HALF_CLOSED: Duration = Duration::from_secs(32);

/// Of the places for connections one in so many is kept for those that we begin.
pub(crate) const PLACES_FOR_OURS: usize = 8;

/// Strangers have one place in so many at most, where they are answered at all.
pub(crate) const PLACES_FOR_STRANGERS: usize = 8;

/// Connections that one stranger may begin.
pub(crate) const STRANGER_CONNECTIONS: usize = 4;

/// Messages of one read of a connection that go to a shard without a look at what waits there. Calls' messages come one by one
/// or a few at a time; 16 KiB of them at once are a peer that is ahead of us.
pub(crate) const STREAM_SHARE: usize = 8;

/// What may wait for a shard before such a connection is read on: some 1 ms of work, so that the next message of another
/// peer is no more than that behind.
pub(crate) const STREAM_BACKLOG: usize = 64;

/// How long such a connection is left alone, and how often in a row at most: the shard may be behind because of others.
pub(crate) const STREAM_PAUSE: Duration = Duration::from_millis(1);
pub(crate) const STREAM_PAUSES: usize = 50;

/// Peers whose transactions a connection serves beside its own peer's: those whose own connections have gone.
pub(crate) const STREAM_ALIASES: usize = 64;

/// How long a connection may stay without a byte.
pub(crate) const STREAM_IDLE: Duration = Duration::from_secs(1_800);

/// How long one write may take: a peer that stops reading is cut off.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that a connection of the admin API holds of a request's head; a browser's is some 2 KiB. hyper takes no less.
pub(crate) const HTTP_HEAD: usize = 8_192;

/// Header fields of a request; a browser sends some twenty.
pub(crate) const HTTP_HEADERS: usize = 64;

/// Bytes of a request's body: the longest that is asked for has some 500.
pub(crate) const HTTP_BODY: usize = 16 << 10;

/// Pieces of an answer that goes on which a client may leave unread, beside what the kernel holds for it. A piece has some
/// 64 KiB: a mebibyte for each of the [`FOLLOWERS`].
pub(crate) const HTTP_PIECES: usize = 16;

/// How long a client that follows may leave all of that unread before it is cut off: before [`HTTP_WRITE`] ends its
/// connection without a word.
pub(crate) const FOLLOW_WRITE: Duration = Duration::from_secs(5);

/// Answers that go on at once: half of the connections.
pub(crate) const FOLLOWERS: usize = 16;

/// Calls that one follower is told of. 65,536 names and what is known of them are some 3 MiB.
pub(crate) const FOLLOW_CALLS: usize = 65_536;

/// Calls that are told of at once: some 120 KiB.
pub(crate) const FOLLOW_PAGE: usize = 256;

/// How long a client may take for a request's head, and may stay without one; also for its body.
pub(crate) const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may leave an answer unread before it counts as gone.
pub(crate) const HTTP_WRITE: Duration = Duration::from_secs(10);

/// How long a listener of the admin API waits after an accept that failed.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often it complains of that.
pub(crate) const ACCEPT_COMPLAINT: Duration = Duration::from_secs(10);

/// Connections of the TCP listener at once. A client that does nothing has its place for [`HTTP_TIMEOUT`].
pub(crate) const HTTP_CONNECTIONS: usize = 32;

/// Handshakes of TLS that the admin listener has under way: some 20 KiB each. They have no place among
/// [`HTTP_CONNECTIONS`] yet, so that whoever never ends one keeps nobody out who does.
pub(crate) const HTTP_HANDSHAKES: usize = 64;

/// Of those, begun from one address: a browser opens six at once.
pub(crate) const HTTP_HANDSHAKES_OF_ONE: usize = 8;

/// Bytes of the file that says who may do what: 4,000 tokens.
pub(crate) const ACCESS_FILE: u64 = 1 << 20;

/// How often a change of that file is looked for: a token that is taken away is worth something for so long at most.
pub(crate) const ACCESS_AGE: Duration = Duration::from_secs(1);

/// Generations that are remembered: an hour in which a target changes its state every fifteen seconds.
pub(crate) const GENERATIONS: usize = 256;

/// Changes of targets that are remembered of one generation.
pub(crate) const GENERATION_CHANGES: usize = 64;

/// How long the client of a drain or a drill may leave its lines unread before it counts as gone: the kernel holds 200 KiB
/// for it, some 500 receipts, and [`HTTP_PIECES`] wait before.
pub(crate) const CONTROL_WRITE: Duration = Duration::from_secs(2);

/// Connections of the admin socket at once.
pub(crate) const CONTROL_CONNECTIONS: usize = 16;

/// How often a drain or drill looks at what has come: a condition of a drill is seen this late at most.
pub(crate) const CONTROL_TICK: Duration = Duration::from_millis(20);

/// How often its client hears of it.
pub(crate) const CONTROL_PROGRESS: Duration = Duration::from_millis(100);

/// How long shards may take, after a drain's deadline or a stop, to finish the moves that are under way: one INVITE
/// transaction that times out takes 64 × T1, but a move is given up with its target's hunt timers.
pub(crate) const CONTROL_SETTLE: Duration = Duration::from_secs(5);

/// What comes of names is handed on at most so often: each time is a new configuration, which every shard takes over and every
/// call under way finds its targets in anew.
pub(crate) const DNS_GATHER: Duration = Duration::from_secs(1);

/// Orders that may wait for the thread that looks names up.
pub(crate) const DNS_ORDERS: usize = 16;

/// At most so often is the log told of strangers at the media ports: a flood of them is a line a second.
pub(crate) const STRANGERS_EVERY: Duration = Duration::from_secs(1);

/// Tasks that may wait to be signed or verified: at 100 µs each that is as long as a call waits.
pub(crate) const STIR_QUEUE: usize = 1_024;

/// How long the fetch of a caller's certificate may take. The call waits for less, and the next one has it.
pub(crate) const STIR_FETCH: Duration = Duration::from_secs(2);

/// Fetches at once: some 800 carriers in the US sign, and their certificates are fetched once an hour each.
pub(crate) const STIR_FETCHES: usize = 16;

/// Verifications that wait for certificates on their way: half a second of 2,000 calls/s, some 2 KiB each.
pub(crate) const STIR_WAITING: usize = 1_024;

/// Certificates that are kept, those that could not be had included: some 300 bytes each.
pub(crate) const STIR_CERTIFICATES: usize = 4_096;

/// How long a certificate is kept before it is fetched again, and how long one that could not be had is not asked for.
pub(crate) const STIR_KEEP: Duration = Duration::from_secs(3_600);
pub(crate) const STIR_KEEP_FAILED: Duration = Duration::from_secs(30);

/// Lines of one kind that the log takes in [`LOG_WINDOW`]: two a second of 100 bytes are 17 MB a day.
pub(crate) const LOG_BURST: u32 = 20;

/// A burst for each kind of line, and how late what was held back is told.
pub(crate) const LOG_WINDOW: Duration = Duration::from_secs(10);
