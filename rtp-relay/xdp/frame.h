/* From Ethernet to UDP: where things lie, and how they are rewritten. */
#pragma once
#include "checksum.h"
#include "layout.h"
#include "packet.h"

struct frame {
	void *begin;
	/* Of what can be read. */
	void *end;
	/* Of the frame. */
	u32 length;
	struct vlan *vlan;
	void *ip;
	struct udp *udp;
	struct rtp *rtp;
	u32 tags;
	u32 is_ipv6;
	u32 ip_length;
	/* What UDP says of its length, which is what IP says. */
	u32 udp_length;
	u32 udp_at;
	struct address from;
	struct address to;
};

INLINE u64 mapped(be32 ipv4)
{
	return (u64)ipv4 << 32 | htonl(0xffff);
}

INLINE u64 half(const be32 *words)
{
	return (u64)words[1] << 32 | words[0];
}

INLINE int is_vlan(be16 type)
{
	return type == htons(ETHERTYPE_VLAN) || type == htons(ETHERTYPE_QINQ);
}

/* Whether it is UDP in a plain IP packet with room for an RTP header; then everything but `rtp`'s fields is known. */
INLINE int parse(struct frame *f)
{
	struct ethernet *eth = f->begin;
	if ((void *)(eth + 1) > f->end)
		return 0;
	/* To a group. */
	if (eth->to[0] & 1)
		return 0;
	be16 type = eth->type;
	f->vlan = (void *)(eth + 1);
	f->ip = eth + 1;
	f->tags = 0;
	if (is_vlan(type)) {
		struct vlan *v = f->ip;
		if ((void *)(v + 1) > f->end)
			return 0;
		type = v->type;
		f->ip = v + 1;
		f->tags = 1;
		if (is_vlan(type)) {
			v = f->ip;
			if ((void *)(v + 1) > f->end)
				return 0;
			type = v->type;
			f->ip = v + 1;
			f->tags = 2;
		}
	}
	u32 ip_at = sizeof(*eth) + f->tags * sizeof(struct vlan);
	if (type == htons(ETHERTYPE_IPV4)) {
		struct ipv4 *ip = f->ip;
		f->udp = (void *)(ip + 1);
		f->rtp = (void *)(f->udp + 1);
		if ((void *)(f->rtp + 1) > f->end)
			return 0;
		/* No options, no fragment. */
		if (ip->version_words != 0x45 || ip->protocol != PROTOCOL_UDP ||
		    ip->fragment & htons((u16)~DONT_FRAGMENT))
			return 0;
		f->is_ipv6 = 0;
		f->udp_at = ip_at + sizeof(*ip);
		f->ip_length = ntohs(ip->length);
		f->udp_length = ntohs(f->udp->length);
		f->from.high = 0;
		f->from.low = mapped(ip->from);
		f->to.high = 0;
		f->to.low = mapped(ip->to);
		return f->ip_length == f->udp_length + sizeof(*ip);
	}
	if (type == htons(ETHERTYPE_IPV6)) {
		struct ipv6 *ip = f->ip;
		f->udp = (void *)(ip + 1);
		f->rtp = (void *)(f->udp + 1);
		if ((void *)(f->rtp + 1) > f->end)
			return 0;
		/* No extension header. */
		if ((ip->version_class_label & htonl(0xf0000000)) != htonl(0x60000000) ||
		    ip->next_header != PROTOCOL_UDP)
			return 0;
		f->is_ipv6 = 1;
		f->udp_at = ip_at + sizeof(*ip);
		f->udp_length = ntohs(f->udp->length);
		f->ip_length = f->udp_length + sizeof(*ip);
		f->from.high = half(ip->from);
		f->from.low = half(ip->from + 2);
		f->to.high = half(ip->to);
		f->to.low = half(ip->to + 2);
		return ntohs(ip->payload_length) == f->udp_length;
	}
	return 0;
}

/* Whether the frame is as long as its headers say. It may be longer: Ethernet pads. */
INLINE int fits(const struct frame *f)
{
	return f->udp_at + f->udp_length <= f->length;
}

INLINE void rewrite_udp(struct udp *udp, be16 from, be16 to, struct change *c)
{
	c->rest += change16(udp->from, from) + change16(udp->to, to);
	udp->from = from;
	udp->to = to;
}

/* One half of an IPv6 address. */
INLINE u64 rewrite_half(be32 *words, u64 is)
{
	u64 change = change32(words[0], (u32)is) + change32(words[1], is >> 32);
	words[0] = (u32)is;
	words[1] = is >> 32;
	return change;
}

/* The packet leaves as one of our own would: our class and hop limit, no congestion mark (RFC 3168 section 5), and over IPv4
 * never to be fragmented, so that its identification says nothing (RFC 6864 section 4.1). */
INLINE void rewrite_ip(struct frame *f, const struct address *from, const struct address *to, u32 tos, u32 hop_limit,
		       struct change *c)
{
	if (f->is_ipv6) {
		struct ipv6 *ip = f->ip;
		c->addresses += rewrite_half(ip->from, from->high) + rewrite_half(ip->from + 2, from->low) +
				rewrite_half(ip->to, to->high) + rewrite_half(ip->to + 2, to->low);
		ip->version_class_label = htonl(0x60000000 | (tos & 0xff) << 20);
		ip->hop_limit = hop_limit;
		return;
	}
	struct ipv4 *ip = f->ip;
	be32 from4 = from->low >> 32, to4 = to->low >> 32;
	u64 addresses = change32(ip->from, from4) + change32(ip->to, to4);
	u64 header = addresses;
	header += change16(htons(0x4500 | ip->tos), htons(0x4500 | (tos & 0xff)));
	header += change16(ip->fragment, htons(DONT_FRAGMENT));
	header += change16(htons(ip->ttl << 8), htons((u16)(hop_limit << 8)));
	ip->tos = tos;
	ip->fragment = htons(DONT_FRAGMENT);
	ip->ttl = hop_limit;
	ip->from = from4;
	ip->to = to4;
	ip->checksum = changed(ip->checksum, header);
	c->addresses += addresses;
}

INLINE void rewrite_ethernet(struct frame *f, const struct next_hop *hop)
{
	struct ethernet *eth = f->begin;
	__builtin_memcpy(eth->to, hop->to, 6);
	__builtin_memcpy(eth->from, hop->from, 6);
	if (f->tags > 0)
		f->vlan[0].tag = hop->tag[0];
	if (f->tags > 1)
		f->vlan[1].tag = hop->tag[1];
}
