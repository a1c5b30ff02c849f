/* The tables that the program shares with user space, which maps them into its memory: datapath/src/xdp/layout.rs
 * says the same in Rust, and a test compares the two by the object's BTF. Everything in host byte order, but addresses and
 * ports of peers, which are compared with packets. A change of anything here is a change of LAYOUT_VERSION. */
#pragma once
#include "bpf.h"

enum {
	LAYOUT_VERSION = 3,
	/* Local media addresses. Each has 256 KiB of `by_port`, and a packet is compared with all of them. */
	LOCALS = 8,
	/* Clock rates (RFC 3551 table 4 has five). */
	RATES = 8,
	/* Flows, unless the loader says otherwise: 65,536 x 192 bytes are 12 MiB. */
	FLOWS = 1 << 16,
	/* Failure domains that are switched by one store. */
	SLOTS = 256,
	NEXT_HOPS = 1 << 12,
	/* CPUs with counters of their own; those beyond share them. */
	CPUS = 256,
};

/* An address of either family; IPv4 as RFC 4291 section 2.5.5.2 maps it. */
struct address {
	u64 high;
	u64 low;
};

struct setup {
	u32 version;
	/* How many of `local` there are. */
	u32 locals;
	/* Of all media: DSCP above two bits of zero, and the hop limit. */
	u32 tos;
	u32 hop_limit;
	struct address local[LOCALS];
	/* Units of a clock in 2^36 nanoseconds, by `flow.clock`. */
	u64 rate[RATES];
};

/* From whom a flow takes packets, and to whom they go. */
struct route {
	struct address peer;
	struct address target;
	be16 peer_port;
	be16 target_port;
	u16 next_hop;
	/* If not zero, the slot must be of this generation: the peer changes with it, and its first packet is user space's. */
	u16 generation;
};

/* What has been odd about the numbers of a stream: relay-core's losses.rs. A line of its own, which the next packet in order
 * does not touch. */
struct losses {
	/* Bit n: the number n before `at` has not come. */
	u64 missing;
	u32 at;
	u32 duplicates;
	u32 reordered;
	/* Losses that lie together now, and the most in a row of them. */
	u32 first;
	u32 last;
	u32 lost;
	u32 run;
	/* Those that did. */
	u32 bursts;
	u32 packets;
	u32 burst_lost;
	u32 longest;
	u32 longest_loss;
	u32 spare[2];
};

/* One direction of the RTP of one session. User space writes all of it before it stores its index in `by_port`; then line 0
 * stays as it is, and lines 1 and 2 are the program's. */
struct flow {
	/* Line 0: configuration. */
	struct route route;
	/* SSRC as the peer sends it, and as the receiver knows it. */
	u32 source;
	u32 ssrc;
	/* Added to its timestamps. */
	u32 timestamp_shift;
	/* The oldest number that may still pass, counted as `newest` is. */
	u32 oldest;
	/* Added to its sequence numbers. */
	u16 sequence_shift;
	/* Our port, to which the receiver's own packets come. */
	be16 our_port;
	/* Our address, by its place in `setup.local`. */
	u8 local;
	/* 0: the slot that is never switched. */
	u8 slot;
	u8 clock;
	/* Payload type of telephone-event; above 127: none. */
	u8 event;

	/* Line 1: state, and counts since the flow was installed. */
	u64 packets;
	/* Of UDP's payload. */
	u64 bytes;
	/* Of CLOCK_MONOTONIC, in nanoseconds: the last packet, and the first of the newest timestamp. */
	u64 last_seen;
	u64 newest_at;
	/* The newest sequence number of the peer, extended by how often it went round. */
	u32 newest;
	u32 newest_timestamp;
	/* Of the last packet that came. */
	u32 last_timestamp;
	/* x 16 (RFC 3550 appendix A.8). */
	u32 jitter;
	/* Of the packet with the newest sequence number; its step with each number, 0 if it has none. */
	u32 beat_timestamp;
	u32 step;
	/* Bytes that are neither the fixed header nor payload: contributing sources, extension, padding. */
	u32 extra;
	/* Packets in a row that kept the step, up to STEADY. */
	u8 steady;
	/* Of the last packet that came. */
	u8 payload_type;
	u8 spare[2];

	/* Line 2. */
	struct losses losses;
};

/* A flow's routes while its slot says 1 or 2. */
struct alternate {
	struct route route;
	u8 spare[24];
};

struct slot {
	/* 0: the flow's own route, 1 and 2: its alternates, anything else: none, packets are user space's. */
	u16 active;
	u16 generation;
	u32 spare;
};

struct next_hop {
	u8 to[6];
	u8 from[6];
	/* 0: not known. */
	u32 ifindex;
	/* Longest IP packet. */
	u16 mtu;
	/* VLAN tags on the wire. */
	u16 tags;
	be16 tag[2];
	u8 spare[8];
};

/* Why a packet to a port that has a flow is user space's. */
enum passed {
	PASSED_LENGTH,
	PASSED_STRANGER,
	PASSED_SWITCHED,
	PASSED_NOT_RTP,
	PASSED_RTCP,
	PASSED_EVENT,
	PASSED_SOURCE,
	PASSED_RESTART,
	PASSED_LATE,
	PASSED_NEXT_HOP,
	PASSED_TAGS,
	PASSED_MTU,
	PASSED_CHECKSUM,
	PASSED_REASONS,
};

/* Counts of one CPU. */
struct passed_counts {
	u64 by_reason[16];
};

_Static_assert(sizeof(struct route) == 40, "a route leaves room for the rest of line 0");
_Static_assert(sizeof(struct losses) == 64, "one cache line");
_Static_assert(sizeof(struct flow) == 192, "three cache lines");
_Static_assert(__builtin_offsetof(struct flow, packets) == 64, "state has a line of its own");
_Static_assert(sizeof(struct alternate) == 64, "one cache line");
_Static_assert(sizeof(struct next_hop) == 32, "never over two cache lines");
_Static_assert(sizeof(struct slot) == 8, "arrays have steps of eight bytes");
_Static_assert(PASSED_REASONS <= 16, "every reason has a count");
