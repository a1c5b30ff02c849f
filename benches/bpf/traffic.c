/* Both ends of a relay under test. `generate` is run by BPF_PROG_TEST_RUN with live frames and makes of each frame the next
 * packet of the next lane, or nothing when none is due; `sink` stands at the far ends, counts and drops; `door` stands before
 * the relay and drops everything, which shows what polling alone costs. */
#include "traffic.h"
#include "../../rtp-relay/xdp/packet.h"

enum { XDP_DROP = 1 };

SHARED_ARRAY(plan, struct plan, 1);
SHARED_ARRAY(lanes, struct lane, LANES);
SHARED_ARRAY(arrivals, struct arrivals, 1);
SHARED_ARRAY(delays, u64, BUCKETS);

/* The payload begins with it. */
struct mark {
	be32 magic;
	u32 lane;
	u32 number_low;
	u32 number_high;
	u32 stamp_low;
	u32 stamp_high;
};

/* Each part for itself: the whole, packed, would be written byte by byte. */
struct packet {
	struct ethernet *eth;
	struct ipv4 *ip;
	struct udp *udp;
	struct rtp *rtp;
	struct mark *mark;
};

INLINE int open(struct packet *k, struct xdp_md *ctx)
{
	k->eth = (void *)(u64)ctx->data;
	k->ip = (void *)(k->eth + 1);
	k->udp = (void *)(k->ip + 1);
	k->rtp = (void *)(k->udp + 1);
	k->mark = (void *)(k->rtp + 1);
	return (void *)(k->mark + 1) <= (void *)(u64)ctx->data_end;
}

INLINE u32 sum32(u32 value)
{
	return (value & 0xffff) + (value >> 16);
}

INLINE u16 folded16(u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)sum;
}

/* How often the clock is looked at while nothing is due: some microseconds. */
enum { PATIENCE = 64 };

/* Whether a packet is due. Frames come in batches, and what was made of them leaves when the batch is whole: it is waited at the
 * beginning of one, and nowhere else. */
INLINE int is_due(struct plan *p)
{
	u32 may_wait = p->place == 0;
	p->place = p->place + 1 < p->batch ? p->place + 1 : 0;
	/* A flood looks at the clock now and then. */
	if (p->left || (!p->interval && p->sent & 63))
		return 1;
	if (p->finished)
		return 0;
	u64 now = monotonic_ns();
	if (!p->due) {
		p->due = now;
		p->until += now;
	}
	if (now >= p->until) {
		p->finished = 1;
		return 0;
	}
	if (!p->interval)
		return 1;
	for (u32 i = 0; may_wait && i < PATIENCE && now < p->due; i++)
		now = monotonic_ns();
	if (now < p->due)
		return 0;
	if (now - p->due > p->patience) {
		p->late++;
		p->due = now;
	}
	p->due += p->interval;
	p->left = p->burst;
	return 1;
}

INLINE void address(struct ethernet *eth, const struct link *link)
{
	u64 to = link->to, from = link->from;
	*(u32 *)eth->to = (u32)to;
	*(u16 *)(eth->to + 4) = to >> 32;
	*(u32 *)eth->from = (u32)from;
	*(u16 *)(eth->from + 4) = from >> 32;
	eth->type = htons(ETHERTYPE_IPV4);
}

