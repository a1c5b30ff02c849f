/* What the traffic programs share with the bench: src/traffic/layout.rs says the same in Rust. Words of eight bytes only, so that
 * no two of a kind differ in their gaps; addresses and ports in network byte order. */
#pragma once
#include "../../rtp-relay/xdp/bpf.h"

enum {
	/* Directions of calls. */
	LANES = 1 << 16,
	/* The links to the relay: the carrier's and the tier's. */
	LINKS = 2,
	/* Octaves of nanoseconds, and parts of each: a value is told to one part in 32. */
	OCTAVES = 64,
	PARTS = 32,
	BUCKETS = OCTAVES * PARTS,
	/* RTP header and 20 ms of G.711. */
	PAYLOAD = 172,
	/* Marks our packets. */
	MAGIC = 0x6c616e65,
};

/* One direction of one call: what is sent, where it must arrive, and what has. */
struct lane {
	/* Address to, address from (low half); port to, port from, link (low half). */
	u64 addresses;
	u64 ports;
	/* Address and port at which the relay must deliver. */
	u64 expected;
	u64 ssrc;
	/* The next packet's number. */
	u64 sent;
	/* The number after the newest one that came. */
	u64 newest;
	u64 received;
	/* When the last one came: CLOCK_MONOTONIC. */
	u64 last_seen;
};

struct link {
	/* In the low six bytes. */
	u64 to;
	u64 from;
	u64 ifindex;
};

enum { STAMPED = 1 };

/* How packets are sent, and how far it has come. */
struct plan {
	struct link link[LINKS];
	/* Time between two bursts in ns; 0: as fast as it goes. */
	u64 interval;
	u64 burst;
	/* Lanes `first`, `first + step`, … below `end` take turns. */
	u64 first;
	u64 step;
	u64 end;
	u64 flags;
	/* A burst may be so late, in ns. What is made up for comes at once, and links have room for 256 packets. */
	u64 patience;
	/* Frames of a batch. */
	u64 batch;
	/* How long; when it has begun, until when. */
	u64 until;
	/* From here on it is the program's: when the next burst is due, what is left of this one, whose turn it is. */
	u64 due;
	u64 left;
	u64 turn;
	u64 sent;
	/* Bursts that began later than they may; the plan then goes on from there. */
	u64 late;
	u64 finished;
	/* The next frame's place in its batch. */
	u64 place;
};

/* What came, of all lanes and both links. */
struct arrivals {
	u64 received;
	/* Numbers that are missing between a packet and the newest before it. Some may come later. */
	u64 gaps;
	/* Packets whose number is not above the newest. */
	u64 reordered;
	/* To an address or a port where they do not belong. */
	u64 misdelivered;
	/* Frames that are not ours, as neighbours' questions. */
	u64 other;
	/* The last packet to each address, by its last byte. */
	u64 last_at[256];
};
