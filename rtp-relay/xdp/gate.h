/* Who owns a media port, and whether its worker has room for one more packet. io/lookup/layout.rs says the same in Rust. */
#pragma once
#include "frame.h"

enum {
	/* Workers have two sockets each. */
	GATES = 2 * 64,
	/* A turn is 2^24 ns, 17 ms, and a port has so many packets of each: those of 4 ms apiece. */
	TURN_SHIFT = 24,
	PER_TURN = 4,
	/* In `port.owner`, above the worker's number plus one. */
	OPEN = 1 << 31,
};

struct media {
	/* How many of `local` there are. */
	u32 locals;
	u32 unused;
	struct address local[LOCALS];
};

struct port {
	/* 0: not a media port. User space's. */
	u32 owner;
	/* The number of the latest turn (29 bits) above the packets that it brought (3 bits); the program's. */
	u32 turn;
};

struct gate {
	/* Line 0: the program's. */
	u64 let_in;
	u64 turned_away;
	u64 unused[6];
	/* Line 1: the worker's. Of what was let in, so many have been taken, and so many may wait. */
	u64 taken;
	u64 room;
	u64 unused_either[6];
};

typedef struct port all_ports[1 << 16];
SHARED_ARRAY(media, struct media, 1);
SHARED_ARRAY(ports, all_ports, LOCALS);
SHARED_ARRAY(gates, struct gate, GATES);

/* A port of ours by its address and number, which is in host byte order. */
INLINE struct port *port_of(const struct address *to, u64 number)
{
	u32 at = 0;
	const struct media *m = lookup(&media, &at);
	if (!m)
		return 0;
#pragma unroll
	for (u32 i = 0; i < LOCALS; i++) {
		if (i >= m->locals)
			return 0;
		if (m->local[i].low == to->low && m->local[i].high == to->high) {
			at = i;
			goto found;
		}
	}
	return 0;
found:;
	all_ports *all = lookup(&ports, &at);
	if (!all)
		return 0;
	/* The compiler knows that it fits, the verifier does not. */
	asm volatile("%0 &= 0xffff" : "+r"(number));
	return &(*all)[number];
}

INLINE u32 gate_of(const struct port *port, u32 is_ipv6)
{
	return 2 * ((port->owner & ~OPEN) - 1) + is_ipv6;
}

/* Whether one more packet may wait. From half of the room on, what waits is shared out among the ports that have a session;
 * others have none of it. */
INLINE int admits(const struct gate *gate, struct port *port)
{
	u64 room = *(volatile const u64 *)&gate->room;
	/* Below zero where the worker has counted what it could not have taken: see there. */
	long long waiting = *(volatile const u64 *)&gate->let_in - *(volatile const u64 *)&gate->taken;
	if (likely(waiting < (long long)(room / 2)))
		return 1;
	if (waiting >= (long long)room || !(port->owner & OPEN))
		return 0;
	u32 now = (u32)(monotonic_ns() >> TURN_SHIFT) << 3, turn = port->turn;
	if ((turn ^ now) >> 3)
		turn = now;
	if ((turn & 7) >= PER_TURN)
		return 0;
	port->turn = turn + 1;
	return 1;
}