SECTION("xdp") int generate(struct xdp_md *ctx)
{
	struct packet k;
	if (!open(&k, ctx))
		return XDP_DROP;
	u32 key = 0;
	struct plan *p = lookup(&plan, &key);
	if (!p || !is_due(p))
		return XDP_DROP;
	u32 turn = p->turn;
	struct lane *l = lookup(&lanes, &turn);
	if (!l)
		return XDP_DROP;
	u64 next = turn + p->step;
	p->turn = next < p->end ? next : p->first;
	if (p->left)
		p->left--;
	p->sent++;
	u64 number = l->sent++;
	u64 stamp = p->flags & STAMPED ? monotonic_ns() : 0;

	const struct link *link = l->ports >> 32 & 1 ? &p->link[1] : &p->link[0];
	address(k.eth, link);
	be32 to = l->addresses >> 32, from = (u32)l->addresses;
	be16 port_to = (u16)(l->ports >> 16), port_from = (u16)l->ports;
	u32 length = sizeof(struct udp) + PAYLOAD;
	k.ip->version_words = 0x45;
	k.ip->tos = 0xb8;
	k.ip->length = htons((u16)(sizeof(struct ipv4) + length));
	k.ip->id = 0;
	k.ip->fragment = htons(DONT_FRAGMENT);
	k.ip->ttl = 64;
	k.ip->protocol = PROTOCOL_UDP;
	k.ip->from = from;
	k.ip->to = to;
	u32 addresses = sum32(to) + sum32(from);
	k.ip->checksum = ~folded16(addresses + htons(0x45b8) + k.ip->length + htons(DONT_FRAGMENT) +
				   htons(64 << 8 | PROTOCOL_UDP));
	k.udp->from = port_from;
	k.udp->to = port_to;
	k.udp->length = htons((u16)length);
	k.rtp->first = 0x80;
	k.rtp->second = 0;
	be16 sequence = htons((u16)number);
	be32 timestamp = htonl((u32)number * 160), ssrc = htonl((u32)l->ssrc);
	k.rtp->sequence = sequence;
	k.rtp->timestamp = timestamp;
	k.rtp->ssrc = ssrc;
	k.mark->magic = htonl(MAGIC);
	k.mark->lane = turn;
	k.mark->number_low = (u32)number;
	k.mark->number_high = number >> 32;
	k.mark->stamp_low = (u32)stamp;
	k.mark->stamp_high = stamp >> 32;
	/* What follows is zero, as the bench has made it. RFC 768. */
	u32 sum = addresses + htons(PROTOCOL_UDP) + 2 * k.udp->length + port_from + port_to + htons(0x8000) + sequence +
		  sum32(timestamp) + sum32(ssrc) + sum32(htonl(MAGIC)) + sum32(turn) + sum32((u32)number) +
		  sum32(number >> 32) + sum32((u32)stamp) + sum32(stamp >> 32);
	u16 checksum = ~folded16(sum);
	k.udp->checksum = checksum ? checksum : 0xffff;
	return redirect(link->ifindex, 0);
}

/* The place of a delay in `delays`: its octave, and the five bits below its highest. */
INLINE u32 bucket(u64 delay)
{
	u32 octave = 0;
	u64 rest = delay;
	if (rest >> 32) {
		octave += 32;
		rest >>= 32;
	}
	if (rest >> 16) {
		octave += 16;
		rest >>= 16;
	}
	if (rest >> 8) {
		octave += 8;
		rest >>= 8;
	}
	if (rest >> 4) {
		octave += 4;
		rest >>= 4;
	}
	if (rest >> 2) {
		octave += 2;
		rest >>= 2;
	}
	if (rest >> 1)
		octave += 1;
	u64 part = octave >= 5 ? delay >> (octave - 5) : delay << (5 - octave);
	return octave * PARTS + (u32)(part & (PARTS - 1));
}

SECTION("xdp") int sink(struct xdp_md *ctx)
{
	struct packet k;
	u32 key = 0;
	struct arrivals *a = lookup(&arrivals, &key);
	if (!a)
		return XDP_DROP;
	if (!open(&k, ctx) || k.mark->magic != htonl(MAGIC)) {
		a->other++;
		return XDP_DROP;
	}
	u32 turn = k.mark->lane;
	struct lane *l = lookup(&lanes, &turn);
	if (!l) {
		a->other++;
		return XDP_DROP;
	}
	u64 now = monotonic_ns();
	u64 number = (u64)k.mark->number_high << 32 | k.mark->number_low;
	a->last_at[k.ip->to >> 24] = now;
	l->last_seen = now;
	l->received++;
	a->received++;
	if (((u64)k.ip->to << 32 | k.udp->to) != l->expected)
		a->misdelivered++;
	if (number < l->newest) {
		a->reordered++;
	} else {
		a->gaps += number - l->newest;
		l->newest = number + 1;
	}
	u64 stamp = (u64)k.mark->stamp_high << 32 | k.mark->stamp_low;
	if (stamp) {
		u32 at = bucket(now - stamp) & (BUCKETS - 1);
		u64 *n = lookup(&delays, &at);
		if (n)
			++*n;
	}
	return XDP_DROP;
}

SECTION("xdp") int door(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

char licence[] SECTION("license") = "Dual BSD/GPL";
