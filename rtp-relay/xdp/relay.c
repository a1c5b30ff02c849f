/* RTP rewritten in place: one body for XDP and for TCX.
 *
 * The program knows nothing by itself. User space has learnt who a peer is, has begun the line of its stream and says by an
 * entry in `flows` what is to become of its next packets; a packet that is not exactly one of those is user space's, which
 * can do all of it: options, fragments, extension headers, RTCP, STUN, events, another source, a restart, a stranger. Nothing
 * is dropped here. */
#include "bpf.h"
#include "layout.h"
#include "packet.h"
#include "checksum.h"
#include "frame.h"
#include "stream.h"

SHARED_ARRAY(setup, struct setup, 1);
/* For each local address the flow of every port; 0: none. */
typedef u32 ports[1 << 16];
SHARED_ARRAY(by_port, ports, LOCALS);
SHARED_ARRAY(flows, struct flow, FLOWS);
SHARED_ARRAY(alternates, struct alternate, 2 * FLOWS);
SHARED_ARRAY(slots, struct slot, SLOTS);
SHARED_ARRAY(next_hops, struct next_hop, NEXT_HOPS);
SHARED_ARRAY(passed, struct passed_counts, CPUS);

enum verdict { PASS, FORWARD };

INLINE enum verdict pass(enum passed why)
{
	u32 cpu = this_cpu() & (CPUS - 1);
	struct passed_counts *counts = lookup(&passed, &cpu);
	if (counts)
		counts->by_reason[why]++;
	return PASS;
}

/* The local address by its place, or LOCALS. */
INLINE u32 local_place(const struct setup *s, const struct address *at)
{
#pragma unroll
	for (u32 i = 0; i < LOCALS; i++) {
		if (i >= s->locals)
			break;
		if (s->local[i].low == at->low && s->local[i].high == at->high)
			return i;
	}
	return LOCALS;
}

/* The route that the flow's slot has in force. */
INLINE const struct route *route_of(const struct flow *flow, u32 index)
{
	u32 at = flow->slot;
	const struct slot *slot = lookup(&slots, &at);
	if (!slot)
		return 0;
	u32 active = slot->active;
	const struct route *route = &flow->route;
	if (unlikely(active)) {
		if (active > 2)
			return 0;
		at = 2 * index + active - 1;
		const struct alternate *alternate = lookup(&alternates, &at);
		if (!alternate)
			return 0;
		route = &alternate->route;
	}
	if (route->generation && route->generation != slot->generation)
		return 0;
	return route;
}

/* What is to become of a frame. If it is forwarded, it has been rewritten but for the checksum of UDP, which changes by
 * `change`, and goes out on `ifindex`. */
INLINE enum verdict relay(struct frame *f, struct change *change, u32 *ifindex)
{
	if (!parse(f))
		return PASS;
	u32 key = 0;
	const struct setup *s = lookup(&setup, &key);
	if (!s)
		return PASS;
	u32 local = local_place(s, &f->to);
	if (local >= LOCALS)
		return PASS;
	u32 *port_table = lookup(&by_port, &local);
	if (!port_table)
		return PASS;
	u64 port = ntohs(f->udp->to);
	/* The compiler knows that it fits, the verifier does not. */
	asm volatile("%0 &= 0xffff" : "+r"(port));
	u32 index = port_table[port];
	if (!index)
		return PASS;
	struct flow *flow = lookup(&flows, &index);
	if (!flow)
		return PASS;

	if (f->udp_length < sizeof(struct udp) + sizeof(struct rtp) || !fits(f))
		return pass(PASSED_LENGTH);
	const struct route *route = route_of(flow, index);
	if (!route)
		return pass(PASSED_SWITCHED);
	if (route->peer.low != f->from.low || route->peer.high != f->from.high ||
	    route->peer_port != f->udp->from)
		return pass(PASSED_STRANGER);

	struct arrival arrival;
	enum passed why = judge(f, flow, &arrival);
	if (why != PASSED_REASONS)
		return pass(why);

	u32 at = route->next_hop;
	const struct next_hop *hop = lookup(&next_hops, &at);
	if (!hop || !hop->ifindex)
		return pass(PASSED_NEXT_HOP);
	if (hop->tags != f->tags)
		return pass(PASSED_TAGS);
	if (f->ip_length > hop->mtu)
		return pass(PASSED_MTU);
	/* Over IPv6 there is no packet without checksum (RFC 8200 section 8.1). */
	if (f->is_ipv6 && !f->udp->checksum)
		return pass(PASSED_CHECKSUM);
	u32 our = flow->local & (LOCALS - 1);

	take(flow, &arrival, s->rate[flow->clock & (RATES - 1)]);
	*ifindex = hop->ifindex;
	rewrite_rtp(f->rtp, flow, change);
	rewrite_udp(f->udp, flow->our_port, route->target_port, change);
	rewrite_ip(f, &s->local[our], &route->target, s->tos, s->hop_limit, change);
	rewrite_ethernet(f, hop);
	return FORWARD;
}

SECTION("xdp") int relay_xdp(struct xdp_md *ctx)
{
	struct frame f = {.begin = (void *)(u64)ctx->data, .end = (void *)(u64)ctx->data_end};
	struct change change = {};
	u32 ifindex;
	f.length = f.end - f.begin;
	if (relay(&f, &change, &ifindex) != FORWARD)
		return XDP_PASS;
	/* None over IPv4 (RFC 768) stays none. */
	if (f.udp->checksum) {
		u16 sum = changed(f.udp->checksum, change.addresses + change.rest);
		f.udp->checksum = sum ? sum : 0xffff;
	}
	if (ifindex == ctx->ingress_ifindex)
		return XDP_TX;
	return redirect(ifindex, 0);
}

/* Bytes of headers that have to lie in one piece. */
enum { HEADERS = sizeof(struct ethernet) + 2 * sizeof(struct vlan) + sizeof(struct ipv6) + sizeof(struct udp) +
		 sizeof(struct rtp) };

SECTION("classifier") int relay_tcx(struct __sk_buff *skb)
{
	/* A tag that the card has taken off would stay on; several packets in one have one RTP header only. */
	if (skb->vlan_present || skb->gso_size)
		return TCX_NEXT;
	if (skb->data_end - skb->data < HEADERS && skb->len > skb->data_end - skb->data)
		pull_data(skb, skb->len < HEADERS ? skb->len : HEADERS);
	struct frame f = {.begin = (void *)(u64)skb->data, .end = (void *)(u64)skb->data_end};
	struct change change = {};
	u32 ifindex;
	f.length = skb->len;
	if (relay(&f, &change, &ifindex) != FORWARD)
		return TCX_NEXT;
	/* A sender on this host leaves all but the addresses' part to the card: the kernel knows, the packet does not show it. */
	u32 at = f.udp_at + __builtin_offsetof(struct udp, checksum);
	l4_checksum_replace(skb, at, 0, folded(change.addresses), CHECKSUM_PSEUDO_HEADER | CHECKSUM_KEEP_ZERO);
	l4_checksum_replace(skb, at, 0, folded(change.rest), CHECKSUM_KEEP_ZERO);
	return redirect(ifindex, 0);
}

char licence[] SECTION("license") = "Dual BSD/GPL";
