/* Packets as they stand on the wire. */
#pragma once
#include "bpf.h"

#define ntohs(x) __builtin_bswap16(x)
#define htons(x) __builtin_bswap16(x)
#define ntohl(x) __builtin_bswap32(x)
#define htonl(x) __builtin_bswap32(x)

enum { ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_VLAN = 0x8100, ETHERTYPE_IPV6 = 0x86dd, ETHERTYPE_QINQ = 0x88a8 };
enum { PROTOCOL_UDP = 17 };
/* The flag in `fragment`: the rest of the field is of fragments (RFC 791 section 3.1). */
enum { DONT_FRAGMENT = 0x4000 };

struct ethernet {
	u8 to[6];
	u8 from[6];
	be16 type;
} __attribute__((packed));

/* IEEE 802.1Q: what follows a type of ETHERTYPE_VLAN or ETHERTYPE_QINQ. */
struct vlan {
	be16 tag;
	be16 type;
};

struct ipv4 {
	u8 version_words;
	u8 tos;
	be16 length;
	be16 id;
	be16 fragment;
	u8 ttl;
	u8 protocol;
	be16 checksum;
	be32 from;
	be32 to;
};

struct ipv6 {
	be32 version_class_label;
	be16 payload_length;
	u8 next_header;
	u8 hop_limit;
	be32 from[4];
	be32 to[4];
};

struct udp {
	be16 from;
	be16 to;
	be16 length;
	be16 checksum;
};

/* RFC 3550 section 5.1. */
struct rtp {
	u8 first;
	u8 second;
	be16 sequence;
	be32 timestamp;
	be32 ssrc;
};

_Static_assert(sizeof(struct ethernet) == 14 && sizeof(struct vlan) == 4, "no gaps");
_Static_assert(sizeof(struct ipv4) == 20 && sizeof(struct ipv6) == 40, "no gaps");
_Static_assert(sizeof(struct udp) == 8 && sizeof(struct rtp) == 12, "no gaps");
